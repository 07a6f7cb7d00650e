/**
 * The rows of both Analytics Engine data sets, as the event field table defines them. A column keeps its position for
 * ever, because queries name columns by position.
 *
 * A count that is not known is -1: a double has no null, and 0 would be false. Query with `WHERE double… >= 0`.
 */
import type {
  InitiatorOverride,
  InitiatorOverrideRejected,
  InterceptionEnd,
  PassthroughEvent,
} from "../../events/event.ts";
import type { AnalyticsColumns } from "../../events/analytics-columns.ts";
import { ANALYTICS_COLUMNS } from "../../events/record-facts.ts";
import { truncateBytes } from "../../shared/text.ts";

/** Version of the rows, in `blob1`: raised when a column is added. */
export const ROW_VERSION = "3";

const { interceptions: INTERCEPTIONS, overrides: OVERRIDES } = ANALYTICS_COLUMNS;

export const interceptionRow = (event: InterceptionEnd | PassthroughEvent): DataPoint =>
  toRow(INTERCEPTIONS, event);

export const overrideRow = (event: InitiatorOverride | InitiatorOverrideRejected): DataPoint =>
  toRow(OVERRIDES, event);

/** The argument of `writeDataPoint`: https://developers.cloudflare.com/analytics/analytics-engine/limits/ */
export type DataPoint = {
  readonly indexes: [string];
  readonly blobs: string[];
  readonly doubles: number[];
};

const MAX_INDEX_BYTES = 96;
/** 20 blobs of at most 768 bytes stay under the 16,000 bytes that they may have together. */
const MAX_BLOB_BYTES = 768;

export function toRow(
  { blobs, doubles }: AnalyticsColumns,
  event: { readonly initiator_id: string },
): DataPoint {
  const values = event as Readonly<Record<string, unknown>>;
  return {
    indexes: [truncateBytes(event.initiator_id, MAX_INDEX_BYTES)],
    blobs: blobs.map((name) =>
      name === "version" ? ROW_VERSION : truncateBytes(String(values[name] ?? ""), MAX_BLOB_BYTES),
    ),
    doubles: doubles.map((name) => toDouble(values[name])),
  };
}

function toDouble(value: unknown): number {
  const number = typeof value === "boolean" ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) ? number : -1;
}
