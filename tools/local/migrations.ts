/** A database as the migrations make it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SCHEMA_SQL, type SchemaObject } from "../../src/records/ledger/seal/verify-schema.ts";
import { ROOT } from "../root.ts";

const FOLDER = join(ROOT, "migrations");

export function applyMigrations(database: DatabaseSync): void {
  for (const file of readdirSync(FOLDER).toSorted())
    if (file.endsWith(".sql")) database.exec(readFileSync(join(FOLDER, file), "utf8"));
}

/** The schema of a database with all migrations, and nothing else. */
export function expectedSchema(): readonly SchemaObject[] {
  const database = new DatabaseSync(":memory:");
  applyMigrations(database);
  const rows = database.prepare(SCHEMA_SQL).all();
  database.close();
  return rows.map(({ type, name, sql }) => ({ type: String(type), name: String(name), sql: String(sql) }));
}
