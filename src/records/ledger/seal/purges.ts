/** Which rows may be gone, because a purge is on record that deleted them. The record is an event, and sealed itself. */
import { RECORDS } from "../../../events/fields.ts";
import { uuidTime } from "../../../shared/uuid.ts";
import type { Query } from "./rebuild.ts";
import { typeOfEvent } from "./schema.ts";

const PURGES_SQL = `SELECT target, MAX(before) AS before FROM ledger_accesses
WHERE action = 'purge' AND before IS NOT NULL AND seal <> '' GROUP BY target`;

/** Later purges of a table go further, so the last one tells about all. */
export async function readPurges(query: Query): Promise<(eventId: string) => boolean> {
  const before = new Map(
    (await query(PURGES_SQL)).map((row) => [String(row["target"]), Date.parse(String(row["before"]))]),
  );
  return (eventId) => {
    const type = typeOfEvent(eventId);
    const boundary = type === null ? undefined : before.get(RECORDS[type].table);
    return boundary !== undefined && uuidTime(eventId) < boundary;
  };
}
