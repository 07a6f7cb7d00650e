/**
 * Takes the usage event that was asked for on the client's behalf out of the client's stream again, and nothing else.
 * Receives chunks, hands on bytes: whole events as soon as they are whole, each exactly as it came.
 */
import { concat } from "../http/body.ts";
import type { Filter } from "./pump.ts";
import { frameEvents } from "./sse.ts";

/** An event that outgrows this is passed on in pieces: it is no usage event. */
const MAX_HELD = 16 * 1024;
/** Only a chunk that matches needs a look at its single events. */
const MAY_HOLD_USAGE = /"usage"\s*:\s*\{/;
const LF = 10;
const CR = 13;

/** `isUsageOnly` tells by an event's data; `onBytes` sees every byte of the upstream's, taken out or not. */
export function withoutUsageEvent(
  isUsageOnly: (data: string) => boolean,
  onBytes: (bytes: Uint8Array) => void,
): Filter {
  /** An event whose end has not come. */
  let held: Uint8Array = new Uint8Array();
  /** The event at hand has been passed on in part: the rest follows it. */
  let torn = false;

  const chunk = (bytes: Uint8Array): Uint8Array => {
    onBytes(bytes);
    const all = held.byteLength === 0 ? bytes : concat([held, bytes], held.byteLength + bytes.byteLength);
    const look = MAY_HOLD_USAGE.test(new TextDecoder().decode(all));
    const kept: Uint8Array[] = [];
    let keptFrom = 0;
    let from = 0;
    for (let end = eventEnd(all, from); end > 0; end = eventEnd(all, from)) {
      if (look && !torn && holdsUsageOnly(all.subarray(from, end), isUsageOnly)) {
        kept.push(all.subarray(keptFrom, from));
        keptFrom = end;
      }
      torn = false;
      from = end;
    }
    if (all.byteLength - from > MAX_HELD) {
      from = all.byteLength;
      torn = true;
    }
    kept.push(all.subarray(keptFrom, from));
    // A copy: the chunk's memory is the caller's again when this returns.
    held = all.slice(from);
    return join(kept);
  };

  return { chunk, rest: () => (!torn && holdsUsageOnly(held, isUsageOnly) ? new Uint8Array() : held) };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return concat(
    parts,
    parts.reduce((size, part) => size + part.byteLength, 0),
  );
}

/** Past the blank line that ends the event beginning at `from`; 0 where it has not come yet. */
function eventEnd(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.byteLength;) {
    const lineEnd = pastLineEnd(bytes, at);
    if (lineEnd === null) at += 1;
    else {
      const blank = pastLineEnd(bytes, lineEnd);
      // After a lone CR at the very end an LF may follow: it then leads the next event, which changes no byte.
      if (blank !== null) return blank;
      at = lineEnd;
    }
  }
  return 0;
}

/** Past the line end that stands at `at`, or null where none does. */
function pastLineEnd(bytes: Uint8Array, at: number): number | null {
  if (bytes[at] === LF) return at + 1;
  if (bytes[at] !== CR) return null;
  return bytes[at + 1] === LF ? at + 2 : at + 1;
}

function holdsUsageOnly(event: Uint8Array, isUsageOnly: (data: string) => boolean): boolean {
  const text = new TextDecoder().decode(event);
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
