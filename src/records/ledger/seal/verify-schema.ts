/** Compares the database's schema with that of the migrations: a trigger or a view can falsify what is stored or read. */
import type { AddFinding } from "./finding.ts";
import type { Query } from "./rebuild.ts";

/** A row of `sqlite_schema` (https://www.sqlite.org/schematab.html). */
export type SchemaObject = { readonly type: string; readonly name: string; readonly sql: string };

/** Without SQLite's own objects, and those of D1. */
export const SCHEMA_SQL = `SELECT type, name, sql FROM sqlite_schema
WHERE sql IS NOT NULL AND NOT (type = 'table' AND (name GLOB 'sqlite_*' OR name GLOB '_cf_*' OR name = 'd1_migrations'))`;

/** SQLite keeps the text of the statement; its blanks, quotes and case mean nothing here. */
const normalized = (sql: string): string => sql.toLowerCase().replaceAll(/["`\s]|if not exists/g, "");

export async function passSchema(
  query: Query,
  expected: readonly SchemaObject[],
  add: AddFinding,
): Promise<void> {
  const keyOf = ({ type, name }: Pick<SchemaObject, "type" | "name">): string => `${type} ${name}`;
  const wanted = new Map(expected.map((one) => [keyOf(one), normalized(one.sql)]));
  for (const row of await query(SCHEMA_SQL)) {
    const key = keyOf({ type: String(row["type"]), name: String(row["name"]) });
    const sql = wanted.get(key);
    wanted.delete(key);
    if (sql === undefined) add("schema_altered", { detail: `${key} is not of the migrations` });
    else if (sql !== normalized(String(row["sql"]))) add("schema_altered", { detail: key });
  }
  for (const key of wanted.keys()) add("schema_altered", { detail: `${key} is missing` });
}
