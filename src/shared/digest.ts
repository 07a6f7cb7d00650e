import { toHex } from "./hex.ts";

/** SHA-256 of the bytes, or of the text's UTF-8 bytes, as 64 lowercase hex digits. */
export async function sha256Hex(input: string | Uint8Array): Promise<string> {
  // The DOM's types require a buffer that is not shared between threads; no buffer here is.
  const bytes =
    typeof input === "string" ? new TextEncoder().encode(input) : (input as Uint8Array<ArrayBuffer>);
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
