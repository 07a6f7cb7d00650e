import { toHex } from "./uuid.ts";

/** SHA-256 of the text's UTF-8 bytes as 64 lower-case hex digits. */
export async function sha256Hex(text: string): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))));
}
