/**
 * Folds the journal into the totals by hour and by day. Until then, readers add the journal's rows to the totals, so folding
 * changes no sum: it only keeps the journal short.
 */
import { MEASURES } from "../../rollups/contribution-sql.ts";
import { CLOSED_DAYS, deltasOf, FOLDED, UNFOLDED } from "../../rollups/unfolded.ts";

/**
 * The consumer folds once the journal holds so many deltas, of some 60 bytes each. The more are folded together, the fewer
 * rows are written; every sum reads them until then.
 */
export const FOLD_AT_DELTAS = 8000;
/** The cron folds what is older, also where little is stored. */
export const FOLD_AFTER_MS = 3_600_000;

/** Absent where nothing is sealed: then only folding keeps a journal row. */
const SEALED = `COALESCE((SELECT CAST(cursor AS INTEGER) FROM upkeep_cursors WHERE job = 'sealed'), ${FOLDED})`;

/** How many deltas are not folded yet, and when the first of them was stored. */
export const UNFOLDED_DELTAS = `SELECT TOTAL(delta_count) AS deltas, MIN(stored_at) AS since FROM journal WHERE seq > ${FOLDED}`;

const addTo = (table: string, period: string, length: number, where = ""): string => `
INSERT INTO ${table} (dimension, ${period}, ${MEASURES.join(", ")})
SELECT dimension, SUBSTR(hour, 1, ${length}) AS ${period}, ${MEASURES.map((name) => `TOTAL(${name})`).join(", ")}
FROM (${deltasOf(UNFOLDED)}) WHERE true${where} GROUP BY 1, 2
ON CONFLICT (dimension, ${period}) DO UPDATE SET ${MEASURES.map((name) => `${name} = ${name} + excluded.${name}`).join(", ")}`;

/** In one transaction. The sealer (maintain/) deletes nothing, so that this is the one place that does. */
export const FOLD: readonly string[] = [
  addTo("rollup_hours", "hour", 13),
  addTo("rollup_days", "day", 10, ` AND SUBSTR(hour, 1, 10) < ${CLOSED_DAYS}`),
  `INSERT INTO upkeep_cursors (job, cursor) SELECT 'folded', CAST(MAX(seq) AS TEXT) FROM journal WHERE true HAVING COUNT(*) > 0
ON CONFLICT (job) DO UPDATE SET cursor = excluded.cursor`,
  `DELETE FROM journal WHERE seq <= ${FOLDED} AND seq <= ${SEALED} AND seq < (SELECT MAX(seq) FROM journal)`,
];

export async function foldJournal(database: D1Database): Promise<void> {
  await database.batch(FOLD.map((sql) => database.prepare(sql)));
}

/**
 * Sums up the days that have ended, once. What is stored later for such a day is folded into both. Parameter: the current
 * day.
 */
const CLOSE_DAYS: readonly string[] = [
  `INSERT INTO rollup_days (dimension, day, ${MEASURES.join(", ")})
SELECT r.dimension, SUBSTR(r.hour, 1, 10), ${MEASURES.map((name) => `TOTAL(r.${name})`).join(", ")}
FROM rollup_dimensions AS d CROSS JOIN rollup_hours AS r ON r.dimension = d.id AND r.hour >= ${CLOSED_DAYS} AND r.hour < ?1
GROUP BY 1, 2`,
  `INSERT INTO upkeep_cursors (job, cursor) VALUES ('days', ?1)
ON CONFLICT (job) DO UPDATE SET cursor = MAX(cursor, excluded.cursor)`,
];

/** `now`: milliseconds since 1970. */
export async function closeDays(database: D1Database, now: number): Promise<void> {
  const today = new Date(now).toISOString().slice(0, 10);
  const closed = await database.prepare(`SELECT ${CLOSED_DAYS} AS day`).first<string>("day");
  if (closed !== null && closed >= today) return;
  await database.batch(CLOSE_DAYS.map((sql) => database.prepare(sql).bind(today)));
}
