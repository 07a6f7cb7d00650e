/**
 * Sink: Workers Analytics Engine, one data set for interceptions and one for overrides, indexed by initiator. A binding
 * that is absent is skipped. https://developers.cloudflare.com/analytics/analytics-engine/
 */
import type { InterceptorEvent } from "../../events/event.ts";
import { interceptionRow, overrideRow } from "./analytics-row.ts";
import type { DataPoint } from "./analytics-values.ts";
import type { Sink } from "./recorder.ts";

/** The binding. */
export type Dataset = { readonly writeDataPoint: (point: DataPoint) => void };

export function analyticsEngineSink(interceptions: Dataset | null, overrides: Dataset | null): Sink {
  const writeOne = (event: InterceptorEvent): void => {
    switch (event.record_type) {
      case "interception_end":
      case "passthrough":
        return interceptions?.writeDataPoint(interceptionRow(event));
      case "initiator_override":
      case "initiator_override_rejected":
        return overrides?.writeDataPoint(overrideRow(event));
      // Not written: part of the rows above, without an initiator, or content.
      case "interception_start":
      case "token_usage":
      case "prompt_usage":
      case "tool_usage":
      case "model_thought":
      case "refusal":
      case "passthrough_start":
        return undefined;
    }
  };
  const write = (events: readonly InterceptorEvent[]): void => {
    let failure: { readonly error: unknown } | undefined;
    for (const event of events) {
      try {
        writeOne(event);
      } catch (error) {
        // The other rows are still written.
        failure ??= { error };
      }
    }
    if (failure) throw failure.error;
  };
  return { kind: "immediate", name: "analytics_engine", write };
}
