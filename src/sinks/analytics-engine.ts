/**
 * Sink: Workers Analytics Engine, one data set for interceptions and one for overrides, indexed by initiator.
 * A binding that is not there is a no-op.
 * https://developers.cloudflare.com/analytics/analytics-engine/
 */
import type { InterceptorEvent } from "../events/event.ts";
import type { Sink } from "../events/recorder.ts";
import { INTERCEPTION_COLUMNS, OVERRIDE_COLUMNS, toRow, type DataPoint } from "./columns.ts";

/** The binding. The real one returns nothing; one replaced by another Worker returns a promise. */
export type DataSet = { readonly writeDataPoint: (point: DataPoint) => void | Promise<void> };

export function analyticsEngineSink(interceptions: DataSet | null, overrides: DataSet | null): Sink {
  const write = (event: InterceptorEvent): void | Promise<void> => {
    switch (event.record_type) {
      case "interception_end":
      case "passthrough":
        return interceptions?.writeDataPoint(toRow(INTERCEPTION_COLUMNS, event));
      case "initiator_override":
      case "initiator_override_rejected":
        return overrides?.writeDataPoint(toRow(OVERRIDE_COLUMNS, event));
      // Told by the rows above, or without an initiator to tell of.
      case "interception_start":
      case "token_usage":
      case "refusal":
        return undefined;
    }
  };
  return { name: "analytics_engine", write };
}
