/**
 * The format in which events travel through the queue, as text: `{"version":1,"events":[…]}`. Written and read here only.
 *
 * Two versions of the Workers run at once during a deployment, so that a consumer also gets messages of other versions. Before
 * version 0.1.0 of the gateway, a message was the plain array of events.
 */
import { asObject, parseJson } from "../shared/json.ts";
import { byteLength } from "../shared/text.ts";
import type { InterceptorEvent } from "./event.ts";
import { hasEventId, isOfUnknownType } from "./event-id.ts";
import { toJsonWithin } from "./json-within.ts";

/** Below the 128,000 that a message may have with the queue's own overhead: https://developers.cloudflare.com/queues/platform/limits/ */
export const MESSAGE_BYTES = 120_000;

/** To be raised when a consumer of this version could not store what it reads. */
const VERSION = 1;

/** Concatenated as text: a second object around the events would be serialized on every request's path. */
const BEGIN = `{"version":${VERSION},"events":`;
const EVENTS_BYTES = MESSAGE_BYTES - BEGIN.length - 1;

/** As few messages as possible, the events in their order. */
export function toMessages(events: readonly InterceptorEvent[]): string[] {
  const all = JSON.stringify(events);
  // A UTF-16 unit takes one to three bytes: most groups need not be counted.
  if (events.length > 0 && all.length * 3 <= EVENTS_BYTES) return [`${BEGIN}${all}}`];
  const messages: string[] = [];
  let open: string[] = [];
  let bytes = 2;
  for (const event of events) {
    const json = toJsonWithin(event, EVENTS_BYTES - 2);
    const size = byteLength(json) + 1;
    if (open.length > 0 && bytes + size > EVENTS_BYTES) {
      messages.push(`${BEGIN}[${open.join(",")}]}`);
      open = [];
      bytes = 2;
    }
    open.push(json);
    bytes += size;
  }
  if (open.length > 0) messages.push(`${BEGIN}[${open.join(",")}]}`);
  return messages;
}

/** The part of a message that this version can read. If `unknown` or `malformed` is not 0, the message holds more than `events`. */
export type MessageContent = {
  readonly events: readonly InterceptorEvent[];
  /** Number of entries that a newer version wrote; at least 1 where the message itself is of a newer version. */
  readonly unknown: number;
  /** Number of entries that no version writes; 1 where the message is not one of this product. */
  readonly malformed: number;
};

/**
 * The events of a message. Never throws. Only an entry's type and ids are checked; whether its other fields fit their
 * columns is decided by the database.
 */
export function readMessage(body: unknown): MessageContent {
  const value = typeof body === "string" ? parseJson(body) : undefined;
  if (Array.isArray(value)) return sortEntries(value);
  const { version, events } = asObject(value) ?? {};
  if (!Number.isSafeInteger(version) || (version as number) < 1) return UNREADABLE;
  const entries = Array.isArray(events) ? (events as readonly unknown[]) : null;
  if (version === VERSION) return entries === null ? UNREADABLE : sortEntries(entries);
  // A newer version may hold more than its events, and other entries than today's.
  const known = (entries ?? []).filter(hasEventId);
  return { events: known, unknown: Math.max(1, (entries ?? []).length - known.length), malformed: 0 };
}

const UNREADABLE: MessageContent = { events: [], unknown: 0, malformed: 1 };

/** Separates the events that this version knows from other values. */
export function sortEntries(entries: readonly unknown[]): MessageContent {
  const events = entries.filter(hasEventId);
  if (events.length === entries.length) return { events, unknown: 0, malformed: 0 };
  const unknown = entries.filter(isOfUnknownType).length;
  return { events, unknown, malformed: entries.length - events.length - unknown };
}

/** Whether `events` is all that the message holds. */
export const isReadWhole = ({ unknown, malformed }: MessageContent): boolean =>
  unknown === 0 && malformed === 0;
