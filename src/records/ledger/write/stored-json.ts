/**
 * JSON for databases and strict readers. U+FFFD replaces lone surrogates, which JSON can express but UTF-8 cannot, and NUL.
 * One lone surrogate in a prompt would make a whole archive file unreadable to some engines. SQLite functions and other
 * databases end a text at NUL, so a client could hide the rest of a text behind one.
 */
export function toStoredJson(value: object | string): string {
  const json = JSON.stringify(value);
  if (!/\\u(?:d[89a-f]|0000)/.test(json)) return json;
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "string" ? toStoredText(part) : part));
}

const toStoredText = (text: string): string => text.toWellFormed().replaceAll("\0", "\ufffd");
