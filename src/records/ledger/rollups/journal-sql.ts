/**
 * The SQL of the journal: one row per stored batch, written in its transaction. It lists the events that the batch stored for
 * the first time, and by how much it moved the totals.
 *
 * A batch first notes what its interceptions add to the totals before it (`OPEN_BATCH`), then stores its events, then
 * replaces the note by the difference (`closeBatch`). So the totals are exact even if events are delivered twice, late or in any
 * order: they follow from the rows alone, never from the events.
 *
 * The one parameter of each statement is a `Batch` as JSON.
 */
import { isCallTable, TABLE_KEYS } from "../tables.ts";
import type { LedgerTable } from "../../../events/fields.ts";
import {
  actorName,
  contribution,
  DIMENSION_COLUMNS,
  dimensionKey,
  dimensionValue,
  hourOf,
  MEASURES,
} from "../../rollups/contribution-sql.ts";
import { deltasOf } from "../../rollups/unfolded.ts";

export type Batch = {
  /** Tells apart the journal rows of one transaction. */
  readonly part: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The interceptions whose rows the batch can change. */
  readonly interceptions: readonly string[];
  readonly events: readonly BatchEvent[];
};

/** `key`: the row's id, or the interception's id where the table's key begins with it. */
export type BatchEvent = {
  readonly id: string;
  readonly table: LedgerTable;
  readonly key: string;
  readonly seal: string;
};

/** The parameter stands in a statement once: `npm run replay` writes it into the statement's text, which is bounded. */
const BATCH = "batch (json) AS MATERIALIZED (SELECT ?1)";
const JSON_TEXT = "(SELECT json FROM batch)";
const INTERCEPTIONS = `SELECT value AS id FROM json_each(${JSON_TEXT}, '$.interceptions')`;

/** The contributions of the interceptions of a list, one row each. */
const contributions = (ids: string): string => `
SELECT dimension.id AS dimension, ${hourOf("i")} AS hour, ${MEASURES.map((name) => `${contribution(name, "i")} AS ${name}`).join(", ")}
FROM (${ids}) AS listed CROSS JOIN interceptions AS i ON i.id = listed.id
CROSS JOIN rollup_dimensions AS dimension ON dimension.key = ${dimensionKey("i")}`;

const asDeltas = `json_group_array(json_array(dimension, hour, ${MEASURES.join(", ")}))`;

/** A row that is still open has -1 deltas, and the name of its part in place of the events. */
const openBatch = (ids: string): string => `
INSERT INTO journal (stored_at, event_ids, deltas, delta_count)
SELECT batch.json ->> 'at', batch.json ->> 'part', (SELECT ${asDeltas} FROM (${contributions(ids)})), -1 FROM batch`;

export const OPEN_BATCH = `WITH ${BATCH}${openBatch(INTERCEPTIONS)}`;

/** The dimensions of the interceptions, as far as they are new. A name is replaced by that of a later interception. */
const addDimensions = (ids: string): string => `
INSERT INTO rollup_dimensions (key, ${DIMENSION_COLUMNS.join(", ")}, initiator_name, actor_name, named_by)
SELECT ${dimensionKey("i")} AS key, ${DIMENSION_COLUMNS.map((name) => dimensionValue(name, "i")).join(", ")},
  i.initiator_name, ${actorName("i")}, MAX(IIF(COALESCE(i.initiator_name, ${actorName("i")}) IS NULL, '', i.id))
FROM (${ids}) AS listed CROSS JOIN interceptions AS i ON i.id = listed.id
GROUP BY key
ON CONFLICT (key) DO UPDATE SET
  initiator_name = excluded.initiator_name, actor_name = excluded.actor_name, named_by = excluded.named_by
WHERE excluded.named_by >= rollup_dimensions.named_by
  AND COALESCE(excluded.initiator_name, excluded.actor_name) IS NOT NULL
  AND (excluded.initiator_name IS NOT rollup_dimensions.initiator_name
    OR excluded.actor_name IS NOT rollup_dimensions.actor_name)`;

export const ADD_DIMENSIONS = `WITH ${BATCH}${addDimensions(INTERCEPTIONS)}`;

const isSeal = (name: string): string => `stored.${name} = event.value ->> 'seal'`;

/** Whether the stored seal is the batch's own: the batch has stored the event, and no earlier one has. */
function isStored(table: LedgerTable): string {
  const [key, id] = TABLE_KEYS[table] as readonly [string, string?];
  const isOurs = isCallTable(table) ? `(${isSeal("start_seal")} OR ${isSeal("end_seal")})` : isSeal("seal");
  const isRow = id === undefined ? "" : ` AND stored.${id} = event.value ->> 'id'`;
  return `WHEN '${table}' THEN EXISTS (
    SELECT 1 FROM ${table} AS stored WHERE stored.${key} = event.value ->> 'key'${isRow} AND ${isOurs})`;
}

/** The open row is among the last ones: backwards from the newest, the search ends there. */
const closeWith = (common: string, ids: string, eventIds: string): string => `
WITH ${common},
opened AS MATERIALIZED (
  SELECT seq, deltas FROM journal WHERE delta_count < 0 AND event_ids = ${JSON_TEXT} ->> 'part' ORDER BY seq DESC LIMIT 1
),
moved AS MATERIALIZED (
  SELECT dimension, hour, ${MEASURES.map((name) => `TOTAL(${name}) AS ${name}`).join(", ")} FROM (
    ${deltasOf("opened AS journal", "-")}
    UNION ALL ${contributions(ids)}
  ) GROUP BY dimension, hour HAVING ${MEASURES.map((name) => `TOTAL(${name}) <> 0`).join(" OR ")}
)
UPDATE journal SET event_ids = ${eventIds}, deltas = (SELECT ${asDeltas} FROM moved), delta_count = (SELECT COUNT(*) FROM moved)
WHERE seq = (SELECT seq FROM opened)`;

/** `tables`: those of the batch's events. */
export const closeBatch = (tables: readonly LedgerTable[]): string =>
  closeWith(
    BATCH,
    INTERCEPTIONS,
    `(
  SELECT json_group_array(id) FROM (
    SELECT event.value ->> 'id' AS id FROM json_each(${JSON_TEXT}, '$.events') AS event
    WHERE CASE event.value ->> 'table' ${tables.map(isStored).join(" ")} END
    ORDER BY event.key
  )
)`,
  ).trim();

/**
 * The same where the list of interceptions follows from the database: `ids` selects it. `common`: its WITH clauses, which
 * may read the parameter's text as `(SELECT json FROM batch)`.
 */
export function movesOf(common: string, ids: string): { readonly open: string; readonly close: string } {
  const all = `${BATCH},\n${common.trim()}`;
  return {
    open: `WITH ${all}${openBatch(ids)} WHERE EXISTS (${ids})`,
    close: closeWith(all, ids, "'[]'").trim(),
  };
}
