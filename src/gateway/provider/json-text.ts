/** Decodes strings of validated JSON in pieces, so that a long one is never held whole. */
import type { Range } from "./json-body.ts";
import { decodeUtf8 } from "./json-source.ts";
import { hasOddSlashes } from "./json-bytes.ts";

const PIECE_BYTES = 16 * 1024;
/** Often only the beginning of a text is needed. */
const SHORT_PIECE_BYTES = 256;
/** `\u0000`, the longest escape. */
const ESCAPE_BYTES = 6;

/** Returns the next piece of a text, "" at its end. */
export type NextPiece = () => string;

/** Reads the string in the range from its beginning. `max`: how many UTF-16 units are probably needed. */
export function textPieces(bytes: Uint8Array, { from, to }: Range, max = 0): NextPiece {
  const end = to - 1;
  let at = from + 1;
  let size = max > SHORT_PIECE_BYTES ? PIECE_BYTES : SHORT_PIECE_BYTES;
  return () => {
    if (at === end) return "";
    const start = at;
    at = end - start <= size ? end : pieceEnd(bytes, start, start + size);
    size = PIECE_BYTES;
    return decode(bytes, start, at);
  };
}

/** The first `max` UTF-16 units of the string in the range. */
export const textStart = (bytes: Uint8Array, range: Range, max: number): string =>
  takeText(textPieces(bytes, range, max), 0, max);

/** The text's UTF-16 units from `skip` on, at most `max`. */
export function takeText(next: NextPiece, skip: number, max: number): string {
  let left = skip;
  let text = "";
  // No piece is decoded past the last one that is needed.
  while (text.length < max) {
    const piece = next();
    if (piece === "") break;
    text += piece.slice(left, left + max - text.length);
    left = Math.max(0, left - piece.length);
  }
  return text;
}

/** The last offset up to `at` that splits neither a character nor an escape of the piece that begins at `from`. */
function pieceEnd(bytes: Uint8Array, from: number, at: number): number {
  let end = at;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  let slash = end - 1;
  while (slash > end - ESCAPE_BYTES && bytes[slash] !== 0x5c) slash -= 1;
  if (bytes[slash] !== 0x5c || hasOddSlashes(bytes, from, slash)) return end;
  const width = bytes[slash + 1] === 0x75 ? ESCAPE_BYTES : 2;
  return slash + width > end ? slash : end;
}

function decode(bytes: Uint8Array, from: number, to: number): string {
  const text = decodeUtf8(bytes, from, to);
  return text.includes("\\") ? (JSON.parse(`"${text}"`) as string) : text;
}
