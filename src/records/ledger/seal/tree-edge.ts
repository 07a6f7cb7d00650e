/**
 * The right edge of the tree: the last, incomplete tile of each level. Appending needs nothing else, however large the tree
 * is, and the root follows from it.
 */
import { concat } from "./bytes.ts";
import { foldNodes, nodesOf, type Hash } from "./merkle.ts";
import type { Query } from "./rebuild.ts";
import { subtreeRoot, TILE_COLUMNS, TILE_WIDTH, tileId, toTile } from "./tiles.ts";

export type Leaf = {
  readonly hash: Hash;
  /** 16 bytes; zeros for an entry of the log's own. */
  readonly eventId: Uint8Array;
  /** When its event was stored, in milliseconds; null for an entry of the log's own. */
  readonly storedAt: number | null;
};

type OpenTile = {
  index: number;
  hashes: Hash[];
  eventIds: Uint8Array[];
  storedFrom: number | null;
  storedTo: number | null;
  isChanged: boolean;
};

/** A row of `seal_tiles` as it is after appending. */
export type TileRow = {
  readonly id: number;
  readonly hashes: Uint8Array<ArrayBuffer>;
  readonly eventIds: Uint8Array<ArrayBuffer> | null;
  readonly storedFrom: number | null;
  readonly storedTo: number | null;
};

const emptyTile = (index: number): OpenTile => ({
  index,
  hashes: [],
  eventIds: [],
  storedFrom: null,
  storedTo: null,
  isChanged: false,
});

/** The ids of the incomplete tiles of a tree. */
function openTileIds(size: number): number[] {
  const ids: number[] = [];
  for (let [level, width] = [0, size]; width > 0; level += 1) {
    if (width % TILE_WIDTH > 0) ids.push(tileId(level, Math.floor(width / TILE_WIDTH)));
    width = Math.floor(width / TILE_WIDTH);
  }
  return ids;
}

const timeOf = (value: unknown): number | null => (typeof value === "number" ? value : null);

export class TreeEdge {
  #size: number;
  /** By level. */
  readonly #open: OpenTile[];
  readonly #changed = new Map<number, TileRow>();

  private constructor(size: number, open: OpenTile[]) {
    this.#size = size;
    this.#open = open;
  }

  /** @throws where a tile is missing or has another number of hashes than the size says: the log was changed. */
  static async load(query: Query, size: number): Promise<TreeEdge> {
    const sql = `SELECT ${TILE_COLUMNS} FROM seal_tiles WHERE id IN (SELECT value FROM json_each(?1))`;
    const rows = await query(sql, JSON.stringify(openTileIds(size)));
    const byId = new Map(rows.map((row) => [Number(row["id"]), row]));
    const open: OpenTile[] = [];
    for (let [level, width] = [0, size]; width > 0; level += 1) {
      const index = Math.floor(width / TILE_WIDTH);
      const row = byId.get(tileId(level, index));
      const tile = row ? toTile(row) : { hashes: [], eventIds: [] };
      if (tile.hashes.length !== width % TILE_WIDTH)
        throw new Error(`tile ${index} of level ${level} does not have ${width % TILE_WIDTH} hashes`);
      open.push({
        index,
        hashes: [...tile.hashes],
        eventIds: [...tile.eventIds],
        storedFrom: timeOf(row?.["stored_from"]),
        storedTo: timeOf(row?.["stored_to"]),
        isChanged: false,
      });
      width = index;
    }
    return new TreeEdge(size, open);
  }

  get size(): number {
    return this.#size;
  }

  /** The root of the tree. */
  get root(): Hash {
    // From the top: the complete subtrees, the largest first.
    const hashes = this.#open.toReversed().flatMap(({ hashes: ofTile }) =>
      nodesOf({ from: 0, to: ofTile.length }).map(({ height, index }) => {
        const width = 2 ** height;
        return subtreeRoot(ofTile.slice(index * width, (index + 1) * width));
      }),
    );
    return foldNodes(hashes);
  }

  append({ hash, eventId, storedAt }: Leaf): void {
    const tile = this.#openTile(0);
    tile.eventIds.push(eventId);
    if (storedAt !== null) {
      tile.storedFrom = Math.min(tile.storedFrom ?? storedAt, storedAt);
      tile.storedTo = Math.max(tile.storedTo ?? storedAt, storedAt);
    }
    this.#add(0, hash);
    this.#size += 1;
  }

  /** The rows that the appended leaves changed. */
  changed(): TileRow[] {
    for (const [level, tile] of this.#open.entries()) {
      if (tile.isChanged && tile.hashes.length > 0) this.#keep(level, tile);
    }
    return [...this.#changed.values()];
  }

  #openTile(level: number): OpenTile {
    return (this.#open[level] ??= emptyTile(0));
  }

  #add(level: number, hash: Hash): void {
    const tile = this.#openTile(level);
    tile.hashes.push(hash);
    tile.isChanged = true;
    if (tile.hashes.length < TILE_WIDTH) return;
    this.#keep(level, tile);
    this.#open[level] = emptyTile(tile.index + 1);
    this.#add(level + 1, subtreeRoot(tile.hashes));
  }

  #keep(level: number, { index, hashes, eventIds, storedFrom, storedTo }: OpenTile): void {
    const id = tileId(level, index);
    const row = { id, hashes: concat(...hashes), storedFrom, storedTo };
    this.#changed.set(id, { ...row, eventIds: level === 0 ? concat(...eventIds) : null });
  }
}
