/**
 * The form of the log's private key, as Go's `sumdb/note` has it: `PRIVATE+KEY+<name>+<key id>+<base64>`. The bytes are the
 * type of the key, 1 for Ed25519, and 32 bytes. records/ledger/seal/note-keys.ts uses it.
 */
import { fromBase64 } from "./base64.ts";

export const SEAL_KEY_PREFIX = "PRIVATE+KEY+";
const ED25519 = 1;
const KEY_BYTES = 32;

export type SealKeyParts = {
  readonly name: string;
  /** 8 hex digits. */
  readonly id: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
};

/** Neither white space nor a plus sign, which end a name in notes and keys. */
export const isSealOrigin = (name: string): boolean => /^[^\s+\p{Cc}]{1,200}$/u.test(name);

/** The parts behind the prefix, or of a verifier key; null where the text has another form. */
export function splitSealKey(text: string): SealKeyParts | null {
  const [, name = "", id = "", encoded = ""] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  const bytes = fromBase64(encoded);
  if (!isSealOrigin(name) || bytes?.length !== 1 + KEY_BYTES || bytes[0] !== ED25519) return null;
  return { name, id, bytes: bytes.slice(1) };
}

/** The name of a private key; null where the text has not the form of one. */
export const sealKeyName = (text: string): string | null =>
  text.startsWith(SEAL_KEY_PREFIX) ? (splitSealKey(text.slice(SEAL_KEY_PREFIX.length))?.name ?? null) : null;
