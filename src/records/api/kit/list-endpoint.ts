/** The endpoints that list the rows of one table, newest id first, in pages. */
import { Refusal } from "../../../shared/refusal.ts";
import * as schema from "../../../shared/json-schema.ts";
import { endpoint, type Definition, type Endpoint } from "./endpoint.ts";
import {
  AFTER_EVERY_ID,
  AFTER_ID,
  checkCursors,
  COUNT_FIELDS,
  countFields,
  countSql,
  cutPage,
  LIMIT,
  OFFSET,
} from "./page.ts";
import type { Parameters } from "./query.ts";
import type { Row } from "./query-ledger.ts";
import { schemasOf, selected, text, toRecord, type Fields } from "./row-mapper.ts";
import { column, sql, type Sql } from "./sql.ts";

const COUNT_CAP = 10_000;

/** Fields of a result beyond the row's own. */
export type Extra = {
  readonly schemas: Readonly<Record<string, schema.Schema>>;
  /** Further columns for `read`, after a comma. */
  readonly columns?: Sql;
  readonly read: (row: Row) => Readonly<Record<string, unknown>>;
};

export type ListDefinition = Pick<Definition<Parameters>, "path" | "summary" | "description" | "filters"> & {
  /** From the code's own tables, like `alias`. */
  readonly table: string;
  readonly alias: string;
  readonly fields: Fields;
  readonly extra?: Extra;
  /** Where the rows are read, where that depends on the request. */
  readonly source?: (sent: ReadonlyMap<string, string>, before: string) => ListSource;
};

export type ListSource = { readonly from: Sql; readonly where: Sql; readonly order: Sql };

export function listEndpoint({
  table,
  alias,
  fields,
  extra,
  source,
  ...described
}: ListDefinition): Endpoint {
  const id = column(alias, "id");
  const whole: ListSource = {
    from: { text: `${table} ${alias}`, values: [] },
    where: sql`1`,
    order: sql`${id} DESC`,
  };
  const columnsFor = (readsContent: boolean): Sql =>
    extra?.columns
      ? sql`${selected(alias, fields, readsContent)}, ${extra.columns}`
      : selected(alias, fields, readsContent);
  return endpoint({
    ...described,
    parameters: { limit: LIMIT, offset: OFFSET, after_id: AFTER_ID },
    response: schema.object({
      ...COUNT_FIELDS,
      results: schema.list(schema.object({ ...schemasOf(fields), ...extra?.schemas })),
    }),
    handle: async ({ limit, offset, after_id }, matches, { query, sent, readsContent }) => {
      const refusal = checkCursors({ after_id, offset });
      if (refusal) return refusal;
      const before = after_id ?? AFTER_EVERY_ID;
      const page = source?.(sent, before) ?? whole;
      const all = source?.(sent, AFTER_EVERY_ID) ?? whole;
      const result = await query([
        sql`SELECT ${columnsFor(readsContent)} FROM ${page.from} WHERE ${id} < ${before} AND ${page.where} AND ${matches(alias)}
          ORDER BY ${page.order} LIMIT ${limit + 1} OFFSET ${offset}`,
        countSql(
          COUNT_CAP,
          sql`SELECT 1 FROM ${all.from} WHERE ${id} < ${AFTER_EVERY_ID} AND ${all.where} AND ${matches(alias)}`,
        ),
      ]);
      if (result instanceof Refusal) return result;
      const count = countFields(COUNT_CAP, result[1]);
      const cut = cutPage(result[0], limit, count, (last) => ({ after_id: text(last["id"]) }));
      const toResult = (row: Row): object => ({
        ...toRecord(row, fields, readsContent),
        ...extra?.read(row),
      });
      return { body: { ...count, results: cut.rows.map(toResult) }, page: cut.page };
    },
  });
}
