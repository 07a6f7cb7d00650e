/**
 * The rows of both Analytics Engine data sets, as the event field table defines them. A column keeps its position for
 * ever, because queries name columns by position. Query counts with `WHERE double… >= 0`: an unknown one is -1.
 */
import type {
  InitiatorOverride,
  InitiatorOverrideRejected,
  InterceptionEnd,
  PassthroughEvent,
} from "../../events/event.ts";
import type { AnalyticsColumns } from "../../events/analytics-columns.ts";
import { ANALYTICS_COLUMNS } from "../../events/record-facts.ts";
import { blob, count, index, ROW_VERSION, type DataPoint } from "./analytics-values.ts";
import { ROW_WRITERS } from "./analytics-writers.ts";

const { interceptions: INTERCEPTIONS, overrides: OVERRIDES } = ANALYTICS_COLUMNS;

export const interceptionRow = (event: InterceptionEnd | PassthroughEvent): DataPoint =>
  event.record_type === "interception_end"
    ? ROW_WRITERS.interception_end(event)
    : toRow(INTERCEPTIONS, event);

export const overrideRow = (event: InitiatorOverride | InitiatorOverrideRejected): DataPoint =>
  event.record_type === "initiator_override"
    ? ROW_WRITERS.initiator_override(event)
    : toRow(OVERRIDES, event);

export function toRow(
  { blobs, doubles }: AnalyticsColumns,
  event: { readonly initiator_id: string },
): DataPoint {
  const values = event as Readonly<Record<string, unknown>>;
  return {
    indexes: [index(event.initiator_id)],
    blobs: blobs.map((name) => (name === "version" ? ROW_VERSION : blob(String(values[name] ?? "")))),
    doubles: doubles.map((name) => toDouble(values[name])),
  };
}

function toDouble(value: unknown): number {
  const number = typeof value === "boolean" ? Number(value) : value;
  return typeof number === "number" ? count(number) : -1;
}
