/**
 * Sink: one JSON object per line on the console, in the form of Coder's interception log, for Workers Logs,
 * `wrangler tail` and Logpush.
 */
import type { InterceptorEvent } from "../events/event.ts";
import type { Sink } from "../events/recorder.ts";

export const LOG_MESSAGE = "interception log";

/** What JSON leaves as it is and a terminal, or a reader that splits lines or turns text around by Unicode, would act on. */
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const UNSAFE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const EACH_UNSAFE = new RegExp(UNSAFE, "g");

export function logSink(print: (line: string) => void): Sink {
  return { name: "log", write: (event) => print(toLine(event)) };
}

const BEGIN = `{"message":${JSON.stringify(LOG_MESSAGE)},`;

/** One line of JSON that holds no line break, escape sequence or control character, in any reader's eyes. */
export function toLine(event: InterceptorEvent): string {
  // Put together as text: a copy of the event with one more field would cost more than writing it out.
  const line = BEGIN + JSON.stringify(event).slice(1);
  return UNSAFE.test(line) ? line.replace(EACH_UNSAFE, escapeUnit) : line;
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
