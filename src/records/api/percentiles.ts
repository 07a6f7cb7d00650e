/** Percentiles of latency, estimated from the buckets of the totals. */
import {
  DURATION_BOUNDS,
  DURATION_BUCKETS,
  FIRST_BYTE_BOUNDS,
  FIRST_BYTE_BUCKETS,
} from "../rollups/latency-sql.ts";
import * as schema from "../../shared/json-schema.ts";
import type { Row } from "./kit/query-ledger.ts";
import { number } from "./kit/row-mapper.ts";

export type Histogram = { readonly buckets: readonly string[]; readonly bounds: readonly number[] };

export const FIRST_BYTE: Histogram = { buckets: FIRST_BYTE_BUCKETS, bounds: FIRST_BYTE_BOUNDS };
export const DURATION: Histogram = { buckets: DURATION_BUCKETS, bounds: DURATION_BOUNDS };

const ESTIMATE = schema.orNull(schema.COUNT);

export const PERCENTILES = schema.object({
  calls: schema.withDescription(schema.COUNT, "The calls that were measured."),
  p50: schema.withDescription(ESTIMATE, "In milliseconds; null where no call was measured."),
  p95: ESTIMATE,
  p99: ESTIMATE,
});

export type Percentiles = {
  readonly calls: number;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
};

/** `row`: with a column for each bucket. */
export function toPercentiles(row: Row, { buckets, bounds }: Histogram): Percentiles {
  const counts = buckets.map((name) => number(row[name]));
  const calls = counts.reduce((sum, count) => sum + count, 0);
  const at = (share: number): number | null => percentile(counts, bounds, share * calls);
  return { calls, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** The value that `rank` of the calls do not exceed, interpolated within its bucket. */
function percentile(counts: readonly number[], bounds: readonly number[], rank: number): number | null {
  let below = 0;
  for (const [at, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const from = bounds[at - 1] ?? 0;
      // The last bucket has no upper bound.
      const to = bounds[at] ?? from;
      return Math.round(from + ((to - from) * (rank - below)) / count);
    }
    below += count;
  }
  return null;
}
