/**
 * Copies what `verify` reads from a database that others write to meanwhile. No read of several statements sees one state of
 * D1, so the order of reading decides that no change in between looks like a finding:
 *
 * - The log is cut to the tree that it had at first. Later leaves are as if they were not sealed yet.
 * - Events that were stored meanwhile wait in the journal, as if they were to be sealed next. An event that was journaled,
 *   sealed and folded in between is found by its leaf: the journal is read before the tiles.
 * - Deletions are recorded after their rows are gone, so the records are read last.
 * - What the ledger derives from its events is compared by single statements, each of which sees one state. They run on the
 *   database itself, and so does the one that reads its schema.
 */
import type { DatabaseSync } from "node:sqlite";
import { DERIVED_ROWS, DERIVED_TOTALS } from "../../../src/records/ledger/seal/derived-sql.ts";
import { eventIdOf } from "../../../src/records/ledger/seal/load-entries.ts";
import type { Query } from "../../../src/records/ledger/seal/rebuild.ts";
import { isSealedType, typeOfEvent } from "../../../src/records/ledger/seal/schema.ts";
import { TILE_COLUMNS, TILE_WIDTH, tileId, toTile } from "../../../src/records/ledger/seal/tiles.ts";
import { TABLE_KEYS } from "../../../src/records/ledger/tables.ts";
import { queryOf } from "../../local/snapshot.ts";
import { copyTable, type Source } from "./copy-table.ts";
import { cutLog, type Head } from "./cut-log.ts";
import { temporaryLedger } from "./temporary-ledger.ts";
import { inlined } from "../../local/sql-literal.ts";

export type LedgerCopy = {
  readonly query: Query;
  /** When the copy began, in milliseconds since 1970. */
  readonly at: number;
  /** Events that were stored after that. */
  readonly storedMeanwhile: number;
  readonly close: () => void;
};

export type CopyOptions = {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onProgress: (line: string) => void;
};

const EVENT_TABLES = Object.keys(TABLE_KEYS).filter((table) => table !== "ledger_accesses");
const LOG_TABLES = ["journal", "seal_entries", "seal_checkpoints", "seal_tiles"];

export async function copyLedger(source: Source, { now, onProgress }: CopyOptions): Promise<LedgerCopy> {
  const { sqlite, close } = temporaryLedger();
  try {
    const at = now();
    const head = await readHead(source);
    for (const table of [...LOG_TABLES, ...EVENT_TABLES, "ledger_accesses"]) {
      const rows = await copyTable(source, sqlite, { table });
      if (rows > 0) onProgress(`${table}: ${rows} rows copied`);
    }
    const storedMeanwhile = await addLater(source, sqlite, { head, at });
    cutLog(sqlite, head, await readHead(source));
    return { query: dispatch(source, sqlite), at, storedMeanwhile, close };
  } catch (error) {
    close();
    throw error;
  }
}

const HEAD_SQL = `SELECT s.tree_size, s.journal_seq, (SELECT MAX(seq) FROM journal) AS last_seq
FROM (SELECT 1) LEFT JOIN seal_state AS s ON s.id = 1`;

/** Without the log's state, the tree counts as empty: all that is there is then a finding. */
async function readHead(source: Source): Promise<Head> {
  const [row] = await source(HEAD_SQL);
  const number = (name: string): number => Number(row?.[name] ?? 0);
  return { treeSize: number("tree_size"), journalSeq: number("journal_seq"), lastSeq: number("last_seq") };
}

/** Adds the events that were stored after `head` to the journal. @returns their number. */
async function addLater(
  source: Source,
  target: DatabaseSync,
  { head, at }: { readonly head: Head; readonly at: number },
): Promise<number> {
  await copyTable(source, target, { table: "journal", from: head.lastSeq + 1 });
  const rows = target.prepare("SELECT seq, event_ids FROM journal WHERE seq > ?").all(head.journalSeq);
  const waiting = new Set<string>();
  let [later, lastSeq] = [0, head.lastSeq];
  for (const { seq, event_ids } of rows) {
    const ids = (JSON.parse(String(event_ids)) as readonly string[]).filter(isSealed);
    for (const id of ids) waiting.add(id);
    if (Number(seq) > head.lastSeq) later += ids.length;
    lastSeq = Math.max(lastSeq, Number(seq));
  }
  const sealed = (await readLeaves(source, head.treeSize)).filter((id) => !waiting.has(id));
  target
    .prepare("INSERT INTO journal (seq, stored_at, event_ids, deltas, delta_count) VALUES (?, ?, ?, '[]', 0)")
    .run(lastSeq + 1, at, JSON.stringify(sealed));
  return later + sealed.length;
}

function isSealed(eventId: string): boolean {
  const type = typeOfEvent(eventId);
  return type !== null && isSealedType(type);
}

const TILES_PER_QUERY = 200;

/** The events of the leaves from this index on. */
async function readLeaves(source: Source, from: number): Promise<string[]> {
  const ids: string[] = [];
  let tile = Math.floor(from / TILE_WIDTH);
  for (;;) {
    const rows = await source(
      `SELECT ${TILE_COLUMNS} FROM seal_tiles WHERE id >= ${tile} AND id < ${tileId(1, 0)} ORDER BY id LIMIT ${TILES_PER_QUERY}`,
    );
    for (const { index, eventIds } of rows.map(toTile)) {
      const first = Math.max(0, from - index * TILE_WIDTH);
      ids.push(...eventIds.slice(first).flatMap((bytes) => eventIdOf(bytes) ?? []));
      tile = index + 1;
    }
    if (rows.length < TILES_PER_QUERY) return ids;
  }
}

const COMPARISONS = new Set([...DERIVED_ROWS.map(({ sql }) => sql), ...DERIVED_TOTALS]);

/** Runs on the database itself what the copy cannot tell: comparisons, the schema, and tables that are not copied. */
function dispatch(source: Source, target: DatabaseSync): Query {
  const copy = queryOf(target);
  const copied = new Set([...LOG_TABLES, ...EVENT_TABLES, "ledger_accesses", "seal_state"]);
  const others = target
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
    .all()
    .map(({ name }) => String(name))
    .filter((name) => !copied.has(name));
  const isOfDatabase = new RegExp(`\\b(?:${["sqlite_schema", ...others].join("|")})\\b`);
  return async (sql, ...parameters) =>
    COMPARISONS.has(sql) || isOfDatabase.test(sql)
      ? source(inlined(sql, parameters))
      : copy(sql, ...parameters);
}
