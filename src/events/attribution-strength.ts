/** The order of the attributions, without their meanings (vocabulary.ts), which the gateway's bundle does not need. */
import type { Attribution } from "./vocabulary.ts";

/** 0 is the strongest evidence. */
const RANKS: Readonly<Record<Attribution, number>> = {
  authenticated: 0,
  signed: 1,
  asserted: 2,
  unverified: 3,
  claimed: 4,
};

/** Strongest first. */
export const ATTRIBUTION_WORDS = Object.keys(RANKS) as readonly Attribution[];

/** Whether the evidence is at least as strong as the weakest that counts. */
export const isStrong = (attribution: Attribution, weakest: Attribution): boolean =>
  RANKS[attribution] <= RANKS[weakest];
