/** All targets, with the number of inputs in a full run and in the test suite. A new target is one line here. */
import { bodies } from "./bodies/target.ts";
import { configs } from "./config/target.ts";
import type { Gateway } from "./gateway.ts";
import { headers } from "./headers/target.ts";
import { CONNECTIONS_PER_CASE, requests } from "./requests/target.ts";
import { SPLITS_PER_CASE } from "./responses/case.ts";
import { framing } from "./responses/framing.ts";
import { responses } from "./responses/parsing.ts";
import { usageRemoval } from "./responses/usage-removal.ts";
import { runTarget, type Range } from "./run.ts";
import { scan } from "./scan/target.ts";
import { STREAMS_PER_CASE, streams } from "./streams/target.ts";
import type { Result, Target } from "./target.ts";

export type Entry = {
  readonly name: string;
  /** The unit that is counted, and the number of units in one case. */
  readonly unit: string;
  readonly unitsPerCase: number;
  /** Units in a full run. */
  readonly full: number;
  /** Units in the test suite. */
  readonly inSuite: number;
  /** Whether `run` needs the production bundle in workerd. */
  readonly needsGateway: boolean;
  readonly run: (range: Range, gateway: Gateway | null) => Promise<Result>;
};

type Counts = Pick<Entry, "unit" | "unitsPerCase" | "full" | "inSuite">;

function inProcess<Case>(target: Target<Case>, counts: Counts): Entry {
  const run = (range: Range): Promise<Result> => runTarget(target, range);
  return { name: target.name, ...counts, needsGateway: false, run };
}

function overSockets<Case>(name: string, make: (gateway: Gateway) => Target<Case>, counts: Counts): Entry {
  const run = (range: Range, gateway: Gateway | null): Promise<Result> => {
    if (!gateway) throw new Error(`${name} needs a running gateway`);
    return runTarget(make(gateway), range);
  };
  return { name, ...counts, needsGateway: true, run };
}

export const ENTRIES: readonly Entry[] = [
  inProcess(responses, {
    unit: "parses",
    unitsPerCase: SPLITS_PER_CASE,
    full: 1_000_000,
    inSuite: 6000,
  }),
  inProcess(usageRemoval, {
    unit: "streams",
    unitsPerCase: SPLITS_PER_CASE,
    full: 200_000,
    inSuite: 1000,
  }),
  inProcess(framing, { unit: "texts", unitsPerCase: 1, full: 1_000_000, inSuite: 10_000 }),
  inProcess(bodies, { unit: "bodies", unitsPerCase: 1, full: 200_000, inSuite: 2000 }),
  inProcess(scan, { unit: "bodies", unitsPerCase: 1, full: 1_000_000, inSuite: 20_000 }),
  inProcess(headers, { unit: "header sets", unitsPerCase: 1, full: 200_000, inSuite: 3000 }),
  inProcess(configs, { unit: "configurations", unitsPerCase: 1, full: 100_000, inSuite: 2000 }),
  overSockets("streams", streams, {
    unit: "responses",
    unitsPerCase: STREAMS_PER_CASE,
    full: 10_000,
    inSuite: 200,
  }),
  overSockets("requests", requests, {
    unit: "connections",
    unitsPerCase: CONNECTIONS_PER_CASE,
    full: 100_000,
    inSuite: 5000,
  }),
];
