/**
 * Keys of signed notes (https://c2sp.org/signed-note), Ed25519 alone. Their texts are those of Go's `sumdb/note`: a verifier
 * key is `<name>+<key id>+<base64>`, a private key has `PRIVATE+KEY+` in front. The bytes begin with the type, 1.
 */
import { fromBase64 } from "../../../shared/base64.ts";
import { fromHex, toHex } from "../../../shared/hex.ts";
import { concat, equalBytes, toBase64, utf8 } from "./bytes.ts";
import { hash } from "./merkle.ts";

const ED25519 = 1;
const KEY_BYTES = 32;
const PRIVATE = "PRIVATE+KEY+";
/** What precedes the 32 bytes of a private key in PKCS #8 (RFC 8410 §7). */
const PKCS8_PREFIX = fromHex("302e020100300506032b657004220420");

export type VerifierKey = {
  readonly name: string;
  /** 8 hex digits. */
  readonly id: string;
  readonly publicKey: Uint8Array<ArrayBuffer>;
};

export type Signer = VerifierKey & {
  /** As an auditor gets it. */
  readonly verifierKey: string;
  /** The signature of the text's UTF-8 bytes. */
  readonly sign: (text: string) => Promise<Uint8Array>;
};

/** Neither white space nor a plus sign, which end a name in notes and keys. */
export const isKeyName = (name: string): boolean => /^[^\s+\p{Cc}]{1,200}$/u.test(name);

/** The first four bytes of SHA-256(name ‖ LF ‖ type ‖ public key). */
function keyId(name: string, publicKey: Uint8Array): string {
  const input = concat(utf8(name), Uint8Array.of(0x0a, ED25519), publicKey);
  return toHex(hash(input).subarray(0, 4));
}

export const formatVerifierKey = (name: string, publicKey: Uint8Array): string =>
  `${name}+${keyId(name, publicKey)}+${toBase64(concat(Uint8Array.of(ED25519), publicKey))}`;

type KeyText = { readonly name: string; readonly id: string; readonly key: Uint8Array<ArrayBuffer> };

/** null where the text has another form. The key may have plus signs, as base64 does. */
function splitKey(text: string): KeyText | null {
  const [, name = "", id = "", encoded = ""] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text) ?? [];
  const bytes = fromBase64(encoded);
  if (!isKeyName(name) || bytes?.length !== 1 + KEY_BYTES || bytes[0] !== ED25519) return null;
  return { name, id, key: bytes.slice(1) };
}

/** null where the text is not a verifier key, or its id is not that of its name and key. */
export function parseVerifierKey(text: string): VerifierKey | null {
  const parts = splitKey(text);
  if (!parts || keyId(parts.name, parts.key) !== parts.id) return null;
  return { name: parts.name, id: parts.id, publicKey: parts.key };
}

/** The name of a private key; null where the text has not the form of one. */
export const signerName = (text: string): string | null =>
  text.startsWith(PRIVATE) ? (splitKey(text.slice(PRIVATE.length))?.name ?? null) : null;

/**
 * @param text a private key, as `npm run keys -- seal` prints it.
 * @throws where it is not one, or where its key id belongs to another key.
 */
export async function createSigner(text: string): Promise<Signer> {
  const parts = text.startsWith(PRIVATE) ? splitKey(text.slice(PRIVATE.length)) : null;
  if (!parts) throw new Error("not the private key of a signed note");
  const { name, id, key } = parts;
  const privateKey = await crypto.subtle.importKey("pkcs8", concat(PKCS8_PREFIX, key), "Ed25519", true, [
    "sign",
  ]);
  const { x = "" } = (await crypto.subtle.exportKey("jwk", privateKey)) as JsonWebKey;
  const publicKey = fromBase64(x) ?? new Uint8Array();
  if (keyId(name, publicKey) !== id) throw new Error("the key id is not that of the private key");
  const sign = async (message: string): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.sign("Ed25519", privateKey, utf8(message)));
  return { name, id, publicKey, verifierKey: formatVerifierKey(name, publicKey), sign };
}

/** A new private key for a log of this name. `random`: 32 random bytes. */
export async function newPrivateKey(name: string, random: Uint8Array<ArrayBuffer>): Promise<string> {
  const pkcs8 = concat(PKCS8_PREFIX, random);
  const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
  const { x = "" } = (await crypto.subtle.exportKey("jwk", privateKey)) as JsonWebKey;
  const encoded = toBase64(concat(Uint8Array.of(ED25519), random));
  return `${PRIVATE}${name}+${keyId(name, fromBase64(x) ?? new Uint8Array())}+${encoded}`;
}

/** A verifier of many checkpoints imports its key once. */
const imported = new WeakMap<VerifierKey, Promise<CryptoKey>>();

export async function isSignature(
  verifier: VerifierKey,
  signature: Uint8Array<ArrayBuffer>,
  text: string,
): Promise<boolean> {
  const known = imported.get(verifier);
  const pending = known ?? crypto.subtle.importKey("raw", verifier.publicKey, "Ed25519", false, ["verify"]);
  if (!known) imported.set(verifier, pending);
  const key = await pending;
  return crypto.subtle.verify("Ed25519", key, signature, utf8(text));
}

export const isSameKey = (a: VerifierKey, b: VerifierKey): boolean =>
  a.name === b.name && equalBytes(a.publicKey, b.publicKey);
