/** The byte range of each event of a stream, and whether it is a usage event. Computed over the whole stream at once. */
import { oracleEvents } from "./oracle.ts";

export type ByteEvent = {
  readonly start: number;
  /** The position after its blank line; for the last event the end of the stream. */
  readonly end: number;
  readonly usageOnly: boolean;
  /** The bytes that the client must have received once this event is complete; null for an incomplete event. */
  readonly dueBytes: number | null;
};

const LF = 10;
const CR = 13;

/** The positions after each LF, CR or CRLF. */
function lineEnds(bytes: Uint8Array): number[] {
  const ends: number[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] === CR && bytes[at + 1] === LF) continue;
    if (bytes[at] === CR || bytes[at] === LF) ends.push(at + 1);
  }
  return ends;
}

export function byteEvents(bytes: Uint8Array): ByteEvent[] {
  const ends: number[] = [];
  let from = 0;
  for (const end of lineEnds(bytes)) {
    const breakBytes = bytes[end - 1] === LF && bytes[end - 2] === CR && end - 2 >= from ? 2 : 1;
    const isBlankLine = end - from === breakBytes;
    if (isBlankLine) ends.push(end);
    from = end;
  }
  const complete = ends.length;
  if (ends.at(-1) !== bytes.length) ends.push(bytes.length);
  let start = 0;
  let dueBytes = 0;
  return ends.map((end, at) => {
    const usageOnly = isUsage(bytes.subarray(start, end), start === 0);
    if (!usageOnly) dueBytes += end - start;
    const event = { start, end, usageOnly, dueBytes: at < complete ? dueBytes : null };
    start = end;
    return event;
  });
}

/** Members of a usage event that say nothing new. With any other one the event stays. */
const REPEATED = /^(?:id|object|created|model|system_fingerprint|service_tier|obfuscation|provider)$/;

/** A byte order mark counts as one only at the start of the stream. */
function isUsage(event: Uint8Array, first: boolean): boolean {
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: !first }).decode(event);
  const [only, ...more] = oracleEvents(text);
  if (!only || more.length > 0) return false;
  try {
    const value = JSON.parse(only.data) as Record<string, unknown> | null;
    const choices = value?.["choices"];
    const usage = value?.["usage"];
    if (value === null || !Array.isArray(choices) || choices.length > 0) return false;
    if (typeof usage !== "object" || usage === null || Array.isArray(usage)) return false;
    const others = Object.entries(value).filter(
      ([key, member]) => !/^(?:choices|usage)$/.test(key) && member !== null,
    );
    return others.every(([key, member]) => REPEATED.test(key) && typeof member !== "object");
  } catch {
    return false;
  }
}

/** The filter forwards an event above this size in pieces, so it may forward a usage event above this size too. */
export const HELD_BYTES = 16 * 1024;

/**
 * Whether a client may receive these bytes: the stream without its usage events. The usage events above `HELD_BYTES` may
 * all be present or all be absent.
 */
export function isWithoutUsage(
  received: Uint8Array,
  bytes: Uint8Array,
  events: readonly ByteEvent[],
): boolean {
  const bytesOf = (select: (event: ByteEvent) => boolean): Buffer =>
    Buffer.concat(events.filter(select).map(({ start, end }) => bytes.subarray(start, end)));
  if (bytesOf(({ usageOnly }) => !usageOnly).equals(received)) return true;
  return bytesOf(({ usageOnly, start, end }) => !usageOnly || end - start > HELD_BYTES).equals(received);
}
