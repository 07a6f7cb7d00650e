/** Figures as `bench/figures.json` has them. */
import type { Cost, CostRow } from "../../bench/cpu-cost.ts";
import type { Measured, Run } from "../../bench/figures.ts";
import type { Quartiles } from "../../bench/numbers.ts";
import type { Traffic } from "../../bench/traffic.ts";

export const RUN: Run = { date: "2026-11-30", load: 0.3, quick: false };

export const around = (middle: number): Quartiles => ({ low: middle * 0.9, middle, high: middle * 1.2 });

/** A variant's cost, with its ratios to others. */
export const cost = (name: string, micros: number, ratios: Readonly<Record<string, number>>): Cost => ({
  name,
  micros,
  ratios: Object.fromEntries(Object.entries(ratios).map(([other, ratio]) => [other, around(ratio)])),
  warmUp: 3000,
});

export const row = (traffic: Traffic, ...costs: readonly Cost[]): CostRow => ({ traffic, costs });

export const cpu = (...rows: readonly CostRow[]): Measured => ({ cpu: { run: RUN, rows } });
