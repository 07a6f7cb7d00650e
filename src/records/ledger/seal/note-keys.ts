/**
 * Keys of signed notes (https://c2sp.org/signed-note), Ed25519 alone. Their texts are those of Go's `sumdb/note`: a verifier
 * key is `<name>+<key id>+<base64>`, a private key has `PRIVATE+KEY+` in front. The bytes begin with the type, 1.
 */
import { fromBase64 } from "../../../shared/base64.ts";
import { fromHex, toHex } from "../../../shared/hex.ts";
import { SEAL_KEY_PREFIX, splitSealKey } from "../../../shared/seal-key.ts";
import { concat, equalBytes, toBase64, utf8 } from "./bytes.ts";
import { hash } from "./merkle.ts";

const ED25519 = 1;
/** The bytes before the 32 of a private key in PKCS #8 (RFC 8410 §7). */
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

/** The first four bytes of SHA-256(name ‖ LF ‖ type ‖ public key). */
function keyId(name: string, publicKey: Uint8Array): string {
  const input = concat(utf8(name), Uint8Array.of(0x0a, ED25519), publicKey);
  return toHex(hash(input).subarray(0, 4));
}

export const formatVerifierKey = (name: string, publicKey: Uint8Array): string =>
  `${name}+${keyId(name, publicKey)}+${toBase64(concat(Uint8Array.of(ED25519), publicKey))}`;

/** null where the text is not a verifier key, or its id is not that of its name and key. */
export function parseVerifierKey(text: string): VerifierKey | null {
  const parts = splitSealKey(text);
  if (!parts || keyId(parts.name, parts.bytes) !== parts.id) return null;
  return { name: parts.name, id: parts.id, publicKey: parts.bytes };
}

/**
 * @param text a private key, as `npm run keys -- seal` prints it.
 * @throws where it is not one, or where its key id belongs to another key.
 */
export async function createSigner(text: string): Promise<Signer> {
  const parts = text.startsWith(SEAL_KEY_PREFIX) ? splitSealKey(text.slice(SEAL_KEY_PREFIX.length)) : null;
  if (!parts) throw new Error("not the private key of a signed note");
  const { name, id, bytes } = parts;
  const privateKey = await crypto.subtle.importKey("pkcs8", concat(PKCS8_PREFIX, bytes), "Ed25519", true, [
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
  return `${SEAL_KEY_PREFIX}${name}+${keyId(name, fromBase64(x) ?? new Uint8Array())}+${encoded}`;
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
