/** GET /overrides: owner assertions, both accepted and rejected. */
import { OWNER_REJECTIONS, wordsOf } from "../../../events/vocabulary.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { endpoint } from "../kit/endpoint.ts";
import { OVERRIDE } from "../fields.ts";
import type { Row } from "../kit/query-ledger.ts";
import { KEY_FILTER, PRINCIPAL_FILTERS, REASON_RULE, TIME_FILTERS } from "../filters.ts";
import {
  AFTER_ID,
  checkCursors,
  COUNT_FIELDS,
  countFields,
  countSql,
  cutPage,
  LIMIT,
  OFFSET,
  AFTER_EVERY_ID,
} from "../kit/page.ts";
import { equals, equalsId, filter, oneOf } from "../kit/parameter.ts";
import { schemasOf, selected, text, toRecord } from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { column, sql } from "../kit/sql.ts";
import { ACTOR_NAME, actorName } from "../user-dto.ts";

const COUNT_CAP = 10_000;

export const overrides = endpoint({
  path: "/overrides",
  summary: "Owner headers, newest first: who named whom",
  description: "One entry per request that named an owner, whether the assertion was accepted or rejected.",
  filters: {
    ...PRINCIPAL_FILTERS,
    api_key_id: KEY_FILTER,
    owner: equalsId("owner_id", "The id of the owner, where the assertion was accepted."),
    accepted: filter(
      oneOf(["true", "false"], null, "Whether the assertion was accepted."),
      (alias, value) => sql`${column(alias, "accepted")} = ${value === "true" ? 1 : 0}`,
    ),
    reason: {
      ...filter(
        oneOf(wordsOf(OWNER_REJECTIONS), null, "Why the assertion was rejected."),
        (alias, value) => sql`${column(alias, "reason")} = ${value}`,
      ),
      rule: REASON_RULE,
    },
    provider: equals("provider", "The provider's configured name."),
    ...TIME_FILTERS,
  },
  parameters: { limit: LIMIT, offset: OFFSET, after_id: AFTER_ID },
  response: schema.object({
    ...COUNT_FIELDS,
    results: schema.list(schema.object({ ...schemasOf(OVERRIDE), actor_name: ACTOR_NAME })),
  }),
  handle: async ({ limit, offset, after_id }, matches, { query }) => {
    const refusal = checkCursors({ after_id, offset });
    if (refusal) return refusal;
    const result = await query([
      sql`SELECT ${selected("o", OVERRIDE)},
          COALESCE(
            (SELECT i.metadata FROM interceptions i WHERE i.id = o.interception_id),
            (SELECT p.metadata FROM passthroughs p WHERE p.id = o.interception_id)
          ) AS actor_metadata
        FROM initiator_overrides o
        WHERE o.id < ${after_id ?? AFTER_EVERY_ID} AND ${matches("o")}
        ORDER BY o.id DESC LIMIT ${limit + 1} OFFSET ${offset}`,
      countSql(
        COUNT_CAP,
        sql`SELECT 1 FROM initiator_overrides o WHERE o.id < ${AFTER_EVERY_ID} AND ${matches("o")}`,
      ),
    ]);
    if (result instanceof Refusal) return result;
    const count = countFields(COUNT_CAP, result[1]);
    const { rows, page } = cutPage(result[0], limit, count, ({ id }) => ({ after_id: text(id) }));
    return { body: { ...count, results: rows.map(toOverride) }, page };
  },
});

function toOverride(row: Row): Record<string, unknown> {
  return { ...toRecord(row, OVERRIDE), actor_name: actorName(row["actor_metadata"]) };
}
