/** An event as a line of the interception log. */
import { escapeUnsafe } from "../shared/log-line.ts";
import type { InterceptorEvent } from "./event.ts";

export const LOG_MESSAGE = "interception log";

const BEGIN = `{"message":${JSON.stringify(LOG_MESSAGE)},`;

/** One line of JSON without line breaks, escape sequences or control characters. `replacer` as for `JSON.stringify`. */
export function toEventLine(
  event: InterceptorEvent,
  replacer?: (name: string, value: unknown) => unknown,
): string {
  // Concatenated as text: a copy of the event with one more field costs more than printing it.
  return escapeUnsafe(BEGIN + JSON.stringify(event, replacer).slice(1));
}
