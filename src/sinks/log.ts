/**
 * Sink: one JSON object per line on the console, in the form of Coder's interception log, for Workers Logs,
 * `wrangler tail` and Logpush.
 */
import type { Sink } from "../events/recorder.ts";

export const LOG_MESSAGE = "interception log";

/** What JSON leaves as it is and a terminal, or a reader that splits lines by Unicode, would act on. */
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const UNSAFE = /[\u007f-\u009f\u2028\u2029]/g;

export function logSink(print: (line: string) => void): Sink {
  return { name: "log", write: (event) => print(toLine({ message: LOG_MESSAGE, ...event })) };
}

/** One line of ASCII-safe JSON: no line break, escape sequence or control character can stand in it. */
export function toLine(value: object): string {
  return JSON.stringify(value).replace(UNSAFE, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
