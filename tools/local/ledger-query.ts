/**
 * Reads the ledger: a local database through Node's own SQLite, in one transaction, and a deployed one through wrangler. Each
 * call of wrangler takes about two seconds, so a reader queries many rows at once.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import type { Query, Row } from "../../src/records/ledger/seal/rebuild.ts";
import { ROOT } from "../root.ts";
import { queryLedger, type LedgerPlace } from "./ledger-sql.ts";
import { StartFailure } from "./start-failure.ts";
import { currentStateFolder } from "./state.ts";

export type LedgerReader = { readonly query: Query; readonly close: () => void };

/** The ledger of a place, or the database in a file. @throws StartFailure where there is none. */
export function openLedger(place: LedgerPlace, file: string | null): LedgerReader {
  if (file === null && place.remote) return { query: wranglerQuery(place), close: () => undefined };
  return openFile(file ?? localFile(place));
}

/** Nothing is written, and the rows are those of one moment. */
export function openFile(path: string): LedgerReader {
  if (!existsSync(path)) throw new StartFailure(`There is no database ${path}.`);
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.exec("BEGIN");
    if (!hasLog(database))
      throw new StartFailure(`${path} is not a ledger, or of an earlier version: seal_state is missing.`);
  } catch (error) {
    database.close();
    throw error;
  }
  const query: Query = async (sql, ...parameters) => {
    const statement = database.prepare(sql);
    // Else an integer above 2^53, which only an edited row has, would end the reading.
    statement.setReadBigInts(true);
    return statement.all(...parameters).map(toRow);
  };
  return { query, close: () => database.close() };
}

const hasLog = (database: DatabaseSync): boolean =>
  database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'seal_state'").get() !== undefined;

/** Numbers as D1 returns them. */
const toRow = (row: Record<string, SQLOutputValue>): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === "bigint" ? Number(value) : value]),
  );

/** The file in which `npm start`, or wrangler with an environment, keeps the ledger. */
function localFile({ environment, persistTo }: LedgerPlace): string {
  const shared = environment === null ? currentStateFolder() : join(ROOT, ".wrangler", "state");
  const folder = join(persistTo ?? shared, "v3", "d1", "miniflare-D1DatabaseObject");
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".sqlite")) : [];
  const ledgers = files.map((name) => join(folder, name)).filter(isLedger);
  const [ledger] = ledgers;
  if (ledger === undefined) throw new StartFailure(`There is no ledger in ${folder}.`);
  if (ledgers.length > 1)
    throw new StartFailure(`${folder} has several ledgers. Name one file with --database.`);
  return ledger;
}

function isLedger(path: string): boolean {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return hasLog(database);
  } finally {
    database.close();
  }
}

/** Through wrangler, a command for each statement. */
export const wranglerQuery =
  (place: LedgerPlace): Query =>
  (sql, ...parameters) =>
    queryLedger(inlined(sql, parameters), place);

/** The statement with its parameters `?1`, `?2` … as literals. */
export function inlined(sql: string, parameters: readonly (string | number)[]): string {
  return sql.replaceAll(/\?(\d+)/g, (_, digits: string) => {
    const value = parameters[Number(digits) - 1];
    if (value === undefined) throw new RangeError(`no parameter ?${digits}`);
    return literal(value);
  });
}

function literal(value: string | number): string {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new RangeError("not a number of SQL");
    return String(value);
  }
  // A NUL would end the statement.
  if (value.includes("\0") || !value.isWellFormed()) throw new RangeError("not a text of SQL");
  // Wrangler rejects these two words anywhere in a statement.
  return `'${value.replaceAll("'", "''").replaceAll("BEGIN TRANSACTION", "BEGIN' || ' TRANSACTION")}'`;
}
