/**
 * Makes characters visible that a reader cannot see or that reorder text: control, bidirectional, zero-width and tag
 * characters, halves of surrogate pairs, unassigned and private ones. Recorded texts come from clients and models. They can hide an
 * instruction that only a machine reads, or make one name look like another.
 */

/** A run of ordinary text, or of one invisible character. */
export type Piece = { readonly text: string; readonly mark: string | null };

/** Control, format, surrogate, private and unassigned characters, separators of lines, and what has no glyph. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{DI}\u2800]/u;

/** An emoji may end in a variation selector and be joined to the next one: that is one picture, not a hidden character. */
const EMOJI =
  /\p{Extended_Pictographic}(?:\uFE0F|\p{EMod})?(?:\u200D\p{Extended_Pictographic}(?:\uFE0F|\p{EMod})?)*/uy;

const NAMES: Readonly<Record<number, string>> = {
  0x00ad: "soft hyphen",
  0x061c: "Arabic letter mark",
  0x200b: "zero-width space",
  0x200c: "zero-width non-joiner",
  0x200d: "zero-width joiner",
  0x200e: "left-to-right mark",
  0x200f: "right-to-left mark",
  0x202a: "left-to-right embedding",
  0x202b: "right-to-left embedding",
  0x202c: "end of embedding",
  0x202d: "left-to-right override",
  0x202e: "right-to-left override",
  0x2060: "word joiner",
  0x2066: "left-to-right isolate",
  0x2067: "right-to-left isolate",
  0x2068: "first strong isolate",
  0x2069: "end of isolate",
  0xfeff: "byte order mark",
};

const TAGS = { first: 0xe0020, last: 0xe007e, base: 0xe0000 };

const isTag = (code: number): boolean => code >= TAGS.first && code <= TAGS.last;

/** Line breaks and tabs of a text of several lines are layout, not hidden. */
const isLayout = (character: string): boolean => character === "\n" || character === "\t";

/**
 * Splits a text. Pieces of ordinary text have no mark.
 * @param lines Whether line breaks and tabs count as ordinary.
 */
export function piecesOf(text: string, lines: boolean): readonly Piece[] {
  const pieces: Piece[] = [];
  let plain = "";
  const flush = (): void => {
    if (plain !== "") pieces.push({ text: plain, mark: null });
    plain = "";
  };
  for (let at = 0; at < text.length;) {
    const emoji = emojiAt(text, at);
    const character = emoji ?? String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (emoji !== null || !INVISIBLE.test(character) || (lines && isLayout(character))) {
      plain += character;
      at += character.length;
      continue;
    }
    flush();
    const end = endOfRun(text, at);
    pieces.push(markOf(text.slice(at, end)));
    at = end;
  }
  flush();
  return pieces;
}

/** The same as one text, for places that take no elements: titles, CSV headers, labels. */
export const visibleText = (text: string): string =>
  piecesOf(text, false)
    .map(({ text: part, mark }) => (mark === null ? part : `⟨${part}⟩`))
    .join("");

function emojiAt(text: string, at: number): string | null {
  if (text.charCodeAt(at) < 0x80) return null;
  EMOJI.lastIndex = at;
  return EMOJI.exec(text)?.[0] ?? null;
}

/** The end of a run of one character, or of tag characters, which spell a text together. */
function endOfRun(text: string, start: number): number {
  const first = text.codePointAt(start) ?? 0;
  let at = start;
  while (at < text.length) {
    const code = text.codePointAt(at) ?? 0;
    if (code !== first && !(isTag(first) && isTag(code))) break;
    at += code > 0xffff ? 2 : 1;
  }
  return at;
}

function markOf(run: string): Piece {
  const codes = Array.from(run, (character) => character.codePointAt(0) ?? 0);
  const [first = 0] = codes;
  if (isTag(first)) {
    const spelled = codes.map((code) => String.fromCharCode(code - TAGS.base)).join("");
    return { text: `tags: ${spelled}`, mark: `${codes.length} invisible tag characters` };
  }
  const name = `U+${first.toString(16).toUpperCase().padStart(4, "0")}`;
  const times = codes.length > 1 ? ` ×${codes.length}` : "";
  return { text: `${name}${times}`, mark: `${name} ${NAMES[first] ?? kindOf(first)}${times}` };
}

function kindOf(code: number): string {
  if (code >= 0xd800 && code <= 0xdfff) return "half of a surrogate pair";
  return code < 0x20 || (code >= 0x7f && code < 0xa0) ? "control character" : "invisible character";
}
