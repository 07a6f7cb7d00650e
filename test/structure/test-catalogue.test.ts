/** docs/test-catalogue.md and the tests agree: each case id that a test name cites has a row there, and the reverse. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { ownFiles } from "../../tools/supply/tree.ts";
import { ROOT } from "../../tools/root.ts";

const PAGE = "docs/test-catalogue.md";
const SELF = "test/structure/test-catalogue.test.ts";
const NOT_BUILT = "not built yet";

const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

type Row = {
  readonly section: string;
  readonly id: string;
  readonly source: string;
  /** The last cell: the files that hold the case. */
  readonly heldBy: string;
};

/** The rows of all tables, by the heading above them. The first cell is the id; the last two are source and files. */
function rowsOf(page: string): Row[] {
  let section = "";
  return page.split("\n").flatMap((line) => {
    section = /^## (.+)$/.exec(line)?.[1] ?? section;
    if (!line.startsWith("| ")) return [];
    const cells = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
    const [id = ""] = cells;
    if (id === "id" || /^-+$/.test(id)) return [];
    return [{ section, id, source: cells.at(-2) ?? "", heldBy: cells.at(-1) ?? "" }];
  });
}

const filesOf = (row: Row): string[] => [...row.heldBy.matchAll(/`([^`]+)`/g)].map(([, path = ""]) => path);

/**
 * The ids at the start of a test's name: `C7 C9 …`, `G4, G5, G26 …`, `A5 and A6: …`, `A1 to A4 …`, `G18-G21 …`, or one of
 * a provider or client: `Case K1 …`, or one of a security review: `Finding M4: …`.
 */
function citedIds(name: string): string[] {
  const ofReality = /^(?:Case [A-M]|Finding [HLMNS])\d{1,2}(?=$|[\s,:])/.exec(name);
  if (ofReality) return [ofReality[0]];
  const ids: string[] = [];
  for (let rest = name; ;) {
    const match =
      /^([A-JL])(\d{1,2})(?:(?: to |-)\1(\d{1,2}))?(?=$|[\s,:])(?:, | and |: ?| |$)(?:and )?/.exec(rest);
    if (!match) return ids;
    const [whole, letter, first, last = first] = match;
    for (let at = Number(first); at <= Number(last); at += 1) ids.push(`${letter}${at}`);
    rest = rest.slice(whole.length);
  }
}

type Citation = { readonly id: string; readonly path: string; readonly line: number };

/** The ids at the start of any string: names of tests, and the labels that tables of cases put into them. */
function citationsIn(path: string, text: string): Citation[] {
  return text.split("\n").flatMap((content, at) => {
    const starts = [...content.matchAll(/["'`](?=[A-JL]\d|Case [A-M]\d|Finding [HLMNS]\d)([^"'`]*)/g)];
    const ids = starts.flatMap(([, start = ""]) => citedIds(start));
    return ids.map((id) => ({ id, path, line: at + 1 }));
  });
}

const page = read(PAGE);
const rows = rowsOf(page);
const citations = ownFiles()
  .filter((path) => /^test\/.*\.ts$/.test(path) && path !== SELF && existsSync(join(ROOT, path)))
  .flatMap((path) => citationsIn(path, read(path)));
const isInvariant = (row: Row): boolean => row.section === "Invariants";
const isCase = (row: Row): boolean => !isInvariant(row) && row.section !== "Load";

describe("reading names and rows", () => {
  it.each([
    ["A7 rejects the nil id", ["A7"]],
    ["E10", ["E10"]],
    ["C7 C9 computes the digest", ["C7", "C9"]],
    ["G4, G5, G26 gives the same result", ["G4", "G5", "G26"]],
    ["A5 and A6: refuses both", ["A5", "A6"]],
    ["A1 to A4 and A13: forwards", ["A1", "A2", "A3", "A4", "A13"]],
    ["G18-G20 the report", ["G18", "G19", "G20"]],
    ["I2: no secret in a body", ["I2"]],
    ["D1's rows", []],
    ["B2B traffic", []],
    ["the case A7", []],
    ["Case K1 a message", ["Case K1"]],
    ["Case N1 a message", []],
    ["Finding M4: a message", ["Finding M4"]],
  ])("finds the ids of %j", (name, ids) => {
    expect(citedIds(name)).toEqual(ids);
  });

  it("finds each string that begins with an id, and its line", () => {
    const text = 'it("A7 rejects", f);\n["B1", `C12 unsigned ${x}`, "no A9"],';
    expect(citationsIn("x.ts", text)).toEqual([
      { id: "A7", path: "x.ts", line: 1 },
      { id: "B1", path: "x.ts", line: 2 },
      { id: "C12", path: "x.ts", line: 2 },
    ]);
  });

  it("finds the rows of the page", () => {
    expect(new Set(rows.map(({ section }) => section)).size).toBe(14);
    expect(rows.length).toBeGreaterThan(140);
    expect(citations.length).toBeGreaterThan(500);
  });
});

