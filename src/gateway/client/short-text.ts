/** Ids and words that a client chooses, as far as they are recorded. */

const MAX_LENGTH = 128;

/** The text without the blanks around it, where that leaves 1 to 128 visible ASCII characters; else null. */
export function toShortText(value: unknown): string | null {
  const text = typeof value === "string" ? value.trim() : "";
  return text.length <= MAX_LENGTH && /^[\x21-\x7e]+$/.test(text) ? text : null;
}
