/**
 * Merges the counts of refusals: one row per minute, reason and provider, regardless of the number of isolates.
 * A row and those merged into it change in one transaction, so that each event counts exactly once.
 */
import { endOf } from "../write/refusal-sql.ts";
import { DAY_MS } from "./aggregate.ts";

/** Later events of a minute are merged by a later run. */
export const MERGE_AFTER_MS = 3_600_000;
/** Longer than a queue delivers a message again. Then the row forgets the ids that were merged into it. */
export const FORGET_AFTER_MS = 7 * DAY_MS;

const MERGE = { groups: 500, steps: 12 };
const FORGET = { rows: 500, steps: 10 };
/** The statements of a run at most. */
export const MERGE_STATEMENTS = 3 * MERGE.steps + FORGET.steps;
/** A row with more merged ids takes no further ones: D1 accepts 2,000,000 bytes per row. */
const MAX_MERGED = 500_000;

export const MERGE_SQL = {
  /** The groups with a row that is not merged yet. Parameter: the minute before which a minute must begin. */
  groups: `
SELECT DISTINCT minute, reason, provider FROM refusal_counts WHERE merged IS NULL AND minute < ?1
ORDER BY minute LIMIT ${MERGE.groups}`,
  /** Parameter of both: those groups as JSON. The row with the lowest id remains. */
  sum: `
WITH ${members()},
merging AS MATERIALIZED (
  SELECT remaining, SUM(refusals) AS refusals,
    GROUP_CONCAT(COALESCE(merged, '') || IIF(id = remaining, '', ${endOf("id")}), '') AS merged
  FROM members GROUP BY remaining
)
UPDATE refusal_counts SET refusals = merging.refusals, merged = merging.merged FROM merging
WHERE refusal_counts.id = merging.remaining AND refusal_counts.id IN (SELECT remaining FROM merging)`,
  remove: `
WITH ${members()}
DELETE FROM refusal_counts WHERE id IN (SELECT id FROM members WHERE id <> remaining)`,
  /** Parameter: the minute before which a minute must begin. */
  forget: `
UPDATE refusal_counts SET merged = '' WHERE id IN (
  SELECT id FROM refusal_counts WHERE merged > '' AND minute < ?1 ORDER BY minute LIMIT ${FORGET.rows}
)`,
} as const;

function members(): string {
  return `members AS MATERIALIZED (
  SELECT c.id, c.refusals, c.merged, MIN(c.id) OVER (PARTITION BY c.minute, c.reason, c.provider) AS remaining
  FROM json_each(?1) AS merging CROSS JOIN refusal_counts AS c
    ON c.minute = merging.value ->> 'minute' AND c.reason = merging.value ->> 'reason'
    AND c.provider IS merging.value ->> 'provider'
  WHERE LENGTH(COALESCE(c.merged, '')) < ${MAX_MERGED}
)`;
}

/** @returns whether work is left for the next run. `now`: milliseconds since 1970. */
export async function mergeRefusals(database: D1Database, now: number): Promise<boolean> {
  for (let step = 0; step < MERGE.steps; step += 1) {
    const { results } = await database
      .prepare(MERGE_SQL.groups)
      .bind(iso(now - MERGE_AFTER_MS))
      .all();
    if (results.length === 0) break;
    const groups = JSON.stringify(results);
    // A batch is one transaction: rows that are stored meanwhile are in both statements or in neither.
    await database.batch([MERGE_SQL.sum, MERGE_SQL.remove].map((sql) => database.prepare(sql).bind(groups)));
    if (results.length < MERGE.groups) break;
    if (step === MERGE.steps - 1) return true;
  }
  for (let step = 0; step < FORGET.steps; step += 1) {
    const { meta } = await database
      .prepare(MERGE_SQL.forget)
      .bind(iso(now - FORGET_AFTER_MS))
      .run();
    if (meta.changes < FORGET.rows) return false;
  }
  return true;
}

const iso = (at: number): string => new Date(Math.max(0, at)).toISOString();
