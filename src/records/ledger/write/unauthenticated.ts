/**
 * Events without a valid MAC, or of a type that no gateway sends. They are stored in a table of their own, and no other table, total or list of the API counts
 * them. `npm run replay` stores a message again, from the archive's folder unauthenticated/, once the right key is known.
 */
import { eventId } from "../../../events/event-id.ts";
import { toJsonWithin } from "../../../events/json-within.ts";
import type { InterceptorEvent } from "../../../events/event.ts";
import type { LedgerEntry } from "../stored-facts.ts";
import type { RejectionReason } from "./authenticate.ts";
import { chunks } from "./chunks.ts";
import { toStoredJson } from "./stored-json.ts";

/** `macKeyId`: the key that the MAC names. */
export type UnauthenticatedEntry = LedgerEntry & { readonly reason: RejectionReason };

/** Its key `id` begins with the time of storing. */
export const UNAUTHENTICATED_TABLE = "unauthenticated_events";

/** Bytes of one event's JSON: anyone who can write into the queue can fill the table. */
const MAX_EVENT_BYTES = 8192;

export const INSERT_UNAUTHENTICATED = `INSERT INTO ${UNAUTHENTICATED_TABLE} (id, event_id, record_type, interception_id, event, reason, mac_key_id, via, stored_at)
SELECT value ->> 'id', value ->> 'event_id', value ->> 'record_type', value ->> 'interception_id', value ->> 'event',
  value ->> 'reason', value ->> 'mac_key_id', value ->> 'via', value ->> 'stored_at'
FROM json_each(?1) WHERE true ON CONFLICT (event_id) DO NOTHING`;

/** The parameters of `INSERT_UNAUTHENTICATED`, as many as its limit requires. `newId`: a UUIDv7 of the time. */
export function unauthenticatedRows(
  events: readonly UnauthenticatedEntry[],
  newId: (now: number) => string,
  maxCharacters?: number,
): readonly string[] {
  const rows = events.map(({ event, reason, macKeyId, via, storedAt }) =>
    JSON.stringify({
      id: newId(storedAt),
      event_id: eventId(event),
      record_type: event.record_type,
      interception_id: event.interception_id,
      event: boundedJson(event),
      reason,
      mac_key_id: macKeyId,
      via,
      stored_at: storedAt,
    }),
  );
  return chunks(rows, maxCharacters);
}

/** The event's fields are unchecked: they can be large, or nested too deeply to be written. */
function boundedJson(event: InterceptorEvent): string {
  try {
    return toStoredJson(JSON.parse(toJsonWithin(event, MAX_EVENT_BYTES)) as object);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const { record_type, interception_id } = event;
    return JSON.stringify({ record_type, interception_id, omitted: true });
  }
}

/** In one transaction. */
export async function storeUnauthenticated(
  database: D1Database,
  events: readonly UnauthenticatedEntry[],
  newId: (now: number) => string,
): Promise<void> {
  const statement = database.prepare(INSERT_UNAUTHENTICATED);
  await database.batch(unauthenticatedRows(events, newId).map((json) => statement.bind(json)));
}
