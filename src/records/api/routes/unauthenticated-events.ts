/** GET /unauthenticated-events: events without a valid MAC, which the ledger did not take, newest first. */
import { RECORDS } from "../../../events/fields.ts";
import * as schema from "../../../shared/json-schema.ts";
import { REASON_RULE, TIME_FILTERS } from "../filters.ts";
import { listEndpoint } from "../kit/list-endpoint.ts";
import { filter, oneOf } from "../kit/parameter.ts";
import * as row from "../kit/row-mapper.ts";
import { column, sql } from "../kit/sql.ts";

const REASONS = ["missing", "unknown_key", "wrong", "reserved_type"];

const FIELDS: row.Fields = {
  id: row.withDescription(row.ID, "The row's id. It begins with the time of storing."),
  event_id: row.withDescription(row.ID, "The event's id, as in the archive."),
  record_type: row.TEXT,
  interception_id: row.ID,
  event: row.asContent(
    row.withDescription(
      row.JSON_OBJECT,
      "The event as it was sent, with its content truncated. If the event is too large, `omitted` is true and only its type and id are included.",
    ),
  ),
  reason: row.withDescription(
    row.TEXT,
    "`missing`: it had no MAC. `unknown_key`: its MAC names a key that is not configured. `wrong`: its MAC is not valid. `reserved_type`: only the records Worker and its tools write events of this type.",
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

export const unauthenticatedEvents = listEndpoint({
  path: "/unauthenticated-events",
  summary: "Events without a valid MAC, newest first",
  description:
    "Events that reached the records Worker without the gateway's MAC while `EVENT_MAC_KEY` is set there, and events of a type that no gateway sends. They may be made up. No other endpoint returns or counts them. The time filters select by the time of storing.",
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
  table: "unauthenticated_events",
  alias: "u",
  fields: FIELDS,
});
