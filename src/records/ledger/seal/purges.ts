/** The deletions on record. Each record is an event, and sealed itself. */
import { RECORDS } from "../../../events/fields.ts";
import { uuidTime } from "../../../shared/uuid.ts";
import type { Query } from "./rebuild.ts";
import { typeOfEvent } from "./schema.ts";

const PURGES_SQL = `SELECT target, MAX(before) AS before, SUM(rows) AS deleted FROM ledger_accesses
WHERE action = 'purge' AND before IS NOT NULL AND seal <> '' GROUP BY target`;

type Deletions = {
  /** Milliseconds since 1970: only rows from before are deleted. */
  readonly before: number;
  readonly rows: number;
};

export type Purges = {
  /** Whether an event's row may be gone. */
  readonly isPurged: (eventId: string) => boolean;
  /** Up to where the rows of a table may be gone, in milliseconds since 1970; 0 where none is. */
  readonly before: (table: string) => number;
  /** The number of rows that were deleted from a table. */
  readonly rows: (table: string) => number;
};

/** Later purges of a table go further, so the last one tells about all. */
export async function readPurges(query: Query): Promise<Purges> {
  const purges = new Map<string, Deletions>();
  for (const row of await query(PURGES_SQL)) {
    const before = Date.parse(String(row["before"]));
    // A record that cannot be read excuses nothing. It is no longer what was sealed, which is a finding.
    if (!Number.isNaN(before)) purges.set(String(row["target"]), { before, rows: Number(row["deleted"]) });
  }
  const before = (table: string): number => purges.get(table)?.before ?? 0;
  return {
    before,
    rows: (table) => purges.get(table)?.rows ?? 0,
    isPurged: (eventId) => {
      const type = typeOfEvent(eventId);
      return type !== null && uuidTime(eventId) < before(RECORDS[type].table);
    },
  };
}
