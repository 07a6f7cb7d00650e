/**
 * `npm run architecture`: draws docs/ARCHITECTURE.md's picture and table of the floors out of the sources' own imports,
 * in the order that test/structure/import-rule.test.ts holds. test/docs/architecture.test.ts fails where it has fallen behind.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import prettier from "prettier";
import { floorOf, FLOORS, GROUND, NAMES } from "./house/floors.ts";
import { importsOf, resolve } from "./house/imports.ts";

const FILE = fileURLToPath(import.meta.resolve("../docs/ARCHITECTURE.md"));
const SRC = fileURLToPath(import.meta.resolve("../src"));

/** `from` imports of `to`: values, or types only. */
export type Stand = { readonly from: string; readonly to: string; readonly isType: boolean };

/** Path under `src/` → its text. */
function sources(): ReadonlyMap<string, string> {
  const paths = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".ts"),
  );
  return new Map(
    paths.map((path) => [path.replaceAll("\\", "/"), readFileSync(join(SRC, path), "utf8")] as const),
  );
}

/** Who stands on whom, the ground left out: on that everybody does. */
export function stands(): Stand[] {
  const isType = new Map<string, boolean>();
  for (const [path, text] of sources()) {
    for (const found of importsOf(text).filter(({ from }) => from.startsWith("."))) {
      const way = `${floorOf(path)} ${floorOf(resolve(path, found.from))}`;
      isType.set(way, found.isType && (isType.get(way) ?? true));
    }
  }
  return [...isType]
    .map(([way, type]): Stand => {
      const [from = "", to = ""] = way.split(" ");
      return { from, to, isType: type };
    })
    .filter(({ from, to }) => from !== to && !GROUND.has(to))
    .toSorted((a, b) => rank(b.from) - rank(a.from) || rank(b.to) - rank(a.to));
}

const rank = (floor: string): number => NAMES.indexOf(floor);

function picture(): string {
  const house = FLOORS.filter(({ ground }) => !ground).toReversed();
  const ground = FLOORS.filter(({ ground: isGround }) => isGround).map(({ name }) => name);
  return [
    "```mermaid",
    "flowchart TB",
    ...house.map(({ name }) => `  ${name}`),
    ...stands().map(({ from, to, isType }) => `  ${from} ${isType ? "-.->" : "==>"} ${to}`),
    `  ground[[${ground.join(" · ")}]]`,
    `  ${house.at(-1)?.name ?? ""} ==> ground`,
    "```",
  ].join("\n");
}

function table(): string {
  const files = [...sources().keys()];
  const rows = FLOORS.map(({ name, ground, does }) => {
    const count = files.filter((path) => floorOf(path) === name).length;
    return `| \`${name}\` | ${ground ? "ground" : ""} | ${count} | ${does} |`;
  });
  return ["| floor | | files | what it does |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

const PARTS: Readonly<Record<string, () => string>> = { floors: picture, order: table };

/** The text with each part between its markers drawn anew, and formatted. Throws where a marker is missing. */
export async function drawn(text: string): Promise<string> {
  const written = Object.entries(PARTS).reduce((whole, [name, draw]) => {
    const [begin, end] = [`<!-- drawn: ${name} -->`, `<!-- end: ${name} -->`];
    const [from, to] = [whole.indexOf(begin), whole.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`ARCHITECTURE.md has no place for ${name}`);
    return `${whole.slice(0, from + begin.length)}\n\n${draw()}\n\n${whole.slice(to)}`;
  }, text);
  const options = await prettier.resolveConfig(FILE);
  return prettier.format(written, { ...options, parser: "markdown" });
}

/** The page as it stands. */
export const stored = (): string => readFileSync(FILE, "utf8");

export async function main(): Promise<number> {
  writeFileSync(FILE, await drawn(stored()));
  return 0;
}
