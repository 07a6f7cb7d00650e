/**
 * Finds the rows that concern a person. No index leads to them in every table, so a table is read in windows of its key: each
 * query reads a bounded number of rows, however few of them match. The rules decide about each row that is found.
 */
import type { LedgerTable } from "../../../events/fields.ts";
import type { Query, Row } from "../seal/rebuild.ts";
import { TABLE_KEYS } from "../tables.ts";
import { columnsOf, typesOf, type Statement } from "./erase-row.ts";
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

/** A text with the person after its first colon (`keys:alice`), or without one. */
export const isPrincipal = (column: string): string =>
  `SUBSTR(r.${column}, INSTR(r.${column}, ':') + 1) = v.value`;

/** The ledger's table. Recorded content is not searched: it is erased with its row. */
export function sourceOf(table: LedgerTable): Source {
  // Their texts are compared regardless of case, which SQLite knows of ASCII only: each is read.
  if (table === "ledger_accesses")
    return { table, key: TABLE_KEYS[table], columns: columnsOf(table), matches: "TRUE" };
  const fields = typesOf(table).flatMap(erasableFieldsOf);
  const matches = fields.flatMap(({ column, field }) => {
    if (column === null || field.content) return [];
    if (field.erasable === "admin") return [isPrincipal(column)];
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

/** The query of the first window. `texts`: as a JSON list (`matchList`). */
export const firstWindow = (source: Source, texts: string): Statement => ({
  sql: windowSql(source),
  values: [texts, ...source.key.map(() => "")],
});

/** The rows, page by page. `first`: the result of `firstWindow`. */
export async function* findRows(
  query: Query,
  source: Source,
  { texts, first }: { readonly texts: string; readonly first: readonly Row[] },
): AsyncGenerator<readonly Row[]> {
  let page = first;
  for (;;) {
    const rows = page.filter((row) => row[source.key[0] ?? ""] !== null);
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    const end = page[0]?.["window_end"];
    const isFull = last && rows.length === PAGE_ROWS;
    if (!isFull && typeof end !== "string") return;
    const after = isFull
      ? source.key.map((name) => String(last[name]))
      : (JSON.parse(String(end)) as readonly string[]);
    page = await query(windowSql(source), texts, ...after);
  }
}

/** A table with actors, whose key is its first column. */
export type ActorSource = { readonly table: LedgerTable; readonly column: string };

const [KEY] = TABLE_KEYS.interceptions;

/** The query of the first window of `findOfActor`. `ids`: as a JSON list. */
export const firstOfActor = ({ table, column }: ActorSource, ids: string): Statement => ({
  sql: `SELECT (SELECT ${KEY} FROM ${table} WHERE ${KEY} > ?2 ORDER BY ${KEY} LIMIT 1 OFFSET ${WINDOW_ROWS - 1}) AS window_end, (
  SELECT json_group_array(DISTINCT r.${column})
  FROM (SELECT actor_id, ${column} FROM ${table} WHERE ${KEY} > ?2 ORDER BY ${KEY} LIMIT ${WINDOW_ROWS}) AS r
  WHERE r.actor_id IN (SELECT value FROM json_each(?1))
) AS found`,
  values: [ids, ""],
});

/** The distinct values of a column in the rows with one of these actors. `first`: the result of `firstOfActor`. */
export async function findOfActor(
  query: Query,
  source: ActorSource,
  { ids, first }: { readonly ids: string; readonly first: readonly Row[] },
): Promise<ReadonlySet<string>> {
  const values = new Set<string>();
  for (let [row] = first; row;) {
    for (const value of JSON.parse(String(row["found"])) as unknown[])
      if (typeof value === "string") values.add(value);
    const end = row["window_end"];
    if (typeof end !== "string") break;
    [row] = await query(firstOfActor(source, ids).sql, ids, end);
  }
  return values;
}

/** The texts as they are, and as they stand inside JSON. */
export const matchList = (texts: readonly string[]): string =>
  JSON.stringify([...new Set(texts.flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]))]);
