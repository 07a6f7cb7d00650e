/** GET /unauthenticated-events: events without a valid MAC, which the ledger did not take, newest first. */
import { RECORDS } from "../../../events/fields.ts";
import * as schema from "../../../shared/json-schema.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { REASON_RULE, TIME_FILTERS } from "../filters.ts";
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
import { filter, oneOf } from "../kit/parameter.ts";
import * as row from "../kit/row-mapper.ts";
import { column, sql } from "../kit/sql.ts";

const COUNT_CAP = 10_000;

const REASONS = ["missing", "unknown_key", "wrong"];

const FIELDS: row.Fields = {
  id: row.withDescription(row.ID, "The row's id. It begins with the time of storing."),
  event_id: row.withDescription(row.ID, "The event's id, as in the archive."),
  record_type: row.TEXT,
  interception_id: row.ID,
  event: row.withDescription(
    row.JSON_OBJECT,
    "The event as it was sent, its content truncated. Of one that is too large, `omitted` is true and only its type and id are here.",
  ),
  reason: row.withDescription(
    row.TEXT,
    "`missing`: it had no MAC. `unknown_key`: its MAC names a key that is not configured. `wrong`: its MAC is not valid.",
  ),
  mac_key_id: row.withDescription(
    row.TEXT_OR_NULL,
    "The key that the MAC names, which proves nothing; null where it names none.",
  ),
  via: row.withDescription(
    row.TEXT,
    "How it came. `q`: the queue; `r`: a call of the gateway, without a queue; `d`: the dead-letter queue; `p`: `npm run replay`.",
  ),
  stored_at: row.withDescription(
    { schema: schema.TIME, read: (ms) => new Date(row.number(ms)).toISOString() },
    "When it was stored.",
  ),
};

export const unauthenticatedEvents = endpoint({
  path: "/unauthenticated-events",
  summary: "Events without a valid MAC, newest first",
  description:
    "Events that reached the records Worker without the gateway's MAC while `EVENT_MAC_KEY` is set there. They may be made up. No other endpoint returns or counts them. The time filters select by the time of storing.",
  filters: {
    reason: {
      ...filter(
        oneOf(REASONS, null, "Why the event was not authenticated."),
        (alias, value) => sql`${column(alias, "reason")} = ${value}`,
      ),
      rule: REASON_RULE,
    },
    record_type: filter(
      oneOf(Object.keys(RECORDS), null, "The event's type."),
      (alias, value) => sql`${column(alias, "record_type")} = ${value}`,
    ),
    ...TIME_FILTERS,
  },
  parameters: { limit: LIMIT, offset: OFFSET, after_id: AFTER_ID },
  response: schema.object({ ...COUNT_FIELDS, results: schema.list(schema.object(row.schemasOf(FIELDS))) }),
  handle: async ({ limit, offset, after_id }, matches, { query }) => {
    const refusal = checkCursors({ after_id, offset });
    if (refusal) return refusal;
    const result = await query([
      sql`SELECT ${row.selected("u", FIELDS)} FROM unauthenticated_events u
        WHERE u.id < ${after_id ?? AFTER_EVERY_ID} AND ${matches("u")}
        ORDER BY u.id DESC LIMIT ${limit + 1} OFFSET ${offset}`,
      countSql(
        COUNT_CAP,
        sql`SELECT 1 FROM unauthenticated_events u WHERE u.id < ${AFTER_EVERY_ID} AND ${matches("u")}`,
      ),
    ]);
    if (result instanceof Refusal) return result;
    const count = countFields(COUNT_CAP, result[1]);
    const { rows, page } = cutPage(result[0], limit, count, ({ id }) => ({ after_id: row.text(id) }));
    return { body: { ...count, results: rows.map((one) => row.toRecord(one, FIELDS)) }, page };
  },
});
