/**
 * The SQL that notes in which spans of time (rollups/spans.ts) a session and an actor have rows. A noted span without a row is
 * harmless: readers look for the rows.
 */
import type { InterceptorEvent } from "../../../events/event.ts";
import { eventId } from "../../../events/event-id.ts";
import { spanOf } from "../../rollups/spans.ts";
import { AFFECTED } from "./thread-sql.ts";

/**
 * Parameter: a JSON list of `ActorSpan`. After the rows are stored: an event that is delivered again notes nothing where its row
 * was deleted, or has another principal because a person was erased.
 */
export const NOTE_ACTORS = `INSERT INTO actor_spans (actor_id, span, initiator_id)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
WHERE EXISTS (SELECT 1 FROM interceptions AS i WHERE i.id = value ->> 3 AND i.actor_id = value ->> 0 AND i.initiator_id = value ->> 2)
  OR EXISTS (SELECT 1 FROM initiator_overrides AS o WHERE o.id = value ->> 3 AND o.actor_id = value ->> 0
    AND value ->> 2 IN ('', o.initiator_id))
ON CONFLICT DO NOTHING`;

/** An actor, a span, the initiator or nothing for an owner that was not accepted, and the key of the row. */
export type ActorSpan = readonly [actor: string, span: string, initiator: string, key: string];

/** null where the event's row is found without it. */
export function actorSpanOf(event: InterceptorEvent): ActorSpan | null {
  switch (event.record_type) {
    case "interception_start":
    case "interception_end":
      return [event.actor_id, spanOf(event.interception_id), event.initiator_id, event.interception_id];
    case "initiator_override":
      return [event.actor_id, spanOf(event.interception_id), event.initiator_id, eventId(event)];
    case "initiator_override_rejected":
      return [event.actor_id, spanOf(event.interception_id), "", eventId(event)];
    default:
      return null;
  }
}

/**
 * Parameter: the interceptions with a new start, end or tool call, as in `thread-sql.ts`, and after its statements: a thread's
 * root is the session of those that the client gave none. A session of one interception alone, under its own id, has no row.
 * The interception whose id another one has as its session can be stored before or after that one.
 */
export const NOTE_SESSIONS = `
WITH RECURSIVE ${AFFECTED},
members (id, session_id, link_key, span) AS MATERIALIZED (
  SELECT i.id, i.session_id, i.link_key, i.span FROM affected CROSS JOIN interceptions AS i ON i.id = affected.id
),
noted (session_id, link_key, span) AS (
  SELECT session_id, link_key, span FROM members WHERE session_id <> id
  UNION
  SELECT first.id, first.link_key, first.span FROM members CROSS JOIN interceptions AS first ON first.id = members.session_id
  WHERE members.session_id <> members.id AND first.link_key = members.link_key
  UNION
  SELECT session_id, link_key, span FROM members WHERE session_id = id AND EXISTS (
    SELECT 1 FROM session_spans AS known WHERE known.session_id = members.id AND known.link_key = members.link_key)
)
INSERT INTO session_spans (session_id, link_key, span) SELECT session_id, link_key, span FROM noted WHERE true
ON CONFLICT DO NOTHING`.trim();
