/**
 * Publishes the log as tlog-tiles (https://c2sp.org/tlog-tiles) in object storage: tiles and bundles of entries under `tile/`,
 * which are written once and never again (a bucket lock may hold them), then the `checkpoint` that needs them. Any client of
 * tlog-tiles can then verify the log without this Worker.
 *
 * A run publishes a bounded number of tiles and remembers how far it came. Objects that exist are not written again.
 */
import { createObject } from "../write/archive.ts";
import { concat, equalBytes, utf8 } from "./bytes.ts";
import { checkpointIn } from "./checkpoint.ts";
import { loadLeaves, loadLeafTiles, loadOwnEntries, type OwnEntries } from "./load-entries.ts";
import { leafHash } from "./merkle.ts";
import type { Query } from "./rebuild.ts";
import { queryOf, type StoredCheckpoint } from "./seal-state.ts";
import { hashesOf, TILE_COLUMNS, TILE_WIDTH, tileId, tilePath, toTile } from "./tiles.ts";

export const PREFIX = "seals/";

/** Leaf tiles of one run; each is two objects, and reads 256 rows. */
const LEAF_TILES_PER_RUN = 60;

export type PublishDeps = { readonly database: D1Database; readonly archive: R2Bucket };

/** @returns the leaves that are published afterwards. */
export async function publishLog(
  { database, archive }: PublishDeps,
  { note, size }: StoredCheckpoint,
): Promise<number> {
  const query = queryOf(database);
  const [state] = await query("SELECT published_size FROM seal_state WHERE id = 1");
  const published = Number(state?.["published_size"] ?? 0);
  if (published >= size) return published;
  const first = Math.floor(published / TILE_WIDTH);
  const last = Math.min(Math.floor(size / TILE_WIDTH), first + LEAF_TILES_PER_RUN);
  const isComplete = last === Math.floor(size / TILE_WIDTH);
  const to = isComplete ? size : last * TILE_WIDTH;
  await publishLeaves({ query, archive }, first, to);
  await publishLevels({ query, archive }, published, to);
  if (isComplete) await replaceCheckpoint({ query, archive }, note);
  const sql = "UPDATE seal_state SET published_size = MAX(published_size, ?1) WHERE id = 1";
  await database.prepare(sql).bind(to).run();
  return to;
}

/**
 * The published log confirms the one in the database, and may be under a lock.
 * @throws where the tree in the database does not continue the published one: the log was restarted, cut, or changed.
 */
export async function checkPublished({ database, archive }: PublishDeps): Promise<void> {
  const object = await archive.get(`${PREFIX}checkpoint`);
  const published = object && checkpointIn(await object.text());
  if (!published || published.size === 0) return;
  const query = queryOf(database);
  const [state] = await query("SELECT tree_size FROM seal_state WHERE id = 1");
  if (Number(state?.["tree_size"] ?? 0) < published.size)
    throw new Error(
      "the published checkpoint has a larger tree: the log was restarted, or the database rolled back",
    );
  const [root] = await hashesOf(query, [{ from: 0, to: published.size }]);
  if (!root || !equalBytes(root, published.root))
    throw new Error("the published checkpoint has another root: the log forked");
}

type Deps = { readonly query: Query; readonly archive: R2Bucket };

const write = (archive: R2Bucket, path: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> =>
  createObject(archive, `${PREFIX}${path}`, bytes.buffer, "application/octet-stream");

/** The tiles of level 0 and the bundles of their entries, from tile `first` up to the leaf `to`. */
async function publishLeaves({ query, archive }: Deps, first: number, to: number): Promise<void> {
  const own = await loadOwnEntries(query);
  for (let index = first; index * TILE_WIDTH < to; index += 1) {
    const [tile] = await loadLeafTiles(query, index, index + 1);
    const width = Math.min(TILE_WIDTH, to - index * TILE_WIDTH);
    if (!tile || tile.hashes.length < width) throw new Error(`leaf tile ${index} lacks hashes`);
    const cut = { ...tile, hashes: tile.hashes.slice(0, width) };
    await write(archive, tilePath(0, index, width), concat(...cut.hashes));
    const bundle = await bundleOf(query, cut, own);
    if (bundle) await write(archive, tilePath("entries", index, width), bundle);
  }
}

/** Each entry behind its length in two bytes. null where an entry is no longer what was sealed: `verify` names it. */
async function bundleOf(
  query: Query,
  tile: Parameters<typeof loadLeaves>[1],
  own: OwnEntries,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const parts: Uint8Array[] = [];
  for (const { entry, hash } of await loadLeaves(query, tile, own)) {
    const bytes = utf8(entry ?? "");
    if (entry === null || bytes.length > 65_535 || !equalBytes(leafHash(bytes), hash)) return null;
    parts.push(Uint8Array.of(bytes.length >> 8, bytes.length & 255), bytes);
  }
  return concat(...parts);
}

/** The tiles of the higher levels that the leaves from `from` up to `to` changed. */
async function publishLevels({ query, archive }: Deps, from: number, to: number): Promise<void> {
  let [level, before, width] = [1, Math.floor(from / TILE_WIDTH), Math.floor(to / TILE_WIDTH)];
  while (width > 0) {
    for (let index = Math.floor(before / TILE_WIDTH); index * TILE_WIDTH < width; index += 1) {
      const ofTile = Math.min(TILE_WIDTH, width - index * TILE_WIDTH);
      const sql = `SELECT ${TILE_COLUMNS} FROM seal_tiles WHERE id = ?1`;
      const [row] = await query(sql, tileId(level, index));
      const hashes = row ? toTile(row).hashes.slice(0, ofTile) : [];
      if (hashes.length < ofTile) throw new Error(`tile ${index} of level ${level} lacks hashes`);
      await write(archive, tilePath(level, index, ofTile), concat(...hashes));
    }
    level += 1;
    before = Math.floor(before / TILE_WIDTH);
    width = Math.floor(width / TILE_WIDTH);
  }
}

/** Never by an earlier one: two runs may overlap, so the object must still be the one that was read. */
async function replaceCheckpoint({ archive }: Deps, note: string): Promise<void> {
  const key = `${PREFIX}checkpoint`;
  const current = await archive.get(key);
  const published = current ? checkpointIn(await current.text()) : null;
  const next = checkpointIn(note);
  if (!next) throw new Error("the note has no checkpoint");
  if (published && published.size >= next.size) return;
  const onlyIf = current ? { etagMatches: current.etag } : new Headers({ "if-none-match": "*" });
  const httpMetadata = { contentType: "text/plain; charset=utf-8", cacheControl: "no-cache" };
  await archive.put(key, note, { onlyIf, httpMetadata });
}
