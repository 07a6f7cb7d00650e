/**
 * Proofs for many leaves in one tree. Tiles are read many at a time, and each node of the tree is hashed once: thousands of
 * proofs share most of their nodes.
 */
import {
  foldNodes,
  inclusionRanges,
  isIncluded,
  nodesOf,
  type Hash,
  type Node,
  type Range,
} from "../../src/records/ledger/seal/merkle.ts";
import type { Query } from "../../src/records/ledger/seal/rebuild.ts";
import { subtreeRoot, TILE_HEIGHT, TILE_WIDTH, tileId, toTile } from "../../src/records/ledger/seal/tiles.ts";

export type Tree = { readonly size: number; readonly root: Hash };

/** Of 16 KB each, as hexadecimal digits. */
const TILES_PER_PAGE = 64;
const SQL = `SELECT id, hex(hashes) AS hashes FROM seal_tiles WHERE id IN (SELECT value FROM json_each(?1))`;

/** The tile that has the hashes of a node, and which of its hashes they are. */
function placeOf({ height, index }: Node): {
  readonly tile: number;
  readonly from: number;
  readonly width: number;
} {
  const width = 2 ** (height % TILE_HEIGHT);
  const first = index * width;
  const tile = tileId(Math.floor(height / TILE_HEIGHT), Math.floor(first / TILE_WIDTH));
  return { tile, from: first % TILE_WIDTH, width };
}

const leafNode = (index: number): Node => ({ height: 0, index });

export class Prover {
  readonly tree: Tree;
  readonly #query: Query;
  readonly #tiles = new Map<number, readonly Hash[]>();
  readonly #nodes = new Map<string, Hash | null>();

  constructor(query: Query, tree: Tree) {
    this.#query = query;
    this.tree = tree;
  }

  /** Reads the tiles that the proofs of the leaves need, and those of further ranges. */
  async read(indices: Iterable<number>, ranges: readonly Range[]): Promise<void> {
    const wanted = new Set<number>();
    const want = (node: Node): unknown => wanted.add(placeOf(node).tile);
    ranges.flatMap(nodesOf).forEach(want);
    for (const index of indices) {
      want(leafNode(index));
      this.#rangesOf(index).flatMap(nodesOf).forEach(want);
    }
    const ids = [...wanted].filter((id) => !this.#tiles.has(id));
    for (let at = 0; at < ids.length; at += TILES_PER_PAGE) {
      const rows = await this.#query(SQL, JSON.stringify(ids.slice(at, at + TILES_PER_PAGE)));
      for (const row of rows) this.#tiles.set(Number(row["id"]), toTile(row).hashes);
    }
  }

  /** The leaf's hash in its tile; null where the tile lacks it. */
  leafHash(index: number): Hash | null {
    return this.#hashOf(leafNode(index));
  }

  /** The proof that the leaf is in the tree; null where the tiles do not have one. */
  prove(index: number): readonly Hash[] | null {
    const hash = this.leafHash(index);
    const proof = hash && this.hashesOf(this.#rangesOf(index));
    return hash && proof && isIncluded({ hash, index }, this.tree, proof) ? proof : null;
  }

  /** null where a tile is missing or too short. */
  hashesOf(ranges: readonly Range[]): readonly Hash[] | null {
    const proof: Hash[] = [];
    for (const range of ranges) {
      const hashes = nodesOf(range).map((node) => this.#hashOf(node));
      if (!hashes.every((hash) => hash !== null)) return null;
      proof.push(foldNodes(hashes));
    }
    return proof;
  }

  #hashOf(node: Node): Hash | null {
    const key = `${node.height}.${node.index}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const { tile, from, width } = placeOf(node);
    const hashes = this.#tiles.get(tile)?.slice(from, from + width) ?? [];
    const hash = hashes.length === width ? subtreeRoot(hashes) : null;
    this.#nodes.set(key, hash);
    return hash;
  }

  #rangesOf(index: number): Range[] {
    return inclusionRanges(index, { from: 0, to: this.tree.size });
  }
}
