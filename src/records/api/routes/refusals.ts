/** GET /refusals: requests that the gateway refused, newest first. */
import * as schema from "../../../shared/json-schema.ts";
import { Refusal, REFUSALS } from "../../../shared/refusal.ts";
import { REFUSAL } from "../fields.ts";
import { OBJECT_FILTER, PRINCIPAL_FILTERS, REASON_RULE, SESSION_RULES, TIME_FILTERS } from "../filters.ts";
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
import { equals, equalsId, filter, oneOf } from "../kit/parameter.ts";
import { schemasOf, selected, text, toRecord } from "../kit/row-mapper.ts";
import { column, sql } from "../kit/sql.ts";

const COUNT_CAP = 10_000;

/** The filters that the list and the counts share. */
export const REFUSAL_FILTERS = {
  reason: {
    ...filter(
      oneOf(Object.keys(REFUSALS), null, "The refusal's code, as in `x-interceptor-error`."),
      (alias, value) => sql`${column(alias, "reason")} = ${value}`,
    ),
    rule: REASON_RULE,
  },
  provider: equals("provider", "The provider's configured name."),
};

export const refusals = endpoint({
  path: "/refusals",
  summary: "Refused requests, newest first",
  description:
    "Every refusal with a verified actor, and a bounded number of the others, which anyone can cause: at most 100 per minute and 300 per hour for each reason. `/refusals/counts` counts all of them.",
  filters: {
    ...REFUSAL_FILTERS,
    actor: {
      ...equalsId("actor_id", "The id of the actor that sent the request, verified or not."),
      rule: SESSION_RULES.actor,
    },
    identity_source: PRINCIPAL_FILTERS.identity_source,
    api_key_id: equals("api_key_id", "The id of the presented credential, accepted or not."),
    object_id: OBJECT_FILTER,
    verified: filter(
      oneOf(["true", "false"], null, "Whether an identity source verified the actor."),
      (alias, value) =>
        value === "true"
          ? sql`${column(alias, "actor_verified")} = 1`
          : sql`${column(alias, "actor_verified")} IS NOT 1`,
    ),
    ...TIME_FILTERS,
  },
  parameters: { limit: LIMIT, offset: OFFSET, after_id: AFTER_ID },
  response: schema.object({ ...COUNT_FIELDS, results: schema.list(schema.object(schemasOf(REFUSAL))) }),
  handle: async ({ limit, offset, after_id }, matches, { query }) => {
    const refusal = checkCursors({ after_id, offset });
    if (refusal) return refusal;
    const result = await query([
      sql`SELECT ${selected("r", REFUSAL)} FROM refusals r
        WHERE r.id < ${after_id ?? AFTER_EVERY_ID} AND ${matches("r")}
        ORDER BY r.id DESC LIMIT ${limit + 1} OFFSET ${offset}`,
      countSql(COUNT_CAP, sql`SELECT 1 FROM refusals r WHERE r.id < ${AFTER_EVERY_ID} AND ${matches("r")}`),
    ]);
    if (result instanceof Refusal) return result;
    const count = countFields(COUNT_CAP, result[1]);
    const { rows, page } = cutPage(result[0], limit, count, ({ id }) => ({ after_id: text(id) }));
    return { body: { ...count, results: rows.map((row) => toRecord(row, REFUSAL)) }, page };
  },
});
