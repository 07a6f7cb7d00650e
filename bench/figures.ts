/**
 * The figures of the last runs, in `bench/figures.json`. Each command replaces its own part; the tables and the plot in
 * docs/performance.md follow from the file.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import prettier from "prettier";
import { ROOT } from "../tools/root.ts";
import type { CostRow } from "./cpu-cost.ts";
import type { DelayRow } from "./delay.ts";
import type { Traffic } from "./traffic.ts";

/** When a part was measured, and how busy the machine was before. */
export type Run = { readonly date: string; readonly load: number; readonly quick: boolean };

export type InstructionRow = {
  readonly traffic: Traffic;
  readonly name: string;
  /** Per request, of workerd's main thread. */
  readonly instructions: number;
};

export type Figures = {
  readonly cpu: { readonly run: Run; readonly rows: readonly CostRow[] };
  readonly delays: { readonly run: Run; readonly rows: readonly DelayRow[] };
  readonly instructions: { readonly run: Run; readonly rows: readonly InstructionRow[] };
  readonly startup: {
    readonly run: Run;
    /** Instructions until workerd listens, beyond those with a Worker of one line. */
    readonly instructions: number;
    readonly bytes: number;
    readonly gzipBytes: number;
  };
  readonly load: {
    readonly run: Run;
    /** Added at the 99th percentile with 1,000 streams, the larger of both ways of observing. */
    readonly addedP99Ms: number;
  };
  readonly heap: { readonly run: Run; readonly kilobytes: number };
};

/** A part is missing until its command has run. */
export type Measured = Partial<Figures>;

const PATH = join(ROOT, "bench/figures.json");

export const runNow = (quick: boolean, [load = 0] = loadavg()): Run => ({
  date: new Date().toISOString().slice(0, 10),
  load: Math.round(load * 10) / 10,
  quick,
});

export const readFigures = (): Measured => JSON.parse(readFileSync(PATH, "utf8")) as Measured;

/** Replaces the parts of `changed`. */
export async function writeFigures(changed: Measured): Promise<void> {
  const text = JSON.stringify({ ...readFigures(), ...changed }, (_, value: unknown) => rounded(value));
  const style = await prettier.resolveConfig(PATH);
  writeFileSync(PATH, await prettier.format(text, { ...style, parser: "json" }));
}

/** Four digits are more than any figure repeats to. */
function rounded(value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(4)) : value;
}
