/**
 * Events from before migrations 0005 and 0007, which may still be in the queue when the records Worker is deployed, with
 * the fields of today. Other events are returned as they are.
 */
import type { InterceptorEvent, PassthroughEvent } from "../../../events/event.ts";

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
  if (event.record_type === "passthrough" && !("started_at" in values)) return withStart(event);
  return event;
}

/** Before migration 0007 a passthrough had neither a start nor an outcome. It was recorded only once it had a status. */
function withStart(event: PassthroughEvent): InterceptorEvent {
  const { status, created_at, duration_ms } = event;
  const outcome = status === 499 ? "cancelled" : status < 400 ? "completed" : "upstream_error";
  const started_at = new Date(Date.parse(created_at) - duration_ms).toISOString();
  return { ...event, outcome, started_at };
}

function renamedCandidate(candidate: unknown): unknown {
  if (typeof candidate !== "object" || candidate === null || !("why_lost" in candidate)) return candidate;
  const { why_lost, ...rest } = candidate;
  return { ...rest, rejection_reason: why_lost };
}
