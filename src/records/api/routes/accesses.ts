/** GET /accesses: who read, deleted, held or erased records, newest first. */
import { LEDGER_ACTIONS, meanings, wordsOf } from "../../../events/vocabulary.ts";
import * as schema from "../../../shared/json-schema.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { LEDGER_ACCESS } from "../fields.ts";
import { TIME_FILTERS } from "../filters.ts";
import { endpoint } from "../kit/endpoint.ts";
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
} from "../kit/page.ts";
import { equals, filter, oneOf } from "../kit/parameter.ts";
import { schemasOf, selected, text, toRecord } from "../kit/row-mapper.ts";
import { column, sql } from "../kit/sql.ts";

const COUNT_CAP = 10_000;

export const accesses = endpoint({
  path: "/accesses",
  summary: "Reads, deletions, holds and erasures of records, newest first",
  description:
    "Each response of this API with records is an entry, this list's own included. So is each table that a run of the cron deleted rows of.",
  filters: {
    action: filter(
      oneOf(wordsOf(LEDGER_ACTIONS), null, `What was done. ${meanings(LEDGER_ACTIONS)}`),
      (alias, value) => sql`${column(alias, "action")} = ${value}`,
    ),
    by: equals("by", "Who did it: `token:` and the id of the admin token, `cron` or `tool`."),
    target: equals("target", "The endpoint, the table, or the principal or session."),
    ...TIME_FILTERS,
  },
  parameters: { limit: LIMIT, offset: OFFSET, after_id: AFTER_ID },
  response: schema.object({
    ...COUNT_FIELDS,
    results: schema.list(schema.object(schemasOf(LEDGER_ACCESS))),
  }),
  handle: async ({ limit, offset, after_id }, matches, { query }) => {
    const refusal = checkCursors({ after_id, offset });
    if (refusal) return refusal;
    const result = await query([
      sql`SELECT ${selected("l", LEDGER_ACCESS)} FROM ledger_accesses l
        WHERE l.id < ${after_id ?? AFTER_EVERY_ID} AND ${matches("l")}
        ORDER BY l.id DESC LIMIT ${limit + 1} OFFSET ${offset}`,
      countSql(
        COUNT_CAP,
        sql`SELECT 1 FROM ledger_accesses l WHERE l.id < ${AFTER_EVERY_ID} AND ${matches("l")}`,
      ),
    ]);
    if (result instanceof Refusal) return result;
    const count = countFields(COUNT_CAP, result[1]);
    const { rows, page } = cutPage(result[0], limit, count, ({ id }) => ({ after_id: text(id) }));
    return { body: { ...count, results: rows.map((row) => toRecord(row, LEDGER_ACCESS)) }, page };
  },
});
