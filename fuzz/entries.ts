/** All targets: how many cases of each a full run makes, and how many the test suite does. Another target is one line. */
import { WAYS } from "./answers/case.ts";
import { framing } from "./answers/framing.ts";
import { answers } from "./answers/reading.ts";
import { removal } from "./answers/removal.ts";
import { bodies } from "./bodies/target.ts";
import { configs } from "./config/target.ts";
import { headers } from "./headers/target.ts";
import type { House } from "./house.ts";
import { CROWD, requests } from "./requests/target.ts";
import { runTarget, type Span } from "./run.ts";
import { FLEET, streams } from "./streams/target.ts";
import type { Result, Target } from "./target.ts";

export type Entry = {
  readonly name: string;
  /** What is counted, and how many of it one case holds. */
  readonly unit: string;
  readonly each: number;
  /** So many units. */
  readonly full: number;
  readonly inSuite: number;
  /** Needs the production bundle in workerd. */
  readonly housed: boolean;
  readonly run: (span: Span, house: House | null) => Promise<Result>;
};

type Counts = readonly [unit: string, each: number, full: number, inSuite: number];

function inProcess<Case>(target: Target<Case>, [unit, each, full, inSuite]: Counts): Entry {
  const run = (span: Span): Promise<Result> => runTarget(target, span);
  return { name: target.name, unit, each, full, inSuite, housed: false, run };
}

function housed<Case>(
  name: string,
  make: (house: House) => Target<Case>,
  [unit, each, full, inSuite]: Counts,
): Entry {
  const run = (span: Span, house: House | null): Promise<Result> => {
    if (!house) throw new Error(`${name} needs a house`);
    return runTarget(make(house), span);
  };
  return { name, unit, each, full, inSuite, housed: true, run };
}

export const ENTRIES: readonly Entry[] = [
  inProcess(answers, ["readings", WAYS, 1_000_000, 6000]),
  inProcess(removal, ["streams", WAYS, 200_000, 1000]),
  inProcess(framing, ["texts", 1, 1_000_000, 10_000]),
  inProcess(bodies, ["bodies", 1, 200_000, 2000]),
  inProcess(headers, ["header sets", 1, 200_000, 3000]),
  inProcess(configs, ["configurations", 1, 100_000, 2000]),
  housed("streams", streams, ["answers", FLEET, 10_000, 200]),
  housed("requests", requests, ["connections", CROWD, 100_000, 5000]),
];
