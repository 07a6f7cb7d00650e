/** Removes the usage event that the gateway requested from the client's stream. */
import type { ChunkFilter } from "./coalesce.ts";
import { frameEvents } from "./sse.ts";
import { concat } from "../../shared/bounded-read.ts";

/** A larger event is passed through in pieces: it cannot be a usage event. */
const MAX_PENDING_BYTES = 16 * 1024;
/**
 * The events of a chunk are examined one by one only if the chunk matches: it then holds more than the `null` usage of
 * every other chunk. The text after the key is not matched, because it may be on the event's next data line.
 */
const MAY_HOLD_USAGE = /"usage"(?!\s*:\s*null)/;
const LF = 10;
const CR = 13;
const BRACE = 0x7b;
/** A space, a tab, and the bytes of a byte order mark. */
const BLANKS_BEFORE: ReadonlySet<number> = new Set([0x20, 0x09, 0xef, 0xbb, 0xbf]);
// Created once, because every chunk of every coalesced stream is decoded here.
const DECODER = new TextDecoder();
const NO_BYTES = new Uint8Array();

/**
 * `isUsageOnly` recognizes the event to remove by its data. `onBytes` is called with every byte of the upstream, removed
 * or not.
 */
export function createUsageEventFilter(
  isUsageOnly: (data: string) => boolean,
  onBytes: (bytes: Uint8Array) => void,
): ChunkFilter {
  const eventEnd = findEventEnds();
  /** The bytes of an event whose end has not arrived. */
  let pending: Uint8Array = NO_BYTES;
  /** A part of the current event has been passed through: the rest must follow. */
  let isPartlySent = false;
  /** No event has ended yet. A byte order mark before the first event is not part of a field's name. */
  let isFirst = true;
  /** The last event was removed. If it ended in a CR at the chunk's end, an LF that follows is removed too. */
  let hasRemovedLast = false;

  const transform = (bytes: Uint8Array): Uint8Array => {
    onBytes(bytes);
    if (bytes.byteLength === 0) return bytes;
    const all =
      pending.byteLength === 0 ? bytes : concat([pending, bytes], pending.byteLength + bytes.byteLength);
    const mayHoldUsage = MAY_HOLD_USAGE.test(DECODER.decode(all));
    const kept: Uint8Array[] = [];
    let from = eventEnd.skipLateLf(bytes) ? 1 : 0;
    let keptFrom = hasRemovedLast ? from : 0;
    let at = Math.max(from, pending.byteLength);
    hasRemovedLast = false;
    for (let end = eventEnd.next(all, at); end > 0; end = eventEnd.next(all, at)) {
      hasRemovedLast =
        mayHoldUsage && !isPartlySent && holdsUsageOnly(all.subarray(from, end), isFirst, isUsageOnly);
      if (hasRemovedLast) {
        kept.push(all.subarray(keptFrom, from));
        keptFrom = end;
      }
      isPartlySent = false;
      isFirst = false;
      from = end;
      at = end;
    }
    // Only an event that ends with this chunk can still have an LF to remove.
    if (from < all.byteLength) hasRemovedLast = false;
    if (all.byteLength - from > MAX_PENDING_BYTES) {
      from = all.byteLength;
      isPartlySent = true;
    }
    // A copy, because the caller reuses the chunk's memory after this returns.
    pending = from === all.byteLength ? NO_BYTES : all.slice(from);
    if (keptFrom === 0 && from === all.byteLength) return all;
    kept.push(all.subarray(keptFrom, from));
    return join(kept);
  };

  const flush = (): Uint8Array =>
    !isPartlySent && holdsUsageOnly(pending, isFirst, isUsageOnly) ? NO_BYTES : pending;
  return { transform, flush };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return concat(
    parts,
    parts.reduce((size, part) => size + part.byteLength, 0),
  );
}

type EventEnds = {
  /** The offset behind the blank line that ends the current event, searched from `at`; 0 if it has not arrived. */
  readonly next: (bytes: Uint8Array, at: number) => number;
  /** Whether the chunk starts with the LF of a CRLF whose CR ended both an event and the previous chunk. */
  readonly skipLateLf: (chunk: Uint8Array) => boolean;
};

/**
 * Finds blank lines, or the ends of lines where the stream is a sequence of JSON objects. It examines each byte once,
 * regardless of how the stream was cut.
 */
function findEventEnds(): EventEnds {
  /** Each line is an object (NDJSON); null until the stream's first character. */
  let hasObjects: boolean | null = null;
  /** The current line has no character yet. */
  let isLineEmpty = true;
  /** The last byte was a CR: an LF that follows belongs to it. */
  let afterCr = false;
  /** That CR ended an event and was the chunk's last byte. */
  let mayLfFollow = false;
  const next = (bytes: Uint8Array, from: number): number => {
    for (let at = from; at < bytes.byteLength; at++) {
      const byte = bytes[at];
      if (byte === LF && afterCr) {
        afterCr = false;
        continue;
      }
      afterCr = byte === CR;
      if (byte !== LF && byte !== CR) {
        if (hasObjects === null && !BLANKS_BEFORE.has(byte ?? 0)) hasObjects = byte === BRACE;
        isLineEmpty = false;
        continue;
      }
      if (hasObjects === true) {
        if (byte === LF) return at + 1;
        continue;
      }
      if (!isLineEmpty) {
        isLineEmpty = true;
        continue;
      }
      if (!afterCr) return at + 1;
      mayLfFollow = at + 1 === bytes.byteLength;
      if (bytes[at + 1] !== LF) return at + 1;
      afterCr = false;
      return at + 2;
    }
    return 0;
  };
  const skipLateLf = (chunk: Uint8Array): boolean => {
    const mayBeLate = mayLfFollow;
    mayLfFollow = false;
    if (!mayBeLate || chunk[0] !== LF) return false;
    afterCr = false;
    return true;
  };
  return { next, skipLateLf };
}

function holdsUsageOnly(
  event: Uint8Array,
  isFirst: boolean,
  isUsageOnly: (data: string) => boolean,
): boolean {
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: !isFirst }).decode(event);
  // A first object is the whole response: the usage line of a stream of objects follows others.
  if (!MAY_HOLD_USAGE.test(text) || (isFirst && text.trimStart().startsWith("{"))) return false;
  let matches = false;
  let events = 0;
  const framer = frameEvents((data) => {
    events += 1;
    matches = isUsageOnly(data);
  });
  framer.push(text);
  framer.end();
  return events === 1 && matches;
}
