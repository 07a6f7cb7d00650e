/**
 * Reads the output of `wrangler dev`: the Workers' log events, notices that a person must see (errors, warnings, paths
 * that lead nowhere, anything else that a Worker prints), and noise, which is dropped.
 */
import { stripVTControlCharacters } from "node:util";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { LOG_MESSAGE } from "../../src/events/log-line.ts";
import { plainText } from "./plain-text.ts";

export type OutputReaders = {
  readonly onEvent: (event: InterceptorEvent) => void;
  readonly onNotice: (line: string) => void;
};

/** Lines that wrangler prints on every start and with every request. An unknown line is shown, not dropped. */
const NOISE = [
  /^\s*$/,
  /^─+$/,
  /^[\s\u2500-\u257f]+$/,
  /^Cloudflare collects anonymous telemetry/,
  /wrangler \d+\.\d+\.\d+/,
  /^Using (secrets|vars|variables) defined in /i,
  /^(?:Your Worker has|[\w-]+ has) access to the following bindings/,
  /^Binding\s+Resource/,
  /^env\.\S+ /,
  /^Service bindings, Durable Object bindings, and Tail consumers connect to other/,
  /^⎔ /,
  /^\[wrangler:info\]/,
  // The crons, which the run triggers itself (crons.ts).
  /Scheduled Workers are not automatically triggered/,
  /^\s*To manually trigger a scheduled event, run:/,
  /^\s*curl "http:\/\/[\d.:]+\/cdn-cgi\//,
  /^\s*For more details, see \S+cron-triggers/,
  // The queue's own line about a delivered batch.
  /^QUEUE \S+ \d+\/\d+/,
  // A checkpoint of the ledger's log.
  /^\{"event":"ledger_sealed",/,
  // The stack inside workerd of an error; the line before it has the message.
  /^\s*stack: \S*workerd\S*@/,
];

/**
 * A response 404, as wrangler prints it. It has the path, without the query. No event has it: a
 * path that leads nowhere is an unknown caller's text.
 */
const NOT_FOUND = /^\[wrangler:info\] (\S+ \S+) 404 /;

/** With several Workers in one run, wrangler marks the lines of all but the first. */
const WORKER_MARK = /^\[[\w-]+\] /;

export function readOutput(line: string, { onEvent, onNotice }: OutputReaders): void {
  const text = stripVTControlCharacters(line).replace(WORKER_MARK, (mark) =>
    mark === "[wrangler:info] " ? mark : "",
  );
  const [, notFound] = NOT_FOUND.exec(text) ?? [];
  if (notFound !== undefined) return onNotice(plainText(`404 for ${notFound}`));
  const event = readEvent(text);
  if (event !== undefined) onEvent(event);
  else if (!NOISE.some((pattern) => pattern.test(text))) onNotice(text);
}

/** The event that a log line holds, if it holds one. */
function readEvent(line: string): InterceptorEvent | undefined {
  if (!line.startsWith("{") || !line.includes(`"${LOG_MESSAGE}"`)) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isEvent(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The Worker's own events are trusted beyond this. */
function isEvent(value: unknown): value is InterceptorEvent {
  if (typeof value !== "object" || value === null || !("message" in value)) return false;
  return value.message === LOG_MESSAGE && "record_type" in value && "interception_id" in value;
}
