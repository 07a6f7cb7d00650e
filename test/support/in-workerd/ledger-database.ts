/** The ledger's own database inside workerd, with its migrations applied: the same for all tests of a file. */
import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { inject } from "vitest";
import { TABLE_KEYS, ANOMALY_TABLE_KEYS } from "../../../src/records/ledger/tables.ts";

export const TABLE_NAMES: readonly string[] = Object.keys(TABLE_KEYS);

declare module "vitest" {
  interface ProvidedContext {
    readonly migrations: D1Migration[];
  }
}

export type Row = Readonly<Record<string, unknown>>;
/** Table → its rows, whole, by id. */
export type Rows = Readonly<Record<string, readonly Row[]>>;

let migrated: Promise<void> | undefined;

/** The database with every table empty. */
export async function emptyLedger(): Promise<D1Database> {
  const { LEDGER: database } = env as unknown as { readonly LEDGER: D1Database };
  await (migrated ??= applyD1Migrations(database, inject("migrations")));
  const tables = [...TABLE_NAMES, ...Object.keys(ANOMALY_TABLE_KEYS), "upkeep_cursors"];
  await database.batch(tables.map((table) => database.prepare(`DELETE FROM ${table}`)));
  return database;
}

/** All that is stored, to be compared whole. */
export async function allRows(database: D1Database): Promise<Rows> {
  const results = await database.batch<Row>(
    TABLE_NAMES.map((table) => database.prepare(`SELECT * FROM ${table} ORDER BY id`)),
  );
  return Object.fromEntries(TABLE_NAMES.map((table, at) => [table, results[at]?.results ?? []]));
}

export async function rowsOf(database: D1Database, table: string): Promise<readonly Row[]> {
  return (await allRows(database))[table] ?? [];
}
