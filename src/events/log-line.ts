/** An event as a line of the interception log. */
import { escapeUnsafe } from "../shared/log-line.ts";
import type { InterceptorEvent } from "./event.ts";
import { eventText } from "./event-text.ts";

export const LOG_MESSAGE = "interception log";

const BEGIN = `{"message":${JSON.stringify(LOG_MESSAGE)},`;

/** One line of JSON without line breaks, escape sequences or control characters. */
export const toEventLine = (event: InterceptorEvent): string => BEGIN + eventText(event).slice(1);

/** The same line with other values. `replacer` as for `JSON.stringify`. */
export const toReplacedLine = (
  event: InterceptorEvent,
  replacer: (name: string, value: unknown) => unknown,
): string => escapeUnsafe(BEGIN + JSON.stringify(event, replacer).slice(1));
