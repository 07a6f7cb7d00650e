/**
 * The SQL that turns events into rows: one statement per table and call, however many rows, with one parameter that holds
 * the rows as JSON. A row that exists stays unchanged, or gains the columns that it did not have.
 */
import {
  TABLE_KEYS,
  TABLES,
  type CallColumns,
  type CallTable,
  type Columns,
  type EventTable,
  type Tables,
} from "../tables.ts";
import { PURGED } from "../../rollups/purged.ts";
import { insertRefusalCounts, insertRefusals } from "./refusal-sql.ts";

/**
 * `key`: the columns that identify a row, null for any unique ones; `onConflict`: what happens where it exists.
 *
 * An interception that has been deleted is not stored again: the totals have it already.
 */
function insert(table: string, columns: Columns, key: string | null, onConflict: string): string {
  const names = Object.keys(columns).join(", ");
  const values = Object.values(columns).map(({ field, sql }) => sql ?? `value ->> '${field}'`);
  // Without a WHERE, SQLite would take ON for a join's: https://www.sqlite.org/lang_upsert.html#parsing_ambiguity
  return `INSERT INTO ${table} (${names}) SELECT ${values.join(", ")} FROM json_each(?1) WHERE ${isStored(table)} ON CONFLICT ${key === null ? "" : `(${key}) `}${onConflict}`;
}

const isStored = (table: string): string =>
  table === "interceptions"
    ? `(value ->> 'interception_id' >= ${PURGED} OR EXISTS (SELECT 1 FROM interceptions AS kept WHERE kept.id = value ->> 'interception_id'))`
    : "true";

const update = (columns: Columns): string =>
  `DO UPDATE SET ${Object.keys(columns)
    .map((name) => `${name} = excluded.${name}`)
    .join(", ")}`;

/** Updates only where no start is stored yet. */
function insertStartsInto(table: CallTable, { shared, start }: CallColumns): string {
  const columns = { ...shared, ...start };
  return insert(table, columns, "id", `${update(start)} WHERE ${table}.start_seal IS NULL`);
}

/** The first end is kept; one that comes late replaces the cron's `orphaned`. */
function insertEndsInto(table: CallTable, { shared, end }: CallColumns): string {
  return insert(table, { ...shared, ...end }, "id", `${update(end)} WHERE ${table}.end_seal IS NULL`);
}

/** Calls that are stored with their end: one write. Where a part is stored already, only the other one is updated. */
function insertCallsInto(table: CallTable, { shared, start, end }: CallColumns): string {
  const part = (columns: Columns, seal: string): string[] =>
    Object.keys(columns).map(
      (name) => `${name} = IIF(${table}.${seal} IS NULL, excluded.${name}, ${table}.${name})`,
    );
  const updated = [...part(start, "start_seal"), ...part(end, "end_seal")].join(", ");
  const isPart = `${table}.start_seal IS NULL OR ${table}.end_seal IS NULL`;
  return insert(table, { ...shared, ...start, ...end }, "id", `DO UPDATE SET ${updated} WHERE ${isPart}`);
}

/**
 * The same thing can be read in several requests, each time as another event: the first one is kept. Any of the table's keys
 * tells it: once its name is erased, the event's own id does.
 */
const FIRST_READ: ReadonlySet<EventTable> = new Set(["retrieved_usages", "batch_files"]);

export const insertStarts = (tables: Tables): string =>
  insertStartsInto("interceptions", tables.interceptions);
export const insertEnds = (tables: Tables): string => insertEndsInto("interceptions", tables.interceptions);

export function insertEvents(table: EventTable, { events }: Tables): string {
  if (table === "refusals") return insertRefusals(events[table]);
  if (table === "refusal_counts") return insertRefusalCounts(events[table]);
  const key = FIRST_READ.has(table) ? null : TABLE_KEYS[table].join(", ");
  return insert(table, events[table], key, "DO NOTHING");
}

export const startsInto = (table: CallTable): string => insertStartsInto(table, TABLES[table]);
export const endsInto = (table: CallTable): string => insertEndsInto(table, TABLES[table]);
export const callsInto = (table: CallTable): string => insertCallsInto(table, TABLES[table]);
export const insertInto = (table: EventTable): string => insertEvents(table, TABLES);
