/**
 * Sink: one JSON object per line on the console, in the form of Coder's interception log, for Workers Logs,
 * `wrangler tail` and Logpush.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import type { Sign } from "../../events/event-mac.ts";
import { toLogMacLines } from "../../events/log-mac.ts";
import { toBoundedLine } from "./bounded-log-line.ts";
import type { Sink } from "./recorder.ts";

export function logSink(print: (line: string) => void): Sink {
  const write = (events: readonly InterceptorEvent[]): void => {
    for (const event of events) print(toBoundedLine(event));
  };
  return { kind: "immediate", name: "log", write };
}

/** The same lines, each group followed by the line that authenticates it. The events' lines wait for nothing. */
export function signedLogSink(print: (line: string) => void, sign: Sign): Sink {
  const write = async (events: readonly InterceptorEvent[]): Promise<void> => {
    const lines = events.map(toBoundedLine);
    lines.forEach(print);
    (await toLogMacLines(lines, sign)).forEach(print);
  };
  return { kind: "awaited", name: "log", required: false, write };
}
