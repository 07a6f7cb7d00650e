/**
 * Signed notes (https://c2sp.org/signed-note): a text that ends in LF, an empty line, and one line per signature. A verifier
 * ignores signatures of keys that it does not know, and rejects a note with a wrong signature of one that it knows.
 */
import { fromBase64 } from "../../../shared/base64.ts";
import { toHex, fromHex } from "../../../shared/hex.ts";
import { isSealOrigin } from "../../../shared/seal-key.ts";
import { concat, toBase64 } from "./bytes.ts";
import { isSignature, type Signer, type VerifierKey } from "./note-keys.ts";

export type NoteSignature = {
  readonly name: string;
  /** 8 hex digits. */
  readonly keyId: string;
  readonly signature: Uint8Array<ArrayBuffer>;
};

export type Note = {
  /** With its final LF. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
};

/** More than any log and its cosigners need, and at least the 16 that the specification demands. */
const MAX_SIGNATURES = 100;
const SIGNATURE_LINE = /^— (\S+) ([A-Za-z0-9+/]+={0,2})$/;

/** null where the text is not a signed note. */
export function parseNote(note: string): Note | null {
  const split = note.lastIndexOf("\n\n");
  if (split < 0 || !note.endsWith("\n") || /[^\n\P{Cc}]/u.test(note) || !note.isWellFormed()) return null;
  const lines = note.slice(split + 2, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) return null;
  const signatures = lines.map(parseSignature);
  if (!signatures.every((signature) => signature !== null)) return null;
  return { text: note.slice(0, split + 1), signatures };
}

function parseSignature(line: string): NoteSignature | null {
  const [, name = "", encoded = ""] = SIGNATURE_LINE.exec(line) ?? [];
  const bytes = fromBase64(encoded);
  if (!isSealOrigin(name) || !bytes || bytes.length < 5) return null;
  return { name, keyId: toHex(bytes.subarray(0, 4)), signature: bytes.slice(4) };
}

/** `text` ends in LF. */
export async function signNote(text: string, signers: readonly Signer[]): Promise<string> {
  const lines: string[] = [];
  for (const { name, id, sign } of signers) {
    const signature = concat(fromHex(id), await sign(text));
    lines.push(`— ${name} ${toBase64(signature)}\n`);
  }
  return `${text}\n${lines.join("")}`;
}

/** The known keys that signed the note; `"wrong"` where the signature of a known key is not its own. */
export async function verifyNote(
  { text, signatures }: Note,
  keys: readonly VerifierKey[],
): Promise<readonly VerifierKey[] | "wrong"> {
  const signed: VerifierKey[] = [];
  for (const { name, keyId, signature } of signatures) {
    const key = keys.find((known) => known.name === name && known.id === keyId);
    if (!key || signed.includes(key)) continue;
    if (signature.length !== 64 || !(await isSignature(key, signature, text))) return "wrong";
    signed.push(key);
  }
  return signed;
}
