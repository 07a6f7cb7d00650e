/** The ledger's D1 database inside workerd, with its migrations applied. All tests of a file share it. */
import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { inject } from "vitest";
import { UNAUTHENTICATED_TABLE } from "../../../src/records/ledger/write/unauthenticated.ts";
import { TABLE_KEYS, ANOMALY_TABLE_KEYS } from "../../../src/records/ledger/tables.ts";

/** The token counts of a usage record. */
export const TOKEN_COLUMNS = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_write_input_tokens",
] as const;

export const DERIVED_TABLES = [
  "upkeep_cursors",
  "open_calls",
  "legal_holds",
  "noted_deletions",
  "session_spans",
  "actor_spans",
  "journal",
  "rollup_dimensions",
  "rollup_hours",
  "rollup_days",
  "seal_tiles",
  "seal_entries",
  "seal_checkpoints",
  "erasures",
];

/** Beside the ledger: nothing seals or exports them. */
export const CONSOLE_TABLES = ["console_sessions", "console_attempts"];

export const TABLE_NAMES: readonly string[] = Object.keys(TABLE_KEYS);

declare module "vitest" {
  interface ProvidedContext {
    readonly migrations: D1Migration[];
  }
}

export type Row = Readonly<Record<string, unknown>>;
/** Table → its complete rows, sorted by id. */
export type Rows = Readonly<Record<string, readonly Row[]>>;

let migrated: Promise<void> | undefined;

/** The database with every table empty, and without statistics for the query planner. */
export async function emptyLedger(): Promise<D1Database> {
  const { LEDGER: database } = env as unknown as { readonly LEDGER: D1Database };
  await (migrated ??= applyD1Migrations(database, inject("migrations")));
  const tables = [
    ...TABLE_NAMES,
    ...Object.keys(ANOMALY_TABLE_KEYS),
    ...DERIVED_TABLES,
    UNAUTHENTICATED_TABLE,
    ...CONSOLE_TABLES,
  ];
  await database.batch(tables.map((table) => database.prepare(`DELETE FROM ${table}`)));
  await dropStatistics(database);
  return database;
}

async function hasTable(database: D1Database, name: string): Promise<boolean> {
  const { results } = await database.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1").bind(name).all();
  return results.length > 0;
}

/**
 * Collects statistics for SQLite's query planner (`sqlite_stat1`). The Worker never does, but an operator may: Cloudflare
 * recommends `PRAGMA optimize`, which runs ANALYZE, after an index is created:
 * https://developers.cloudflare.com/d1/best-practices/use-indexes/#run-pragma-optimize
 */
export async function collectStatistics(database: D1Database): Promise<void> {
  await database.prepare("ANALYZE").run();
}

/**
 * Removes those statistics. Dropping the table alone has no effect: the open connection keeps them with its copy of the
 * schema. ALTER TABLE makes it read the schema again. The second ANALYZE collects nothing, but it expires prepared
 * statements: the runtime caches EXPLAIN statements, which SQLite does not prepare again by itself.
 */
export async function dropStatistics(database: D1Database): Promise<void> {
  if (!(await hasTable(database, "sqlite_stat1"))) return;
  const statements = [
    "DROP TABLE sqlite_stat1",
    "CREATE TABLE schema_reload (id INTEGER)",
    "ALTER TABLE schema_reload RENAME TO schema_reloaded",
    "DROP TABLE schema_reloaded",
    "ANALYZE sqlite_schema",
    "DROP TABLE sqlite_stat1",
  ];
  await database.batch(statements.map((statement) => database.prepare(statement)));
}

/** The columns that differ each time the same event is stored. */
const SEALS: ReadonlySet<string> = new Set(["seal", "start_seal", "end_seal"]);
/** Generated from other columns of the row (migration 0009). */
const GENERATED: ReadonlySet<string> = new Set(["usage_state"]);

const stored = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).filter(
      ([name, value]) => !GENERATED.has(name) && (value === null || !SEALS.has(name)),
    ),
  );

/** All rows of the tables that events fill, without the seals that are set and without generated sums. */
export async function allRows(database: D1Database): Promise<Rows> {
  const results = await database.batch<Row>(
    TABLE_NAMES.map((table) => database.prepare(`SELECT * FROM ${table} ORDER BY id`)),
  );
  return Object.fromEntries(
    TABLE_NAMES.map((table, at) => [table, (results[at]?.results ?? []).map(stored)]),
  );
}

export async function rowsOf(database: D1Database, table: string): Promise<readonly Row[]> {
  return (await allRows(database))[table] ?? [];
}
