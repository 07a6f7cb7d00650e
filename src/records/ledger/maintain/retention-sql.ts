/**
 * The SQL of deletion: the oldest rows of a table before a boundary, except those of a legal hold. Every id begins with its
 * time, so a boundary is the first id of a millisecond.
 */
import type { LedgerTable } from "../../../events/fields.ts";
import { PURGE_JOB, PURGED } from "../../rollups/purged.ts";
import { ANOMALY_TABLE_KEYS, TABLE_KEYS } from "../tables.ts";
import { UNAUTHENTICATED_TABLE } from "../write/unauthenticated.ts";

/** Rows per statement, so that none holds the database for long. */
export const DELETE_ROWS = 700;

const ROLLUP_TABLES = ["rollup_hours", "rollup_days"] as const;
export type AnomalyTable = keyof typeof ANOMALY_TABLE_KEYS;
export type RollupTable = (typeof ROLLUP_TABLES)[number];
export type DeletedTable = LedgerTable | AnomalyTable | RollupTable | typeof UNAUTHENTICATED_TABLE;

/** Whether a hold names the initiator, the actor or the session of a row. `session`: the column; null where there is none. */
const isHeldBy = (alias: string, session: string | null): string =>
  `hold.principal_id IN (${alias}.initiator_id, ${alias}.actor_id)${session === null ? "" : ` OR hold.session_id = ${alias}.${session}`}`;

/** The condition of a row that a hold keeps. `row`: the table's alias. */
function heldSql(table: LedgerTable): string | null {
  const [first] = TABLE_KEYS[table];
  switch (table) {
    case "interceptions":
      return isHeldBy("row", "session_id");
    case "passthroughs":
    case "initiator_overrides":
      return isHeldBy("row", "client_session_id");
    case "refusals":
    case "budget_events":
      return isHeldBy("row", null);
    case "refusal_counts":
    case "ledger_accesses":
      return null;
    case "retrieved_usages":
    case "batch_files":
      return "hold.principal_id = row.initiator_id";
    case "cost_corrections":
      return `${isOfHeld(first)} OR EXISTS (SELECT 1 FROM retrieved_usages AS held WHERE held.${first} = row.${first} AND hold.principal_id = held.initiator_id)`;
    case "upstream_attempts":
      return `${isOfHeld(first)} OR EXISTS (SELECT 1 FROM passthroughs AS held WHERE held.id = row.${first} AND (${isHeldBy("held", "client_session_id")}))`;
    default:
      return isOfHeld(first);
  }
}

/** Whether a hold names the interception of a row. */
const isOfHeld = (column: string): string =>
  `EXISTS (SELECT 1 FROM interceptions AS held WHERE held.id = row.${column} AND (${isHeldBy("held", "session_id")}))`;

/** The last deletion of each table, and the erasures, explain what a verification finds gone: their records stay. */
const EXPLAINS_NOTHING = `row.action <> 'erase' AND NOT (row.action = 'purge' AND row.id = (
    SELECT MAX(last.id) FROM ledger_accesses AS last WHERE last.action = 'purge' AND last.target = row.target))`;

/** Parameter: the boundary. For the tables of anomalies and totals it is a time's prefix, as their first column. */
export function deleteFrom(table: DeletedTable): string {
  if (table === "rollup_hours" || table === "rollup_days") return deleteFromRollup(table);
  const isLedger = table in TABLE_KEYS;
  const key = isLedger
    ? [TABLE_KEYS[table as LedgerTable][0]]
    : keyOf(table as Exclude<DeletedTable, LedgerTable | RollupTable>);
  const columns = key.join(", ");
  const [time = ""] = key;
  const held = isLedger ? heldSql(table as LedgerTable) : null;
  const isFree =
    table === "ledger_accesses"
      ? ` AND ${EXPLAINS_NOTHING}`
      : held === null
        ? ""
        : ` AND NOT EXISTS (SELECT 1 FROM legal_holds AS hold WHERE ${held})`;
  return `DELETE FROM ${table} WHERE (${columns}) IN (
  SELECT ${key.map((name) => `row.${name}`).join(", ")} FROM ${table} AS row WHERE row.${time} < ?1${isFree} ORDER BY ${key.map((name) => `row.${name}`).join(", ")} LIMIT ${DELETE_ROWS})`;
}

const keyOf = (table: Exclude<DeletedTable, LedgerTable | RollupTable>): readonly string[] => {
  if (table === UNAUTHENTICATED_TABLE) return ["id"];
  return ANOMALY_TABLE_KEYS[table];
};

/** The oldest rows that the next statement of `deleteFrom` deletes. Parameter: the boundary. */
const DELETED = (table: "interceptions" | "initiator_overrides"): string => `
  SELECT row.* FROM ${table} AS row WHERE row.id < ?1
    AND NOT EXISTS (SELECT 1 FROM legal_holds AS hold WHERE ${heldSql(table) ?? "0"}) ORDER BY row.id LIMIT ${DELETE_ROWS}`;

const stays = (alias: string, session: string): string =>
  `(${alias}.id >= ?1 OR EXISTS (SELECT 1 FROM legal_holds AS hold WHERE ${isHeldBy(alias, session)}))`;

