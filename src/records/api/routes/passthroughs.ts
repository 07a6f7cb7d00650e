/** GET /passthroughs: requests that were forwarded without being intercepted. */
import { EXPLAIN_RULES } from "../../../events/explanation.ts";
import { meanings, PASSTHROUGH_OUTCOMES } from "../../../events/vocabulary.ts";
import { Refusal } from "../../../shared/refusal.ts";
import * as schema from "../../../shared/json-schema.ts";
import { PASSTHROUGH } from "../fields.ts";
import { KEY_FILTER, OBJECT_FILTER, PRINCIPAL_FILTERS, PROPERTY_FILTERS, TIME_FILTERS } from "../filters.ts";
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
import { equals, filter, integer, oneOf } from "../kit/parameter.ts";
import type { Row } from "../kit/query-ledger.ts";
import { schemasOf, selected, text, textOrNull, toRecord } from "../kit/row-mapper.ts";
import { column, sql } from "../kit/sql.ts";
import { isActorRow, toUserDto, USER } from "../user-dto.ts";

const COUNT_CAP = 10_000;

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;
const METHOD = filter(
  oneOf(METHODS, null, "The request's method."),
  (alias, value) => sql`${column(alias, "method")} = ${value}`,
);
const STATUS = filter<number>(
  {
    ...integer(100, 599, 100, "HTTP status that the client got."),
    schema: { type: "integer", minimum: 100, maximum: 599 },
    absent: null,
  },
  (alias, value) => sql`${column(alias, "status")} = ${value}`,
);

const { client, provider, provider_name, provider_type } = PROPERTY_FILTERS;
const { attribution, outcome, chat_id, workspace_id } = PROPERTY_FILTERS;

export const passthroughs = endpoint({
  path: "/passthroughs",
  summary: "Requests that were forwarded without being intercepted, newest first",
  description:
    "Management requests, such as those for files, batches and models. Their bodies are not recorded; `object_ids` has the stored objects that they named. A model call is an interception.",
  filters: {
    ...PRINCIPAL_FILTERS,
    api_key_id: KEY_FILTER,
    object_id: OBJECT_FILTER,
    client,
    provider,
    provider_name,
    provider_type,
    route: equals("route", "The route below the provider: `/files`."),
    // The explained method of another endpoint has this name too, and an error names only the parameter.
    method: { ...METHOD, rule: EXPLAIN_RULES["method"] ?? METHOD.rule },
    status: STATUS,
    attribution,
    outcome: {
      ...outcome,
      description: `How the passthrough ended. ${meanings({
        ...PASSTHROUGH_OUTCOMES,
        orphaned: "the end event was never recorded",
        open: "the passthrough has not ended",
      })}`,
    },
    chat_id,
    workspace_id,
    ...TIME_FILTERS,
  },
  parameters: { limit: LIMIT, offset: OFFSET, after_id: AFTER_ID },
  response: schema.object({
    ...COUNT_FIELDS,
    results: schema.list(schema.object({ ...schemasOf(PASSTHROUGH), initiator: USER })),
  }),
  handle: async ({ limit, offset, after_id }, matches, { query }) => {
    const refusal = checkCursors({ after_id, offset });
    if (refusal) return refusal;
    const result = await query([
      sql`SELECT ${selected("p", PASSTHROUGH)} FROM passthroughs p
        WHERE p.id < ${after_id ?? AFTER_EVERY_ID} AND ${matches("p")}
        ORDER BY p.id DESC LIMIT ${limit + 1} OFFSET ${offset}`,
      countSql(
        COUNT_CAP,
        sql`SELECT 1 FROM passthroughs p WHERE p.id < ${AFTER_EVERY_ID} AND ${matches("p")}`,
      ),
    ]);
    if (result instanceof Refusal) return result;
    const count = countFields(COUNT_CAP, result[1]);
    const { rows, page } = cutPage(result[0], limit, count, ({ id }) => ({ after_id: text(id) }));
    return { body: { ...count, results: rows.map(toPassthrough) }, page };
  },
});

function toPassthrough(row: Row): Record<string, unknown> {
  const id = text(row["initiator_id"]);
  return {
    ...toRecord(row, PASSTHROUGH),
    initiator: toUserDto({
      id,
      ownerName: textOrNull(row["initiator_name"]),
      isActor: isActorRow(row),
      metadata: row["metadata"],
    }),
  };
}
