/**
 * Finds events in a log: the ledger's fallback lines and, on request, the lines of the interception log. A fallback line
 * holds an event, or a piece of a queue message that is joined here.
 */
import type { InterceptorEvent } from "../../src/events/event.ts";
import type { PresentedMac } from "../../src/events/event-mac.ts";
import { eventId, hasEventId } from "../../src/events/event-id.ts";
import { FALLBACK_MESSAGE, readFallbackLine } from "../../src/events/fallback-log.ts";
import { LOG_MAC_MESSAGE, readLogMacLine, type LogMac } from "../../src/events/log-mac.ts";
import { joinPieces, readPieceLine, type MessagePiece } from "../../src/events/message-pieces.ts";
import { readMessage } from "../../src/events/queue-message.ts";
import { LOG_MESSAGE } from "../../src/events/log-line.ts";
import { workerLines } from "../local/worker-log.ts";
import { withPublicNames } from "../../src/records/ledger/write/previous-names.ts";

/** An event as a log or a message holds it, with the names of today. */
export type LoggedEvent = { readonly event: InterceptorEvent } & (
  | { readonly kind: "complete"; readonly mac: PresentedMac | null }
  /** From a line of the interception log, whose content may be truncated. A `LogMac` may name the line. */
  | { readonly kind: "plain"; readonly line: string }
);

export type LogContent = {
  readonly logged: readonly LoggedEvent[];
  readonly logMacs: readonly LogMac[];
  /** Number of matching lines without a complete event, and of messages that lack a piece: the log truncated them. */
  readonly broken: number;
  /** Number of entries of queue messages that are not events of this version. */
  readonly unknown: number;
};

export type LoggedEvents = Pick<LogContent, "broken" | "unknown"> & {
  /** Each event once. */
  readonly events: readonly InterceptorEvent[];
};

/** `plain`: an event without a fallback line is read from its line in the interception log, with truncated content. */
export function findEvents(log: string, plain = false): LoggedEvents {
  const { logged, broken, unknown } = findLogged(log, plain);
  return { events: eachOnce(logged).map(({ event }) => event), broken, unknown };
}

/** The last one of each event; a complete one rather than a line of the interception log. Those come last. */
export function eachOnce<T extends LoggedEvent>(logged: readonly T[]): readonly T[] {
  const byId = (kind: LoggedEvent["kind"]): Map<string, T> =>
    new Map(logged.filter((one) => one.kind === kind).map((one) => [eventId(one.event), one]));
  const complete = byId("complete");
  const onlyPlain = [...byId("plain")].filter(([id]) => !complete.has(id)).map(([, one]) => one);
  return [...complete.values(), ...onlyPlain];
}

/** Every event of the log's lines, as often as it is there. */
export function findLogged(log: string, plain: boolean): LogContent {
  const logged: LoggedEvent[] = [];
  const logMacs: LogMac[] = [];
  const pieces: MessagePiece[] = [];
  let broken = 0;
  for (const line of linesOf(log, plain)) {
    const found = readLine(line);
    if (found === null) broken += 1;
    else if ("event" in found) logged.push(found);
    else if ("digests" in found) logMacs.push(found);
    else pieces.push(found);
  }
  const messages = [...Map.groupBy(pieces, ({ id }) => id).values()].map(joinPieces);
  const ofMessages = messages.flatMap((text) => (text === null ? [] : readLoggedMessage(text)));
  return {
    logged: [...logged, ...ofMessages.flatMap((message) => message.logged)],
    logMacs,
    broken: broken + messages.filter((text) => text === null).length,
    unknown: ofMessages.reduce((sum, message) => sum + message.unknown, 0),
  };
}

/** The events of an unmodified queue message. */
export function readLoggedMessage(text: string): LogContent {
  const { events, unknown, malformed, mac } = readMessage(text);
  const logged = events.map((event) => ({ kind: "complete" as const, event: withPublicNames(event), mac }));
  return { logged, logMacs: [], broken: 0, unknown: unknown + malformed };
}

type MessageKind = "fallback" | "plain" | "mac";

/** How a line of each kind begins. */
const MESSAGES: Readonly<Record<MessageKind, string>> = {
  fallback: FALLBACK_MESSAGE,
  plain: LOG_MESSAGE,
  mac: LOG_MAC_MESSAGE,
};
const PREFIXES = Object.entries(MESSAGES).map(
  ([kind, message]) => [kind as MessageKind, `{"message":${JSON.stringify(message)},`] as const,
);

const kindOf = (line: string): MessageKind | null =>
  PREFIXES.find(([, prefix]) => line.startsWith(prefix))?.[0] ?? null;

const WANTED = {
  parts: Object.values(MESSAGES),
  isLine: (line: string): boolean => kindOf(line) !== null,
};

/** The Worker's lines of the kinds that are read. */
function* linesOf(log: string, plain: boolean): Generator<string> {
  for (const line of workerLines(log, WANTED)) {
    if (plain || kindOf(line) === "fallback") yield line;
  }
}

/** null where the line is truncated, or is not one of this product. */
function readLine(line: string): LoggedEvent | LogMac | MessagePiece | null {
  switch (kindOf(line)) {
    case "mac":
      return readLogMacLine(line);
    case "plain": {
      const { message: _, ...event } = (parse(line) ?? {}) as Readonly<Record<string, unknown>>;
      return hasEventId(event) ? { kind: "plain", event: withPublicNames(event), line } : null;
    }
    default: {
      const piece = readPieceLine(parse(line));
      if (piece !== null) return piece;
      const { event, mac } = readFallbackLine(line) ?? { event: null, mac: null };
      return hasEventId(event) ? { kind: "complete", event: withPublicNames(event), mac } : null;
    }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
