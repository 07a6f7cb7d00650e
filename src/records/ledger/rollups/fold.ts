/**
 * Folds the journal into the totals by hour and by day. Until then, readers add the journal's rows to the totals, so folding
 * changes no sum: it only keeps the journal short.
 */
import { MEASURES } from "../../rollups/contribution-sql.ts";
import { deltasOf, FOLDED, UNFOLDED } from "../../rollups/unfolded.ts";

/** The consumer folds once the journal holds so many deltas, of some 50 bytes each. */
export const FOLD_AT_DELTAS = 4000;
/** The cron folds what is older, also where little is stored. */
export const FOLD_AFTER_MS = 3_600_000;

/** Absent where nothing is sealed: then only folding keeps a journal row. */
const SEALED = `COALESCE((SELECT CAST(cursor AS INTEGER) FROM upkeep_cursors WHERE job = 'sealed'), ${FOLDED})`;

/** How many deltas are not folded yet, and when the first of them was stored. */
export const UNFOLDED_DELTAS = `SELECT TOTAL(delta_count) AS deltas, MIN(stored_at) AS since FROM journal WHERE seq > ${FOLDED}`;

const addTo = (table: string, period: string, length: number): string => `
INSERT INTO ${table} (dimension, ${period}, ${MEASURES.join(", ")})
SELECT dimension, SUBSTR(hour, 1, ${length}) AS ${period}, ${MEASURES.map((name) => `TOTAL(${name})`).join(", ")}
FROM (${deltasOf(UNFOLDED)}) GROUP BY 1, 2
ON CONFLICT (dimension, ${period}) DO UPDATE SET ${MEASURES.map((name) => `${name} = ${name} + excluded.${name}`).join(", ")}`;

/** In one transaction. The sealer (maintain/) deletes nothing, so that this is the one place that does. */
export const FOLD: readonly string[] = [
  addTo("rollup_hours", "hour", 13),
  addTo("rollup_days", "day", 10),
  `INSERT INTO upkeep_cursors (job, cursor) SELECT 'folded', CAST(MAX(seq) AS TEXT) FROM journal WHERE true HAVING COUNT(*) > 0
ON CONFLICT (job) DO UPDATE SET cursor = excluded.cursor`,
  `DELETE FROM journal WHERE seq <= ${FOLDED} AND seq <= ${SEALED} AND seq < (SELECT MAX(seq) FROM journal)`,
];

export async function foldJournal(database: D1Database): Promise<void> {
  await database.batch(FOLD.map((sql) => database.prepare(sql)));
}
