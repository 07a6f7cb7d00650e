/**
 * Verifies inclusion proofs (RFC 9162 §2.1.3.2) and consistency proofs (§2.1.4.2) of the log's Merkle tree. The tree is that of
 * RFC 6962. The Worker's code, which makes the proofs, is not used.
 */
import { bytesOf, concat, isEqual, sha256 } from "./hash.ts";

type Hash = Uint8Array<ArrayBuffer>;

/** SHA-256(0x00 ‖ entry) */
export const leafHash = (entry: string): Promise<Hash> => sha256(concat(Uint8Array.of(0), bytesOf(entry)));

/** SHA-256(0x01 ‖ left ‖ right) */
const nodeHash = (left: Uint8Array, right: Uint8Array): Promise<Hash> =>
  sha256(concat(Uint8Array.of(1), left, right));

// Numbers of leaves exceed the 32 bits of JavaScript's bit operators.
const half = (value: number): number => Math.floor(value / 2);
const isOdd = (value: number): boolean => value % 2 === 1;

type Inclusion = {
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly size: number;
  readonly root: Uint8Array;
};

/** Whether the leaf is in the tree at its index. */
export async function isIncluded(
  { leaf, index, size, root }: Inclusion,
  proof: readonly Uint8Array[],
): Promise<boolean> {
  if (index >= size) return false;
  let [node, last] = [index, size - 1];
  let hash: Uint8Array = leaf;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = await nodeHash(sibling, hash);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else hash = await nodeHash(hash, sibling);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && isEqual(hash, root);
}

export type Tree = { readonly size: number; readonly root: Uint8Array };

/** Whether the second tree has every leaf of the first in its place. */
export async function isContinued(first: Tree, second: Tree, proof: readonly Uint8Array[]): Promise<boolean> {
  if (first.size === 0 || first.size > second.size) return false;
  if (first.size === second.size) return proof.length === 0 && isEqual(first.root, second.root);
  // The first tree is a node of the second one where its size is a power of two, and is then not part of the proof.
  const path = Number.isInteger(Math.log2(first.size)) ? [first.root, ...proof] : [...proof];
  const [start, ...rest] = path;
  if (start === undefined) return false;
  let [node, last] = [first.size - 1, second.size - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  let [firstHash, secondHash]: Uint8Array[] = [start, start];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      firstHash = await nodeHash(sibling, firstHash ?? start);
      secondHash = await nodeHash(sibling, secondHash ?? start);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else secondHash = await nodeHash(secondHash ?? start, sibling);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && isEqual(firstHash ?? start, first.root) && isEqual(secondHash ?? start, second.root);
}
