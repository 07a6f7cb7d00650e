import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { drawn, stands, stored } from "../../tools/architecture.ts";
import { COMPOSES, GROUND, NAMES } from "../../tools/house/floors.ts";
import { pageText } from "../../tools/tables.ts";

/** The arrows of the picture as it stands on the page. */
function arrows(): { readonly from: string; readonly to: string; readonly isType: boolean }[] {
  const lines = stored().matchAll(/^\s+(\w+) (-\.->|==>) (\w+)$/gm);
  return Array.from(lines, ([, from = "", arrow, to = ""]) => ({ from, to, isType: arrow === "-.->" }));
}

const house = NAMES.filter((name) => !GROUND.has(name));

describe("the picture in docs/ARCHITECTURE.md", () => {
  it("is what the sources' imports say (npm run architecture draws it)", async () => {
    expect(await drawn(stored())).toBe(stored());
  });

  it("has an arrow for each import between floors, and no other", () => {
    expect(arrows().filter(({ to }) => to !== "ground")).toEqual(stands());
    expect(stands().length).toBeGreaterThan(30);
  });

  it("points down only: from a floor to one before it in the order that the import rule holds", () => {
    const up = arrows().filter(({ from, to }) => house.indexOf(to) >= house.indexOf(from));
    expect(up).toEqual([]);
  });

  it("has a whole arrow only from those who compose, but for the entry's Durable Objects", () => {
    const whole = arrows().filter(({ isType, to }) => !isType && to !== "ground");
    const odd = whole.filter(({ from, to }) => !COMPOSES[from]?.(to)).map(({ from, to }) => `${from} ${to}`);
    expect(odd).toEqual(["index initiator"]);
  });
});

/** Every file below a folder of the project, as `below/it.ts`. */
function filesIn(folder: string): string[] {
  const root = fileURLToPath(import.meta.resolve(`../../${folder}`));
  return readdirSync(root, { recursive: true, encoding: "utf8" }).map((path) => path.replaceAll("\\", "/"));
}

/** A test's name on the page, as a pattern of its file's. */
const testFile = (name: string): RegExp =>
  new RegExp(`^${name.replace(/<\w+>/, "[a-z]+").replace("*", "[a-z-]*")}\\.test\\.ts$`);

describe("the page around it", () => {
  const spans = Array.from(stored().matchAll(/`([^`\n]+)`/g), ([, text = ""]) => text);

  it("names no source file that is not there", () => {
    const all = ["src", "tools", "test"].flatMap((folder) =>
      filesIn(folder).map((path) => `${folder}/${path}`),
    );
    const named = spans.filter((text) => /^[\w/.-]+\.ts$/.test(text));
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((path) => !all.some((real) => `/${real}`.endsWith(`/${path}`)))).toEqual([]);
  });

  it("names no tests that are not there", () => {
    const all = filesIn("test");
    const named = spans.filter((text) => /^(?:worker|sockets|docs)\/[\w*<>-]+$/.test(text));
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((text) => !all.some((path) => testFile(text).test(path)))).toEqual([]);
  });
});

describe("README.md's Structure", () => {
  it("names every floor", () => {
    const [, structure = ""] = pageText("README.md").split("\n## Structure\n");
    const named = new Set(
      Array.from(structure.matchAll(/(?<=^ {2}|`)(\w+)(?=\/|\*?\.ts|`)/gm), ([name]) => name),
    );
    expect(NAMES.filter((name) => !named.has(name))).toEqual([]);
  });
});
