/** The end user that a client names, as `RECORDING` permits to record it. */
import type { Redact } from "../../events/redaction.ts";
import { sha256Hex } from "../../shared/digest.ts";
import { toHex } from "../../shared/hex.ts";
import { truncate } from "../../shared/text.ts";
import type { RecordingOptions } from "../config/config.ts";

const MAX_RECORDED = 256;
const HASH_DIGITS = 32;

/**
 * - `clear`: redacted and truncated.
 * - `hashed`: the first 32 hex digits of the HMAC-SHA256 with the deployment's key (`hmac:…`), or without a key of the
 *   SHA-256 (`sha256:…`), of the text in UTF-8. The same user has the same value in every record.
 * - `dropped`: null.
 */
export async function toRecordedEndUser(
  endUser: string | null,
  { endUsers, endUserKey }: Pick<RecordingOptions, "endUsers" | "endUserKey">,
  redact: Redact,
): Promise<string | null> {
  if (endUser === null || endUsers === "dropped") return null;
  if (endUsers === "clear") return truncate(redact(endUser), MAX_RECORDED);
  if (endUserKey === null) return `sha256:${(await sha256Hex(endUser)).slice(0, HASH_DIGITS)}`;
  return `hmac:${(await hmacHex(endUserKey, endUser)).slice(0, HASH_DIGITS)}`;
}

async function hmacHex(secret: string, text: string): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  return toHex(new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text))));
}
