/**
 * JSON as databases and strict readers take it: with U+FFFD for half a surrogate pair, which JSON can say but UTF-8 cannot
 * hold, and for NUL. One such half in a prompt would make a whole file of the archive unreadable to some engines; behind
 * a NUL, where SQLite's functions and other databases take a text to end, a caller could hide what is said.
 */
export function toStoredJson(value: object): string {
  const json = JSON.stringify(value);
  if (!/\\u(?:d[89a-f]|0000)/.test(json)) return json;
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "string" ? storedText(part) : part));
}

const storedText = (text: string): string => text.toWellFormed().replaceAll("\0", "\ufffd");
