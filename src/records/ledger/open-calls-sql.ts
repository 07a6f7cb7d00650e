/**
 * The SQL that notes calls without an end that are stored late. The cron reads each call once, some hours after it began, and
 * closes those without an end. A start that is stored after that is in this list until the cron's next run.
 */
import type { CallTable } from "./tables.ts";

/** The cron's job that closes the calls of a table, as `upkeep_cursors` names it. */
export const closingJob = (table: CallTable): string => `orphans of ${table}`;

/** Parameter: a `Batch` of the journal as JSON. */
export const NOTE_OPEN_CALLS: Readonly<Record<CallTable, string>> = {
  interceptions: noteOpen("interceptions"),
  passthroughs: noteOpen("passthroughs"),
};

function noteOpen(table: CallTable): string {
  return `INSERT INTO open_calls (id, call_table)
SELECT DISTINCT call.id, '${table}' FROM json_each(?1, '$.events') AS event CROSS JOIN ${table} AS call ON call.id = event.value ->> 'key'
WHERE event.value ->> 'table' = '${table}' AND call.outcome IS NULL
  AND call.id <= (SELECT cursor FROM upkeep_cursors WHERE job = '${closingJob(table)}')
ON CONFLICT (id) DO NOTHING`;
}

/** The values that the cron gives to a call without an end. An orphaned interception has unknown usage, and no call has an end time. */
export const ORPHANED: Readonly<Record<CallTable, Readonly<Record<string, string>>>> = {
  interceptions: { outcome: "orphaned", usage: "unknown" },
  passthroughs: { outcome: "orphaned" },
};
