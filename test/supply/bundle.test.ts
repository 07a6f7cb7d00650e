import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { onlyPackages, type Bom } from "../../tools/sbom.ts";
import { additionLines, consoleProblems, sizeProblems } from "../../tools/size.ts";
import { BUDGET, CONSOLE_GZIP_BYTES } from "../../tools/supply/budget.ts";
import { layerOf, packageOf, partsOf, readBuilt, type Built } from "../../tools/supply/bundle.ts";

const file = (gzipBytes: number) => ({ name: "main.js", bytes: 1, gzipBytes });

const built = (changes: Partial<Built> = {}): Built => ({
  bytes: 100,
  gzipBytes: 50,
  wide: null,
  sources: [["src/gateway/app/app.ts", 60]],
  ...changes,
});

describe("the bundle's size", () => {
  it("reads the bundle and its sources, with the same gzipped size each time", () => {
    const dist = mkdtempSync(join(tmpdir(), "dist-"));
    onTestFinished(() => rmSync(dist, { recursive: true }));
    expect(() => readBuilt(dist)).toThrow("run `npm run build` first");
    writeFileSync(join(dist, "index.js"), "export {};".repeat(100));
    const inputs = { "src/gateway/app/app.ts": { bytesInOutput: 7 } };
    writeFileSync(
      join(dist, "meta.json"),
      JSON.stringify({ outputs: { "index.js.map": { inputs: {} }, "index.js": { inputs } } }),
    );
    const first = readBuilt(dist);
    expect(first).toMatchObject({ bytes: 1000, sources: [["src/gateway/app/app.ts", 7]] });
    expect(readBuilt(dist)).toEqual(first);
    expect(first.gzipBytes).toBeLessThan(100);
  });

  it("accepts a bundle of exactly the budget and rejects one byte more", () => {
    expect(sizeProblems(built(BUDGET))).toEqual([]);
    expect(sizeProblems(built({ bytes: BUDGET.bytes + 1 }))).toHaveLength(1);
    expect(sizeProblems(built({ gzipBytes: BUDGET.gzipBytes + 1 }))).toHaveLength(1);
  });

  it("reports a character that makes V8 read the whole bundle as text of two bytes per character", () => {
    expect(sizeProblems(built({ wide: "…" }))).toEqual([
      "the bundle contains …; write it as an escape sequence",
    ]);
  });

  it("reports a package that is not in DEPLOYED, regardless of its size", () => {
    expect(sizeProblems(built({ sources: [["node_modules/hono/a.js", 1]] }))).toEqual([]);
    expect(sizeProblems(built({ sources: [["node_modules/a/node_modules/@b/c/d.js", 0]] }))).toEqual([
      "@b/c is in the bundle, but not in DEPLOYED",
    ]);
  });

  it("accepts a console of exactly the budget, and rejects one byte more and a package that is not listed", () => {
    expect(consoleProblems({ files: [file(1), file(CONSOLE_GZIP_BYTES - 1)], packages: ["preact"] })).toEqual(
      [],
    );
    expect(consoleProblems({ files: [file(2), file(CONSOLE_GZIP_BYTES - 1)], packages: [] })).toHaveLength(1);
    expect(consoleProblems({ files: [], packages: ["left-pad"] })).toEqual([
      "left-pad is in the console, but not in CONSOLE_PACKAGES",
    ]);
  });

  it("states the gzipped bytes that each issue added, and the rest", () => {
    const additions = [
      { issue: 9, what: "the first", gzipBytes: 50_000 },
      { issue: 12, what: "a scanner", gzipBytes: 3_000 },
      { issue: 12, what: "less code", gzipBytes: -500 },
    ];
    expect(additionLines(52_400, additions)).toEqual([
      "  50,000  issue 9",
      "      50,000  the first",
      "   2,500  issue 12",
      "       3,000  a scanner",
      "        -500  less code",
      "    -100  not listed in tools/supply/budget.ts",
    ]);
  });

  it("groups the bytes by layer and by package", () => {
    const sources = [
      ["src/gateway/app/app.ts", 5],
      ["src/gateway/app/decide.ts", 6],
      ["src/gateway/wiring.ts", 1],
      ["src/shared/config/fields.ts", 3],
      ["src/shared/text.ts", 1],
      ["src/events/compose.ts", 2],
      ["src/gateway/policy/policy.ts", 0],
      ["node_modules/jose/dist/a.js", 20],
    ] as const;
    expect(partsOf(built({ sources }))).toEqual([
      ["jose", 20],
      ["src/gateway/app", 11],
      ["src/shared", 4],
      ["src/events", 2],
      ["src/gateway/wiring.ts", 1],
    ]);
    expect(layerOf("src/gateway/identity/sources/jwt.ts")).toBe("src/gateway/identity");
    expect(packageOf("src/gateway/app/app.ts")).toBeNull();
  });
});

const component = (name: string): Bom["components"][number] => ({
  "bom-ref": `${name}@1`,
  name,
  version: "1",
});

describe("the bill of materials of the bundle", () => {
  const bom: Bom = {
    metadata: { component: { name: "p", purl: "pkg:npm/p@0" } },
    components: [component("a"), component("b"), component("c")],
    dependencies: [
      { ref: "p@0", dependsOn: ["a@1", "c@1"] },
      { ref: "a@1", dependsOn: ["b@1"] },
      { ref: "b@1", dependsOn: [] },
      { ref: "c@1", dependsOn: [] },
    ],
  };

  it("has the packages of the bundle and no others", () => {
    const { components, dependencies } = onlyPackages(bom, ["a", "b"]);
    expect(components.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(dependencies).toEqual([
      { ref: "p@0", dependsOn: ["a@1"] },
      { ref: "a@1", dependsOn: ["b@1"] },
      { ref: "b@1", dependsOn: [] },
    ]);
  });

  it("rejects a package of the bundle that is not installed", () => {
    expect(() => onlyPackages(bom, ["a", "x"])).toThrow("in the bundle, but not installed: x");
  });
});
