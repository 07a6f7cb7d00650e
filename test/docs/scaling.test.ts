/** docs/scaling.md and docs/deploy.md: the amounts that follow from unit prices and sizes. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

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

const GB = 1e9;
const BYTES_PER_INTERCEPTION = 1470;
const CALLS_PER_DEVELOPER = 227;

describe("the retention by team size in docs/deploy.md", () => {
  it("follows from the bytes of an interception and D1's 10 GB", () => {
    const rows = tableAfter("deploy.md", "## Retention");
    expect(rows.length).toBeGreaterThan(3);
    const expected = rows.map(([developers = ""]) => {
      const calls = amount(developers) * CALLS_PER_DEVELOPER;
      const perDay = (calls * BYTES_PER_INTERCEPTION) / GB;
      const sizes = [30, 60, 90].map((days) => {
        const size = perDay * days;
        return size < 10 ? size.toFixed(1) : size.toFixed(0);
      });
      return [developers, calls.toLocaleString("en"), ...sizes, String(Math.floor(10 / perDay))];
    });
    expect(rows).toEqual(expected);
  });

  it("uses the size that docs/scaling.md states", () => {
    const stated = BYTES_PER_INTERCEPTION.toLocaleString("en");
    for (const page of ["scaling.md", "deploy.md"]) expect(pageText(page)).toContain(`${stated} bytes`);
  });
});
