/**
 * The SQL that stores refusals. Both statements have one parameter, the rows as JSON, and repeating them changes nothing.
 *
 * A refusal without a verified actor is stored while its minute and its hour have room, because anyone can cause it. Which
 * of them are stored depends on the order of delivery; how many were refused does not, because the gateway counts them.
 */
import type { Columns } from "../tables.ts";

/** Rows without a verified actor per minute and reason, and per hour and reason, of all isolates together. */
export const MAX_PER_MINUTE = 100;
export const MAX_PER_HOUR = 300;

const namesOf = (columns: Columns): string => Object.keys(columns).join(", ");
const valuesOf = (columns: Columns): string =>
  Object.values(columns)
    .map(({ field }) => `value ->> '${field}'`)
    .join(", ");

/** The number of stored rows of one period, up to `max`. A period is a prefix of times, and `:` comes before `;`. */
const stored = (period: string, max: number): string => `(SELECT COUNT(*) FROM (
    SELECT 1 FROM refusals WHERE actor_verified IS NOT 1 AND reason = periods.reason
      AND created_at >= periods.${period} AND created_at < periods.${period} || ';' LIMIT ${max}))`;

/** Rows are ranked by id, and the same id twice has one rank. */
const rank = (period: string): string =>
  `DENSE_RANK() OVER (PARTITION BY verified, reason, ${period} ORDER BY id)`;

export function insertRefusals(columns: Columns): string {
  return `
WITH incoming AS MATERIALIZED (
  SELECT value, value ->> 'id' AS id, value ->> 'reason' AS reason, value ->> 'actor_verified' IS 1 AS verified,
    SUBSTR(value ->> 'created_at', 1, 16) AS minute, SUBSTR(value ->> 'created_at', 1, 13) AS hour
  FROM json_each(?1)
  WHERE NOT EXISTS (SELECT 1 FROM refusals WHERE refusals.id = json_each.value ->> 'id')
),
periods AS MATERIALIZED (SELECT DISTINCT reason, minute, hour FROM incoming WHERE NOT verified),
occupied AS MATERIALIZED (
  SELECT reason, minute, ${stored("minute", MAX_PER_MINUTE)} AS in_minute, ${stored("hour", MAX_PER_HOUR)} AS in_hour
  FROM periods
),
ranked AS MATERIALIZED (
  SELECT incoming.*, ${rank("minute")} AS of_minute, ${rank("hour")} AS of_hour FROM incoming
)
INSERT INTO refusals (${namesOf(columns)}) SELECT ${valuesOf(columns)} FROM ranked
LEFT JOIN occupied ON occupied.reason = ranked.reason AND occupied.minute = ranked.minute
WHERE verified OR (of_minute + in_minute <= ${MAX_PER_MINUTE} AND of_hour + in_hour <= ${MAX_PER_HOUR})
ON CONFLICT (id) DO NOTHING`.trim();
}

/** The end of an id, by which a merged row remembers it: a time is in front of it. Alias `value` or a table's `id`. */
export const endOf = (id: string): string => `' ' || SUBSTR(${id}, 20)`;

/** An event that was merged into another row (maintain/merge-refusals.ts) is not counted again. */
export function insertRefusalCounts(columns: Columns): string {
  return `
INSERT INTO refusal_counts (${namesOf(columns)}) SELECT ${valuesOf(columns)} FROM json_each(?1)
WHERE NOT EXISTS (
  SELECT 1 FROM refusal_counts c
  WHERE c.minute = json_each.value ->> 'minute' AND c.reason = json_each.value ->> 'reason'
    AND c.provider IS json_each.value ->> 'provider' AND INSTR(c.merged, ${endOf("json_each.value ->> 'id'")}) > 0
)
ON CONFLICT (id) DO NOTHING`.trim();
}
