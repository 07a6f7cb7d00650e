/** GET /overrides: who asserted whom, and which assertions did not count. */
import type { OwnerRejection } from "../../../gateway/initiator/owner-header.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { endpoint } from "../kit/endpoint.ts";
import { OVERRIDE } from "../fields.ts";
import { INITIATOR_RULE, TIME_FILTERS } from "../filters.ts";
import {
  AFTER_ID,
  checkCursors,
  COUNT_FIELDS,
  countFields,
  countSql,
  LIMIT,
  OFFSET,
  PAST_ALL,
} from "../kit/page.ts";
import { equals, equalsId, filter, oneOf } from "../kit/parameter.ts";
import { schemasOf, selected, toRecord } from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { column, sql } from "../kit/sql.ts";

const COUNT_CAP = 10_000;

const REASONS: Readonly<Record<OwnerRejection, true>> = {
  client: true,
  not_permitted: true,
  multiple: true,
  form: true,
  version: true,
  variant: true,
  signature_required: true,
  signature_malformed: true,
  signature_expired: true,
  signature_invalid: true,
  directory_unknown: true,
  directory_inactive: true,
  directory_down: true,
  replayed: true,
  replay_unavailable: true,
};

export const overrides = endpoint({
  path: "/overrides",
  summary: "Owner headers, newest first: who asserted whom",
  description: "One for each request that named an owner, whether that counted or not.",
  filters: {
    actor: equalsId("actor_id", "Who asserted: the actor's id."),
    owner: equalsId("owner_id", "Who was named, where it counted."),
    initiator: {
      ...equalsId("initiator_id", "On whose account the request was made then."),
      rule: INITIATOR_RULE,
    },
    accepted: filter(
      oneOf(["true", "false"], null, "Whether it counted."),
      (alias, value) => sql`${column(alias, "accepted")} = ${value === "true" ? 1 : 0}`,
    ),
    reason: filter(
      oneOf(Object.keys(REASONS), null, "Why it did not count."),
      (alias, value) => sql`${column(alias, "reason")} = ${value}`,
    ),
    provider: equals("provider", "The provider's configured name."),
    ...TIME_FILTERS,
  },
  parameters: { limit: LIMIT, offset: OFFSET, after_id: AFTER_ID },
  response: schema.object({ ...COUNT_FIELDS, results: schema.list(schema.object(schemasOf(OVERRIDE))) }),
  handle: async ({ limit, offset, after_id }, matches, { query: ask }) => {
    const refusal = checkCursors({ after_id, offset });
    if (refusal) return refusal;
    const found = await ask([
      sql`SELECT ${selected("o", OVERRIDE)} FROM initiator_overrides o
        WHERE o.id < ${after_id ?? PAST_ALL} AND ${matches("o")}
        ORDER BY o.id DESC LIMIT ${limit} OFFSET ${offset}`,
      countSql(
        COUNT_CAP,
        sql`SELECT 1 FROM initiator_overrides o WHERE o.id < ${PAST_ALL} AND ${matches("o")}`,
      ),
    ]);
    if (found instanceof Refusal) return found;
    const [rows, count] = found;
    return {
      body: { ...countFields(COUNT_CAP, count), results: rows.map((row) => toRecord(row, OVERRIDE)) },
    };
  },
});
