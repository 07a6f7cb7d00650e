/**
 * Sink: Workers Analytics Engine, one data set for interceptions and one for overrides, indexed by initiator.
 * A binding that is not there is a no-op.
 * https://developers.cloudflare.com/analytics/analytics-engine/
 */
import type { InterceptorEvent } from "../../events/event.ts";
import type { Sink } from "./recorder.ts";
import { INTERCEPTION_COLUMNS, OVERRIDE_COLUMNS, toRow, type DataPoint } from "./analytics-row.ts";

/** The binding. The real one returns nothing; one replaced by another Worker returns a promise. */
export type Dataset = { readonly writeDataPoint: (point: DataPoint) => void | Promise<void> };

export function analyticsEngineSink(interceptions: Dataset | null, overrides: Dataset | null): Sink {
  const writeOne = (event: InterceptorEvent): void | Promise<void> => {
    switch (event.record_type) {
      case "interception_end":
      case "passthrough":
        return interceptions?.writeDataPoint(toRow(INTERCEPTION_COLUMNS, event));
      case "initiator_override":
      case "initiator_override_rejected":
        return overrides?.writeDataPoint(toRow(OVERRIDE_COLUMNS, event));
      // Told by the rows above, or not by initiator, or content.
      case "interception_start":
      case "token_usage":
      case "prompt_usage":
      case "tool_usage":
      case "model_thought":
      case "refusal":
        return undefined;
    }
  };
  const write = (events: readonly InterceptorEvent[]): void | Promise<void> => {
    let pending: Promise<void>[] | undefined;
    let failure: { readonly error: unknown } | undefined;
    for (const event of events) {
      try {
        const written = writeOne(event);
        if (written) (pending ??= []).push(written);
      } catch (error) {
        // One row that is not taken costs no other.
        failure ??= { error };
      }
    }
    if (!pending) {
      if (failure) throw failure.error;
      return undefined;
    }
    // What is under way is waited for all the same, and its own failure handled.
    if (failure) pending.push(Promise.reject(failure.error));
    return Promise.all(pending).then(() => undefined);
  };
  return { name: "analytics_engine", required: false, write };
}
