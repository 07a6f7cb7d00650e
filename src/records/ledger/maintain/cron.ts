/**
 * The cron's work: closes what never ended, watches for lies, forgets what is too old. In bounded steps, so that no statement holds the
 * database for long; what one run does not reach the next does.
 */
import { uuidV7 } from "../../../shared/uuid.ts";
import { errorText } from "../error-text.ts";
import type { LedgerDeps } from "../ledger.ts";
import { TABLE_KEYS, ANOMALY_TABLE_KEYS } from "../tables.ts";
import { scanForAnomalies } from "./anomaly-scan.ts";

/** Longer than any stream, and than a queue is behind on most days. An end that comes later still takes its place. */
export const ORPHANED_AFTER_MS = 6 * 3_600_000;
const DAY_MS = 86_400_000;

const ORPHANS = { rows: 1000, steps: 20 };
/** Together, and with those of `watch.ts`, under the 1,000 statements of one invocation: https://developers.cloudflare.com/d1/platform/limits/ */
const DELETE_STEPS = { rows: 500, steps: 600 };

/** What it used is unknown, and when it ended is not said. */
const CLOSE = `UPDATE interceptions SET outcome = 'orphaned', usage = 'unknown' WHERE id IN (
  SELECT id FROM interceptions WHERE outcome IS NULL AND started_at < ?1 ORDER BY started_at LIMIT ${ORPHANS.rows}
)`;

/** One statement for each table: the oldest rows before an id. */
export const DELETE_EXPIRED: readonly string[] = [
  ...Object.entries(TABLE_KEYS).map(([table, [key]]) => deleteExpiredFrom(table, [key])),
  ...Object.entries(ANOMALY_TABLE_KEYS).map(([table, key]) => deleteExpiredFrom(table, key)),
];

function deleteExpiredFrom(table: string, key: readonly string[]): string {
  const [columns, first = ""] = [key.join(", "), ...key];
  return `DELETE FROM ${table} WHERE (${columns}) IN (SELECT ${columns} FROM ${table} WHERE ${first} < ?1 ORDER BY ${columns} LIMIT ${DELETE_STEPS.rows})`;
}

/** All parts are tried; rejects, having complained, where one failed: the cron's run is then seen as failed. */
export async function runMaintenance(places: LedgerDeps, now: number): Promise<void> {
  const { database, logError } = places;
  if (!database) return;
  const parts = [
    closeOrphans(database, now, logError),
    scanForAnomalies(database, now, logError),
    deleteExpired(database, places.retentionDays, now, logError),
  ];
  const failed = (await Promise.allSettled(parts)).filter((part) => part.status === "rejected");
  for (const { reason } of failed) logError(`ledger: upkeep failed: ${errorText(reason)}`);
  if (failed[0]) throw failed[0].reason;
}

async function closeOrphans(
  database: D1Database,
  now: number,
  logError: (line: string) => void,
): Promise<void> {
  const before = new Date(now - ORPHANED_AFTER_MS).toISOString();
  let closed = 0;
  for (let step = 0; step < ORPHANS.steps; step += 1) {
    const changed = await changes(database, CLOSE, before);
    closed += changed;
    if (changed < ORPHANS.rows) break;
  }
  if (closed > 0) logError(`ledger: ${closed} interceptions without an end closed as orphaned`);
}

/** What hangs on interceptions first: where the steps do not reach, no row is left behind without its interception. */
async function deleteExpired(
  database: D1Database,
  days: number,
  now: number,
  logError: (line: string) => void,
): Promise<void> {
  if (days === 0) return;
  // Every id begins with its time: the least of that moment is above all that are older.
  const from = uuidV7(Math.max(0, now - days * DAY_MS), "00000000-0000-4000-8000-000000000000");
  let steps = DELETE_STEPS.steps;
  for (const sql of DELETE_EXPIRED) {
    for (let full = true; full && steps > 0; steps -= 1) {
      // More, where the last interception's rows go beyond the step.
      full = (await changes(database, sql, from)) >= DELETE_STEPS.rows;
    }
  }
  if (steps === 0) logError("ledger: forgot as much as one run may; what is left is for the next");
}

async function changes(database: D1Database, sql: string, parameter: string): Promise<number> {
  const { meta } = await database.prepare(sql).bind(parameter).run();
  return meta.changes;
}
