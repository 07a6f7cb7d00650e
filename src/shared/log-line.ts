/** Lines for a log that is read by programs and in terminals. */

/** What JSON leaves as it is and a terminal, or a reader that splits lines or turns text around by Unicode, would act on. */
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const UNSAFE = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const EACH_UNSAFE = new RegExp(UNSAFE, "g");

/** The same JSON without any line break, escape sequence or control character, in any reader's eyes. */
export function escapeUnsafe(json: string): string {
  return UNSAFE.test(json) ? json.replace(EACH_UNSAFE, escapeUnit) : json;
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The text's beginning that takes at most so many characters when it is printed; never half of a surrogate pair. */
export function truncatePrinted(text: string, most: number): string {
  // Each unit takes one to six characters.
  if (text.length * 6 <= most || escapeUnsafe(JSON.stringify(text)).length - 2 <= most) return text;
  let at = 0;
  let left = most;
  // By code points: a pair is printed as it is, a half of one escaped.
  for (const char of text) {
    left -= escapeUnsafe(JSON.stringify(char)).length - 2;
    if (left < 0) break;
    at += char.length;
  }
  return text.slice(0, at);
}
