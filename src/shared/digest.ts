import { toHex } from "./hex.ts";

/** SHA-256 of the bytes, or of the text's UTF-8 bytes, as 64 lower-case hex digits. */
export async function sha256Hex(input: string | Uint8Array): Promise<string> {
  // The DOM's types ask for a buffer that no other thread shares; no buffer here is shared.
  const bytes =
    typeof input === "string" ? new TextEncoder().encode(input) : (input as Uint8Array<ArrayBuffer>);
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
