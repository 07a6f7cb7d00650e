/**
 * The bytes of a JSON text (RFC 8259), and a window of them as a string in which each character is one byte. V8 searches
 * strings natively, so a JSON string costs a search instead of a step per byte, also before the scanner is compiled. The
 * windows bound the memory.
 */
import { endOfString, endOfValidString, hasOddSlashes, PLAIN } from "./json-bytes.ts";
import { endOfEscapes, escapedLength, nextControl } from "./json-string.ts";

/** A body up to this size is one window. */
const MAX_WHOLE_BYTES = 64 * 1024;
const WINDOW_BYTES = 16 * 1024;
/**
 * A larger body is not decoded, and its strings are read byte by byte. Measured for 32 MiB beyond ASCII: the garbage of the
 * windows adds 4 MiB.
 */
const MAX_DECODED_BYTES = 8 * 1024 * 1024;
/** A native search costs as much as this many steps. */
const SHORT = 8;
/** The distance of escaped quotes up to which a pattern finds the end of a string faster than a search for each. */
const DENSE = 32;

/** Without `ignoreBOM`, U+FEFF at the start of a window would be dropped. */
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Maps each byte to one character, and ASCII to itself. */
const ONE_BYTE = new TextDecoder("windows-1252");

/** The text of valid bytes. */
export const decodeUtf8 = (bytes: Uint8Array, from: number, to: number): string =>
  UTF8.decode(bytes.subarray(from, to));

function windowBytesFor(length: number): number {
  if (length <= MAX_WHOLE_BYTES) return MAX_WHOLE_BYTES;
  return length <= MAX_DECODED_BYTES ? WINDOW_BYTES : 0;
}

export class JsonSource {
  readonly bytes: Uint8Array;
  readonly #windowBytes: number;
  #text = "";
  #from = 0;
  #to = 0;
  /** Whether the window's text is also its UTF-8 text. */
  #isAscii = false;
  /** Whether the bytes are known to be JSON. */
  #isTrusted = false;
  /** A control character of the window, with none between it and the string that was read before. */
  #control = 0;

  /** `windowBytes`: at least 16, or 0 for no windows. Tests use other sizes than the default. */
  constructor(bytes: Uint8Array, windowBytes = windowBytesFor(bytes.length)) {
    this.bytes = bytes;
    this.#windowBytes = windowBytes;
  }

  /** From now on, the bytes are not checked again. */
  trust(): this {
    this.#isTrusted = true;
    this.#control = this.#to;
    return this;
  }

  /** @returns the offset after the closing quote of the string whose content begins at `from`; -1 if it is invalid. */
  endOfString(from: number): number {
    const { bytes } = this;
    const limit = from + SHORT;
    for (let at = from; at < limit; at += 1) {
      const byte = bytes[at] as number;
      if (byte === 0x22) return at + 1;
      if (PLAIN[byte] !== 1) break;
    }
    if (this.#windowBytes > 0) return this.#endOfLong(from);
    return this.#isTrusted ? endOfValidString(bytes, from) : endOfString(bytes, from);
  }

  #endOfLong(from: number): number {
    let at = from;
    for (;;) {
      if ((at < this.#from || at >= this.#to) && !this.#moveTo(at)) return -1;
      const found = this.#text.indexOf('"', at - this.#from) + this.#from;
      const end = found < at || found > this.#to ? this.#to : found;
      if (this.#control < end && this.#controlFrom(at) < end) return -1;
      if (end < this.#to) {
        if (this.bytes[end - 1] !== 0x5c || !hasOddSlashes(this.bytes, from, end)) return end + 1;
        const next = end + 1;
        // A search per escaped quote costs more than a pattern where there are many.
        const isDense = end - at < DENSE;
        at = isDense ? this.#from + endOfEscapes(this.#text, next - this.#from) : next;
        // The text may go on with an escape that its end splits.
        if (at > this.#to) at = this.#to;
        if (this.#control < at && this.#controlFrom(next) < at) return -1;
      } else at = end;
    }
  }

  /** The text of the range. It may share the window's memory: a caller that keeps it must copy it. */
  peek(from: number, to: number): string {
    if (this.#isAscii && from >= this.#from && to <= this.#to)
      return this.#text.slice(from - this.#from, to - this.#from);
    return decodeUtf8(this.bytes, from, to);
  }

  /** Whether `text`, which is ASCII, is at `at`; false also where `at` is before the window. */
  hasAt(text: string, at: number): boolean {
    return at >= this.#from && this.#text.startsWith(text, at - this.#from);
  }

  /** Moves the window. False at the end of the bytes, or where the window has bytes that are in no JSON text. */
  #moveTo(at: number): boolean {
    const { bytes } = this;
    let to = Math.min(at + this.#windowBytes, bytes.length);
    if (at >= to) return false;
    // No character is split, which is at most four bytes long.
    for (let back = 0; back < 3 && isContinuation(bytes[to]); back += 1) to -= 1;
    const window = bytes.subarray(at, to);
    let text: string;
    try {
      text = UTF8.decode(window);
    } catch {
      return false;
    }
    this.#isAscii = text.length === window.length;
    this.#text = this.#isAscii ? text : ONE_BYTE.decode(window);
    const length = this.#isTrusted ? window.length : escapedLength(this.#text, to === bytes.length);
    this.#from = at;
    this.#to = at + length;
    this.#control = this.#isTrusted ? this.#to : -1;
    return length > 0;
  }

  /** The first control character from `at` on. Indented texts have them between strings. */
  #controlFrom(at: number): number {
    if (this.#control < at) this.#control = nextControl(this.#text, at - this.#from) + this.#from;
    return this.#control;
  }
}

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;
