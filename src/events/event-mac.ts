/**
 * Message authentication codes (HMAC-SHA256, RFC 2104) by which the consumer and `npm run replay` recognize the gateway's
 * events. A MAC is `<key id>.<43 characters of base64url>`.
 *
 * It covers the exact text in which events travel, because two parsers may read one JSON text differently. It also covers the
 * purpose and the key id: a MAC of log lines, whose content may be truncated, is not valid for a queue message.
 */
import { fromBase64, toBase64Url } from "../shared/base64.ts";
import { toHex } from "../shared/hex.ts";

/**
 * `message/<version>`: the array of events of a queue message of this version. `fallback`: the event of a line of the
 * fallback log. `lines`: the digests of lines of the interception log.
 */
export type MacPurpose = `message/${number}` | "fallback" | "lines";

/** A MAC as a message or a line presents it, with the exact text that it has to cover. */
export type PresentedMac = { readonly mac: string; readonly purpose: MacPurpose; readonly text: string };

/** A MAC in another place than the gateway writes it. It covers no text, so that it is never valid. */
export const MISPLACED_MAC: PresentedMac = { mac: "", purpose: "fallback", text: "" };

export type Sign = (purpose: MacPurpose, text: string) => Promise<string>;

export type MacResult =
  | { readonly isValid: true; readonly keyId: string }
  /** `keyId`: the one that the MAC names; null where it has no MAC's form. */
  | { readonly isValid: false; readonly reason: "unknown_key" | "wrong"; readonly keyId: string | null };

export type Verify = (presented: PresentedMac) => Promise<MacResult>;

/** Characters of every MAC. */
export const MAC_LENGTH = 52;
const MAC = /^([0-9a-f]{8})\.([\w-]{43})$/;

const ALGORITHM = { name: "HMAC", hash: "SHA-256" };
const LABEL = "ai-edge-interceptor event";
const encoder = new TextEncoder();

/** The first 8 hex digits of a hash of the key. The label keeps it apart from any other hash of the same text. */
export async function macKeyId(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(`${LABEL} key id\n${key}`));
  return toHex(new Uint8Array(digest, 0, 4));
}

type MacKey = { readonly id: string; readonly key: CryptoKey };

async function importMacKey(key: string): Promise<MacKey> {
  const imported = await crypto.subtle.importKey("raw", encoder.encode(key), ALGORITHM, false, [
    "sign",
    "verify",
  ]);
  return { id: await macKeyId(key), key: imported };
}

const inputOf = (purpose: MacPurpose, keyId: string, text: string): ReturnType<typeof encoder.encode> =>
  encoder.encode(`${LABEL} mac\n${purpose}\n${keyId}\n${text}`);

/** The key is imported once. */
export function createSign(key: string): Sign {
  let imported: MacKey | null = null;
  return async (purpose, text) => {
    imported ??= await importMacKey(key);
    const { id } = imported;
    const mac = await crypto.subtle.sign("HMAC", imported.key, inputOf(purpose, id, text));
    return `${id}.${toBase64Url(new Uint8Array(mac))}`;
  };
}

/** A MAC by any of the keys is valid. */
export function createVerify(keys: readonly string[]): Verify {
  let imported: readonly MacKey[] | null = null;
  return async ({ mac, purpose, text }) => {
    imported ??= await Promise.all(keys.map(importMacKey));
    const [, keyId = null, encoded = ""] = MAC.exec(mac) ?? [];
    if (keyId === null) return { isValid: false, reason: "wrong", keyId };
    const named = imported.filter(({ id }) => id === keyId);
    if (named.length === 0) return { isValid: false, reason: "unknown_key", keyId };
    const bytes = fromBase64(encoded) ?? new Uint8Array();
    const input = inputOf(purpose, keyId, text);
    for (const { key } of named)
      if (await crypto.subtle.verify("HMAC", key, bytes, input)) return { isValid: true, keyId };
    return { isValid: false, reason: "wrong", keyId };
  };
}
