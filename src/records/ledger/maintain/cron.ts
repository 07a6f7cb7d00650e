/**
 * The cron's maintenance run: closes interceptions and passthroughs whose end never arrived, scans for anomalies, merges the
 * counts of refusals, deletes expired rows, erases persons in the archive. It works in bounded steps, so that no statement holds the database for long. The
 * next run continues where this one stopped.
 */
import type { LogOperatorEvent } from "../../../shared/operator-log.ts";
import { firstUuidAt } from "../../../shared/uuid.ts";
import { errorText } from "../error-text.ts";
import { eraseArchived, ERASURE_STATEMENTS } from "../erase/erase-archive.ts";
import type { LedgerDeps } from "../ledger.ts";
import {
  closeDays,
  FOLD_AFTER_MS,
  FOLD_AT_DELTAS,
  FOLD_STATEMENTS,
  foldJournal,
  UNFOLDED_DELTAS,
} from "../rollups/fold.ts";
import { closingJob, ORPHANED } from "../open-calls-sql.ts";
import type { CallTable } from "../tables.ts";
import { deleteExpired, DELETION_STATEMENTS, RETENTION_GROUPS } from "./retention.ts";
import { BEFORE_DELETION, deleteFrom } from "./retention-sql.ts";
import { SCAN_STATEMENTS, scanForAnomalies } from "./anomaly-scan.ts";
import { REFUSAL_SCAN_STATEMENTS, scanRefusals } from "./refusal-scan.ts";
import { MERGE_STATEMENTS, mergeRefusals } from "./merge-refusals.ts";

/** Longer than any stream, and than the queue's delay on most days. A later end still replaces the cron's outcome. */
export const ORPHANED_AFTER_MS = 6 * 3_600_000;

/** Calls that are read per step. A run reads those of ten minutes at 1,000 per second. Few calls are stored late. */
const ORPHANS = { rows: 25_000, steps: 25, lateSteps: 8 };
const DELETED_TABLES = Object.values(RETENTION_GROUPS).flat();

const orphaned = (table: CallTable): string =>
  Object.entries(ORPHANED[table])
    .map(([column, value]) => `${column} = '${value}'`)
    .join(", ");

/** The calls that are read once: from those read last to the boundary, so many at most. */
const pageOf = (table: CallTable): string => `SELECT id, outcome FROM ${table}
  WHERE id > COALESCE((SELECT cursor FROM upkeep_cursors WHERE job = '${closingJob(table)}'), '') AND id < ?1
  ORDER BY id LIMIT ${ORPHANS.rows}`;

/** The statements that close a page of calls, in one transaction. Parameter of each: the id of the boundary. */
const closePage = (table: CallTable): readonly string[] => [
  `UPDATE ${table} SET ${orphaned(table)} WHERE id IN (SELECT id FROM (${pageOf(table)}) WHERE outcome IS NULL)`,
  `INSERT INTO upkeep_cursors (job, cursor) SELECT '${closingJob(table)}', MAX(id) FROM (${pageOf(table)}) WHERE true HAVING COUNT(*) > 0
  ON CONFLICT (job) DO UPDATE SET cursor = MAX(cursor, excluded.cursor)`,
];

/** Those that were stored after their page had been read. */
const closeNoted = (table: CallTable): readonly string[] => [
  `UPDATE ${table} SET ${orphaned(table)} WHERE outcome IS NULL AND id IN (
  SELECT id FROM open_calls WHERE call_table = '${table}' AND id < ?1 ORDER BY id LIMIT ${ORPHANS.rows})`,
  `DELETE FROM open_calls WHERE id IN (
  SELECT id FROM open_calls WHERE call_table = '${table}' AND id < ?1 ORDER BY id LIMIT ${ORPHANS.rows})`,
];

const CALL_TABLES = ["interceptions", "passthroughs"] as const satisfies readonly CallTable[];

/** The statements that close calls and delete rows. Each has one parameter. */
export const MAINTENANCE_SQL: readonly string[] = [
  ...CALL_TABLES.flatMap((table) => [...closePage(table), ...closeNoted(table)]),
  ...DELETED_TABLES.flatMap((table) => [...(BEFORE_DELETION[table] ?? []), deleteFrom(table)]),
];

/** The statements of each part of a run at most. D1 accepts 1,000 per invocation: https://developers.cloudflare.com/d1/platform/limits/ */
export const MOST_STATEMENTS: Readonly<Record<string, number>> = {
  "closing calls": CALL_TABLES.length * 2 * (ORPHANS.steps + ORPHANS.lateSteps),
  "anomaly scan": SCAN_STATEMENTS,
  "scan of refusals": REFUSAL_SCAN_STATEMENTS,
  "merging counts": MERGE_STATEMENTS,
  "folding totals": 1 + FOLD_STATEMENTS,
  deletion: DELETION_STATEMENTS,
  erasures: ERASURE_STATEMENTS,
};

/**
 * Runs all parts, even when one of them fails.
 * @throws the first failure, after every failure is logged: Cloudflare then shows the cron run as failed.
 */
export async function runMaintenance(deps: LedgerDeps, now: number): Promise<void> {
  const { database, logError } = deps;
  if (!database) return;
  const parts = [
    closeOrphans(database, "interceptions", now, logError),
    closeOrphans(database, "passthroughs", now, logError),
    scanForAnomalies(database, now, logError),
    scanRefusals(database, now, logError),
    mergeCounts(database, now, logError),
    foldOld(database, now),
    deleteExpired(deps, now),
    eraseArchived(deps, now),
  ];
  const failed = (await Promise.allSettled(parts)).filter((part) => part.status === "rejected");
  for (const { reason } of failed) logError({ event: "maintenance_failed", error: errorText(reason) });
  if (failed[0]) throw failed[0].reason;
}

async function mergeCounts(database: D1Database, now: number, logError: LogOperatorEvent): Promise<void> {
  const isUnfinished = await mergeRefusals(database, now);
  if (isUnfinished) logError({ event: "maintenance_unfinished", task: "merging the counts of refusals" });
}

async function closeOrphans(
  database: D1Database,
  table: CallTable,
  now: number,
  logError: LogOperatorEvent,
): Promise<void> {
  const before = firstUuidAt(Math.max(0, now - ORPHANED_AFTER_MS));
  const run = (statements: readonly string[]): Promise<D1Result[]> =>
    database.batch(statements.map((sql) => database.prepare(sql).bind(before)));
  let closed = 0;
  for (let step = 0; step < ORPHANS.steps; step += 1) {
    const [updated, moved] = await run(closePage(table));
    closed += updated?.meta.changes ?? 0;
    if ((moved?.meta.changes ?? 0) === 0) break;
  }
  for (let step = 0; step < ORPHANS.lateSteps; step += 1) {
    const [updated, removed] = await run(closeNoted(table));
    closed += updated?.meta.changes ?? 0;
    if ((removed?.meta.changes ?? 0) === 0) break;
  }
  if (closed > 0) logError({ event: "orphans_closed", [table]: closed });
}

/** Folds what the consumer has left in the journal, and sums up the days that have ended. */
async function foldOld(database: D1Database, now: number): Promise<void> {
  const left = await database.prepare(UNFOLDED_DELTAS).first<{ deltas: number; since: number | null }>();
  const isOld = left?.since != null && left.since < now - FOLD_AFTER_MS;
  if (isOld || (left?.deltas ?? 0) >= FOLD_AT_DELTAS) await foldJournal(database);
  await closeDays(database, now);
}
