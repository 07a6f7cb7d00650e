/** The headers that describe a message's body: its length, its content encoding and its type. */
import type { HeaderReader } from "./named-headers.ts";

/**
 * The declared length in bytes, or null where there is none or it is not a number. Beside Transfer-Encoding it does not
 * count (RFC 9112 §6.3); some builds of workerd leave it there, and a reader that trusted it would read without a bound.
 */
export function declaredLength(headers: HeaderReader): number | null {
  if (headers.has("transfer-encoding")) return null;
  const declared = headers.get("content-length");
  return declared !== null && /^\d{1,15}$/.test(declared) ? Number(declared) : null;
}

/**
 * The state of a body with this Content-Encoding (RFC 9110 §8.4) once it is read:
 * - `plain`: there is no encoding.
 * - `decoded`: the runtime decodes it in responses, so the header no longer describes the body.
 * - `encoded`: the runtime does not decode it, and nothing here can read the body.
 */
export type ContentEncoding = "plain" | "decoded" | "encoded";

export function contentEncoding(headers: HeaderReader): ContentEncoding {
  const encoding = headers.get("content-encoding")?.trim() ?? "";
  if (encoding === "" || encoding.toLowerCase() === "identity") return "plain";
  // The runtime knows these two in lower case only, and no list of several.
  return encoding === "gzip" || encoding === "br" ? "decoded" : "encoded";
}

export type BodyKind = "events" | "json" | "opaque";

/** The kind that the Content-Type header declares. */
export function declaredKind(headers: HeaderReader): BodyKind {
  const type = headers.get("content-type") ?? "";
  if (/^\s*text\/event-stream\b/i.test(type)) return "events";
  return /^\s*application\/(?:[\w.+-]+\+)?json\b/i.test(type) ? "json" : "opaque";
}

/** They describe the bytes of a body as they were sent: its coding, length and digests (RFC 9530, RFC 3230, RFC 1864). */
export const BODY_HEADERS = [
  "content-encoding",
  "content-length",
  "content-md5",
  "digest",
  "content-digest",
  "repr-digest",
] as const;

/** For a body that is not the one that was sent: decoded, or changed. */
export function deleteBodyHeaders(headers: Headers): void {
  for (const name of BODY_HEADERS) headers.delete(name);
}