/** Whether an interception, or an owner assertion, of a noted span of an actor stays. */
const ACTOR_STAYS = `EXISTS (
    SELECT 1 FROM interceptions AS other INDEXED BY interceptions_by_initiator
    WHERE other.initiator_id = noted.initiator_id AND other.span = noted.span AND other.actor_id = noted.actor_id
      AND ${stays("other", "session_id")})
  OR EXISTS (
    SELECT 1 FROM initiator_overrides AS other WHERE other.id >= noted.span AND other.id < noted.span || 'g'
      AND other.actor_id = noted.actor_id AND IIF(other.accepted = 1, other.initiator_id, '') = noted.initiator_id
      AND ${stays("other", "client_session_id")})`;

const deleteActorSpans = (
  actor: string,
): string => `DELETE FROM actor_spans WHERE (actor_id, span, initiator_id) IN (
  SELECT noted.actor_id, noted.span, noted.initiator_id FROM (${actor}) AS noted WHERE NOT (${ACTOR_STAYS}))`;

/**
 * Statements before each step that deletes rows of a table: they delete the spans that those rows are the last ones of.
 * Parameter: the boundary.
 */
export const BEFORE_DELETION: Readonly<Partial<Record<DeletedTable, readonly string[]>>> = {
  interceptions: [
    `DELETE FROM session_spans WHERE (session_id, link_key, span) IN (
  SELECT noted.session_id, noted.link_key, noted.span FROM (
    SELECT DISTINCT session_id, link_key, initiator_id, actor_id, attribution, span FROM (${DELETED("interceptions")})) AS noted
  WHERE NOT EXISTS (
    SELECT 1 FROM interceptions AS other INDEXED BY interceptions_by_initiator
    WHERE other.initiator_id = noted.initiator_id AND other.span = noted.span AND other.session_id = noted.session_id
      AND other.actor_id = noted.actor_id AND other.attribution = noted.attribution
      AND other.link_key = noted.link_key AND ${stays("other", "session_id")}))`,
    deleteActorSpans(`SELECT DISTINCT actor_id, span, initiator_id FROM (${DELETED("interceptions")})`),
  ],
  initiator_overrides: [
    deleteActorSpans(
      `SELECT DISTINCT actor_id, SUBSTR(id, 1, 7) AS span, IIF(accepted = 1, initiator_id, '') AS initiator_id FROM (${DELETED("initiator_overrides")})`,
    ),
  ],
};

/** The time is the second column here: the rows of each dimension are a range of the key. */
function deleteFromRollup(table: RollupTable): string {
  const period = table === "rollup_hours" ? "hour" : "day";
  return `DELETE FROM ${table} WHERE (dimension, ${period}) IN (
  SELECT row.dimension, row.${period} FROM rollup_dimensions AS d CROSS JOIN ${table} AS row
    ON row.dimension = d.id AND row.${period} < ?1 LIMIT ${DELETE_ROWS})`;
}

/** Of the statement before it in the transaction. Parameters: the table, the reason, the boundary in milliseconds since 1970. */
export const NOTE_DELETION = `INSERT INTO noted_deletions (deleted_table, reason, before, rows)
SELECT ?1, ?2, ?3, changes() WHERE changes() > 0
ON CONFLICT (deleted_table, reason) DO UPDATE SET rows = rows + excluded.rows, before = MAX(before, excluded.before)`;
export type NotedDeletion = {
  readonly deleted_table: DeletedTable;
  readonly reason: "age" | "size";
  readonly before: number;
  readonly rows: number;
};
export const NOTED_DELETIONS = "SELECT deleted_table, reason, before, rows FROM noted_deletions";
/** Parameter: the noted deletions that are recorded, as JSON. Another run may have added rows meanwhile. */
export const FORGET_DELETIONS: readonly string[] = [
  `UPDATE noted_deletions SET rows = noted_deletions.rows - (recorded.value ->> 'rows') FROM json_each(?1) AS recorded
WHERE deleted_table = recorded.value ->> 'deleted_table' AND reason = recorded.value ->> 'reason'`,
  "DELETE FROM noted_deletions WHERE rows <= 0 AND ?1 IS NOT NULL",
];

/** Moves the boundary of the interceptions, before any of them is deleted. Parameter: the boundary. */
export const MOVE_BOUNDARY = `INSERT INTO upkeep_cursors (job, cursor) VALUES ('${PURGE_JOB}', ?1)
ON CONFLICT (job) DO UPDATE SET cursor = MAX(cursor, excluded.cursor)`;

/** Rows of the largest tables that a step by size deletes. */
export const SIZE_STEP_ROWS = 2000;

/** The id below which the oldest rows of one table are so many; the lowest of three tables. */
export const SIZE_BOUNDARY = `SELECT MIN(id) AS id FROM (
  SELECT (SELECT id FROM interceptions WHERE id >= ${PURGED} ORDER BY id LIMIT 1 OFFSET ${SIZE_STEP_ROWS}) AS id
  UNION ALL SELECT (SELECT id FROM passthroughs WHERE id >= ${PURGED} ORDER BY id LIMIT 1 OFFSET ${SIZE_STEP_ROWS})
  UNION ALL SELECT (SELECT id FROM refusals WHERE id >= ${PURGED} ORDER BY id LIMIT 1 OFFSET ${SIZE_STEP_ROWS}))`;
