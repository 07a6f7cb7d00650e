/** Copies a table page by page, in the order of its key. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Row } from "../../../src/records/ledger/seal/rebuild.ts";
import { literal } from "../../local/sql-literal.ts";
import { readRow, rowSql } from "./row-encoding.ts";

/** Runs one statement on the database that is copied. */
export type Source = (sql: string) => Promise<readonly Row[]>;

/** A call of wrangler takes two seconds, however little it reads. */
const PAGE_BYTES = 4_000_000;
const FIRST_ROWS = 250;
const MOST_ROWS = 5_000;

type Table = { readonly columns: readonly string[]; readonly key: readonly number[] };

/** The columns that are stored, and which of them are the key. */
function describe(target: DatabaseSync, table: string): Table {
  const info = target
    .prepare("SELECT name, pk FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid")
    .all(table);
  const key = info
    .flatMap(({ pk }, at) => (Number(pk) > 0 ? [[Number(pk), at] as const] : []))
    .toSorted(([a], [b]) => a - b)
    .map(([, at]) => at);
  return { columns: info.map(({ name }) => `"${String(name)}"`), key };
}

/**
 * @param from only rows whose key is at least this. A row that is there already is replaced.
 * @returns the number of rows.
 */
export async function copyTable(
  source: Source,
  target: DatabaseSync,
  { table, from = null }: { readonly table: string; readonly from?: number | null },
): Promise<number> {
  const { columns, key } = describe(target, table);
  const names = key.map((at) => columns[at] ?? "").join(", ");
  const insert = target.prepare(
    `INSERT OR REPLACE INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
  );
  let where = from === null ? "" : `WHERE ${names} >= ${from}`;
  let [copied, limit] = [0, FIRST_ROWS];
  for (;;) {
    const page = await source(
      `SELECT ${rowSql(columns)} AS row FROM ${table} ${where} ORDER BY ${names} LIMIT ${limit}`,
    );
    let bytes = 0;
    let last: SQLInputValue[] = [];
    for (const { row } of page) {
      bytes += String(row).length;
      last = readRow(String(row));
      insert.run(...last);
    }
    copied += page.length;
    if (page.length < limit) return copied;
    const after = key.map((at) => literal(last[at] ?? null));
    where = `WHERE (${names}) > (${after.join(", ")})`;
    limit = Math.max(1, Math.min(MOST_ROWS, 4 * limit, Math.floor((PAGE_BYTES / bytes) * page.length)));
  }
}
