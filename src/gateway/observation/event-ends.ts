/** Where the events of a stream of bytes end, whose chunks are cut anywhere. Lines end in LF, CR or CRLF, in any mixture. */

const LF = 10;
const CR = 13;
const BRACE = 0x7b;
/** A space, a tab, and the bytes of a byte order mark. */
const BLANKS_BEFORE: ReadonlySet<number> = new Set([0x20, 0x09, 0xef, 0xbb, 0xbf]);

export type EventEnds = {
  /** The offset behind the blank line that ends the current event, searched from `at`; 0 if it has not arrived. */
  readonly next: (bytes: Uint8Array, at: number) => number;
  /**
   * The same for the last event that ends in the bytes, which begin at `from` with an event; null where each byte has to be
   * looked at. It does not look at the bytes of the events before.
   */
  readonly last: (bytes: Uint8Array, from: number) => number | null;
  /** Whether the chunk starts with the LF of a CRLF whose CR ended both an event and the previous chunk. */
  readonly skipLateLf: (chunk: Uint8Array) => boolean;
};

/**
 * Finds blank lines, or the ends of lines where the stream is a sequence of JSON objects. It examines each byte once,
 * regardless of how the stream was cut.
 */
export function findEventEnds(): EventEnds {
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
  const last = (bytes: Uint8Array, from: number): number | null => {
    // A blank line is then two LFs in a row, or one where a line begins.
    if (hasObjects !== false || afterCr || bytes.includes(CR, from)) return null;
    let at = bytes.lastIndexOf(LF);
    while (at > from && bytes[at - 1] !== LF) at = bytes.lastIndexOf(LF, at - 1);
    isLineEmpty = bytes.at(-1) === LF;
    return at < from ? 0 : at + 1;
  };
  const skipLateLf = (chunk: Uint8Array): boolean => {
    const mayBeLate = mayLfFollow;
    mayLfFollow = false;
    if (!mayBeLate || chunk[0] !== LF) return false;
    afterCr = false;
    return true;
  };
  return { next, last, skipLateLf };
}
