/**
 * One id for each event, made of the event alone: the same event has the same id however often it is delivered, so that
 * a table and an archive know it again.
 *
 * A UUID of version 8 (RFC 9562 §5.8) from its interception's UUIDv7: the time stays in front, so the ids of a table are
 * in the order of time; version 7's twelve bits `rand_a` give way to what tells the events of one interception apart,
 * four bits of kind and eight of position. 62 random bits remain: two interceptions of one millisecond share them once in
 * 2^62.
 */
import type { InterceptorEvent } from "./event.ts";
import { isUuid } from "../shared/uuid.ts";

/** The kind is the place in this list: append-only, at most 16. */
const KINDS: readonly InterceptorEvent["record_type"][] = [
  "interception_start",
  "interception_end",
  "token_usage",
  "prompt_usage",
  "tool_usage",
  "model_thought",
  "initiator_override",
  "initiator_override_rejected",
  "refusal",
  "passthrough",
];
const POSITIONS = 256;

/** Only for what `hasEventId`. */
export function eventId(event: InterceptorEvent): string {
  const kind = KINDS.indexOf(event.record_type).toString(16);
  const position = positionOf(event).toString(16).padStart(2, "0");
  return `${event.interception_id.slice(0, 14)}8${kind}${position}${event.interception_id.slice(18)}`;
}

/** Whether the value, from wherever, has all that an id is made of: without that it is no event of ours. */
export function hasEventId(value: unknown): value is InterceptorEvent {
  if (typeof value !== "object" || value === null) return false;
  const { record_type, interception_id, position } = value as Readonly<Record<string, unknown>>;
  if (!KINDS.some((kind) => kind === record_type)) return false;
  // In lower case, as ours are: the order of ids is that of their characters.
  if (typeof interception_id !== "string" || !isUuid(interception_id) || /[A-F]/.test(interception_id)) {
    return false;
  }
  return !isPositioned(record_type) || isPosition(position);
}

function isPositioned(type: unknown): boolean {
  return type === "tool_usage" || type === "model_thought";
}

function isPosition(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < POSITIONS;
}

/** Where an answer has several events of a kind, the how-manieth this is. */
function positionOf(event: InterceptorEvent): number {
  return "position" in event ? event.position : 0;
}
