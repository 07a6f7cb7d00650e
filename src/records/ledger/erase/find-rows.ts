/**
 * Finds the rows that concern a person. No index leads to them in every table, so a table is read in windows of its key: each
 * query reads a bounded number of rows, however few of them match. The rules decide about each row that is found.
 */
import type { LedgerTable } from "../../../events/fields.ts";
import type { Query, Row } from "../seal/rebuild.ts";
import { TABLE_KEYS } from "../tables.ts";
import { columnsOf, typesOf } from "./erase-row.ts";
import { erasableFieldsOf } from "./field-rules.ts";

/** Rows that one query reads, and rows that it returns. */
const WINDOW_ROWS = 50_000;
const PAGE_ROWS = 200;

/** Of any table: its key, and the condition of a row that is found, `r`, by the texts `v.value`. */
export type Source = {
  readonly table: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
  readonly matches: string;
};

/** The ledger's table. Recorded content is not searched: it is erased with its row. */
export function sourceOf(table: LedgerTable): Source {
  const fields = typesOf(table).flatMap(erasableFieldsOf);
  const matches = fields.flatMap(({ column, field }) => {
    if (column === null || field.content) return [];
    if (table === "ledger_accesses") return [`INSTR(LOWER(r.${column}), LOWER(v.value)) > 0`];
    return field.kind === "texts" || field.kind === "object"
      ? [`INSTR(r.${column}, v.value) > 0`]
      : [`r.${column} = v.value`];
  });
  return {
    table,
    key: TABLE_KEYS[table],
    columns: columnsOf(table),
    matches: [...new Set(matches)].join(" OR "),
  };
}

function windowSql({ table, key, columns, matches }: Source): string {
  const keys = key.join(", ");
  const after = `(${keys}) > (${key.map((_, at) => `?${at + 2}`).join(", ")})`;
  const read = [...new Set([...key, ...columns])].map((name) => `"${name}"`).join(", ");
  const found = `EXISTS (SELECT 1 FROM json_each(?1) AS v WHERE ${matches})`;
  return `SELECT bound.last AS window_end, found.* FROM (
  SELECT (SELECT json_array(${keys}) FROM ${table} WHERE ${after} ORDER BY ${keys} LIMIT 1 OFFSET ${WINDOW_ROWS - 1}) AS last
) AS bound LEFT JOIN (
  SELECT r.* FROM (SELECT ${read} FROM ${table} WHERE ${after} ORDER BY ${keys} LIMIT ${WINDOW_ROWS}) AS r
  WHERE ${found} ORDER BY ${key.map((name) => `r.${name}`).join(", ")} LIMIT ${PAGE_ROWS}
) AS found ON true`;
}

/** The rows, page by page. `texts`: as a JSON list (`matchList`). */
export async function* findRows(query: Query, source: Source, texts: string): AsyncGenerator<readonly Row[]> {
  const sql = windowSql(source);
  let after: readonly string[] = source.key.map(() => "");
  for (;;) {
    const page = await query(sql, texts, ...after);
    const rows = page.filter((row) => row[source.key[0] ?? ""] !== null);
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (last && rows.length === PAGE_ROWS) after = source.key.map((name) => String(last[name]));
    else {
      const end = page[0]?.["window_end"];
      if (typeof end !== "string") return;
      after = JSON.parse(end) as readonly string[];
    }
  }
}

/** The distinct values of a column in the rows with one of these actors, without null. `ids`: as a JSON list. */
export async function findOfActor(
  query: Query,
  { table, key, column }: { readonly table: LedgerTable; readonly key: string; readonly column: string },
  ids: string,
): Promise<ReadonlySet<string>> {
  const sql = `SELECT (SELECT ${key} FROM ${table} WHERE ${key} > ?2 ORDER BY ${key} LIMIT 1 OFFSET ${WINDOW_ROWS - 1}) AS window_end, (
  SELECT json_group_array(DISTINCT r.${column})
  FROM (SELECT actor_id, ${column} FROM ${table} WHERE ${key} > ?2 ORDER BY ${key} LIMIT ${WINDOW_ROWS}) AS r
  WHERE r.actor_id IN (SELECT value FROM json_each(?1))
) AS found`;
  const values = new Set<string>();
  for (let after: unknown = ""; typeof after === "string";) {
    const [row] = await query(sql, ids, after);
    for (const value of JSON.parse(String(row?.["found"])) as unknown[])
      if (typeof value === "string") values.add(value);
    after = row?.["window_end"];
  }
  return values;
}

/** The texts as they are, and as they stand inside JSON. */
export const matchList = (texts: readonly string[]): string =>
  JSON.stringify([...new Set(texts.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]))]);
