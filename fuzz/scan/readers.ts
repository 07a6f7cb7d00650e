/** JSON readers that differ in which of two equal keys they use, and whether they ignore the case of keys. */

/** An object keeps all its members in order. */
export type Node =
  | { readonly kind: "scalar"; readonly value: unknown }
  | { readonly kind: "list"; readonly items: readonly Node[] }
  | { readonly kind: "object"; readonly members: readonly (readonly [key: string, value: Node])[] };

export type Reader = { readonly name: string; readonly folds: boolean; readonly wins: "first" | "last" };

export const READERS: readonly Reader[] = [
  { name: "last wins", folds: false, wins: "last" },
  { name: "first wins", folds: false, wins: "first" },
  { name: "ignores case, last wins", folds: true, wins: "last" },
  { name: "ignores case, first wins", folds: true, wins: "first" },
];

/** The key as Go's `encoding/json` compares it. */
export const foldKey = (key: string): string => key.replaceAll("ſ", "s").toLowerCase();

const TOKEN = /[ \t\r\n]*("(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+)/gy;

/** The tree of a text that `JSON.parse` accepts. */
export function toTree(text: string): Node {
  const tokens = new RegExp(TOKEN);
  const next = (): string => tokens.exec(text)?.[1] ?? "";
  const read = (token: string): Node => {
    if (token === "[") return { kind: "list", items: readList(next, read) };
    if (token === "{") return { kind: "object", members: readMembers(next, read) };
    return { kind: "scalar", value: JSON.parse(token) as unknown };
  };
  return read(next());
}

type Next = () => string;
type Read = (token: string) => Node;

function readList(next: Next, read: Read): Node[] {
  const items: Node[] = [];
  for (let token = next(); token !== "]"; token = next()) if (token !== ",") items.push(read(token));
  return items;
}

function readMembers(next: Next, read: Read): [string, Node][] {
  const members: [string, Node][] = [];
  for (let token = next(); token !== "}"; token = next()) {
    if (token === ",") continue;
    const key = JSON.parse(token) as string;
    next();
    members.push([key, read(next())]);
  }
  return members;
}

/** The value as the reader sees it. Objects have no prototype, so that `__proto__` is a key. */
export function valueFor(node: Node, reader: Reader): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map((item) => valueFor(item, reader));
  const object = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of node.members) {
    const name = reader.folds ? foldKey(key) : key;
    if (reader.wins === "last" || !(name in object)) object[name] = valueFor(value, reader);
  }
  return object;
}

/** Whether the object has one of the names twice, or in another case. */
export function repeats(node: Node, names: readonly string[]): boolean {
  if (node.kind !== "object") return false;
  const folded = node.members.map(([key]) => foldKey(key));
  return names.some(
    (name) =>
      folded.filter((key) => key === name).length > 1 ||
      node.members.some(([key]) => key !== name && foldKey(key) === name),
  );
}

/** The deepest nesting of objects and lists. */
export function depthOf(node: Node): number {
  if (node.kind === "scalar") return 0;
  const inner = node.kind === "list" ? node.items : node.members.map(([, value]) => value);
  return 1 + inner.reduce((most, value) => Math.max(most, depthOf(value)), 0);
}
