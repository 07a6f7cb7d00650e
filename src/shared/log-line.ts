/** Lines for a log that programs and terminals read. */

/**
 * Characters that JSON leaves unescaped and a terminal, a line splitter or Unicode's text direction would act on, and
 * tags and variation selectors (U+E0000 to U+E01EF), which hide text: each is a pair that begins with U+DB40.
 */
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const UNSAFE =
  /[\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40(?=[\udc00-\udfff])|(?<=\udb40)[\udc00-\udfff]/;
const EACH_UNSAFE = new RegExp(UNSAFE, "g");

/** The same JSON without any line break, escape sequence or control character. */
export function escapeUnsafe(json: string): string {
  return UNSAFE.test(json) ? json.replace(EACH_UNSAFE, escapeUnit) : json;
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The beginning of the text that prints as at most `max` characters; never half of a surrogate pair. */
export function truncatePrinted(text: string, max: number): string {
  // Each unit prints as one to six characters.
  if (text.length * 6 <= max || printedLength(text) <= max) return text;
  let at = 0;
  let left = max;
  // By code points: a pair prints as it is, half of one is escaped.
  for (const char of text) {
    left -= printedLength(char);
    if (left < 0) break;
    at += char.length;
  }
  return text.slice(0, at);
}

const printedLength = (text: string): number => escapeUnsafe(JSON.stringify(text)).length - 2;
