/**
 * Verifies the log in this browser: the signature of a checkpoint, that the log continues the checkpoint that was verified
 * before, and that an event is in the log. The API delivers checkpoints and proofs, and is not trusted. Each function returns
 * the lines that the page shows.
 */
import { fromBase64 } from "../../src/shared/base64.ts";
import { getPage, ApiError } from "../api/client.ts";
import type { Checkpoint, Proof } from "../api/types.ts";
import { isContinued, isIncluded, leafHash, type Tree } from "../verify/merkle.ts";
import { isEqual } from "../verify/hash.ts";
import { verifyCheckpoint, type TreeHead, type VerifierKey } from "../verify/note.ts";

export type Line = { readonly isGood: boolean | null; readonly text: string };
export type LogCheck = readonly Line[];

const good = (text: string): Line => ({ isGood: true, text });
const bad = (text: string): Line => ({ isGood: false, text });
const open = (text: string): Line => ({ isGood: null, text });

/** Storage can be switched off; then nothing is kept. */
export function readStored(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Without storage the value lasts until the page is left.
  }
}

/** Verifies the signature of a checkpoint, and that it continues the one that this browser verified last. */
export async function checkLog({ checkpoint }: Checkpoint, key: VerifierKey): Promise<LogCheck> {
  const head = await verifyCheckpoint(checkpoint, key);
  if (typeof head === "string") return [bad(head)];
  const signed = good(`The signature is valid: ${key.name} signed a tree of ${head.size} entries.`);
  const [line, isKept] = await checkContinuation(head, key);
  if (isKept) store(keptName(key), checkpoint);
  return [signed, line];
}

const keptName = (key: VerifierKey): string => `console-checkpoint ${key.name}+${key.id}`;

/** @returns the finding, and whether the new checkpoint replaces the kept one: never one that it contradicts. */
async function checkContinuation(head: TreeHead, key: VerifierKey): Promise<readonly [Line, boolean]> {
  const kept = readStored(keptName(key));
  const before = kept === null ? null : await verifyCheckpoint(kept, key);
  if (before === null || typeof before === "string")
    return [open("This browser has no earlier checkpoint. It keeps this one, and compares the next."), true];
  if (before.size > head.size)
    return [
      bad(`The log is shorter than the checkpoint that this browser keeps: ${before.size} entries.`),
      false,
    ];
  try {
    const proof = await proofFrom(before, head);
    if (await isContinued(before, head, proof))
      return [
        good(`It continues the checkpoint of ${before.size} entries that this browser verified before.`),
        true,
      ];
    return [
      bad("It does not continue the checkpoint that this browser keeps: the log was rewritten."),
      false,
    ];
  } catch (error) {
    const reason = error instanceof ApiError ? error.message : String(error);
    return [open(`The comparison with the kept checkpoint could not be made. ${reason}`), false];
  }
}

/** The proof is one to the server's last checkpoint: where that has moved on, it is another tree. */
async function proofFrom(before: Tree, head: Tree): Promise<readonly Uint8Array[]> {
  if (before.size === head.size) return [];
  const { data } = await getPage("/checkpoint", { from: before.size });
  if (data.tree_size !== head.size)
    throw new ApiError("A newer checkpoint was signed meanwhile. Reload the page and verify again.", {
      status: 0,
    });
  return hashesOf(data.consistency_proof ?? []);
}

const hashesOf = (texts: readonly string[]): readonly Uint8Array[] =>
  texts.map((text) => fromBase64(text) ?? new Uint8Array());

/**
 * Verifies that an event is in the log, under the last checkpoint at the time of the proof, and that the row is what was
 * sealed.
 */
export async function checkEvent(proof: Proof, key: VerifierKey): Promise<LogCheck> {
  const head = await verifyCheckpoint(proof.checkpoint, key);
  if (typeof head === "string") return [bad(head)];
  const leaf = fromBase64(proof.leaf_hash) ?? new Uint8Array();
  const place = { leaf, index: proof.leaf_index, size: head.size, root: head.root };
  const isIn = await isIncluded(place, hashesOf(proof.inclusion_proof));
  return [
    good(`The signature is valid: ${key.name} signed a tree of ${head.size} entries.`),
    isIn
      ? good(`The tree has the event's leaf as entry ${proof.leaf_index}.`)
      : bad("The proof is wrong: the leaf is not in the signed tree."),
    await checkEntry(proof, leaf),
    ...Object.entries(proof.erased).map(([field, at]) => open(`The field ${field} was erased on ${at}.`)),
  ];
}

async function checkEntry({ entry, event_id: id }: Proof, leaf: Uint8Array): Promise<Line> {
  if (entry === null) return bad("The row is no longer what was sealed: it was changed or removed.");
  if (!isEqual(await leafHash(entry), leaf)) return bad("The entry is not the one of the leaf.");
  const named = (JSON.parse(entry) as { readonly event_id?: unknown }).event_id;
  return named === id
    ? good("The entry below is the one that was sealed, and names this event.")
    : bad("The entry is of another event.");
}
