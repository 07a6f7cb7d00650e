/**
 * The cron's work: closes what never ended, watches for lies, forgets what is too old. In bounded steps, so that no statement holds the
 * database for long; what one run does not reach the next does.
 */
import { uuidV7 } from "../../../shared/uuid.ts";
import { failureText } from "../error-text.ts";
import type { LedgerPlaces } from "../ledger.ts";
import { KEYS, WATCH_KEYS } from "../tables.ts";
import { watch } from "./anomaly-scan.ts";

/** Longer than any stream, and than a queue is behind on most days. An end that comes later still takes its place. */
export const ORPHANED_AFTER_MS = 6 * 3_600_000;
const DAY_MS = 86_400_000;

const ORPHANS = { rows: 1000, steps: 20 };
/** Together, and with those of `watch.ts`, under the 1,000 statements of one invocation: https://developers.cloudflare.com/d1/platform/limits/ */
const FORGOTTEN = { rows: 500, steps: 600 };

/** What it used is unknown, and when it ended is not said. */
const CLOSE = `UPDATE interceptions SET outcome = 'orphaned', usage = 'unknown' WHERE id IN (
  SELECT id FROM interceptions WHERE outcome IS NULL AND started_at < ?1 ORDER BY started_at LIMIT ${ORPHANS.rows}
)`;

/** One statement for each table: the oldest rows before an id. */
export const FORGET: readonly string[] = [
  ...Object.entries(KEYS).map(([table, [key]]) => forgetFrom(table, [key])),
  ...Object.entries(WATCH_KEYS).map(([table, key]) => forgetFrom(table, key)),
];

function forgetFrom(table: string, key: readonly string[]): string {
  const [columns, first = ""] = [key.join(", "), ...key];
  return `DELETE FROM ${table} WHERE (${columns}) IN (SELECT ${columns} FROM ${table} WHERE ${first} < ?1 ORDER BY ${columns} LIMIT ${FORGOTTEN.rows})`;
}

/** All parts are tried; rejects, having complained, where one failed: the cron's run is then seen as failed. */
export async function keepUp(places: LedgerPlaces, now: number): Promise<void> {
  const { database, complain } = places;
  if (!database) return;
  const parts = [
    closeOrphans(database, now, complain),
    watch(database, now, complain),
    forget(database, places.retentionDays, now, complain),
  ];
  const failed = (await Promise.allSettled(parts)).filter((part) => part.status === "rejected");
  for (const { reason } of failed) complain(`ledger: upkeep failed: ${failureText(reason)}`);
  if (failed[0]) throw failed[0].reason;
}

async function closeOrphans(
  database: D1Database,
  now: number,
  complain: (line: string) => void,
): Promise<void> {
  const before = new Date(now - ORPHANED_AFTER_MS).toISOString();
  let closed = 0;
  for (let step = 0; step < ORPHANS.steps; step += 1) {
    const changed = await changes(database, CLOSE, before);
    closed += changed;
    if (changed < ORPHANS.rows) break;
  }
  if (closed > 0) complain(`ledger: ${closed} interceptions without an end closed as orphaned`);
}

/** What hangs on interceptions first: where the steps do not reach, no row is left behind without its interception. */
async function forget(
  database: D1Database,
  days: number,
  now: number,
  complain: (line: string) => void,
): Promise<void> {
  if (days === 0) return;
  // Every id begins with its time: the least of that moment is above all that are older.
  const from = uuidV7(Math.max(0, now - days * DAY_MS), "00000000-0000-4000-8000-000000000000");
  let steps = FORGOTTEN.steps;
  for (const sql of FORGET) {
    for (let full = true; full && steps > 0; steps -= 1) {
      // More, where the last interception's rows go beyond the step.
      full = (await changes(database, sql, from)) >= FORGOTTEN.rows;
    }
  }
  if (steps === 0) complain("ledger: forgot as much as one run may; what is left is for the next");
}

async function changes(database: D1Database, sql: string, parameter: string): Promise<number> {
  const { meta } = await database.prepare(sql).bind(parameter).run();
  return meta.changes;
}
