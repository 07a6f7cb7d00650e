/**
 * The text of an event: JSON without line breaks, escape sequences or control characters. It is written once, and shared by the
 * log line and the queue message.
 */
import { escapeUnsafe } from "../shared/log-line.ts";
import type { InterceptorEvent } from "./event.ts";
import { EVENT_WRITERS } from "./event-writers.ts";

/** An event is never changed, so its text stays valid as long as it exists. */
const texts = new WeakMap<InterceptorEvent, string>();

export function eventText(event: InterceptorEvent): string {
  const known = texts.get(event);
  if (known !== undefined) return known;
  const text = write(event);
  texts.set(event, text);
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
