import { toHex } from "./hex.ts";

/** SHA-256 of the bytes, or of the text's UTF-8 bytes, as 64 lowercase hex digits. */
export async function sha256Hex(input: string | Uint8Array): Promise<string> {
  // The DOM's types require a buffer that is not shared between threads; no buffer here is.
  const bytes =
    typeof input === "string" ? new TextEncoder().encode(input) : (input as Uint8Array<ArrayBuffer>);
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** The id of a credential: the first 16 hex digits of its SHA-256. */
export const keyIdOf = (sha256: string): string => sha256.slice(0, 16);

/** Compares two digests of 64 hex digits, in either case and in constant time. */
export function isSameDigest(a: string, b: string): boolean {
  const encoder = new TextEncoder();
  const first = encoder.encode(a.toLowerCase());
  const second = encoder.encode(b.toLowerCase());
  return first.length === second.length && crypto.subtle.timingSafeEqual(first, second);
}

/** HMAC-SHA256 of texts, as 64 lowercase hex digits (RFC 2104). */
export function keyedHash(secret: string): (text: string) => Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  let key: CryptoKey | null = null;
  return async (text) => {
    key ??= await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
    return toHex(new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text))));
  };
}
