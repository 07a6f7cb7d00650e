/** Cuts a copied log to the tree that it had when the copy began. */
import type { DatabaseSync } from "node:sqlite";
import { HASH_BYTES } from "../../../src/records/ledger/seal/merkle.ts";
import { TILE_WIDTH, tileId } from "../../../src/records/ledger/seal/tiles.ts";

export type Head = {
  readonly treeSize: number;
  /** The last row of the journal that is sealed. */
  readonly journalSeq: number;
  /** The last row of the journal. */
  readonly lastSeq: number;
};

const EVENT_ID_BYTES = 16;

/** `later`: the head after the copy. Rows beyond that one were not added by the sealer, and stay to be found. */
export function cutLog(target: DatabaseSync, { treeSize, journalSeq }: Head, later: Head): void {
  const run = (sql: string, ...values: readonly number[]): unknown => target.prepare(sql).run(...values);
  run("DELETE FROM seal_entries WHERE leaf_index >= ?1 AND leaf_index < ?2", treeSize, later.treeSize);
  run("DELETE FROM seal_checkpoints WHERE tree_size > ?1 AND tree_size <= ?2", treeSize, later.treeSize);
  const cut = `UPDATE seal_tiles SET hashes = SUBSTR(hashes, 1, ?2 * ${HASH_BYTES}),
    event_ids = SUBSTR(event_ids, 1, ?2 * ${EVENT_ID_BYTES}) WHERE id = ?1`;
  let [level, size] = [0, treeSize];
  for (; size > 0; level += 1) {
    const tile = tileId(level, Math.floor(size / TILE_WIDTH));
    const width = size % TILE_WIDTH;
    if (width > 0) run(cut, tile, width);
    run(
      "DELETE FROM seal_tiles WHERE id >= ?1 AND id < ?2",
      width > 0 ? tile + 1 : tile,
      tileId(level + 1, 0),
    );
    size = Math.floor(size / TILE_WIDTH);
  }
  run("DELETE FROM seal_tiles WHERE id >= ?1", tileId(level, 0));
  run("DELETE FROM seal_state");
  const state = "INSERT INTO seal_state (id, tree_size, journal_seq, published_size) VALUES (1, ?, ?, 0)";
  run(state, treeSize, journalSeq);
}
