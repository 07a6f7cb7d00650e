/** Removes the usage event that the gateway requested from the client's stream. */
import type { ChunkFilter } from "./coalesce.ts";
import { frameEvents } from "./sse.ts";
import { findEventEnds } from "./event-ends.ts";
import { concat } from "../../shared/bounded-read.ts";

/** A larger event is passed through in pieces: it cannot be a usage event. */
const MAX_PENDING_BYTES = 16 * 1024;
/**
 * The events of a chunk are examined one by one only if the chunk matches: it then holds more than the `null` usage of
 * every other chunk. The text after the key is not matched, because it may be on the event's next data line.
 */
const MAY_HOLD_USAGE = /"usage"(?!\s*:\s*null)/;
/** The longest part of the key that a chunk may end with. */
const KEY_PART = '"usage'.length;
const DECODER = new TextDecoder();
const NO_BYTES = new Uint8Array();

/**
 * `isUsageOnly` recognizes the event to remove by its data. `onBytes` is called with every byte of the upstream, removed
 * or not. It returns the text if it has decoded it, so that no chunk is decoded twice.
 */
export function createUsageEventFilter(
  isUsageOnly: (data: string) => boolean,
  onBytes: (bytes: Uint8Array) => string | null,
): ChunkFilter {
  const usageKey = findUsageKey();
  const cutter = createCutter(isUsageOnly);
  /** The bytes of an event whose end has not arrived. */
  let pending: Uint8Array = NO_BYTES;

  const transform = (bytes: Uint8Array): Uint8Array => {
    const text = onBytes(bytes);
    if (bytes.byteLength === 0) return bytes;
    const held = pending.byteLength;
    const all = held === 0 ? bytes : concat([pending, bytes], held + bytes.byteLength);
    const { kept, keptFrom, from } = cutter.cut(all, held, usageKey.isIn(text ?? DECODER.decode(bytes)));
    // A copy, because the caller reuses the chunk's memory after this returns.
    pending = from === all.byteLength ? NO_BYTES : all.slice(from);
    usageKey.startEvent(pending);
    return keptFrom === 0 && from === all.byteLength ? all : join([...kept, all.subarray(keptFrom, from)]);
  };
  return { transform, flush: () => (cutter.isRemoved(pending) ? NO_BYTES : pending) };
}

/** `kept`: the parts before `keptFrom` that are passed on. `from`: where the event begins whose end has not arrived. */
type Cut = { readonly kept: Uint8Array[]; keptFrom: number; from: number };

type Cutter = {
  /** Cuts out the events to remove. `held`: bytes of the current event before the chunk. `isExamined`: there may be some. */
  readonly cut: (all: Uint8Array, held: number, isExamined: boolean) => Cut;
  /** Whether to remove the current event, which consists of these bytes. */
  readonly isRemoved: (event: Uint8Array) => boolean;
};

function createCutter(isUsageOnly: (data: string) => boolean): Cutter {
  const eventEnd = findEventEnds();
  /** A part of the current event has been passed through: the rest must follow. */
  let isPartlySent = false;
  /** No event has ended yet. A byte order mark before the first event is not part of a field's name. */
  let isFirst = true;
  /** The last event was removed. If it ended in a CR at the chunk's end, an LF that follows is removed too. */
  let hasRemovedLast = false;

  const isRemoved = (event: Uint8Array): boolean =>
    !isPartlySent && holdsUsageOnly(event, isFirst, isUsageOnly);

  const passEvent = (cut: Cut, end: number): void => {
    isPartlySent = false;
    isFirst = false;
    cut.from = end;
  };
  const cutEvents = (all: Uint8Array, cut: Cut, held: number, isExamined: boolean): void => {
    const searched = Math.max(cut.from, held);
    for (let end = eventEnd.next(all, searched); end > 0; end = eventEnd.next(all, end)) {
      hasRemovedLast = isExamined && isRemoved(all.subarray(cut.from, end));
      if (hasRemovedLast) {
        cut.kept.push(all.subarray(cut.keptFrom, cut.from));
        cut.keptFrom = end;
      }
      passEvent(cut, end);
    }
  };

  const cut = (all: Uint8Array, held: number, isExamined: boolean): Cut => {
    const from = eventEnd.skipLateLf(all.subarray(held)) ? 1 : 0;
    const result: Cut = { kept: [], keptFrom: hasRemovedLast ? from : 0, from };
    hasRemovedLast = false;
    const last = isExamined || isPartlySent ? null : eventEnd.last(all, from);
    if (last === null) cutEvents(all, result, held, isExamined);
    else if (last > 0) passEvent(result, last);
    // Only an event that ends with this chunk can still have an LF to remove.
    if (result.from < all.byteLength) hasRemovedLast = false;
    if (all.byteLength - result.from > MAX_PENDING_BYTES) {
      result.from = all.byteLength;
      isPartlySent = true;
    }
    return result;
  };
  return { cut, isRemoved };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return concat(
    parts,
    parts.reduce((size, part) => size + part.byteLength, 0),
  );
}

type UsageKey = {
  /** Whether an event that ends in this text may hold a usage. */
  readonly isIn: (text: string) => boolean;
  /** The current event begins with these bytes, which end the last text. */
  readonly startEvent: (bytes: Uint8Array) => void;
};

function findUsageKey(): UsageKey {
  /** The current event matched already. */
  let isOpen = false;
  let tail = "";
  return {
    isIn: (text) => {
      const all = tail + text;
      tail = all.slice(-KEY_PART);
      return (isOpen = isOpen || MAY_HOLD_USAGE.test(all));
    },
    startEvent: (bytes) => {
      isOpen = isOpen && MAY_HOLD_USAGE.test(DECODER.decode(bytes));
    },
  };
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
