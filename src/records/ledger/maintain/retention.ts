/**
 * Deletes old rows: by age, each table with its own period, and by size, so that the database never fills. A legal hold keeps
 * rows; totals stay. Each run records what it deleted as an event.
 */
import type { LedgerAccess } from "../../../events/event.ts";
import type { LedgerTable } from "../../../events/fields.ts";
import { toEventLine } from "../../../events/log-line.ts";
import { firstUuidAt, uuidTime, uuidV7 } from "../../../shared/uuid.ts";
import type { LedgerDeps } from "../ledger.ts";
import { ANOMALY_TABLE_KEYS, TABLE_KEYS } from "../tables.ts";
import { storeEvents } from "../write/store.ts";
import { UNAUTHENTICATED_TABLE } from "../write/unauthenticated.ts";
import { DAY_MS } from "./aggregate.ts";
import {
  BEFORE_DELETION,
  deleteFrom,
  DELETE_ROWS,
  FORGET_DELETIONS,
  MOVE_BOUNDARY,
  NOTE_DELETION,
  NOTED_DELETIONS,
  SIZE_BOUNDARY,
  type AnomalyTable,
  type DeletedTable,
  type NotedDeletion,
} from "./retention-sql.ts";

/** Days after which rows are deleted; 0: never. Rows that belong to an interception never outlive it. */
export type RetentionDays = Readonly<Record<RetentionGroup, number>>;

export type Retention = {
  readonly days: RetentionDays;
  /** The database's size in bytes above which the oldest rows are deleted, regardless of their age; 0: no bound. */
  readonly maxBytes: number;
};

/** The tables of each period, dependent tables first, and what the period is for. */
export const RETENTION_GROUPS = {
  prompts: ["user_prompts"],
  thoughts: ["model_thoughts"],
  tools: ["tool_usages"],
  overrides: ["initiator_overrides"],
  passthroughs: ["retrieved_usages", "batch_files", "passthroughs"],
  refusals: ["refusals", "refusal_counts"],
  interceptions: ["token_usages", "cost_corrections", "upstream_attempts", "interceptions"],
  anomalies: Object.keys(ANOMALY_TABLE_KEYS) as AnomalyTable[],
  budgets: ["budget_events"],
  accesses: ["ledger_accesses"],
  totals: ["rollup_hours", "rollup_days"],
  unauthenticated: [UNAUTHENTICATED_TABLE],
} as const satisfies Readonly<Record<string, readonly DeletedTable[]>>;
export type RetentionGroup = keyof typeof RETENTION_GROUPS;

/** The tables of an interception: those that a deletion by size empties along with it. */
const BY_SIZE: readonly LedgerTable[] = (Object.keys(TABLE_KEYS) as LedgerTable[]).filter(
  (table) => table !== "ledger_accesses",
);

/** Statements after which nothing more is deleted. */
const MAX_STATEMENTS = 340;
/**
 * The statements of a run at most: the last step has two more, two may follow that move the boundary, and those that store
 * the events.
 */
export const DELETION_STATEMENTS = MAX_STATEMENTS + 4 + 2 + 8;

type Reason = "age" | "size";
/** `before`: milliseconds since 1970. */
type Deletion = { readonly table: DeletedTable; readonly reason: Reason; readonly before: number };

/** The statements that a run has left, and the size of the database after the last one. */
type Run = { readonly database: D1Database; left: number; size: number };

export async function deleteExpired(
  { database, retention, logError, print }: Pick<LedgerDeps, "database" | "retention" | "logError" | "print">,
  now: number,
  randomUuid: () => string = () => crypto.randomUUID(),
): Promise<void> {
  if (!database) return;
  const run: Run = { database, left: MAX_STATEMENTS, size: 0 };
  try {
    await deleteByAge(run, retention.days, now);
    if (retention.maxBytes > 0) await deleteBySize(run, retention.maxBytes, now);
  } finally {
    await recordDeletions(database, now, { randomUuid, print });
  }
  if (run.left <= 0) logError({ event: "maintenance_unfinished", task: "deletion of expired rows" });
}

async function deleteByAge(run: Run, days: RetentionDays, now: number): Promise<void> {
  const boundaryOf = (group: RetentionGroup): number => Math.max(0, now - days[group] * DAY_MS);
  if (days.interceptions > 0) await moveBoundary(run, boundaryOf("interceptions"));
  for (const group of Object.keys(RETENTION_GROUPS) as RetentionGroup[]) {
    if (days[group] === 0) continue;
    for (const table of RETENTION_GROUPS[group])
      await deleteBefore(run, { table, reason: "age", before: boundaryOf(group) });
  }
}

