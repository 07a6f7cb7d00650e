/**
 * Texts that are kept of an answer, within bounds: what a provider sends must not decide our memory. Receives a text
 * whole or in pieces, hands it on cut at `MAX_TEXT`, so that its length tells whether it may have been cut.
 */
/** So many characters of one text are kept, and of all texts of one answer together. */
export const MAX_TEXT = 20_480;
export const MAX_TEXTS = 262_144;

/** A text that is still being told. What is given and is no string is passed over. */
export type BoundedText = {
  readonly add: (piece: unknown) => void;
  /** Puts this in the place of all that came before. */
  readonly set: (whole: unknown) => void;
  /** null where nothing came, or where it did not fit beside the answer's other texts. */
  readonly value: () => string | null;
};

/** So many pieces are joined at a time: a text out of single characters is not held as a chain of them. */
const JOINED = 256;

/** Opens the texts of one answer, which together hold `MAX_TEXTS`. One that outgrows what is left is given up whole. */
export function createBoundedTexts(): () => BoundedText {
  let left = MAX_TEXTS;

  return () => {
    let pieces: string[] | null = null;
    let length = 0;
    let givenUp = false;

    const clear = (): void => {
      left += length;
      pieces = null;
      length = 0;
    };
    const add = (piece: unknown): void => {
      if (typeof piece !== "string" || length >= MAX_TEXT || givenUp) return;
      const part = cut(piece, MAX_TEXT - length);
      if (part.length > left) {
        clear();
        // A part would pass for the whole.
        givenUp = true;
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
      givenUp = false;
      add(whole);
    };
    return { add, set, value: () => pieces?.join("") ?? null };
  };
}

/** The text's first `max` characters, as a text of its own: a slice would keep the whole one alive. */
export function cut(text: string, max: number): string {
  return text.length <= max ? text : structuredClone(text.slice(0, max));
}

/** A tool's input as text: as it came where it is one, else as JSON; null where it is absent or cannot be written out. */
export function toInput(value: unknown): string | null {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? null : toJson(value);
}

/** null where there is no JSON for it: what was parsed can be nested deeper than can be written out again. */
export function toJson(value: unknown): string | null {
  try {
    return JSON.stringify(value) ?? null;
  } catch {
    return null;
  }
}
