/** The config's `OWNER_ASSERTION.http_signature_keys`, validated. */
import { fromBase64 } from "../../shared/base64.ts";
import type { Fields } from "../../shared/config/fields.ts";
import type { HttpSignatureKey } from "../initiator/http-signature/keys.ts";

/** `secret`: the value of the secret of that name; null after reporting the issue. */
export function readHttpKeys(
  tables: readonly Fields[],
  secret: (name: string) => string | null,
): readonly HttpSignatureKey[] {
  const keys: HttpSignatureKey[] = [];
  for (const fields of tables) {
    const id = fields.required("id");
    if (id !== null && !/^[\x21-\x7e]{1,256}$/.test(id))
      fields.reject("id", "must be at most 256 visible ASCII characters");
    if (keys.some((key) => key.id === id)) fields.reject("id", "must be unique");
    fields.required("algorithm");
    const algorithm = fields.oneOf("algorithm", ["hmac-sha256", "ed25519"], "ed25519");
    const bytes = algorithm === "ed25519" ? readPublicKey(fields) : encode(fields.secret("secret", secret));
    fields.rejectUnknown();
    if (id !== null && bytes !== null) keys.push({ id, algorithm, bytes });
  }
  return keys;
}

const encode = (secret: string | null): Uint8Array<ArrayBuffer> | null =>
  secret === null ? null : Uint8Array.from(new TextEncoder().encode(secret));

/** The DER of an Ed25519 public key (RFC 8410 §4) before its 32 bytes, in base64. */
const SPKI = "MCowBQYDK2VwAyEA";
const KEY_BYTES = 32;

/** The 32 bytes in base64 or base64url (the `x` of a JWK), or a public key in PEM. */
function readPublicKey(fields: Fields): Uint8Array<ArrayBuffer> | null {
  const text = fields.required("public_key");
  if (text === null) return null;
  const base64 = text.replace(/-----[A-Z ]+-----|\s/g, "");
  const bytes = fromBase64(base64.startsWith(SPKI) ? base64.slice(SPKI.length) : base64);
  // The points of order 1, 2 and 4, and any filler, have this form. Signatures for such a key need no secret.
  const isTrivial = new Set(bytes?.subarray(1, KEY_BYTES - 1)).size === 1;
  if (bytes?.length === KEY_BYTES && !isTrivial) return bytes;
  fields.reject("public_key", "must be an Ed25519 public key: 32 bytes in base64, or PEM");
  return null;
}
