/**
 * Texts of one response, kept within bounds so that a provider cannot exhaust the Worker's memory. A text is added whole
 * or in pieces and truncated at `MAX_TEXT`, so a text of exactly that length may have been truncated.
 */

/** Maximum length of one text, in UTF-16 units. */
export const MAX_TEXT = 20_480;
/** Maximum total length of the texts of one response, in UTF-16 units. */
export const MAX_TEXTS = 262_144;

/** A text that is still growing. Values that are not strings are ignored. */
export type BoundedText = {
  readonly add: (piece: unknown) => void;
  /** Replaces everything added before. */
  readonly set: (whole: unknown) => void;
  /** null if no string was added, or if the text did not fit within `MAX_TEXTS`. */
  readonly value: () => string | null;
};

/** Number of pieces joined at a time, so that a text made of single characters is not kept as a long list of them. */
const JOINED = 256;

/** Returns a function that opens a text. The texts it opens share `MAX_TEXTS`; a text that exceeds the rest is dropped. */
export function createBoundedTexts(): () => BoundedText {
  let left = MAX_TEXTS;

  return () => {
    let pieces: string[] | null = null;
    let length = 0;
    let dropped = false;

    const clear = (): void => {
      left += length;
      pieces = null;
      length = 0;
    };
    const add = (piece: unknown): void => {
      if (typeof piece !== "string" || length >= MAX_TEXT || dropped) return;
      const part = cut(piece, MAX_TEXT - length);
      if (part.length > left) {
        clear();
        // A partial text below `MAX_TEXT` would look complete.
        dropped = true;
        return;
      }
      pieces ??= [];
      if (part !== "") pieces.push(part);
      if (pieces.length >= JOINED) pieces = [pieces.join("")];
      length += part.length;
      left -= part.length;
    };
    const set = (whole: unknown): void => {
      if (typeof whole !== "string") return;
      clear();
      dropped = false;
      add(whole);
    };
    return { add, set, value: () => pieces?.join("") ?? null };
  };
}

/**
 * The text's first `max` UTF-16 units, even where that splits a surrogate pair. A length of exactly `max` signals that
 * the text may have been truncated; `truncate` would hide this, since it can return one unit less. The result is a copy,
 * because a slice would keep the whole text in memory.
 */
export function cut(text: string, max: number): string {
  return text.length <= max ? text : structuredClone(text.slice(0, max));
}

/** A tool's input as text: a string unchanged, any other value as JSON; null if it is absent or has no JSON form. */
export function toInput(value: unknown): string | null {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? null : toJson(value);
}

/** null if the value has no JSON form: JSON.parse accepts deeper nesting than JSON.stringify can write. */
export function toJson(value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? null;
  } catch {
    return null;
  }
}
