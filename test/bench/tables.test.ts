import { describe, expect, it } from "vitest";
import type { Measured } from "../../bench/figures.ts";
import { PERFORMANCE_TABLES } from "../../bench/tables.ts";
import { cost, cpu, row, RUN } from "./measured.ts";

/** The cells of each row, without the head. */
const rowsOf = (table: string): string[][] =>
  table
    .split("\n")
    .slice(2)
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

const figures: Measured = {
  ...cpu(
    row("json", cost("bare", 200, { bare: 1 }), cost("with ledger", 420, { bare: 2.1, Portkey: 0.8 })),
    row("burst", cost("bare", 12_000, { bare: 1 }), cost("tee + pipe", 18_000, { bare: 1.5 })),
  ),
  instructions: {
    run: RUN,
    rows: [
      { traffic: "json", name: "bare", instructions: 573_400 },
      { traffic: "json", name: "interceptor", instructions: 1_146_800 },
    ],
  },
};

describe("the tables of docs/performance.md", () => {
  it("have a row for each variant, with its quartiles, and a dash where it was not measured", () => {
    expect(rowsOf(PERFORMANCE_TABLES.cpu(figures))).toEqual([
      ["bare", "200 µs", "–", "12,000 µs", "–", "–"],
      ["tee + pipe", "–", "–", "1.50× (1.35–1.80)", "–", "–"],
      ["with ledger", "2.10× (1.89–2.52)", "–", "–", "–", "–"],
      ["with ledger, relative to **Portkey**", "0.80× (0.72–0.96)", "–", "–", "–", "–"],
    ]);
  });

  it("have the instructions with their ratio to the bare Worker", () => {
    expect(rowsOf(PERFORMANCE_TABLES.instructions(figures))).toEqual([
      ["bare", "573k", "1.00", "–", "–"],
      ["interceptor", "1,147k", "2.00", "–", "–"],
    ]);
  });

  it("state must, aim, figure, result and run of each target", () => {
    const rows = rowsOf(PERFORMANCE_TABLES.targets(figures));
    expect(rows.find(([what]) => what === "JSON of 2 KB with ledger, CPU")).toEqual([
      "JSON of 2 KB with ledger, CPU",
      "≤ 2.40×",
      "≤ 2.00×",
      "2.10×",
      "met",
      "`npm run bench`",
      "2026-11-30, load 0.3",
    ]);
    expect(rows.find(([what]) => what === "bundle, gzipped")).toEqual([
      "bundle, gzipped",
      "≤ 70.0 KB",
      "–",
      "–",
      "not measured",
      "`npm run bench:startup`",
      "–",
    ]);
  });

  it("name a quick run", () => {
    const quick = { ...figures, cpu: { run: { ...RUN, quick: true }, rows: [] } };
    expect(PERFORMANCE_TABLES.runs(quick)).toContain("2026-11-30, load 0.3, a quick run");
  });

  it.each(Object.entries(PERFORMANCE_TABLES))("can be written without figures: %s", (_, generate) => {
    expect(generate({})).toMatch(/^\| /);
  });
});
