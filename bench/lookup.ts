/** Single figures of the runs; undefined where they were not measured. */
import type { Cost } from "./cpu-cost.ts";
import type { Spread } from "./delay.ts";
import type { Measured } from "./figures.ts";
import type { Traffic } from "./traffic.ts";

export const costOf = ({ cpu }: Measured, traffic: Traffic, name: string): Cost | undefined =>
  cpu?.rows.find((row) => row.traffic === traffic)?.costs.find((cost) => cost.name === name);

export const instructionsOf = (
  { instructions }: Measured,
  traffic: Traffic,
  name: string,
): number | undefined =>
  instructions?.rows.find((row) => row.traffic === traffic && row.name === name)?.instructions;

/** The delay per event with that many streams. */
export const delayOf = (
  { delays }: Measured,
  streams: number,
  name: string,
  settled = false,
): Spread | undefined =>
  delays?.rows
    .find((row) => row.streams === streams && (row.isSettled ?? false) === settled)
    ?.delays.find((delay) => delay.name === name)?.spread;
