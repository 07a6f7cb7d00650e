import type { ChunkFilter } from "./coalesce.ts";
import { frameEvents } from "./sse.ts";
import { concat } from "../../shared/bounded-read.ts";

/** An event that outgrows this is passed on in pieces: it is no usage event. */
const MAX_HELD = 16 * 1024;
/**
 * Only a chunk that matches needs a look at its single events: it says more of usage than the `null` of every other
 * chunk. What follows the key is not looked for, as it may stand on the event's next data line.
 */
const MAY_HOLD_USAGE = /"usage"(?!\s*:\s*null)/;
const LF = 10;
const CR = 13;
// Made once: every chunk of every stream that is carried through comes by here.
const DECODER = new TextDecoder();
const NOTHING = new Uint8Array();

/** `isUsageOnly` tells by an event's data; `onBytes` sees every byte of the upstream's, taken out or not. */
export function createUsageEventFilter(
  isUsageOnly: (data: string) => boolean,
  onBytes: (bytes: Uint8Array) => void,
): ChunkFilter {
  const eventEnd = findEventEnds();
  /** An event whose end has not come. */
  let held: Uint8Array = NOTHING;
  /** The event at hand has been passed on in part: the rest follows it. */
  let torn = false;
  /** No event has ended yet: a byte order mark before the next is one, and not part of its first field's name. */
  let first = true;
  /** The last event was taken out, and ended in a CR that was the last byte: an LF that comes next goes with it. */
  let takenOut = false;

  const chunk = (bytes: Uint8Array): Uint8Array => {
    onBytes(bytes);
    if (bytes.byteLength === 0) return bytes;
    const all = held.byteLength === 0 ? bytes : concat([held, bytes], held.byteLength + bytes.byteLength);
    const look = MAY_HOLD_USAGE.test(DECODER.decode(all));
    const kept: Uint8Array[] = [];
    let from = eventEnd.lateLf(bytes) ? 1 : 0;
    let keptFrom = takenOut ? from : 0;
    let at = Math.max(from, held.byteLength);
    takenOut = false;
    for (let end = eventEnd.next(all, at); end > 0; end = eventEnd.next(all, at)) {
      takenOut = look && !torn && holdsUsageOnly(all.subarray(from, end), first, isUsageOnly);
      if (takenOut) {
        kept.push(all.subarray(keptFrom, from));
        keptFrom = end;
      }
      torn = false;
      first = false;
      from = end;
      at = end;
    }
    // Only the LF of an event that ended with this chunk can still go with it.
    if (from < all.byteLength) takenOut = false;
    if (all.byteLength - from > MAX_HELD) {
      from = all.byteLength;
      torn = true;
    }
    // A copy: the chunk's memory is the caller's again when this returns.
    held = from === all.byteLength ? NOTHING : all.slice(from);
    if (keptFrom === 0 && from === all.byteLength) return all;
    kept.push(all.subarray(keptFrom, from));
    return join(kept);
  };

  const rest = (): Uint8Array => (!torn && holdsUsageOnly(held, first, isUsageOnly) ? NOTHING : held);
  return { chunk, rest };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return concat(
    parts,
    parts.reduce((size, part) => size + part.byteLength, 0),
  );
}

type EventEnds = {
  /** Past the blank line that ends the event at hand, looking from `at` on; 0 where it has not come yet. */
  readonly next: (bytes: Uint8Array, at: number) => number;
  /** Whether a chunk begins with the LF of a line end whose CR was the last byte of an event and of the chunk before. */
  readonly lateLf: (chunk: Uint8Array) => boolean;
};

/** Finds blank lines, looking at each byte once, however the stream was cut. */
function findEventEnds(): EventEnds {
  /** The line at hand has no character yet. */
  let empty = true;
  /** The last byte was a CR: an LF that comes next belongs to it. */
  let afterCr = false;
  /** … and that CR ended an event. */
  let late = false;
  const next = (bytes: Uint8Array, from: number): number => {
    for (let at = from; at < bytes.byteLength; at++) {
      const byte = bytes[at];
      if (byte === LF && afterCr) {
        afterCr = false;
        continue;
      }
      afterCr = byte === CR;
      if (byte !== LF && byte !== CR) {
        empty = false;
        continue;
      }
      if (!empty) {
        empty = true;
        continue;
      }
      if (!afterCr) return at + 1;
      late = at + 1 === bytes.byteLength;
      if (bytes[at + 1] !== LF) return at + 1;
      afterCr = false;
      return at + 2;
    }
    return 0;
  };
  const lateLf = (chunk: Uint8Array): boolean => {
    const was = late;
    late = false;
    if (!was || chunk[0] !== LF) return false;
    afterCr = false;
    return true;
  };
  return { next, lateLf };
}

function holdsUsageOnly(event: Uint8Array, first: boolean, isUsageOnly: (data: string) => boolean): boolean {
  const text = new TextDecoder("utf-8", { fatal: false, ignoreBOM: !first }).decode(event);
  if (!MAY_HOLD_USAGE.test(text)) return false;
  let only = false;
  let events = 0;
  const framer = frameEvents((data) => {
    events += 1;
    only = isUsageOnly(data);
  });
  framer.push(text);
  framer.end();
  return events === 1 && only;
}
