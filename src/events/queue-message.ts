/**
 * The format in which events travel through the queue, as text: `{"version":1,"mac":"…","events":[…]}`, without `mac` where
 * the gateway has no key. Written and read here only.
 *
 * Two versions of the Workers run at once during a deployment, so that a consumer also gets messages of other versions. Before
 * version 0.1.0 of the gateway, a message was the plain array of events. A consumer from before MACs ignores `mac`.
 */
import { asObject, parseJson } from "../shared/json.ts";
import { byteLength } from "../shared/text.ts";
import type { InterceptorEvent } from "./event.ts";
import { MAC_LENGTH, MISPLACED_MAC, type MacPurpose, type PresentedMac, type Sign } from "./event-mac.ts";
import { hasEventId, isOfUnknownType } from "./event-id.ts";
import { fits, textWithin } from "./json-within.ts";

/** Below the 128,000 that a message may have with the queue's own overhead: https://developers.cloudflare.com/queues/platform/limits/ */
export const MESSAGE_BYTES = 120_000;

/** To be raised when a consumer of this version could not store what it reads. */
const VERSION = 1;

/** Concatenated as text: a second object around the events would be serialized on every request's path. */
const BEGIN = `{"version":${VERSION},`;
const EVENTS_BYTES = MESSAGE_BYTES - `${BEGIN}"mac":"","events":}`.length - MAC_LENGTH;

const PURPOSE: MacPurpose = `message/${VERSION}`;

/** As few messages as possible, the events in their order. `texts`: those of the events, which may be of several requests. */
export const joinMessages = (texts: readonly string[]): string[] =>
  toArrays(texts).map((array) => `${BEGIN}"events":${array}}`);

/** The same messages with a MAC each. */
export const joinSignedMessages = (texts: readonly string[], sign: Sign): Promise<string[]> =>
  Promise.all(
    toArrays(texts).map(async (array) => `${BEGIN}"mac":"${await sign(PURPOSE, array)}","events":${array}}`),
  );

/** The texts joined into JSON arrays of at most `EVENTS_BYTES`. */
function toArrays(texts: readonly string[]): string[] {
  if (texts.length === 0) return [];
  const all = `[${texts.join(",")}]`;
  if (fits(all, EVENTS_BYTES)) return [all];
  const arrays: string[] = [];
  let open: string[] = [];
  let bytes = 2;
  for (const text of texts) {
    const json = textWithin(text, EVENTS_BYTES - 2);
    const size = byteLength(json) + 1;
    if (open.length > 0 && bytes + size > EVENTS_BYTES) {
      arrays.push(`[${open.join(",")}]`);
      open = [];
      bytes = 2;
    }
    open.push(json);
    bytes += size;
  }
  if (open.length > 0) arrays.push(`[${open.join(",")}]`);
  return arrays;
}

/** The part of a message that this version can read. If `unknown` or `malformed` is not 0, the message holds more than `events`. */
export type MessageContent = {
  readonly events: readonly InterceptorEvent[];
  /** Number of entries that a newer version wrote; at least 1 where the message itself is of a newer version. */
  readonly unknown: number;
  /** Number of entries that no version writes; 1 where the message is not one of this product. */
  readonly malformed: number;
  /** null where the message has none. `events` was read from `mac.text` alone. */
  readonly mac: PresentedMac | null;
};

/** A message's parts, before its entries are examined. */
type Envelope = {
  readonly version: unknown;
  readonly entries: unknown;
  readonly mac: PresentedMac | null;
};

/**
 * The events of a message. Never throws. Only an entry's type and ids are checked; whether its other fields fit their
 * columns is decided by the database, and whether the MAC is valid by its reader.
 */
export function readMessage(body: unknown): MessageContent {
  const { version, entries, mac } = readEnvelope(body) ?? NO_MESSAGE;
  if (!Number.isSafeInteger(version) || (version as number) < 1) return unreadable(mac);
  const list = Array.isArray(entries) ? (entries as readonly unknown[]) : null;
  if (version === VERSION) return list === null ? unreadable(mac) : { ...sortEntries(list), mac };
  // A newer version may hold more than its events, and other entries than today's.
  const known = (list ?? []).filter(hasEventId);
  return { events: known, unknown: Math.max(1, (list ?? []).length - known.length), malformed: 0, mac };
}

/**
 * The beginning of a message with a MAC, as every version of the gateway writes it. In any other spelling, such as with a
 * member twice, a JSON parser may read other events than the MAC covers.
 */
const WITH_MAC = /^\{"version":([1-9][0-9]{0,8}),"mac":"([\w.-]{0,64})","events":/;

/** null where the body is neither. */
function readEnvelope(body: unknown): Envelope | null {
  if (typeof body !== "string") return null;
  const [begin, digits, mac] = WITH_MAC.exec(body) ?? [];
  if (begin !== undefined && mac !== undefined && body.endsWith("}")) {
    const text = body.slice(begin.length, -1);
    const entries = parseJson(text);
    const version = Number(digits);
    if (entries !== undefined) return { version, entries, mac: { mac, purpose: `message/${version}`, text } };
  }
  const value = parseJson(body);
  if (Array.isArray(value)) return { version: VERSION, entries: value as readonly unknown[], mac: null };
  const message = asObject(value);
  if (message === null) return null;
  const { version, events: entries } = message;
  return { version, entries, mac: "mac" in message ? MISPLACED_MAC : null };
}

const NO_MESSAGE: Envelope = { version: null, entries: null, mac: null };

const unreadable = (mac: PresentedMac | null): MessageContent => ({
  events: [],
  unknown: 0,
  malformed: 1,
  mac,
});

/** Separates the events that this version knows from other values, of a list without a MAC. */
export function sortEntries(entries: readonly unknown[]): MessageContent {
  const events = entries.filter(hasEventId);
  if (events.length === entries.length) return { events, unknown: 0, malformed: 0, mac: null };
  const unknown = entries.filter(isOfUnknownType).length;
  return { events, unknown, malformed: entries.length - events.length - unknown, mac: null };
}

/** Whether `events` is all that the message holds. */
export const isReadWhole = ({ unknown, malformed }: MessageContent): boolean =>
  unknown === 0 && malformed === 0;
