/** Sink: the lines of `log.ts`, each group followed by the line that authenticates it (`RECORDING.log_mac`). */
import type { InterceptorEvent } from "../../events/event.ts";
import type { Sign } from "../../events/event-mac.ts";
import { toLogMacLines } from "../../events/log-mac.ts";
import { toBoundedLine } from "./bounded-log-line.ts";
import type { Sink } from "./recorder.ts";

/** The events' lines are printed at once: they do not wait for the MAC. */
export function signedLogSink(print: (line: string) => void, sign: Sign): Sink {
  const write = async (events: readonly InterceptorEvent[]): Promise<void> => {
    const lines = events.map(toBoundedLine);
    lines.forEach(print);
    (await toLogMacLines(lines, sign)).forEach(print);
  };
  return { kind: "awaited", name: "log", required: false, write };
}
