/** The header and the trailer of a gzip member (RFC 1952 §2.3). Node's own decoder joins several members unasked. */

const FIXED = [0x1f, 0x8b, 8];
const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;
const RESERVED = 0xe0;
/** A longer header holds something else than a file name. */
const MAX_HEADER_BYTES = 4 * 1024;

export type GzipHeader = {
  /** Takes the next bytes; returns the offset in them where the compressed data begins, or -1 if it is not reached. */
  readonly push: (bytes: Uint8Array) => number | "invalid";
};

/** Reads the header a byte at a time, because a piece may end anywhere in it. */
export function createGzipHeader(): GzipHeader {
  const head: number[] = [];
  return {
    push: (bytes) => {
      for (let at = 0; at < bytes.length; at++) {
        if (isComplete(head)) return at;
        head.push(bytes[at] ?? 0);
        if (head.length > MAX_HEADER_BYTES || !isPossible(head)) return "invalid";
      }
      return isComplete(head) ? bytes.length : -1;
    },
  };
}

function isPossible(head: readonly number[]): boolean {
  const at = head.length - 1;
  if (at < FIXED.length) return head[at] === FIXED[at];
  return at !== 3 || ((head[3] ?? 0) & RESERVED) === 0;
}

function isComplete(head: readonly number[]): boolean {
  const flags = head[3];
  if (flags === undefined || head.length < 10) return false;
  let end = 10;
  if (flags & FEXTRA) {
    const [low, high] = head.slice(end, end + 2);
    if (low === undefined || high === undefined) return false;
    end += 2 + low + high * 256;
  }
  for (const flag of [FNAME, FCOMMENT]) {
    if ((flags & flag) === 0) continue;
    const zero = head.indexOf(0, end);
    if (zero < 0) return false;
    end = zero + 1;
  }
  if (flags & FHCRC) end += 2;
  return head.length >= end;
}

export const GZIP_TRAILER_BYTES = 8;

/** Whether the trailer has the checksum and the length of the decoded data. */
export function isGzipTrailer(trailer: Uint8Array, crc: number, size: number): boolean {
  if (trailer.byteLength !== GZIP_TRAILER_BYTES) return false;
  const view = new DataView(trailer.buffer, trailer.byteOffset, GZIP_TRAILER_BYTES);
  return view.getUint32(0, true) === crc >>> 0 && view.getUint32(4, true) === size % 2 ** 32;
}
