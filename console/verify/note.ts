/**
 * Reads a verifier key and verifies a checkpoint: a signed note (https://c2sp.org/signed-note) with a tree head
 * (https://c2sp.org/tlog-checkpoint). WebCrypto checks the signature. Base64 and hex are decoded by src/shared, as in the
 * Worker. Nothing else is shared with the code that signs, so that a mistake there is not repeated here.
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

const KEY_BYTES = 33;
const FORM = "name+0123abcd+base64";

/** The key of `<name>+<8 hex digits>+<base64>`, as `npm run keys -- seal` prints it, or a sentence that says what is wrong. */
export async function readVerifierKey(text: string): Promise<VerifierKey | string> {
  if (text.startsWith("PRIVATE+KEY+"))
    return "This is the private key, which signs the log: it belongs nowhere but in SEAL_KEY. Enter the public verifier key.";
  // A base64 text can have plus signs, too.
  const [, name = "", id = "", encoded = ""] = /^([^+]*)\+([^+]*)\+(.*)$/s.exec(text) ?? [];
  if (encoded === "") return `A verifier key has three parts, joined by plus signs: ${FORM}.`;
  if (!/^\S+$/.test(name)) return "The first part, the name of the log, must not be empty or have spaces.";
  if (!/^[0-9a-f]{8}$/.test(id)) return `The second part, the key id, must be 8 digits of 0-9 and a-f.`;
  const bytes = fromBase64(encoded);
  if (bytes === null) return "The third part is not base64: it has a character that base64 has not.";
  if (bytes.length !== KEY_BYTES)
    return `The third part has ${bytes.length} bytes instead of ${KEY_BYTES}: the key is not complete, or too long.`;
  if (bytes[0] !== ED25519) return "The key is not an Ed25519 key, the only type that signs this log.";
  const digest = await sha256(concat(bytesOf(`${name}\n`), bytes));
  const actual = toHex(digest.subarray(0, 4));
  if (actual !== id)
    return `The key id ${id} does not fit: that of this name and key is ${actual}. A character was changed.`;
  return { name, id, publicKey: bytes.slice(1) };
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
  const signatures = lines.map(signatureOf);
  const own = signatures.filter((one) => one?.name === key.name && one.id === key.id);
  if (own.length === 0) {
    const signers = signatures.flatMap((one) => (one === null ? [] : [`${one.name} (key id ${one.id})`]));
    return `The checkpoint has no signature of this key, ${key.name} (key id ${key.id}). It is signed by ${signers.join(" and ") || "no key"}.`;
  }
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
