/**
 * JSON as databases and strict readers take it: with U+FFFD for half a surrogate pair, which JSON can say but UTF-8 cannot
 * hold. One such half in a prompt would make a whole file of the archive unreadable to some engines.
 */
export function toJson(value: object): string {
  const json = JSON.stringify(value);
  if (!/\\ud[89a-f]/.test(json)) return json;
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "string" ? part.toWellFormed() : part));
}
