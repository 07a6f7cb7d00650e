import { stripVTControlCharacters } from "node:util";

/** What would move a terminal's cursor, or turn its text around. */
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text of somebody else's as a terminal may show it: on one line, and as what it is. */
export function plainText(text: string): string {
  return stripVTControlCharacters(text).replace(UNSAFE, "�");
}
