/**
 * Sink: one JSON object per line on the console, in the form of Coder's interception log, for Workers Logs,
 * `wrangler tail` and Logpush.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import { toBoundedLine } from "./bounded-log-line.ts";
import type { Sink } from "./recorder.ts";

export function logSink(print: (line: string) => void): Sink {
  const write = (events: readonly InterceptorEvent[]): void => {
    for (const event of events) print(toBoundedLine(event));
  };
  return { kind: "immediate", name: "log", write };
}
