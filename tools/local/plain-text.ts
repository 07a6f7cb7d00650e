import { stripVTControlCharacters } from "node:util";

/** Characters that move a terminal's cursor or change its text direction. */
// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A foreign text for a terminal: on one line, unsafe characters replaced. */
export function plainText(text: string): string {
  return stripVTControlCharacters(text).replace(UNSAFE, "�");
}
