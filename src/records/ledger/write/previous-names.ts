/**
 * Events from before migration 0005, which may still be in the queue when the records Worker is deployed, with the names
 * of today. Other events are returned as they are.
 */
import type { InterceptorEvent } from "../../../events/event.ts";

const OBSERVATIONS: Readonly<Record<string, string>> = { whole: "complete", capped: "truncated" };

export function withPublicNames(event: InterceptorEvent): InterceptorEvent {
  const values: Readonly<Record<string, unknown>> = event;
  if ("usage_flagged" in values) {
    const { usage_flagged, observation, ...rest } = values;
    const name = OBSERVATIONS[String(observation)] ?? observation;
    return { ...rest, usage_invalid: usage_flagged, observation: name } as unknown as InterceptorEvent;
  }
  if ("candidates" in values && Array.isArray(values["candidates"])) {
    return {
      ...values,
      candidates: values["candidates"].map(renamedCandidate),
    } as unknown as InterceptorEvent;
  }
  if (values["record_type"] === "refusal" && values["reason"] === "credential_unknown")
    return { ...values, reason: "invalid_credential" } as unknown as InterceptorEvent;
  return event;
}

function renamedCandidate(candidate: unknown): unknown {
  if (typeof candidate !== "object" || candidate === null || !("why_lost" in candidate)) return candidate;
  const { why_lost, ...rest } = candidate;
  return { ...rest, rejection_reason: why_lost };
}