/** Deletes all events without a valid MAC, then a step at a time until the database is small enough. */
async function deleteBySize(run: Run, maxBytes: number, now: number): Promise<void> {
  await query(run, "SELECT 1");
  // Anyone who can write to the queue can fill this table: it must not displace a row of the ledger.
  if (run.size > maxBytes)
    await deleteBefore(run, { table: UNAUTHENTICATED_TABLE, reason: "size", before: now + 1 });
  while (run.size > maxBytes && run.left > 0) {
    const { results } = await query<{ id: string | null }>(run, SIZE_BOUNDARY);
    const id = results[0]?.id ?? null;
    // Only the newest rows of each table are left, and the totals.
    if (id === null) return;
    const before = uuidTime(id);
    await moveBoundary(run, before);
    let rows = 0;
    // Dependent tables first, as in `TABLE_KEYS`.
    for (const table of BY_SIZE) rows += await deleteBefore(run, { table, reason: "size", before });
    // All rows before the boundary are held, or are of one millisecond.
    if (rows === 0) await moveBoundary(run, before + 1);
  }
}

/** The first of a time's texts, in the form of the table's first column. */
function boundaryText(table: DeletedTable, before: number): string {
  if (table === "rollup_hours") return new Date(before).toISOString().slice(0, 13);
  if (table === "rollup_days") return new Date(before).toISOString().slice(0, 10);
  return firstUuidAt(before);
}

async function moveBoundary(run: Run, before: number): Promise<void> {
  await query(run, MOVE_BOUNDARY, firstUuidAt(before));
}

/** @returns the number of deleted rows. */
async function deleteBefore(run: Run, { table, reason, before }: Deletion): Promise<number> {
  let rows = 0;
  for (let full = true; full && run.left > 0;) {
    const boundary = boundaryText(table, before);
    for (const sql of BEFORE_DELETION[table] ?? []) await query(run, sql, boundary);
    const changes = await deleteStep(run, { table, reason, before }, boundary);
    rows += changes;
    // A step may delete more rows than its limit: it deletes all rows of its last interception.
    full = changes >= DELETE_ROWS;
  }
  return rows;
}

/** Notes the deletion in its transaction: a run that is ended before it records it leaves that to the next one. */
async function deleteStep(run: Run, { table, reason, before }: Deletion, boundary: string): Promise<number> {
  run.left -= 2;
  const [deleted] = await run.database.batch([
    run.database.prepare(deleteFrom(table)).bind(boundary),
    run.database.prepare(NOTE_DELETION).bind(table, reason, before),
  ]);
  run.size = deleted?.meta.size_after ?? run.size;
  return deleted?.meta.changes ?? 0;
}

async function query<Row>(run: Run, sql: string, ...values: readonly string[]): Promise<D1Result<Row>> {
  run.left -= 1;
  const result = await run.database
    .prepare(sql)
    .bind(...values)
    .run<Row>();
  run.size = result.meta.size_after;
  return result;
}

/** One event per table and reason. A run that is ended in between leaves its deletions to be recorded again: more rows than were
 * deleted, never fewer. */
async function recordDeletions(
  database: D1Database,
  now: number,
  { randomUuid, print }: { readonly randomUuid: () => string; readonly print: (line: string) => void },
): Promise<void> {
  const { results } = await database.prepare(NOTED_DELETIONS).all<NotedDeletion>();
  const entries = results.map(({ deleted_table: table, reason, rows, before }) => {
    const event: LedgerAccess = {
      record_type: "ledger_access",
      interception_id: uuidV7(now, randomUuid()),
      action: "purge",
      by: "cron",
      target: table,
      parameters: {},
      rows,
      before: new Date(before).toISOString(),
      cause: reason,
      created_at: new Date(now).toISOString(),
    };
    return { event, via: "m" as const, macKeyId: null, storedAt: now };
  });
  // Into the log as well, where it outlives the database.
  for (const { event } of entries) print(toEventLine(event));
  await storeEvents(database, entries);
  if (results.length === 0) return;
  const recorded = JSON.stringify(results);
  await database.batch(FORGET_DELETIONS.map((sql) => database.prepare(sql).bind(recorded)));
}
