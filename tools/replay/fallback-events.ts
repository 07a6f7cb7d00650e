/**
 * Finds the ledger's fallback lines in a log: as the Worker printed them, in what `wrangler tail --format json` shows, or
 * in Logpush's records. Receives the log's text, hands on the events in those lines, each once.
 *
 * It looks only where a log holds what the Worker printed, never into anything else: a prompt or a header may well hold
 * the text of such a line, and would then be taken for a record.
 */
import type { InterceptorEvent } from "../../src/events/event.ts";
import { eventId, hasEventId } from "../../src/ledger/event-id.ts";
import { FALLBACK_MESSAGE } from "../../src/sinks/fallback.ts";

export type Found = {
  readonly events: readonly InterceptorEvent[];
  /** How many lines speak of a fallback but hold no whole event: the log cut them off. */
  readonly broken: number;
};

export function findFallbackEvents(log: string): Found {
  const events = new Map<string, InterceptorEvent>();
  let broken = 0;
  for (const record of records(log)) {
    if (!record.includes(FALLBACK_MESSAGE)) continue;
    for (const line of printedIn(record)) {
      if (!line.startsWith(BEGIN)) continue;
      const event = eventIn(line);
      if (event === null) broken += 1;
      else events.set(eventId(event), event);
    }
  }
  return { events: [...events.values()], broken };
}

const BEGIN = `{"message":${JSON.stringify(FALLBACK_MESSAGE)},`;

/** Lines, but an object over several lines, as `wrangler tail` prints it, as one. */
function records(log: string): string[] {
  const found: string[] = [];
  let open: string[] | null = null;
  for (const line of log.split(/\r?\n/)) {
    // All between its first line and its last is indented. What is not follows one that was cut off: no record, then.
    const inside: boolean = open !== null && (line.startsWith(" ") || line === "}");
    if (!inside) open = line === "{" ? [] : null;
    if (open === null) found.push(line);
    else open.push(line);
    if (open !== null && line === "}") {
      found.push(open.join("\n"));
      open = null;
    }
  }
  return found;
}

/** What the Worker printed, as this record tells it. */
function printedIn(record: string): string[] {
  // Whatever a log puts before a line, such as the time, holds neither quotes nor braces.
  const line = record.replace(/^[^"{]*/, "").trimEnd();
  if (line.startsWith(BEGIN)) return [line];
  const { logs, Logs } = (parse(line) ?? {}) as { readonly logs?: unknown; readonly Logs?: unknown };
  const messages = [...members(logs, "message"), ...members(Logs, "Message")];
  return messages.flat().filter((message) => typeof message === "string");
}

function members(list: unknown, name: string): unknown[] {
  if (!Array.isArray(list)) return [];
  return list.map((entry: unknown) => (entry as Readonly<Record<string, unknown>> | null)?.[name]);
}

function eventIn(line: string): InterceptorEvent | null {
  const { event } = (parse(line) ?? {}) as { readonly event?: unknown };
  return hasEventId(event) ? event : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
