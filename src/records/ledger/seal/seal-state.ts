/** The log's state in the database: read before a step, and written with it as a compare-and-set. */
import { errorText } from "../error-text.ts";
import { factsAt, parseLogEntry, type LogFacts, type StoredLogEntry } from "./log-entry.ts";
import type { Query, Row } from "./rebuild.ts";
import type { TileRow } from "./tree-edge.ts";

export type SealState = {
  readonly treeSize: number;
  readonly journalSeq: number;
  readonly publishedSize: number;
  readonly facts: LogFacts;
  /** The time of the last entry of the log's own; null before the first one. */
  readonly lastOwnAt: number | null;
  /** The last signed tree; null before the first one. */
  readonly checkpoint: StoredCheckpoint | null;
};

export type StoredCheckpoint = { readonly size: number; readonly note: string; readonly signedAt: number };

export const queryOf =
  (database: D1Database): Query =>
  async (sql, ...parameters) => {
    const { results } = await database
      .prepare(sql)
      .bind(...parameters)
      .all<Row>();
    return results;
  };

const STATE_SQL = `SELECT s.tree_size, s.journal_seq, s.published_size, c.tree_size AS size, c.note, c.signed_at
FROM seal_state AS s
LEFT JOIN seal_checkpoints AS c ON c.tree_size = (SELECT MAX(tree_size) FROM seal_checkpoints)`;

/** Entries that name a key or a schema; the others are one for each hour. */
const FACTS_SQL = `SELECT entry FROM seal_entries WHERE entry NOT LIKE '%"kind":"time"%' ORDER BY leaf_index`;

const LAST_OWN_SQL = "SELECT entry FROM seal_entries ORDER BY leaf_index DESC LIMIT 1";

/** @throws where the state is missing: the migrations were not applied, or the row was removed. */
export async function readState(query: Query): Promise<SealState> {
  const [row] = await query(STATE_SQL);
  if (!row) throw new Error("seal_state has no row");
  const treeSize = Number(row["tree_size"]);
  const entries = (await query(FACTS_SQL)).flatMap(({ entry }): StoredLogEntry[] => {
    const parsed = parseLogEntry(String(entry));
    return parsed ? [parsed] : [];
  });
  const [last] = await query(LAST_OWN_SQL);
  return {
    lastOwnAt: parseLogEntry(String(last?.["entry"]))?.at ?? null,
    treeSize,
    journalSeq: Number(row["journal_seq"]),
    publishedSize: Number(row["published_size"]),
    facts: factsAt(entries, treeSize),
    checkpoint:
      typeof row["note"] === "string"
        ? { size: Number(row["size"]), note: row["note"], signedAt: Number(row["signed_at"]) }
        : null,
  };
}

/** The rows that one transaction adds to the log. */
export type SealWrite = {
  readonly from: Pick<SealState, "treeSize" | "journalSeq">;
  readonly to: Pick<SealState, "treeSize" | "journalSeq">;
  readonly tiles: readonly TileRow[];
  readonly entries: readonly { readonly index: number; readonly text: string }[];
  readonly checkpoint: StoredCheckpoint | null;
};

/** NULL where another sealer was faster: the constraint then fails the transaction. */
const ADVANCE_SQL = `UPDATE seal_state SET
  tree_size = IIF(tree_size = ?1 AND journal_seq = ?2, ?3, NULL), journal_seq = ?4 WHERE id = 1`;
const TILE_SQL = `INSERT INTO seal_tiles (id, hashes, event_ids, stored_from, stored_to) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (id) DO UPDATE SET hashes = excluded.hashes, event_ids = excluded.event_ids,
  stored_from = excluded.stored_from, stored_to = excluded.stored_to`;
const ENTRY_SQL = "INSERT INTO seal_entries (leaf_index, entry) VALUES (?1, ?2)";
const CHECKPOINT_SQL = "INSERT INTO seal_checkpoints (tree_size, note, signed_at) VALUES (?1, ?2, ?3)";

/** Folding the journal into the totals keeps what is not sealed yet (rollups/fold.ts). */
const CURSOR_SQL = `INSERT INTO upkeep_cursors (job, cursor) VALUES ('sealed', ?1)
ON CONFLICT (job) DO UPDATE SET cursor = excluded.cursor`;

/** @returns false where another sealer was faster: nothing is written then. It may have signed this tree, and no more. */
export async function writeStep(database: D1Database, write: SealWrite): Promise<boolean> {
  const { from, to, tiles, entries, checkpoint } = write;
  const run = (sql: string, ...values: readonly unknown[]): D1PreparedStatement =>
    database.prepare(sql).bind(...values);
  try {
    await database.batch([
      run(ADVANCE_SQL, from.treeSize, from.journalSeq, to.treeSize, to.journalSeq),
      run(CURSOR_SQL, String(to.journalSeq)),
      ...tiles.map((tile) =>
        run(TILE_SQL, tile.id, tile.hashes, tile.eventIds, tile.storedFrom, tile.storedTo),
      ),
      ...entries.map(({ index, text }) => run(ENTRY_SQL, index, text)),
      ...(checkpoint ? [run(CHECKPOINT_SQL, checkpoint.size, checkpoint.note, checkpoint.signedAt)] : []),
    ]);
    return true;
  } catch (error) {
    if (
      /NOT NULL constraint failed: seal_state|UNIQUE constraint failed: seal_checkpoints/.test(
        errorText(error),
      )
    )
      return false;
    throw error;
  }
}
