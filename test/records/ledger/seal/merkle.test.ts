import { describe, expect, it } from "vitest";
import {
  consistencyRanges,
  EMPTY_ROOT,
  foldNodes,
  GrowingRoot,
  inclusionRanges,
  isConsistent,
  isIncluded,
  leafHash,
  nodeHash,
  nodesOf,
  splitPoint,
  type Hash,
  type Range,
} from "../../../../src/records/ledger/seal/merkle.ts";
import { subtreeRoot } from "../../../../src/records/ledger/seal/tiles.ts";
import { fromHex, toHex } from "../../../../src/shared/hex.ts";

/** The definition of §2.1, word for word. */
function naiveRoot(leaves: readonly Hash[]): Hash {
  const [first] = leaves;
  if (!first) return EMPTY_ROOT;
  if (leaves.length === 1) return first;
  const k = splitPoint(leaves.length);
  return nodeHash(naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k)));
}

const hashesOf = (leaves: readonly Hash[], ranges: readonly Range[]): Hash[] =>
  ranges.map((range) =>
    foldNodes(
      nodesOf(range).map(({ height, index }) => {
        const width = 2 ** height;
        return subtreeRoot(leaves.slice(index * width, (index + 1) * width));
      }),
    ),
  );

/** The tree of the Certificate Transparency project's own tests: https://github.com/google/certificate-transparency */
const INPUTS = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
];
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const LEAVES = INPUTS.map((input) => leafHash(fromHex(input)));

describe("the tree of RFC 6962", () => {
  it("has the known root of the empty tree", () => {
    expect(toHex(EMPTY_ROOT)).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it("has the known root after each leaf", () => {
    const tree = new GrowingRoot();
    const roots = LEAVES.map((leaf) => {
      tree.append(leaf);
      return toHex(tree.root);
    });
    expect(roots).toEqual(ROOTS);
  });

  it.each([
    [0, 8, ["96a296d2…", "5f083f0a…", "6b47aaf2…"]],
    [5, 8, ["bc1a0643…", "ca854ea1…", "d37ee418…"]],
    [2, 3, ["fac54203…"]],
    [1, 5, ["6e340b9c…", "5f083f0a…", "bc1a0643…"]],
  ])("has the known proof of leaf %i in a tree of %i", (index, size, expected) => {
    const proof = hashesOf(LEAVES, inclusionRanges(index, { from: 0, to: size }));
    expect(proof.map((hash) => `${toHex(hash).slice(0, 8)}…`)).toEqual(expected);
  });

  it.each([
    [1, 8, ["96a296d2…", "5f083f0a…", "6b47aaf2…"]],
    [6, 8, ["0ebc5d34…", "ca854ea1…", "d37ee418…"]],
    [2, 5, ["5f083f0a…", "bc1a0643…"]],
    [8, 8, []],
  ])("has the known proof that a tree of %i begins one of %i", (earlier, size, expected) => {
    const proof = hashesOf(LEAVES, consistencyRanges(earlier, size));
    expect(proof.map((hash) => `${toHex(hash).slice(0, 8)}…`)).toEqual(expected);
  });
});

const leavesOf = (count: number): Hash[] =>
  Array.from({ length: count }, (_, at) => leafHash(Uint8Array.of(at & 255, at >> 8)));

describe("every tree of up to 70 leaves", () => {
  const leaves = leavesOf(70);
  const roots = Array.from({ length: 71 }, (_, size) => naiveRoot(leaves.slice(0, size)));
  const treeOf = (size: number) => ({ size, root: roots[size] ?? EMPTY_ROOT });

  it("has the root of the definition", () => {
    const tree = new GrowingRoot();
    for (const [at, leaf] of leaves.entries()) {
      tree.append(leaf);
      expect(tree.root).toEqual(roots[at + 1]);
    }
  });

  it("proves each of its leaves, and none in another place or of another tree", () => {
    for (let size = 1; size <= 70; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const proof = hashesOf(leaves, inclusionRanges(index, { from: 0, to: size }));
        const hash = leaves[index] ?? EMPTY_ROOT;
        expect(isIncluded({ hash, index }, treeOf(size), proof)).toBe(true);
        expect(isIncluded({ hash, index: index + 1 }, treeOf(size), proof)).toBe(false);
        expect(isIncluded({ hash, index }, { ...treeOf(size), root: EMPTY_ROOT }, proof)).toBe(false);
        expect(isIncluded({ hash, index }, treeOf(size), [...proof, hash])).toBe(false);
        const isShort = proof.length > 0 && isIncluded({ hash, index }, treeOf(size), proof.slice(1));
        expect(isShort).toBe(false);
      }
    }
  });

  it("proves that it continues each earlier one, and no other", () => {
    for (let size = 1; size <= 70; size += 1) {
      for (let earlier = 0; earlier <= size; earlier += 1) {
        const proof = earlier === 0 ? [] : hashesOf(leaves, consistencyRanges(earlier, size));
        expect(isConsistent(treeOf(earlier), treeOf(size), proof)).toBe(true);
        const other = { size: earlier, root: leafHash(Uint8Array.of(9, 9, 9)) };
        expect(isConsistent(other, treeOf(size), proof)).toBe(false);
        expect(isConsistent(treeOf(earlier), treeOf(size), [...proof, EMPTY_ROOT])).toBe(false);
        const isShort = proof.length > 0 && isConsistent(treeOf(earlier), treeOf(size), proof.slice(0, -1));
        expect(isShort).toBe(false);
      }
    }
  });
});

it("splits sizes beyond 32 bits", () => {
  expect(splitPoint(2 ** 40 + 1)).toBe(2 ** 40);
  expect(splitPoint(2 ** 40)).toBe(2 ** 39);
  expect(inclusionRanges(2 ** 33 + 7, { from: 0, to: 2 ** 34 })).toHaveLength(34);
  expect(nodesOf({ from: 2 ** 33, to: 2 ** 33 + 3 })).toEqual([
    { height: 1, index: 2 ** 32 },
    { height: 0, index: 2 ** 33 + 2 },
  ]);
});
