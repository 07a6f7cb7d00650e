/** The content codings of request bodies (RFC 9110 §8.4.1) that the gateway decodes. */
import type { HeaderReader } from "../../../shared/http/named-headers.ts";

export type Coding = "gzip" | "deflate" | "br" | "zstd";

/** For the Accept-Encoding of a 415 (RFC 9110 §15.5.16). */
export const CODINGS = "gzip, deflate, br, zstd";

/** A `Map`, because a header could name a member of `Object.prototype`. */
const NAMES: ReadonlyMap<string, Coding | null> = new Map([
  ["", null],
  ["identity", null],
  ["gzip", "gzip"],
  // RFC 9110 §8.4.1.3: equivalent.
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["br", "br"],
  ["zstd", "zstd"],
]);

/** The one coding of a body, null for none, or `unsupported`: a list of codings, or one that is not known. */
export function requestCoding(headers: Pick<HeaderReader, "get">): Coding | null | "unsupported" {
  const value = headers.get("content-encoding");
  if (value === null) return null;
  const coding = NAMES.get(value.trim().toLowerCase());
  return coding === undefined ? "unsupported" : coding;
}

/**
 * The largest window. RFC 9659 §3 sets it for zstd, and a decoder may allocate all of it for a body of a few bytes. The
 * same bound holds for br.
 */
export const MAX_WINDOW_LOG = 23;
