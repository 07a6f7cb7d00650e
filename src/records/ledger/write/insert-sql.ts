/**
 * The SQL that turns events into rows: one statement per table and call, whatever the number of rows, with one parameter,
 * the rows as JSON. A row that is there already stays as it is, or takes on what it did not know.
 */
import {
  END_COLUMNS,
  START_COLUMNS,
  EVENT_TABLES,
  TABLE_KEYS,
  SHARED_COLUMNS,
  type Columns,
  type EventTable,
} from "../tables.ts";

/** `key`: by which a row is known again; `onConflict`: what to do then. */
function insert(table: string, columns: Columns<never>, key: string, onConflict: string): string {
  const names = Object.keys(columns).join(", ");
  const values = Object.values(columns).map(([field]) => `value ->> '${field}'`);
  // Without a WHERE, SQLite would take ON for a join's: https://www.sqlite.org/lang_upsert.html#parsing_ambiguity
  return `INSERT INTO ${table} (${names}) SELECT ${values.join(", ")} FROM json_each(?1) WHERE true ON CONFLICT (${key}) ${onConflict}`;
}

const fill = (columns: Columns<never>): string =>
  `DO UPDATE SET ${Object.keys(columns)
    .map((name) => `${name} = excluded.${name}`)
    .join(", ")}`;

/** Only where no start is stored yet: `api_key_id` is on every start and nothing else. */
export const INSERT_STARTS = insert(
  "interceptions",
  { ...SHARED_COLUMNS, ...START_COLUMNS },
  "id",
  `${fill(START_COLUMNS)} WHERE interceptions.api_key_id IS NULL`,
);

/** The first end counts; one that comes late takes the place of the cron's. */
export const INSERT_ENDS = insert(
  "interceptions",
  { ...SHARED_COLUMNS, ...END_COLUMNS },
  "id",
  `${fill(END_COLUMNS)} WHERE interceptions.outcome IS NULL OR interceptions.outcome = 'orphaned'`,
);

export const insertInto = (table: EventTable): string =>
  insert(table, EVENT_TABLES[table], TABLE_KEYS[table].join(", "), "DO NOTHING");
