/**
 * Folds the journal into the totals by hour and by day. Until then, readers add the journal's rows to the totals, so folding
 * changes no sum: it only keeps the journal short.
 */
import { COARSE_COLUMNS, COARSENESS } from "../../rollups/coarse-sql.ts";
import { DIMENSION_COLUMNS, MEASURES, type DimensionColumn } from "../../rollups/contribution-sql.ts";
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

const sums = MEASURES.map((name) => `TOTAL(${name})`).join(", ");
const added = MEASURES.map((name) => `${name} = ${name} + excluded.${name}`).join(", ");

const ADD_TO_HOURS = `
INSERT INTO rollup_hours (dimension, hour, ${MEASURES.join(", ")})
SELECT dimension, hour, ${sums} FROM (${deltasOf(UNFOLDED)}) GROUP BY 1, 2
ON CONFLICT (dimension, hour) DO UPDATE SET ${added}`;

/** Of days that are summed up already: into the dimension's day and those of its coarse ones. */
const addToDays = (target: "id" | "principals" | "software"): string => `
INSERT INTO rollup_days (dimension, day, ${MEASURES.join(", ")})
SELECT d.${target}, SUBSTR(hour, 1, 10), ${sums}
FROM (${deltasOf(UNFOLDED)}) AS moved CROSS JOIN rollup_dimensions AS d ON d.id = moved.dimension
WHERE SUBSTR(hour, 1, 10) < ${CLOSED_DAYS} GROUP BY 1, 2
ON CONFLICT (dimension, day) DO UPDATE SET ${added}`;

type Kind = keyof typeof COARSE_COLUMNS;
const KINDS = Object.keys(COARSE_COLUMNS) as readonly Kind[];

/** The coarse dimensions of those that have none yet. */
function addCoarse(kind: Kind): string {
  const columns: readonly DimensionColumn[] = COARSE_COLUMNS[kind];
  const value = (name: DimensionColumn): string =>
    columns.includes(name) ? name : name === "own_key_rejected" ? "0" : "''";
  return `
INSERT INTO rollup_dimensions (key, coarseness, ${DIMENSION_COLUMNS.join(", ")}, initiator_name, actor_name)
SELECT json_array('${kind}', ${columns.join(", ")}), ${COARSENESS[kind]}, ${DIMENSION_COLUMNS.map(value).join(", ")},
  ${kind === "principals" ? "MIN(initiator_name), MIN(actor_name)" : "NULL, NULL"}
FROM rollup_dimensions WHERE coarseness = 0 AND ${kind} IS NULL GROUP BY 1
ON CONFLICT (key) DO UPDATE SET
  initiator_name = COALESCE(excluded.initiator_name, initiator_name), actor_name = COALESCE(excluded.actor_name, actor_name)
WHERE COALESCE(excluded.initiator_name, initiator_name) IS NOT initiator_name
  OR COALESCE(excluded.actor_name, actor_name) IS NOT actor_name`;
}

const COARSEN: readonly string[] = [
  ...KINDS.map(addCoarse),
  `UPDATE rollup_dimensions SET ${KINDS.map(
    (kind) => `${kind} = (
  SELECT coarse.id FROM rollup_dimensions AS coarse
  WHERE coarse.key = json_array('${kind}', ${COARSE_COLUMNS[kind].map((name) => `rollup_dimensions.${name}`).join(", ")}))`,
  ).join(", ")}
WHERE coarseness = 0 AND (${KINDS.map((kind) => `${kind} IS NULL`).join(" OR ")})`,
];

/** In one transaction. The sealer (maintain/) deletes nothing, so that this is the one place that does. */
export const FOLD: readonly string[] = [
  ...COARSEN,
  ADD_TO_HOURS,
  addToDays("id"),
  ...KINDS.map(addToDays),
  `INSERT INTO upkeep_cursors (job, cursor) SELECT 'folded', CAST(MAX(seq) AS TEXT) FROM journal WHERE true HAVING COUNT(*) > 0
ON CONFLICT (job) DO UPDATE SET cursor = excluded.cursor`,
  `DELETE FROM journal WHERE seq <= ${FOLDED} AND seq <= ${SEALED} AND seq < (SELECT MAX(seq) FROM journal)`,
];

export async function foldJournal(database: D1Database): Promise<void> {
  await database.batch(FOLD.map((sql) => database.prepare(sql)));
}

/**
 * Sums up the days that have ended, once. Deltas of such a day that come later are folded into both. Parameter: the current
 * day.
 */
const closeDay = (target: "id" | Kind): string => `
INSERT INTO rollup_days (dimension, day, ${MEASURES.join(", ")})
SELECT d.${target}, SUBSTR(r.hour, 1, 10), ${MEASURES.map((name) => `TOTAL(r.${name})`).join(", ")}
FROM rollup_dimensions AS d CROSS JOIN rollup_hours AS r ON r.dimension = d.id AND r.hour >= ${CLOSED_DAYS} AND r.hour < ?1
WHERE d.coarseness = 0 GROUP BY 1, 2`;

const CLOSE_DAYS: readonly string[] = [
  closeDay("id"),
  ...KINDS.map(closeDay),
  `INSERT INTO upkeep_cursors (job, cursor) VALUES ('days', ?1)
ON CONFLICT (job) DO UPDATE SET cursor = MAX(cursor, excluded.cursor)`,
];

/** The statements of folding and of closing days at most. */
export const FOLD_STATEMENTS = FOLD.length + 1 + COARSEN.length + CLOSE_DAYS.length;

/** `now`: milliseconds since 1970. */
export async function closeDays(database: D1Database, now: number): Promise<void> {
  const today = new Date(now).toISOString().slice(0, 10);
  const closed = await database.prepare(`SELECT ${CLOSED_DAYS} AS day`).first<string>("day");
  if (closed !== null && closed >= today) return;
  await database.batch([
    ...COARSEN.map((sql) => database.prepare(sql)),
    ...CLOSE_DAYS.map((sql) => database.prepare(sql).bind(today)),
  ]);
}
