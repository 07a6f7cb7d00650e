/** docs/ARCHITECTURE.md agrees with the sources. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  importsWithin,
  layerImports,
  storedPage,
  withDrawings,
  type LayerImport,
} from "../../tools/architecture.ts";
import { COMMON, COMPOSES, LAYERS, NAMES } from "../../tools/structure/layers.ts";
import { ROOT } from "../../tools/root.ts";

const WORKERS = ["gateway", "records"] as const;
type Worker = (typeof WORKERS)[number];

/** The arrows of a Worker's picture on the page, without the one to the common layers. */
function arrowsOf(worker: Worker): LayerImport[] {
  const [, rest = ""] = storedPage().split(`<!-- drawn: ${worker} -->`);
  const [picture = ""] = rest.split(`<!-- end: ${worker} -->`);
  return Array.from(
    picture.matchAll(/^\s+(\w+) (-\.->|==>) (\w+)$/gm),
    ([, from = "", arrow, to = ""]): LayerImport => ({
      from: `${worker}/${from}`,
      to: to === "common" ? to : `${worker}/${to}`,
      isType: arrow === "-.->",
    }),
  ).filter(({ to }) => to !== "common");
}

describe("the pictures in docs/ARCHITECTURE.md", () => {
  it("match the imports of the sources (npm run architecture draws them)", async () => {
    expect(await withDrawings(storedPage())).toBe(storedPage());
  });

  it.each(WORKERS)("have an arrow for each import between two layers of %s, and no other", (worker) => {
    expect(arrowsOf(worker)).toEqual(importsWithin(worker));
  });

  it("have the arrows of both Workers", () => {
    expect(arrowsOf("gateway").length).toBeGreaterThan(20);
    expect(arrowsOf("records").length).toBeGreaterThan(3);
  });

  it.each(WORKERS)("point from a layer of %s to an earlier one", (worker) => {
    const upward = arrowsOf(worker).filter(({ from, to }) => NAMES.indexOf(to) >= NAMES.indexOf(from));
    expect(upward).toEqual([]);
  });

  it("have solid arrows only from layers that compose, apart from the entries' Durable Objects", () => {
    const solid = WORKERS.flatMap(arrowsOf).filter(({ isType }) => !isType);
    const others = solid
      .filter(({ from, to }) => !COMPOSES[from]?.(to))
      .map(({ from, to }) => `${from} ${to}`);
    expect(others).toEqual(["gateway/index gateway/initiator", "records/index records/objects"]);
  });

  it("leave out only imports of the common layers", () => {
    const drawn = WORKERS.flatMap((worker) => importsWithin(worker));
    const leftOut = layerImports().filter(
      ({ from, to }) => !drawn.some((one) => one.from === from && one.to === to),
    );
    expect(leftOut.filter(({ to }) => !COMMON.has(to))).toEqual([]);
  });

  it("are followed by a table with one row per layer", () => {
    for (const { name, does } of LAYERS) {
      const row = new RegExp(`^\\| \`src/${name}(?:/|\\.ts)\` +\\| (.+?) +\\|$`, "m").exec(storedPage());
      expect([name, row?.[1]]).toEqual([name, does]);
    }
  });
});

/** The path of every file below a folder of the project, relative to that folder. */
function filesIn(folder: string): string[] {
  const root = fileURLToPath(import.meta.resolve(`../../${folder}`));
  return readdirSync(root, { recursive: true, encoding: "utf8" }).map((path) => path.replaceAll("\\", "/"));
}

/** Whether the page's name of a file, `<dialect>` and `*` standing for any word, ends a path. */
function endsPath(name: string, path: string): boolean {
  const pattern = name.replaceAll(".", "\\.").replace(/<\w+>/, "[a-z]+").replace("*", "[a-z-]*");
  return new RegExp(`(?:^|/)${pattern}$`).test(path);
}

describe("the text of docs/ARCHITECTURE.md", () => {
  const spans = Array.from(storedPage().matchAll(/`([^`\n]+)`/g), ([, text = ""]) => text);

  it("names only source files that exist", () => {
    const all = ["src", "tools", "test"].flatMap((folder) =>
      filesIn(folder).map((path) => `${folder}/${path}`),
    );
    const named = spans.filter((text) => /^[\w/.<>*-]+\.ts$/.test(text));
    expect(named.length).toBeGreaterThan(80);
    expect(named.filter((name) => !all.some((path) => endsPath(name, path)))).toEqual([]);
  });

  it("names every layer in its project tree", () => {
    const [, rest = ""] = storedPage().split("\n## Folders\n");
    const [tree = ""] = rest.split("\n## ");
    const named = new Set(Array.from(tree.matchAll(/[\w-]+(?=\/|\.ts)/g), ([name]) => name));
    const layers = NAMES.map((name) => name.split("/").at(-1) ?? "");
    expect(layers.filter((name) => !named.has(name))).toEqual([]);
  });

  it("names only tests that exist", () => {
    const all = filesIn("test");
    const named = spans.filter((text) =>
      /^(?:gateway|records|events|shared|sockets|slow|docs|tools|structure)\/[\w*<>/-]+$/.test(text),
    );
    const tests = named.filter((text) => !NAMES.includes(text));
    expect(tests.length).toBeGreaterThan(30);
    expect(
      tests.filter((name) => !all.some((path) => path.endsWith(".ts") && endsPath(`${name}.test.ts`, path))),
    ).toEqual([]);
  });
});

describe("README.md", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");

  it("has at most 120 lines", () => {
    expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(120);
  });
});
