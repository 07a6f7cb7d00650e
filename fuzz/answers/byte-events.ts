/** Where each event of a stream stands, byte by byte, and whether it is a usage event: the plain way, over the whole. */
import { plainEvents } from "./oracle.ts";

export type ByteEvent = {
  readonly start: number;
  /** Past its blank line; the last event's is the stream's end. */
  readonly end: number;
  readonly usageOnly: boolean;
  /** So many bytes the client is owed by the time this event is whole; null: its end never came. */
  readonly owed: number | null;
};

const LF = 10;
const CR = 13;

/** Ends of lines: the positions past LF, CR or CRLF. */
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
    const breaks = bytes[end - 1] === LF && bytes[end - 2] === CR && end - 2 >= from ? 2 : 1;
    // A line with nothing before its end.
    if (end - from === breaks) ends.push(end);
    from = end;
  }
  const whole = ends.length;
  if (ends.at(-1) !== bytes.length) ends.push(bytes.length);
  let start = 0;
  let owed = 0;
  return ends.map((end, at) => {
    const usageOnly = isUsage(bytes.subarray(start, end), start === 0);
    if (!usageOnly) owed += end - start;
    const event = { start, end, usageOnly, owed: at < whole ? owed : null };
    start = end;
    return event;
  });
}

/** A byte order mark is one only where the stream begins. */
function isUsage(event: Uint8Array, first: boolean): boolean {
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: !first }).decode(event);
  const [only, ...more] = plainEvents(text);
  if (!only || more.length > 0) return false;
  try {
    const value = JSON.parse(only.data) as { choices?: unknown; usage?: unknown; error?: unknown } | null;
    if (!Array.isArray(value?.choices) || value.choices.length > 0) return false;
    const { usage, error } = value;
    return typeof usage === "object" && usage !== null && !Array.isArray(usage) && (error ?? null) === null;
  } catch {
    return false;
  }
}

/** An event over this goes on in pieces, so one that is a usage event may go on as well. */
export const HELD = 16 * 1024;

/** Whether that is what a client may get: the stream less its usage events. One that is over `HELD` whole or not at all. */
export function isWithoutUsage(found: Uint8Array, bytes: Uint8Array, events: readonly ByteEvent[]): boolean {
  const those = (which: (event: ByteEvent) => boolean): Buffer =>
    Buffer.concat(events.filter(which).map(({ start, end }) => bytes.subarray(start, end)));
  if (those(({ usageOnly }) => !usageOnly).equals(found)) return true;
  return those(({ usageOnly, start, end }) => !usageOnly || end - start > HELD).equals(found);
}
