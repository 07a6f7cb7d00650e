/** Proofs for many leaves in one tree, from tiles that are read many at a time. */
import {
  inclusionRanges,
  isIncluded,
  nodesOf,
  type Hash,
  type Node,
  type Range,
} from "../../src/records/ledger/seal/merkle.ts";
import type { Query, Row } from "../../src/records/ledger/seal/rebuild.ts";
import { hashesOf, TILE_HEIGHT, TILE_WIDTH, tileId, toTile } from "../../src/records/ledger/seal/tiles.ts";

export type Tree = { readonly size: number; readonly root: Hash };

/** Of 16 KB each, as hexadecimal digits. */
const TILES_PER_PAGE = 64;
const SQL = `SELECT id, hex(hashes) AS hashes FROM seal_tiles WHERE id IN (SELECT value FROM json_each(?1))`;

/** The tile that has the hashes of a node. */
const tileOf = ({ height, index }: Node): number =>
  tileId(Math.floor(height / TILE_HEIGHT), Math.floor((index * 2 ** (height % TILE_HEIGHT)) / TILE_WIDTH));

export class Prover {
  readonly tree: Tree;
  readonly #query: Query;
  readonly #rows = new Map<number, Row>();

  constructor(query: Query, tree: Tree) {
    this.#query = query;
    this.tree = tree;
  }

  /** Reads the tiles of the leaves, and of further ranges. */
  async read(indices: Iterable<number>, ranges: readonly Range[]): Promise<void> {
    const wanted = new Set<number>();
    for (const range of ranges) for (const node of nodesOf(range)) wanted.add(tileOf(node));
    for (const index of indices) {
      wanted.add(tileOf({ height: 0, index }));
      for (const range of this.#rangesOf(index)) for (const node of nodesOf(range)) wanted.add(tileOf(node));
    }
    const ids = [...wanted].filter((id) => !this.#rows.has(id));
    for (let at = 0; at < ids.length; at += TILES_PER_PAGE) {
      const rows = await this.#query(SQL, JSON.stringify(ids.slice(at, at + TILES_PER_PAGE)));
      for (const row of rows) this.#rows.set(Number(row["id"]), row);
    }
  }

  /** The leaf's hash in its tile; null where the tile lacks it. */
  leafHash(index: number): Hash | null {
    const row = this.#rows.get(tileOf({ height: 0, index }));
    return (row && toTile(row).hashes[index % TILE_WIDTH]) ?? null;
  }

  /** The proof that the leaf is in the tree; null where the tiles do not have one. */
  async prove(index: number): Promise<readonly Hash[] | null> {
    const hash = this.leafHash(index);
    const proof = hash && (await this.hashesOf(this.#rangesOf(index)));
    return hash && proof && isIncluded({ hash, index }, this.tree, proof) ? proof : null;
  }

  /** null where a tile is missing or too short. */
  async hashesOf(ranges: readonly Range[]): Promise<readonly Hash[] | null> {
    const known: Query = async (_, ids) =>
      (JSON.parse(String(ids)) as readonly number[]).flatMap((id): Row[] => {
        const row = this.#rows.get(id);
        return row ? [row] : [];
      });
    try {
      return await hashesOf(known, ranges);
    } catch {
      return null;
    }
  }

  #rangesOf(index: number): Range[] {
    return inclusionRanges(index, { from: 0, to: this.tree.size });
  }
}
