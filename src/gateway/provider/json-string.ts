/** Checks of the characters in JSON strings (RFC 8259 §7), by native searches in text of which each character is one byte. */

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
