/**
 * `npm run architecture`: draws the pictures and the table of layers in docs/ARCHITECTURE.md from the imports of the
 * sources. test/docs/architecture.test.ts fails when the page is out of date.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import prettier from "prettier";
import { importsOf, resolve } from "./structure/imports.ts";
import { COMMON, layerOf, LAYERS, NAMES, type Part } from "./structure/layers.ts";

const FILE = fileURLToPath(import.meta.resolve("../docs/ARCHITECTURE.md"));
const SRC = fileURLToPath(import.meta.resolve("../src"));

/** One layer imports another: values, or types only. */
export type LayerImport = { readonly from: string; readonly to: string; readonly isType: boolean };

type Worker = Exclude<Part, "shared" | "events">;

/** Path under `src/` → its text. */
function readSources(): ReadonlyMap<string, string> {
  const paths = readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".ts"));
  return new Map(paths.map((path) => [path, readFileSync(join(SRC, path), "utf8")] as const));
}

/** Every import between two layers, from the last layer to the first. */
export function layerImports(): LayerImport[] {
  const isType = new Map<string, boolean>();
  for (const [path, text] of readSources()) {
    for (const imported of importsOf(text).filter(({ from }) => from.startsWith("."))) {
      const key = `${layerOf(path)} ${layerOf(resolve(path, imported.from))}`;
      isType.set(key, imported.isType && (isType.get(key) ?? true));
    }
  }
  return [...isType]
    .map(([key, onlyTypes]): LayerImport => {
      const [from = "", to = ""] = key.split(" ");
      return { from, to, isType: onlyTypes };
    })
    .filter(({ from, to }) => from !== to)
    .toSorted((a, b) => rank(b.from) - rank(a.from) || rank(b.to) - rank(a.to));
}

const rank = (layer: string): number => NAMES.indexOf(layer);

/** The imports that a Worker's picture shows: those between its own layers. Every layer may import the common ones. */
export const importsWithin = (worker: Worker): LayerImport[] =>
  layerImports().filter(({ from, to }) => from.startsWith(`${worker}/`) && !COMMON.has(to));

/** `gateway/client` → `client`. */
const shortName = (layer: string): string => layer.slice(layer.indexOf("/") + 1);

function picture(worker: Worker): string {
  const layers = LAYERS.filter(({ part }) => part === worker).toReversed();
  const [first = ""] = layers.map(({ name }) => shortName(name)).slice(-1);
  const common = [...COMMON].toReversed();
  return [
    "```mermaid",
    "flowchart TB",
    `  subgraph ${worker}_worker["src/${worker}"]`,
    ...layers.map(({ name }) => `    ${shortName(name)}`),
    "  end",
    ...importsWithin(worker).map(
      ({ from, to, isType }) => `  ${shortName(from)} ${isType ? "-.->" : "==>"} ${shortName(to)}`,
    ),
    `  common[["src/${common.join(" · src/")}"]]`,
    `  ${first} ==> common`,
    "```",
  ].join("\n");
}

function table(): string {
  const rows = LAYERS.map(({ name, does }) => {
    const isFile = existsSync(join(SRC, `${name}.ts`));
    return `| \`src/${name}${isFile ? ".ts" : "/"}\` | ${does} |`;
  });
  return ["| layer | what it does |", "| --- | --- |", ...rows].join("\n");
}

const DRAWN: Readonly<Record<string, () => string>> = {
  gateway: () => picture("gateway"),
  records: () => picture("records"),
  layers: table,
};

/**
 * Returns the page's text with each generated part between its markers drawn again, and formats it.
 * @throws when a marker is missing.
 */
export async function withDrawings(text: string): Promise<string> {
  const page = Object.entries(DRAWN).reduce((textSoFar, [name, draw]) => {
    const [begin, end] = [`<!-- drawn: ${name} -->`, `<!-- end: ${name} -->`];
    const [from, to] = [textSoFar.indexOf(begin), textSoFar.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`docs/ARCHITECTURE.md has no markers for ${name}`);
    return `${textSoFar.slice(0, from + begin.length)}\n\n${draw()}\n\n${textSoFar.slice(to)}`;
  }, text);
  const options = await prettier.resolveConfig(FILE);
  return prettier.format(page, { ...options, parser: "markdown" });
}

/** The page as it is stored. */
export const storedPage = (): string => readFileSync(FILE, "utf8");

export async function main(): Promise<number> {
  writeFileSync(FILE, await withDrawings(storedPage()));
  return 0;
}
