/**
 * Verifies a signed note (https://c2sp.org/signed-note) with WebCrypto. It shares only base64 and hex with the Worker that signs, so
 * that a mistake in the signing code is not repeated here.
 */
import { fromBase64 } from "../../src/shared/base64.ts";
import { toHex } from "../../src/shared/hex.ts";
import { bytesOf, concat, sha256 } from "./hash.ts";

export type VerifierKey = {
  readonly name: string;
  readonly id: string;
  readonly publicKey: Uint8Array<ArrayBuffer>;
};

/** A signed tree head (https://c2sp.org/tlog-checkpoint). */
export type TreeHead = { readonly origin: string; readonly size: number; readonly root: Uint8Array };

const ED25519 = 1;
const SIGNATURE_BYTES = 64;

/** `<name>+<8 hex digits>+<base64>`, as `npm run keys -- seal` prints it; null where the text is not a key. */
export async function readVerifierKey(text: string): Promise<VerifierKey | null> {
  const [, name = "", id = "", encoded = ""] =
    /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text.trim()) ?? [];
  const bytes = fromBase64(encoded);
  if (bytes === null || bytes.length !== 33 || bytes[0] !== ED25519) return null;
  const digest = await sha256(concat(bytesOf(`${name}\n`), bytes));
  return toHex(digest.subarray(0, 4)) === id ? { name, id, publicKey: bytes.slice(1) } : null;
}

/** The tree head that the key signed, or a sentence with the reason why it is not valid. */
export async function verifyCheckpoint(note: string, key: VerifierKey): Promise<TreeHead | string> {
  const split = note.lastIndexOf("\n\n");
  if (split < 0) return "The checkpoint is not a signed note.";
  const text = note.slice(0, split + 1);
  const lines = note
    .slice(split + 2)
    .split("\n")
    .filter((line) => line !== "");
  const own = lines.map(signatureOf).filter((one) => one?.name === key.name && one.id === key.id);
  if (own.length === 0) return "The checkpoint has no signature of this key.";
  const publicKey = await crypto.subtle.importKey("raw", key.publicKey, "Ed25519", false, ["verify"]);
  for (const one of own) {
    if (
      one === null ||
      one.bytes.length !== SIGNATURE_BYTES ||
      !(await crypto.subtle.verify("Ed25519", publicKey, one.bytes, bytesOf(text)))
    )
      return "The signature of this key is wrong: the checkpoint was not signed with it, or was changed.";
  }
  const [origin, size, root] = text.split("\n");
  const hash = fromBase64(root ?? "");
  if (origin !== key.name || !/^(0|[1-9]\d*)$/.test(size ?? "") || hash?.length !== 32)
    return "The checkpoint names another log, or is not a tree head.";
  return { origin, size: Number(size), root: hash };
}

type Signature = { readonly name: string; readonly id: string; readonly bytes: Uint8Array<ArrayBuffer> };

function signatureOf(line: string): Signature | null {
  const [, name = "", encoded = ""] = /^— (\S+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
  const bytes = fromBase64(encoded);
  return bytes === null || bytes.length < 5
    ? null
    : { name, id: toHex(bytes.subarray(0, 4)), bytes: bytes.slice(4) };
}
