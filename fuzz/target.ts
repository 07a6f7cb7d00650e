/**
 * What can be fuzzed: a target makes cases out of random numbers and says of each what is wrong with it. A case is plain
 * data, so that it can be made smaller and shown.
 */
import type { Random } from "./random.ts";

export type Verdict = {
  /** What is wrong, in one line; null where nothing is. */
  readonly wrong: string | null;
  /**
   * What sort of case it turned out to be, for the table: a run that sees only one sort shows little. Of a case that is a
   * crowd, how many of each sort.
   */
  readonly sort: string | ReadonlyMap<string, number>;
};

export type Target<Case> = {
  readonly name: string;
  readonly generate: (random: Random) => Case;
  /** May throw: that too is a finding. */
  readonly check: (one: Case) => Verdict | Promise<Verdict>;
  /** Cases that are smaller than this one, the boldest first. */
  readonly smaller: (one: Case) => Iterable<Case>;
  /** The case so that somebody can try it by hand. */
  readonly show: (one: Case) => string;
};

export type Finding = {
  readonly target: string;
  /** `--seed`, `--only` and `--case` of these give it again. */
  readonly seed: number;
  readonly at: number;
  readonly wrong: string;
  /** The smallest case found that is still wrong, and what is wrong with that. */
  readonly smallest: string;
};

export type Result = {
  readonly target: string;
  readonly cases: number;
  readonly sorts: ReadonlyMap<string, number>;
  readonly findings: readonly Finding[];
};
