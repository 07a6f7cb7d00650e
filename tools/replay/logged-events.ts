/**
 * Finds events in a log: the ledger's fallback lines and, on request, the lines of the interception log. A fallback line
 * holds an event, or a piece of a queue message that is joined here. A log holds the Worker's own lines, the output of
 * `wrangler tail --format json`, or Logpush's records. Each event is returned once.
 *
 * Only the positions where a log holds the Worker's output are searched: a prompt or a header can contain the text of such
 * a line, which must not become a record.
 */
import type { InterceptorEvent } from "../../src/events/event.ts";
import { eventId, hasEventId } from "../../src/events/event-id.ts";
import { FALLBACK_MESSAGE } from "../../src/events/fallback-log.ts";
import { joinPieces, readPieceLine, type MessagePiece } from "../../src/events/message-pieces.ts";
import { readMessage } from "../../src/events/queue-message.ts";
import { LOG_MESSAGE } from "../../src/events/log-line.ts";
import { withPublicNames } from "../../src/records/ledger/write/previous-names.ts";

export type LoggedEvents = {
  readonly events: readonly InterceptorEvent[];
  /** Number of matching lines without a complete event, and of messages that lack a piece: the log truncated them. */
  readonly broken: number;
  /** Number of entries of queue messages that are not events of this version. */
  readonly unknown: number;
};

/** `plain`: an event without a fallback line is read from its line in the interception log, with truncated content. */
export function findEvents(log: string, plain = false): LoggedEvents {
  const fallbackEvents = new Map<string, InterceptorEvent>();
  const plainEvents = new Map<string, InterceptorEvent>();
  const pieces: MessagePiece[] = [];
  let broken = 0;
  const kinds = KINDS.filter(({ isPlain }) => plain || !isPlain);
  for (const record of records(log)) {
    if (!kinds.some(({ message }) => record.includes(message))) continue;
    for (const line of workerLines(record)) {
      const kind = kinds.find(({ prefix }) => line.startsWith(prefix));
      if (!kind) continue;
      const parsed = parse(line);
      const piece = kind.isPlain ? null : readPieceLine(parsed);
      const event = kind.eventOf(parsed);
      if (piece !== null) pieces.push(piece);
      else if (event === null) broken += 1;
      else (kind.isPlain ? plainEvents : fallbackEvents).set(eventId(event), withPublicNames(event));
    }
  }
  let unknown = 0;
  for (const [, ofMessage] of Map.groupBy(pieces, ({ id }) => id)) {
    const text = joinPieces(ofMessage);
    const message = text === null ? null : readQueueMessage(text);
    if (message === null) broken += 1;
    unknown += message?.unknown ?? 0;
    message?.events.forEach((event) => fallbackEvents.set(eventId(event), event));
  }
  // The fallback line has the complete content.
  const onlyPlain = [...plainEvents].filter(([id]) => !fallbackEvents.has(id)).map(([, event]) => event);
  return { events: [...fallbackEvents.values(), ...onlyPlain], broken, unknown };
}

/** The events of an unmodified queue message, with the names of today. */
export function readQueueMessage(text: string): LoggedEvents {
  const { events, unknown, malformed } = readMessage(text);
  return { events: events.map(withPublicNames), broken: 0, unknown: unknown + malformed };
}

type Kind = {
  readonly message: string;
  readonly prefix: string;
  /** Whether it is a line of the interception log, whose content may be truncated. */
  readonly isPlain: boolean;
  readonly eventOf: (line: unknown) => InterceptorEvent | null;
};

const kind = (message: string, rest: Pick<Kind, "isPlain" | "eventOf">): Kind => ({
  message,
  prefix: `{"message":${JSON.stringify(message)},`,
  ...rest,
});

const completeEvent = (value: unknown): InterceptorEvent | null => (hasEventId(value) ? value : null);

const KINDS: readonly Kind[] = [
  kind(FALLBACK_MESSAGE, {
    isPlain: false,
    eventOf: (line) => completeEvent((line as { readonly event?: unknown } | null)?.event),
  }),
  kind(LOG_MESSAGE, {
    isPlain: true,
    eventOf: (line) => {
      const { message: _, ...event } = (line ?? {}) as Readonly<Record<string, unknown>>;
      return completeEvent(event);
    },
  }),
];

/** The log's lines. An object over several lines, as `wrangler tail` prints it, is one record. */
function records(log: string): string[] {
  const complete: string[] = [];
  let open: string[] | null = null;
  for (const line of log.split(/\r?\n/)) {
    // The lines within an object are indented. A line that is not follows a truncated object, which is dropped.
    const inside: boolean = open !== null && (line.startsWith(" ") || line === "}");
    if (!inside) open = line === "{" ? [] : null;
    if (open === null) complete.push(line);
    else open.push(line);
    if (open !== null && line === "}") {
      complete.push(open.join("\n"));
      open = null;
    }
  }
  return complete;
}

/** The lines that the Worker printed, from one record of the log. */
function workerLines(record: string): string[] {
  // A log's own prefix, such as the time, has neither quotes nor braces.
  const line = record.replace(/^[^"{]*/, "").trimEnd();
  if (KINDS.some(({ prefix }) => line.startsWith(prefix))) return [line];
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
