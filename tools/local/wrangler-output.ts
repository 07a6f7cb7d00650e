/**
 * Reads what `wrangler dev` prints: the Worker's log events, what a person must see (errors, warnings, whatever the
 * Worker itself prints), and noise, which goes nowhere.
 */
import { stripVTControlCharacters } from "node:util";
import type { InterceptorEvent } from "../../src/events/event.ts";

export type OutputReaders = {
  readonly onEvent: (event: InterceptorEvent) => void;
  readonly onNotice: (line: string) => void;
};

/** What wrangler says on every start and with every request. A line that is not known is shown, not dropped. */
const NOISE = [
  /^\s*$/,
  /^─+$/,
  /^[\s\u2500-\u257f]+$/,
  /^Cloudflare collects anonymous telemetry/,
  /wrangler \d+\.\d+\.\d+/,
  /^Using (secrets|vars|variables) defined in /i,
  /^Your Worker has access to the following bindings/,
  /^Binding\s+Resource/,
  /^env\.\S+ /,
  /^⎔ /,
  /^\[wrangler:info\]/,
  // The cron, which a local run can do without.
  /Scheduled Workers are not automatically triggered/,
  /^\s*To manually trigger a scheduled event, run:/,
  /^\s*curl "http:\/\/[\d.:]+\/cdn-cgi\//,
  /^\s*For more details, see \S+cron-triggers/,
  // The queue's own account of what it has delivered.
  /^QUEUE \S+ \d+\/\d+/,
  // Where inside workerd an error was thrown; the line before it says which.
  /^\s*stack: \S*workerd\S*@/,
];

export function readOutput(line: string, { onEvent, onNotice }: OutputReaders): void {
  const text = stripVTControlCharacters(line);
  const event = readEvent(text);
  if (event !== undefined) onEvent(event);
  else if (!NOISE.some((pattern) => pattern.test(text))) onNotice(text);
}

/** The event that a log line holds, if it holds one. */
function readEvent(line: string): InterceptorEvent | undefined {
  if (!line.startsWith("{") || !line.includes('"interception log"')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isEvent(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The Worker's own events are taken at their word beyond this. */
function isEvent(value: unknown): value is InterceptorEvent {
  if (typeof value !== "object" || value === null || !("message" in value)) return false;
  return value.message === "interception log" && "record_type" in value && "interception_id" in value;
}
