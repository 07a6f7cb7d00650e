/** Checks of the characters in JSON strings (RFC 8259 §7), by native searches in text of which each character is one byte. */

/** 1: a byte that stands for itself within a string, one of ASCII. */
export const PLAIN = new Uint8Array(256).fill(1, 0x20, 0x80);
PLAIN[0x22] = 0;
PLAIN[0x5c] = 0;

/** V8 searches for this class sixteen bytes at a time, and twenty times slower for the equal `[^ -\uffff]`. */
const CONTROL = new RegExp(`[\\0-${String.fromCharCode(0x1f)}]`, "g");

/** The index of the first control character from `at` on, which no string contains; the text's length if there is none. */
export function nextControl(text: string, at: number): number {
  CONTROL.lastIndex = at;
  return CONTROL.test(text) ? CONTROL.lastIndex - 1 : text.length;
}

/** Valid escapes, and what is between them. The alternatives differ in their first character, so nothing is tried twice. */
const ESCAPES = /(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^\\]*)*/y;
/** `\u0000`, the longest escape. */
const ESCAPE_LENGTH = 6;

/**
 * The length up to which a part of a JSON text has valid escapes only: its whole length, or without an escape that the part's
 * end splits; 0 if there are invalid ones. Backslashes are also paired outside strings, where JSON has none. `isLast`:
 * nothing follows the part.
 */
export function escapedLength(text: string, isLast: boolean): number {
  const slash = text.indexOf("\\");
  if (slash < 0) return text.length;
  ESCAPES.lastIndex = slash;
  ESCAPES.test(text);
  const end = ESCAPES.lastIndex;
  if (end === text.length) return end;
  return !isLast && end + ESCAPE_LENGTH > text.length ? end : 0;
}

const ESCAPED = /[^"\\]*(?:\\[^][^"\\]*)*/y;

/** The index of the first quote from `at` on that is not escaped; the text's length, or the index of its last backslash, if there is none. */
export function endOfEscapes(text: string, at: number): number {
  ESCAPED.lastIndex = at;
  ESCAPED.test(text);
  return ESCAPED.lastIndex;
}

/** Whether an odd number of backslashes precedes `at`, counted back to `from`, where no escape has begun. */
export function hasOddSlashes(bytes: Uint8Array, from: number, at: number): boolean {
  let first = at;
  while (first > from && bytes[first - 1] === 0x5c) first -= 1;
  return (at - first) % 2 === 1;
}

/** The value of the four hexadecimal digits at `at`; -1 if they are others. */
export function hexValue(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let digit = at; digit < at + 4; digit += 1) {
    const byte = bytes[digit] ?? 0;
    const lower = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + lower - 0x57;
    else return -1;
  }
  return value;
}
