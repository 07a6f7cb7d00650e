/**
 * The contract of a fuzz target. A target generates cases from random numbers and reports the failure of each.
 * A case is plain data, so the runner can shrink and print it.
 */
import type { Random } from "./random.ts";

export type Verdict = {
  /** The failure in one line; null if the case passes. */
  readonly failure: string | null;
  /**
   * The category of the case, for the table: a run that covers one category proves little. A case that holds several
   * inputs returns the number of inputs per category.
   */
  readonly category: string | ReadonlyMap<string, number>;
};

export type Target<Case> = {
  readonly name: string;
  readonly generate: (random: Random) => Case;
  /** A throw or a rejection is a failure too. */
  readonly check: (one: Case) => Promise<Verdict>;
  /** Smaller cases than this one, in descending order of the part removed. */
  readonly smaller: (one: Case) => Iterable<Case>;
  /** The case as text, complete enough to reproduce it by hand. */
  readonly show: (one: Case) => string;
};

export type Finding = {
  readonly target: string;
  /** `--seed`, `--only` and `--case` with these values reproduce the finding. */
  readonly seed: number;
  readonly at: number;
  readonly failure: string;
  /** The smallest case that still fails, with its own failure. */
  readonly smallest: string;
};

export type Result = {
  readonly target: string;
  readonly cases: number;
  readonly categories: ReadonlyMap<string, number>;
  readonly findings: readonly Finding[];
};
