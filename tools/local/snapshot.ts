/** Reads one state of an SQLite file, also while another process writes to it. */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Query, Row } from "../../src/records/ledger/seal/rebuild.ts";
import { sentenceOf, StartFailure } from "./start-failure.ts";

export type Snapshot = { readonly query: Query; readonly close: () => void };

/** @throws StartFailure where the file is not a ledger. */
export function openSnapshot(path: string): Snapshot {
  try {
    const sqlite = new DatabaseSync(path, { readOnly: true, enableForeignKeyConstraints: false });
    // Someone else may have made the file: its schema must not call functions that have effects.
    sqlite.exec("PRAGMA trusted_schema = OFF; PRAGMA query_only = ON; BEGIN");
    if (!hasLog(sqlite)) throw new Error("it has no table seal_state");
    return { query: queryOf(sqlite), close: () => sqlite.close() };
  } catch (error) {
    throw new StartFailure(`${path} is not the database of a ledger: ${sentenceOf(error)}.`, {
      cause: error,
    });
  }
}

/** The first read of a transaction, which decides what all of its reads see. */
const hasLog = (sqlite: DatabaseSync): boolean =>
  sqlite.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'seal_state'").get() !==
  undefined;

export function queryOf(sqlite: DatabaseSync): Query {
  const statements = new Map<string, StatementSync>();
  return async (sql, ...parameters) => {
    const statement = statements.get(sql) ?? sqlite.prepare(sql);
    statements.set(sql, statement);
    try {
      return statement.all(...parameters) as readonly Row[];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_OUT_OF_RANGE") throw error;
      return readLarge(statement, parameters);
    }
  };
}

/** Integers above 2^53 as the Worker reads them, rounded: that is what it sealed. */
function readLarge(statement: StatementSync, parameters: readonly (string | number)[]): Row[] {
  statement.setReadBigInts(true);
  try {
    return statement
      .all(...parameters)
      .map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            typeof value === "bigint" ? Number(value) : value,
          ]),
        ),
      );
  } finally {
    statement.setReadBigInts(false);
  }
}
