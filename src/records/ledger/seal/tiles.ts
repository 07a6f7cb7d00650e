/**
 * The tree in tiles (https://c2sp.org/tlog-tiles): 256 hashes of one level each. Level 0 has the leaves' hashes, and level L
 * the roots of the complete tiles of level L - 1, so that a proof reads a few tiles of a tree of any size.
 */
import { foldNodes, HASH_BYTES, nodeHash, nodesOf, type Hash, type Node, type Range } from "./merkle.ts";
import { hexBytes } from "./bytes.ts";
import type { Query, Row } from "./rebuild.ts";

export const TILE_WIDTH = 256;
export const TILE_HEIGHT = 8;
const ID_BYTES = 16;

/** Above every index. */
const LEVEL_IDS = 2 ** 40;

export const tileId = (level: number, index: number): number => level * LEVEL_IDS + index;

export type Tile = {
  readonly level: number;
  readonly index: number;
  readonly hashes: readonly Hash[];
};

/** The ids of a leaf tile's events, 16 bytes each. */
export type LeafTile = Tile & { readonly eventIds: readonly Uint8Array[] };

/** `hex`: the database returns bytes as a list of numbers, which takes three times as long. */
export const TILE_COLUMNS = "id, hex(hashes) AS hashes, hex(event_ids) AS event_ids, stored_from, stored_to";

function parts(value: unknown, width: number): Uint8Array[] {
  const bytes = hexBytes(typeof value === "string" ? value : "");
  // Where a tile was cut, the last part is too short, and equals no hash.
  return Array.from({ length: Math.ceil(bytes.length / width) }, (_, at) =>
    bytes.subarray(at * width, (at + 1) * width),
  );
}

export function toTile(row: Row): LeafTile {
  const id = Number(row["id"]);
  return {
    level: Math.floor(id / LEVEL_IDS),
    index: id % LEVEL_IDS,
    hashes: parts(row["hashes"], HASH_BYTES),
    eventIds: parts(row["event_ids"], ID_BYTES),
  };
}

/** The root of a complete subtree, whose leaves are these hashes. */
export function subtreeRoot(hashes: readonly Hash[]): Hash {
  let level = hashes;
  while (level.length > 1) {
    const below = level;
    level = Array.from({ length: below.length / 2 }, (_, at) =>
      nodeHash(below[2 * at] ?? EMPTY, below[2 * at + 1] ?? EMPTY),
    );
  }
  return level[0] ?? EMPTY;
}
const EMPTY = new Uint8Array(HASH_BYTES);

/** Where the tiles have a node: its tile, and the hashes of that tile that it is made of. */
function placeOf({ height, index }: Node): {
  readonly tile: number;
  readonly from: number;
  readonly width: number;
} {
  const level = Math.floor(height / TILE_HEIGHT);
  const width = 2 ** (height % TILE_HEIGHT);
  const first = index * width;
  return { tile: tileId(level, Math.floor(first / TILE_WIDTH)), from: first % TILE_WIDTH, width };
}

const TILES_SQL = `SELECT ${TILE_COLUMNS} FROM seal_tiles WHERE id IN (SELECT value FROM json_each(?1))`;

/** Reads the tiles that the hashes of the ranges need. @throws where one of them is missing or too short. */
export async function hashesOf(query: Query, ranges: readonly Range[]): Promise<Hash[]> {
  const nodes = ranges.map((range) => nodesOf(range).map(placeOf));
  const wanted = new Set(nodes.flat().map(({ tile }) => tile));
  const rows = wanted.size === 0 ? [] : await query(TILES_SQL, JSON.stringify([...wanted]));
  const tiles = new Map(rows.map((row) => [Number(row["id"]), toTile(row).hashes]));
  return nodes.map((ofRange) =>
    foldNodes(
      ofRange.map(({ tile, from, width }) => {
        const hashes = tiles.get(tile)?.slice(from, from + width) ?? [];
        if (hashes.length !== width) throw new Error(`tile ${tile} lacks hashes`);
        return subtreeRoot(hashes);
      }),
    ),
  );
}

/** The path of a tile, as tlog-tiles has it: `tile/0/x001/x234/067`, and `.p/<width>` for a partial one. */
export function tilePath(level: number | "entries", index: number, width = TILE_WIDTH): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/.{3}/g) ?? [];
  const name = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join("/");
  return `tile/${level}/${name}${width < TILE_WIDTH ? `.p/${width}` : ""}`;
}
