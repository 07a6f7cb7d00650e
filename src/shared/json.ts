/** Reading JSON of unknown origin (RFC 8259). */

export type JsonObject = { readonly [key: string]: unknown };

/** The value as an object (not null, not an array), or null. */
export function asObject(value: unknown): JsonObject | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

/** The value that the text holds, or undefined where it is not JSON. Never throws: an error would quote the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The object that the text holds, or null where it is not JSON or not an object. */
export function parseObject(text: string): JsonObject | null {
  return asObject(parseJson(text));
}
