/**
 * The text of an event: JSON without line breaks, escape sequences or control characters. It is written once, and shared by the
 * log line and the queue message.
 */
import { escapeUnsafe } from "../shared/log-line.ts";
import type { InterceptorEvent } from "./event.ts";
import { EVENT_WRITERS } from "./event-writers.ts";

/** The events of one request are written, searched and sent in one turn, so that few have to be kept. */
const KEPT = 8;
const events: (InterceptorEvent | null)[] = Array.from({ length: KEPT }, () => null);
const texts: string[] = Array.from({ length: KEPT }, () => "");
let next = 0;

/**
 * Of an event that this version composed: one of another version may have other fields. An event is never changed, so that its
 * text stays valid.
 */
export function eventText(event: InterceptorEvent): string {
  const at = events.indexOf(event);
  if (at >= 0) return texts[at] as string;
  const text = write(event);
  events[next] = event;
  texts[next] = text;
  next = (next + 1) % KEPT;
  return text;
}

function write(event: InterceptorEvent): string {
  switch (event.record_type) {
    case "interception_start":
      return EVENT_WRITERS.interception_start(event);
    case "interception_end":
      return EVENT_WRITERS.interception_end(event);
    case "initiator_override":
      return EVENT_WRITERS.initiator_override(event);
    case "token_usage":
      return EVENT_WRITERS.token_usage(event);
    default:
      return escapeUnsafe(JSON.stringify(event));
  }
}