describe("the test catalogue", () => {
  it("lists no id twice", () => {
    const ids = rows.map(({ id }) => id);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  });

  it("lists each id in the section of its letter", () => {
    const misplaced = rows.filter(({ id, section }) => {
      const form = {
        Invariants: /^I\d+$/,
        "I. Limits": /^L\d+$/,
        "K. Providers and clients": /^Case [A-M]\d+$/,
        "L. Security review": /^Finding [HLMNS]\d+$/,
        Load: /^Load \d+$/,
      }[section];
      return !(form ?? new RegExp(`^${section.slice(0, 1)}\\d+$`)).test(id);
    });
    expect(misplaced.map(({ id, section }) => `${id} in "${section}"`)).toEqual([]);
  });

  it("lists each id that a test cites", () => {
    const listed = new Set(rows.map(({ id }) => id));
    const unknown = citations.filter(({ id }) => !listed.has(id));
    expect(
      unknown.map(({ id, path, line }) => `${path}:${line} cites ${id}: add a row to ${PAGE}, or fix the id`),
    ).toEqual([]);
  });

  it("names only files that exist", () => {
    const missing = rows.flatMap((row) =>
      filesOf(row)
        .filter((path) => !existsSync(join(ROOT, path)))
        .map((path) => `${row.id}: ${path} does not exist. ${suggestion(row.id)}`),
    );
    expect(missing).toEqual([]);
  });

  it("names only harnesses that name the invariant", () => {
    const silent = rows.filter(isInvariant).flatMap((row) =>
      filesOf(row)
        .filter((path) => !new RegExp(`\\b${row.id}\\b`).test(read(path)))
        .map((path) => `${row.id}: ${path} does not name it`),
    );
    expect(silent).toEqual([]);
  });

  it("names only files with a test that cites the id", () => {
    const silent = rows.filter(isCase).flatMap((row) =>
      filesOf(row)
        .filter((path) => !citations.some((citation) => citation.id === row.id && citation.path === path))
        .map((path) => `${row.id}: no test name in ${path} begins with it. ${suggestion(row.id)}`),
    );
    expect(silent).toEqual([]);
  });

  it('says "not built yet" exactly where no file is named', () => {
    const wrong = rows.filter((row) => (filesOf(row).length === 0) !== (row.heldBy === NOT_BUILT));
    expect(wrong.map(({ id, heldBy }) => `${id}: "${heldBy}". ${suggestion(id)}`)).toEqual([]);
  });

  it("names a test for each id that a test cites", () => {
    const cited = new Set(citations.map(({ id }) => id));
    const unheld = rows.filter((row) => cited.has(row.id) && row.heldBy === NOT_BUILT);
    expect(unheld.map(({ id }) => `${id} is built. ${suggestion(id)}`)).toEqual([]);
  });
});

function suggestion(id: string): string {
  const paths = new Set(citations.filter((citation) => citation.id === id).map(({ path }) => path));
  return paths.size === 0 ? "No test cites it." : `Cited in: ${[...paths].join(", ")}`;
}

/** The names in `[text][name]`. */
const linksOf = (text: string): string[] =>
  [...text.matchAll(/\[[^\]]+\]\[([^\]]+)\]/g)].map(([, name = ""]) => name);

describe("the sources of the catalogue", () => {
  /** `[name]: target` at the end of the page. */
  const targets = new Map(
    [...page.matchAll(/^\[([^\]]+)\]: (\S+)$/gm)].map(([, name = "", target = ""]) => [name, target]),
  );

  it("are links in each row", () => {
    expect(rows.filter(({ source }) => linksOf(source).length === 0).map(({ id }) => id)).toEqual([]);
  });

  it("are defined, and each definition is used", () => {
    const used = new Set(linksOf(page));
    expect([...used].filter((name) => !targets.has(name))).toEqual([]);
    expect([...targets.keys()].filter((name) => !used.has(name))).toEqual([]);
  });

  it("are https addresses, or pages and headings of this project", () => {
    const broken = [...targets.values()].filter((target) => !target.startsWith("https://") && !leads(target));
    expect(broken).toEqual([]);
  });
});

/** Whether a link from the page leads to a file and, if it has a fragment, to a heading in it. */
function leads(target: string): boolean {
  const [path = "", fragment] = target.split("#", 2);
  const file = join(dirname(PAGE), path);
  if (!existsSync(join(ROOT, file))) return false;
  if (fragment === undefined) return true;
  const headings = [...read(file).matchAll(/^#{1,6} (.+)$/gm)];
  return headings.some(
    ([, title = ""]) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-") === fragment,
  );
}
