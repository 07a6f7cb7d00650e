/** A correction of a recorded cost, as `npm run reprice` sends it to the gateway and as the gateway records it. */
import type { CostFacts } from "../shared/prices/pricing.ts";
import { EXTENDED_POSITIONS } from "./event-id.ts";
import type { CostCorrection } from "./event.ts";
import type { CorrectedRecord } from "./vocabulary.ts";

/** Maximum corrections of one cost: the number of positions in an event id of this type. */
export const MAX_POSITIONS = EXTENDED_POSITIONS;

/**
 * Corrections of one request: Logpush keeps 16,384 characters of its log lines, and one line has some 700.
 * https://developers.cloudflare.com/workers/observability/logs/logpush/
 */
export const MAX_CORRECTIONS = 20;

/** Characters of the operator's words. */
export const MAX_CAUSE = 200;

export type CorrectionFacts = Pick<
  CostCorrection,
  | "interception_id"
  | "position"
  | "corrects"
  | "cost_micros"
  | "cost_source"
  | "price_version"
  | "former_cost_micros"
  | "former_cost_source"
  | "former_price_version"
>;

type Corrected = {
  /** Of the call, or retrieved usage's own. */
  readonly id: string;
  readonly corrects: CorrectedRecord;
  /** How many corrections there were before. */
  readonly position: number;
};

export const toCorrectionFacts = (
  { id, corrects, position }: Corrected,
  cost: CostFacts,
  former: CostFacts,
): CorrectionFacts => ({
  interception_id: id,
  position,
  corrects,
  cost_micros: cost.micros,
  cost_source: cost.source,
  price_version: cost.version,
  former_cost_micros: former.micros,
  former_cost_source: former.source,
  former_price_version: former.version,
});

/** `cause`: the operator's words. `by`: the administrator. `at`: milliseconds since 1970. */
export const correctionEvent = (
  facts: CorrectionFacts,
  { cause, by }: { readonly cause: string; readonly by: string },
  at: number,
): CostCorrection => ({
  record_type: "cost_correction",
  ...facts,
  difference_micros: (facts.cost_micros ?? 0) - (facts.former_cost_micros ?? 0),
  cause,
  corrected_by: by,
  created_at: new Date(at).toISOString(),
});
