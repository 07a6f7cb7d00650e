/** docs/scaling.md and docs/deploy.md: the amounts that follow from unit prices and sizes. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readConfig, type Config } from "../../src/records/config/config.ts";

const pageText = (name: string): string =>
  readFileSync(fileURLToPath(import.meta.resolve(`../../docs/${name}`)), "utf8");

/** The cells of the table that follows a heading, without its head. */
function tableAfter(page: string, heading: string): readonly (readonly string[])[] {
  const section = pageText(page).split(`${heading}\n`)[1] ?? "";
  const lines = section.slice(section.indexOf("\n|") + 1).split("\n");
  const rows = lines.slice(
    2,
    lines.findIndex((line) => !line.startsWith("|")),
  );
  return rows.map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** "10 million", "1.02" or "2.6 KB", in millions or GB per million interceptions. */
function amount(text: string): number {
  const [, number, unit = ""] = /^([\d.,]+)(?: (million|billion|GB|KB))?$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`not an amount: ${text}`);
  return Number(number.replaceAll(",", "")) * (unit === "billion" ? 1000 : 1);
}

const dollars = (value: number): string =>
  value < 10 ? String(Math.round(value * 10) / 10) : Number(value.toPrecision(3)).toLocaleString("en");

const MILLIONS_PER_MONTH = [10, 1000, 100_000].map((perSecond) => (perSecond * 86_400 * 30) / 1e6);

describe("the monthly costs in docs/scaling.md", () => {
  const rows = tableAfter("scaling.md", "## Monthly costs");
  const billed = rows.slice(0, -1).map(([name = "", per = "", included = "", price = ""]) => {
    const [, perUnit, unit] = /^([\d.]+) per (million|GB)$/.exec(price) ?? [];
    return { name, per, included, perUnit: Number(perUnit), unit };
  });
  const costs = billed.map(({ per, included, perUnit }) =>
    MILLIONS_PER_MONTH.map((millions) => Math.max(0, amount(per) * millions - amount(included)) * perUnit),
  );

  it.each(billed)("have one unit for amount and price: $name", ({ per, included, perUnit, unit }) => {
    expect(perUnit).toBeGreaterThan(0);
    expect(per.endsWith(" KB")).toBe(unit === "GB");
    expect(included.endsWith(" GB")).toBe(unit === "GB");
  });

  it("follow from the amounts, the included amounts and the prices", () => {
    const sums = MILLIONS_PER_MONTH.map((_, at) => costs.reduce((sum, cost) => sum + (cost[at] ?? 0), 0));
    const expected = [...costs, sums].map((cost) => cost.map(dollars));
    const stated = rows.map((row) => row.slice(4).map((cell) => cell.replaceAll("*", "")));
    expect(stated).toEqual(expected);
    expect(rows.at(-1)?.[0]).toBe("**sum**");
  });
});

const CELL_BYTES = /^\*\*([\d,]+)\*\*$/;

/** The bytes of an interception that docs/scaling.md states, with those of its seals. */
function statedBytes(): { readonly plain: number; readonly mixed: number; readonly seals: number } {
  const rows = tableAfter("scaling.md", "<!-- table: ledger -->");
  const cells = (name: string): readonly string[] => rows.find(([first]) => first === name)?.slice(1) ?? [];
  const [plain = 0, mixed = 0] = cells("**bytes in all**").map((cell) =>
    amount(CELL_BYTES.exec(cell)?.[1] ?? ""),
  );
  const [ofRows = 0, ofSeals = 0] = ["bytes of its rows, with indices", "bytes of the log of seals"].map(
    (name) => amount(cells(name)[1] ?? ""),
  );
  expect(ofRows + ofSeals).toBe(mixed);
  return { plain, mixed, seals: ofSeals };
}

const size = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));

const config = readConfig({ LEDGER: { prepare: () => null } }) as Config;
const MAX_BYTES = config.retention.maxBytes;
const DAYS = config.retention.days.interceptions;
const CALLS_PER_DEVELOPER = 227;

describe("the retention by team size in docs/deploy.md", () => {
  const rows = tableAfter("deploy.md", "<!-- table: retention -->");

  it("follows from the bytes of an interception and the largest size of the database", () => {
    const { plain, mixed, seals } = statedBytes();
    const expected = rows.map(([developers = ""]) => {
      const calls = amount(developers) * CALLS_PER_DEVELOPER;
      const sizes = [7, 30, 90].map((days) => size((calls * mixed * days) / 1e9));
      const days = [mixed, plain].map((bytes) => String(Math.floor(MAX_BYTES / (calls * bytes))));
      const sealed = (calls * seals * 365) / 1e9;
      return [developers, calls.toLocaleString("en"), ...sizes, ...days, size(sealed)];
    });
    expect(rows.length).toBeGreaterThan(3);
    expect(rows).toEqual(expected);
  });

  it("shows that the defaults keep 500 developers for the default days", () => {
    const days = rows.find(([developers]) => developers === "500")?.[5];
    expect(Number(days)).toBeGreaterThanOrEqual(DAYS);
    for (const text of [
      `(\`RETENTION_DAYS\`, ${DAYS})`,
      `(${MAX_BYTES / 1e9})`,
      `${DAYS} days of 500 developers`,
    ])
      expect(pageText("deploy.md")).toContain(text);
  });
});

describe("the limits by rate in docs/scaling.md", () => {
  const rows = tableAfter("scaling.md", "<!-- table: rates -->");

  it("say which days fit at 10 requests per second", () => {
    const { mixed } = statedBytes();
    const days = MAX_BYTES / (mixed * 10 * 86_400);
    const cells = new Map(rows.map(([name = "", first = ""]) => [name, first]));
    expect(cells.get("fills 8 GB of D1 in")).toBe(`${days.toFixed(1)} days`);
    expect(cells.get("**do this**")).toContain(`RETENTION_DAYS=${Math.floor(days)}\``);
  });
});
