/** Truncation that never leaves half of a character. */

/** A UTF-16 high surrogate: the first half of a character outside the basic plane. */
const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;

/**
 * The text's first `max` UTF-16 units, one fewer where the cut would split a surrogate pair: half a pair has no UTF-8
 * form and breaks strict readers of logs and archives.
 */
export function truncate(text: string, max: number): string {
  if (text.length <= max) return text;
  return text.slice(0, isHighSurrogate(text.charCodeAt(max - 1)) ? max - 1 : max);
}

// oxlint-disable-next-line no-control-regex -- all of ASCII
const ASCII = /^[\0-\x7f]*$/;

/** The text truncated to at most `max` bytes of UTF-8, between characters. */
export function truncateBytes(text: string, max: number): string {
  // A UTF-16 unit takes at most three bytes, and one in ASCII.
  if (text.length * 3 <= max || (text.length <= max && ASCII.test(text))) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(max));
  return text.slice(0, read);
}

/** The length of the text in bytes of UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
