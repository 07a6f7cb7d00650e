/** A D1 database over Node's own SQLite: for tools and tests in Node that run the ledger's code on a file or in memory. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { ROOT } from "../../tools/root.ts";

type Values = readonly SQLInputValue[];

/** With all migrations applied; a file that has tables already stays as it is. */
export const sqliteD1 = (path = ":memory:"): D1Database => openSqliteD1(path).database;

/** With SQLite's own connection, for what D1 does not offer. */
export function openSqliteD1(path = ":memory:"): {
  readonly database: D1Database;
  readonly sqlite: DatabaseSync;
} {
  const sqlite = new DatabaseSync(path);
  const isNew = sqlite.prepare("SELECT 1 FROM sqlite_schema").get() === undefined;
  for (const file of isNew ? readdirSync(join(ROOT, "migrations")).toSorted() : [])
    sqlite.exec(readFileSync(join(ROOT, "migrations", file), "utf8"));
  return { database: d1Over(sqlite), sqlite };
}

/** Over an open connection. */
export function d1Over(sqlite: DatabaseSync): D1Database {
  const run = (sql: string, values: Values) => {
    const statement = sqlite.prepare(sql);
    const isRead = /^\s*(?:SELECT|WITH(?![\s\S]*\b(?:INSERT|UPDATE|DELETE)\b)|PRAGMA)/i.test(sql);
    if (isRead) return { results: statement.all(...values), meta: { changes: 0 } };
    return { results: [], meta: { changes: Number(statement.run(...values).changes) } };
  };
  const prepare = (sql: string, values: Values = []): object => ({
    sql,
    values,
    bind: (...bound: SQLInputValue[]) => prepare(sql, bound),
    all: async () => run(sql, values),
    run: async () => run(sql, values),
    first: async (column?: string) => {
      const [row = null] = run(sql, values).results;
      return column === undefined ? row : (row?.[column] ?? null);
    },
  });
  const batch = async (statements: readonly { readonly sql: string; readonly values: Values }[]) => {
    sqlite.exec("BEGIN");
    try {
      const results = statements.map(({ sql, values }) => run(sql, values));
      sqlite.exec("COMMIT");
      return results;
    } catch (error) {
      sqlite.exec("ROLLBACK");
      throw error;
    }
  };
  return { prepare, batch } as unknown as D1Database;
}
