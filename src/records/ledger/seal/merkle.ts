/**
 * The Merkle tree of RFC 6962 §2.1 over SHA-256: hashes, roots, and the proofs of inclusion (§2.1.1) and consistency
 * (§2.1.2). A proof is a list of ranges of leaves. The reader of the tree's nodes turns each range into its hash.
 *
 * Sizes exceed 32 bits, so nothing here uses bitwise operators on them.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { equalBytes } from "./bytes.ts";

/** 32 bytes. */
export type Hash = Uint8Array;

export const HASH_BYTES = 32;

/** Synchronous: WebCrypto costs 16 to 50 µs a call, which for the 60 hashes of an event is most of the work. */
export const hash = (bytes: Uint8Array): Hash => sha256(bytes);

export function leafHash(entry: Uint8Array): Hash {
  const bytes = new Uint8Array(entry.length + 1);
  bytes.set(entry, 1);
  return hash(bytes);
}

export function nodeHash(left: Hash, right: Hash): Hash {
  const bytes = new Uint8Array(1 + 2 * HASH_BYTES);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + HASH_BYTES);
  return hash(bytes);
}

/** The root of the tree without leaves. */
export const EMPTY_ROOT: Hash = hash(new Uint8Array(0));

/** The leaves from `from` up to, not including, `to`. */
export type Range = { readonly from: number; readonly to: number };

/** A complete subtree of 2^height leaves, the `index`-th of its height. */
export type Node = { readonly height: number; readonly index: number };

/** The largest power of two below `size`, which is at least 2. */
export function splitPoint(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

/** The complete subtrees that make up a range of a proof, the largest first. A range of a proof begins at a multiple of its first one. */
export function nodesOf({ from, to }: Range): Node[] {
  const nodes: Node[] = [];
  let at = from;
  while (at < to) {
    let [height, width] = [0, 1];
    while (at + width * 2 <= to && at % (width * 2) === 0) {
      height += 1;
      width *= 2;
    }
    nodes.push({ height, index: at / width });
    at += width;
  }
  return nodes;
}

/** The hash of a range from those of its complete subtrees, which are in order. */
export function foldNodes(hashes: readonly Hash[]): Hash {
  const last = hashes.at(-1);
  return last ? hashes.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last) : EMPTY_ROOT;
}

/** The proof that leaf `index` is in the tree of `size` leaves: from the leaf up. */
export function inclusionRanges(index: number, { from, to }: Range): Range[] {
  if (to - from <= 1) return [];
  const middle = from + splitPoint(to - from);
  return index < middle
    ? [...inclusionRanges(index, { from, to: middle }), { from: middle, to }]
    : [...inclusionRanges(index, { from: middle, to }), { from, to: middle }];
}

/** The proof that the tree of `size` leaves begins with that of `earlier` leaves; 0 < earlier <= size. */
export function consistencyRanges(earlier: number, size: number): Range[] {
  const proof = (count: number, { from, to }: Range, isWhole: boolean): Range[] => {
    if (count === to - from) return isWhole ? [] : [{ from, to }];
    const k = splitPoint(to - from);
    const [left, right] = [
      { from, to: from + k },
      { from: from + k, to },
    ];
    return count <= k ? [...proof(count, left, isWhole), right] : [...proof(count - k, right, false), left];
  };
  return proof(earlier, { from: 0, to: size }, true);
}

/** Whether the proof leads from the leaf's hash to the root. False for any proof of the wrong length. */
export function isIncluded(
  leaf: { readonly hash: Hash; readonly index: number },
  tree: { readonly size: number; readonly root: Hash },
  proof: readonly Hash[],
): boolean {
  if (!Number.isSafeInteger(leaf.index) || leaf.index < 0 || leaf.index >= tree.size) return false;
  const rest = [...proof];
  const climb = (index: number, size: number): Hash | null => {
    if (size === 1) return rest.length === 0 ? leaf.hash : null;
    const sibling = rest.pop();
    if (!sibling) return null;
    const k = splitPoint(size);
    const below = index < k ? climb(index, k) : climb(index - k, size - k);
    return below && (index < k ? nodeHash(below, sibling) : nodeHash(sibling, below));
  };
  const root = climb(leaf.index, tree.size);
  return root !== null && equalBytes(root, tree.root);
}

type Tree = { readonly size: number; readonly root: Hash };

/** Whether the proof shows that the later tree begins with the earlier one. */
export function isConsistent(earlier: Tree, later: Tree, proof: readonly Hash[]): boolean {
  if (earlier.size > later.size || earlier.size < 0) return false;
  if (earlier.size === 0) return proof.length === 0 && equalBytes(earlier.root, EMPTY_ROOT);
  const rest = [...proof];
  type Roots = { readonly old: Hash; readonly now: Hash };
  const climb = (count: number, size: number, isWhole: boolean): Roots | null => {
    if (count === size && isWhole) return rest.length === 0 ? { old: earlier.root, now: earlier.root } : null;
    const given = rest.pop();
    if (!given) return null;
    if (count === size) return rest.length === 0 ? { old: given, now: given } : null;
    const k = splitPoint(size);
    const below = count <= k ? climb(count, k, isWhole) : climb(count - k, size - k, false);
    if (!below) return null;
    return count <= k
      ? { old: below.old, now: nodeHash(below.now, given) }
      : { old: nodeHash(given, below.old), now: nodeHash(given, below.now) };
  };
  const roots = climb(earlier.size, later.size, true);
  return roots !== null && equalBytes(roots.old, earlier.root) && equalBytes(roots.now, later.root);
}

/** The root of a growing tree, of which only the complete subtrees at the right edge are kept. */
export class GrowingRoot {
  #size = 0;
  /** The largest first. */
  readonly #subtrees: { readonly width: number; readonly hash: Hash }[] = [];

  get size(): number {
    return this.#size;
  }

  get root(): Hash {
    return foldNodes(this.#subtrees.map((subtree) => subtree.hash));
  }

  append(leaf: Hash): void {
    let added = { width: 1, hash: leaf };
    for (let left = this.#subtrees.at(-1); left?.width === added.width; left = this.#subtrees.at(-1)) {
      added = { width: 2 * added.width, hash: nodeHash(left.hash, added.hash) };
      this.#subtrees.pop();
    }
    this.#subtrees.push(added);
    this.#size += 1;
  }
}
