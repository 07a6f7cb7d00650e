/**
 * The targets, each with the figure that decides it. A missed target does not fail a command, because machines differ.
 */
import type { Figures, Measured, Run } from "./figures.ts";
import { costOf, delayOf, instructionsOf } from "./lookup.ts";

export const GATEWAY = ["interceptor", "with ledger"] as const;

type Target = {
  readonly what: string;
  readonly unit: "×" | "ms" | "KB" | "M";
  /** The bound that the gateway has to meet; null where there is only an aim. */
  readonly must: number | null;
  readonly aim: number | null;
  readonly command: string;
  readonly part: keyof Figures;
  /** NaN or undefined: not measured. */
  readonly value: (figures: Measured) => number | undefined;
};

type Traffic = Parameters<typeof costOf>[1];

const cpu = (name: string, traffic: Traffic) => (figures: Measured) =>
  costOf(figures, traffic, name)?.ratios["bare"]?.middle;

/** The larger of the gateway's figures with and without a queue. */
const dearer = (traffic: Traffic, reference: string) => (figures: Measured) =>
  Math.max(...GATEWAY.map((name) => costOf(figures, traffic, name)?.ratios[reference]?.middle ?? Number.NaN));

const instructions = (name: string) => (figures: Measured) => {
  const [gateway, bare] = [name, "bare"].map((one) => instructionsOf(figures, "json", one));
  return (gateway ?? Number.NaN) / (bare ?? Number.NaN);
};

const toPortkey = (traffic: Traffic) => (figures: Measured) =>
  costOf(figures, traffic, "with ledger")?.ratios["Portkey"]?.middle;

const ofCpu = { unit: "×", part: "cpu", command: "npm run bench" } as const;
const ofInstructions = {
  unit: "×",
  part: "instructions",
  command: "npm run bench:instructions",
} as const;

export const TARGETS: readonly Target[] = [
  {
    ...ofInstructions,
    what: "JSON of 2 KB, instructions",
    must: 2.1,
    aim: 1.8,
    value: instructions("interceptor"),
  },
  { ...ofCpu, what: "JSON of 2 KB, CPU", must: 2.2, aim: 1.8, value: cpu("interceptor", "json") },
  {
    ...ofInstructions,
    what: "JSON of 2 KB with ledger, instructions",
    must: 2.25,
    aim: 2,
    value: instructions("with ledger"),
  },
  { ...ofCpu, what: "JSON of 2 KB with ledger, CPU", must: 2.4, aim: 2, value: cpu("with ledger", "json") },
  { ...ofCpu, what: "40 KB with tools, CPU", must: 2, aim: 1.8, value: cpu("interceptor", "tools") },
  {
    ...ofCpu,
    what: "40 KB with tools, with ledger, CPU",
    must: 2.3,
    aim: 1.8,
    value: cpu("with ledger", "tools"),
  },
  { ...ofCpu, what: "burst of 2,000 events, CPU", must: 1.3, aim: 1, value: dearer("burst", "bare") },
  {
    ...ofCpu,
    what: "burst, usage not requested, CPU",
    must: 1.6,
    aim: 1.1,
    value: dearer("burst-no-usage", "bare"),
  },
  { ...ofCpu, what: "50 events a second, CPU", must: 2, aim: 1.8, value: dearer("steady", "bare") },
  {
    ...ofCpu,
    what: "JSON of 2 KB with ledger, relative to Portkey",
    must: 1,
    aim: null,
    value: toPortkey("json"),
  },
  {
    ...ofCpu,
    what: "40 KB with tools, with ledger, relative to Portkey",
    must: 1,
    aim: null,
    value: toPortkey("tools"),
  },
  { ...ofCpu, what: "burst, relative to Portkey", must: 0.25, aim: 0.2, value: dearer("burst", "Portkey") },
  {
    ...ofCpu,
    what: "burst, usage not requested, relative to Portkey",
    must: 0.25,
    aim: 0.2,
    value: dearer("burst-no-usage", "Portkey"),
  },
  {
    what: "delay added to an event, 500 streams, p99",
    unit: "ms",
    must: 5,
    aim: null,
    command: "npm run bench",
    part: "delays",
    value: (figures) => {
      const [gateway, bare] = ["with ledger", "bare"].map((name) => delayOf(figures, 500, name)?.p99);
      return (gateway ?? Number.NaN) - (bare ?? Number.NaN);
    },
  },
  {
    what: "delay added to an event, 1,000 streams of 5 events/s, p99",
    unit: "ms",
    must: null,
    aim: 25,
    command: "npm run load -- steady",
    part: "load",
    value: ({ load }) => load?.addedP99Ms,
  },
  {
    what: "JavaScript heap of an open stream",
    unit: "KB",
    must: 10,
    aim: 8,
    command: "npm run load -- heap",
    part: "heap",
    value: ({ heap }) => heap?.kilobytes,
  },
  {
    what: "bundle, gzipped",
    unit: "KB",
    must: 70,
    aim: null,
    command: "npm run bench:startup",
    part: "startup",
    value: ({ startup }) => startup && startup.gzipBytes / 1000,
  },
  {
    what: "cold start beyond a Worker of one line, instructions",
    unit: "M",
    must: 75,
    aim: null,
    command: "npm run bench:startup",
    part: "startup",
    value: ({ startup }) => startup && startup.instructions / 1e6,
  },
];

export type Verdict = "met, also the aim" | "met" | "**missed**" | "not measured";

/** Whether a figure meets its bounds. A target without `must` is decided by its aim. */
export function verdictOf({ must, aim }: Pick<Target, "must" | "aim">, value: number): Verdict {
  if (Number.isNaN(value)) return "not measured";
  if (must === null) return value <= (aim ?? Number.NaN) ? "met" : "**missed**";
  if (value > must) return "**missed**";
  return aim !== null && value <= aim ? "met, also the aim" : "met";
}

export type Assessment = {
  readonly target: Target;
  readonly value: number;
  readonly verdict: Verdict;
  readonly run: Run | null;
};

export function assess(figures: Measured): Assessment[] {
  return TARGETS.map((target) => {
    const value = target.value(figures) ?? Number.NaN;
    return { target, value, verdict: verdictOf(target, value), run: figures[target.part]?.run ?? null };
  });
}
