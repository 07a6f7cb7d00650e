/** The entries of the log at a range of leaves, rebuilt from what is stored: events' rows and the log's own entries. */
import { toHex } from "../../../shared/hex.ts";
import { absentEntry, eventEntry } from "./entry.ts";
import { factsAt, parseLogEntry, type StoredLogEntry } from "./log-entry.ts";
import { loadEvents, type FoundEvent, type Query } from "./rebuild.ts";
import { TILE_COLUMNS, TILE_WIDTH, toTile, type LeafTile } from "./tiles.ts";

/** A leaf as the tiles and the rows have it. */
export type LoadedLeaf = {
  readonly index: number;
  /** The hash in the tile. */
  readonly hash: Uint8Array;
  /** null for an entry of the log's own. */
  readonly eventId: string | null;
  /** The event as its row has it; absent where there is no row, null for an entry of the log's own. */
  readonly event: FoundEvent | undefined | null;
  /** The version of the schema that applies at the leaf. */
  readonly schema: number;
  /** The entry rebuilt from the row; null where there is none. */
  readonly entry: string | null;
};

/** The event id of a leaf; null for an entry of the log's own. */
export function eventIdOf(bytes: Uint8Array): string | null {
  if (bytes.every((byte) => byte === 0)) return null;
  const hex = toHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export type OwnEntries = {
  readonly texts: ReadonlyMap<number, string>;
  readonly parsed: readonly StoredLogEntry[];
  /** Those that `factsAt` needs: without the times, of which there is one for each hour. */
  readonly facts: readonly StoredLogEntry[];
};

/** All entries of the log's own: as many as rotations and hours. */
export async function loadOwnEntries(query: Query): Promise<OwnEntries> {
  const rows = await query("SELECT leaf_index, entry FROM seal_entries ORDER BY leaf_index");
  const texts = new Map(rows.map((row) => [Number(row["leaf_index"]), String(row["entry"])]));
  const parsed = [...texts].flatMap(([index, text]) => {
    const entry = parseLogEntry(text);
    return entry?.index === index && (entry.kind === "begin") === (index === 0) ? [entry] : [];
  });
  return { texts, parsed, facts: parsed.filter(({ kind }) => kind !== "time") };
}

const TILES_SQL = `SELECT ${TILE_COLUMNS} FROM seal_tiles WHERE id >= ?1 AND id < ?2 ORDER BY id`;

/** The leaf tiles of a range of tiles. A missing one is left out. */
export async function loadLeafTiles(query: Query, from: number, to: number): Promise<LeafTile[]> {
  return (await query(TILES_SQL, from, to)).map(toTile);
}

/** The leaves of a tile, each with its entry. */
export async function loadLeaves(query: Query, tile: LeafTile, own: OwnEntries): Promise<LoadedLeaf[]> {
  const ids = tile.hashes.map((_, at) => eventIdOf(tile.eventIds[at] ?? new Uint8Array(0)));
  const events = await loadEvents(
    query,
    ids.filter((id) => id !== null),
  );
  return tile.hashes.map((hash, at): LoadedLeaf => {
    const index = tile.index * TILE_WIDTH + at;
    const eventId = ids[at] ?? null;
    const schema = factsAt(own.facts, index).schema ?? 0;
    if (eventId === null)
      return { index, hash, eventId, event: null, schema, entry: own.texts.get(index) ?? null };
    const event = events.get(eventId);
    return { index, hash, eventId, event, schema, entry: rebuiltEntry(event, eventId, { index, schema }) };
  });
}

/** The entry of an event as its row has it now; null where the row has no seal that can be read. */
export function rebuiltEntry(
  event: FoundEvent | undefined,
  eventId: string,
  place: { readonly index: number; readonly schema: number },
): string | null {
  if (event === undefined) return absentEntry(eventId, place.index);
  if (typeof event === "string") return null;
  try {
    return eventEntry(event, place);
  } catch {
    // A salt is missing, or a value is not JSON. Such a row is not the sealed one.
    return null;
  }
}
