/**
 * Finds the ledger's fallback lines in a log, and where asked the interception log's own lines beside them: as the Worker
 * printed them, in what `wrangler tail --format json` shows, or in Logpush's records. Receives the log's text, hands on
 * the events in those lines, each once.
 *
 * It looks only where a log holds what the Worker printed, never into anything else: a prompt or a header may well hold
 * the text of such a line, and would then be taken for a record.
 */
import type { InterceptorEvent } from "../../src/events/event.ts";
import { eventId, hasEventId } from "../../src/events/event-id.ts";
import { FALLBACK_MESSAGE } from "../../src/events/fallback-log.ts";
import { LOG_MESSAGE } from "../../src/gateway/sinks/log.ts";

export type Found = {
  readonly events: readonly InterceptorEvent[];
  /** How many of those lines hold no whole event: the log cut them off. */
  readonly broken: number;
};

/** `plain`: of an event that no fallback line tells, its own line will do, with its content as that shows it, cut. */
export function findEvents(log: string, plain = false): Found {
  const events = new Map<string, InterceptorEvent>();
  const shown = new Map<string, InterceptorEvent>();
  let broken = 0;
  for (const record of records(log)) {
    if (!KINDS.some(({ message, into }) => (plain || into === "fallback") && record.includes(message)))
      continue;
    for (const line of printedIn(record)) {
      const kind = KINDS.find(({ begin }) => line.startsWith(begin));
      if (!kind || (kind.into === "plain" && !plain)) continue;
      const event = kind.eventOf(parse(line));
      if (event === null) broken += 1;
      else (kind.into === "plain" ? shown : events).set(eventId(event), event);
    }
  }
  for (const [id, event] of shown) if (!events.has(id)) events.set(id, event);
  return { events: [...events.values()], broken };
}

type Kind = {
  readonly message: string;
  /** What such a line begins with. */
  readonly begin: string;
  readonly into: "fallback" | "plain";
  readonly eventOf: (line: unknown) => InterceptorEvent | null;
};

const kind = (message: string, rest: Pick<Kind, "into" | "eventOf">): Kind => ({
  message,
  begin: `{"message":${JSON.stringify(message)},`,
  ...rest,
});

const whole = (value: unknown): InterceptorEvent | null => (hasEventId(value) ? value : null);

const KINDS: readonly Kind[] = [
  kind(FALLBACK_MESSAGE, {
    into: "fallback",
    eventOf: (line) => whole((line as { readonly event?: unknown } | null)?.event),
  }),
  kind(LOG_MESSAGE, {
    into: "plain",
    eventOf: (line) => {
      const { message: _, ...event } = (line ?? {}) as Readonly<Record<string, unknown>>;
      return whole(event);
    },
  }),
];

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
  if (KINDS.some(({ begin }) => line.startsWith(begin))) return [line];
  const { logs, Logs } = (parse(line) ?? {}) as { readonly logs?: unknown; readonly Logs?: unknown };
  const messages = [...members(logs, "message"), ...members(Logs, "Message")];
  return messages.flat().filter((message) => typeof message === "string");
}

function members(list: unknown, name: string): unknown[] {
  if (!Array.isArray(list)) return [];
  return list.map((entry: unknown) => (entry as Readonly<Record<string, unknown>> | null)?.[name]);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
