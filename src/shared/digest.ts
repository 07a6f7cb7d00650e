import { toHex } from "./uuid.ts";

/** SHA-256 of the bytes, or of the text's UTF-8 bytes, as 64 lower-case hex digits. */
export async function sha256Hex(of: string | Uint8Array): Promise<string> {
  // No memory of ours is shared between threads, which the DOM's types want to be told.
  const bytes = typeof of === "string" ? new TextEncoder().encode(of) : (of as Uint8Array<ArrayBuffer>);
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}
