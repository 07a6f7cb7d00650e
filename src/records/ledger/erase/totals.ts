/**
 * Erases a person in the totals, whose dimensions name the principals and outlive the interceptions. Dimensions that become
 * equal are merged: a person's ids have one pseudonym, and the workspace of an initiator is erased.
 *
 * By then every row has moved to a dimension with the pseudonym (erase-ledger.ts). The transaction fails where the sums of the old
 * dimensions have changed since before the last pass over the rows: a row has come that still counts there.
 */
import { MEASURES } from "../../rollups/contribution-sql.ts";
import { deltasOf, UNFOLDED } from "../../rollups/unfolded.ts";
import { FOLD } from "../rollups/fold.ts";
import type { Query, Row } from "../seal/rebuild.ts";
import type { Cell, Statement } from "./erase-row.ts";

const IDS = "(SELECT value FROM json_each(?1))";
const replaced = (column: string): string => `IIF(d.${column} IN ${IDS}, ?2, d.${column})`;
const WORKSPACE = `IIF(d.initiator_id IN ${IDS}, NULL, d.workspace_id)`;

const LINK_KEY = `json_array(${replaced("initiator_id")}, d.initiator_source, d.attribution, ${replaced("actor_id")}, d.identity_source)`;
const fineKey = (link: string): string =>
  `json_array(${link}, d.client, d.provider, d.provider_type, d.model, ${WORKSPACE}, d.own_key_rejected)`;

/**
 * As `dimensionKey` and `addCoarse` have it.
 */
const KEY = `CASE
  WHEN d.coarseness > 0 THEN json_array('principals', ${replaced("initiator_id")}, d.initiator_source, ${replaced("actor_id")},
    d.identity_source, d.attribution, d.own_key_rejected)
  ELSE ${fineKey(`${LINK_KEY} || ''`)}
END`;

/** Parameters: the person's ids as a JSON list, the pseudonym. */
const FIND = `SELECT d.id, ${KEY} AS new_key, ${replaced("initiator_id")} AS initiator_id, ${replaced("actor_id")} AS actor_id,
  ${WORKSPACE} AS workspace_id, IIF(d.initiator_id IN ${IDS}, NULL, d.initiator_name) AS initiator_name,
  IIF(d.actor_id IN ${IDS}, NULL, d.actor_name) AS actor_name,
  (SELECT e.id FROM rollup_dimensions AS e WHERE e.key = ${KEY}) AS existing
FROM rollup_dimensions AS d WHERE d.initiator_id IN ${IDS} OR d.actor_id IN ${IDS} ORDER BY d.id`;

const NAMED = `SELECT d.id FROM rollup_dimensions AS d
  WHERE d.coarseness = 0 AND (d.initiator_id IN ${IDS} OR d.actor_id IN ${IDS})`;
/** Requests of the dimensions that name the person, folded or not. Parameter: the ids as a JSON list. */
const SUM = `SELECT
  (SELECT TOTAL(h.requests) FROM (${NAMED}) AS named CROSS JOIN rollup_hours AS h ON h.dimension = named.id)
  + (SELECT TOTAL(moved.requests) FROM (${deltasOf(UNFOLDED)}) AS moved WHERE moved.dimension IN (${NAMED})) AS requests`;

/** The number of dimensions that name the person, the coarse ones included, and `SUM`. Parameter: the ids as a JSON list. */
export const COUNT_TOTALS = `SELECT
  (SELECT COUNT(*) FROM rollup_dimensions AS d WHERE d.initiator_id IN ${IDS} OR d.actor_id IN ${IDS}) AS dimensions,
  (${SUM}) AS requests`;

/** Inserts NULL into a column that has none, which fails the transaction. Parameters: the ids, the sum that was read. */
const GUARD = `INSERT INTO erasures (id, pseudonym, requested_at) SELECT NULL, '', 0 WHERE (${SUM}) <> ?2`;

/** The guard, or a dimension that the consumer has added meanwhile. */
export const isOvertaken = (error: unknown): boolean =>
  /constraint failed: (?:erasures|rollup_dimensions)\b/.test(
    `${String(error)} ${error instanceof Error ? String(error.cause) : ""}`,
  );

const added = MEASURES.map((name) => `${name} = ${name} + excluded.${name}`).join(", ");
const MOVES = "json_each(?1) AS moved";

/** Parameter of each: a JSON list of [from, to]. */
const MERGE: readonly string[] = [
  ...(["rollup_hours", "rollup_days"] as const).flatMap((table) => {
    const period = table === "rollup_hours" ? "hour" : "day";
    return [
      `INSERT INTO ${table} (dimension, ${period}, ${MEASURES.join(", ")})
SELECT moved.value ->> 1, t.${period}, ${MEASURES.map((name) => `TOTAL(t.${name})`).join(", ")}
FROM ${MOVES} CROSS JOIN ${table} AS t ON t.dimension = moved.value ->> 0 WHERE true GROUP BY 1, 2
ON CONFLICT (dimension, ${period}) DO UPDATE SET ${added}`,
      `DELETE FROM ${table} WHERE dimension IN (SELECT moved.value ->> 0 FROM ${MOVES})`,
    ];
  }),
  `UPDATE rollup_dimensions SET principals = (SELECT moved.value ->> 1 FROM ${MOVES} WHERE moved.value ->> 0 = principals)
WHERE principals IN (SELECT moved.value ->> 0 FROM ${MOVES})`,
  `DELETE FROM rollup_dimensions WHERE id IN (SELECT moved.value ->> 0 FROM ${MOVES})`,
];

const RENAME = `UPDATE rollup_dimensions SET key = ?2, initiator_id = ?3, actor_id = ?4, workspace_id = ?5, initiator_name = ?6,
  actor_name = ?7 WHERE id = ?1`;

export type TotalsErasure = { readonly dimensions: number; readonly statements: readonly Statement[] };

/** To be run before `eraseTotals`: the journal's deltas name dimensions, and new ones get their coarse ones. */
export const FOLD_FIRST: readonly Statement[] = FOLD.map((sql) => ({ sql, values: [] }));

/** Statements for one transaction. `counted`: `SUM` from before the last pass over the rows. */
export async function eraseTotals(
  query: Query,
  { ids, pseudonym, counted }: { readonly ids: string; readonly pseudonym: string; readonly counted: number },
): Promise<TotalsErasure> {
  const rows = await query(FIND, ids, pseudonym);
  if (rows.length === 0) return { dimensions: 0, statements: [] };
  const byKey = Map.groupBy(rows, (row) => String(row["new_key"]));
  const renames: Statement[] = [];
  const moves: (readonly [number, number])[] = [];
  for (const group of byKey.values()) {
    const [first = {}, ...others] = group;
    const existing = first["existing"];
    const isMerged = typeof existing === "number";
    const target = isMerged ? existing : Number(first["id"]);
    if (!isMerged) renames.push(renameOf(first));
    for (const row of isMerged ? group : others) moves.push([Number(row["id"]), target]);
  }
  return {
    dimensions: rows.length,
    statements: [{ sql: GUARD, values: [ids, counted] }, ...renames, ...mergesOf(moves)],
  };
}

const renameOf = (row: Row): Statement => ({
  sql: RENAME,
  values: ["id", "new_key", "initiator_id", "actor_id", "workspace_id", "initiator_name", "actor_name"].map(
    (name) => (row[name] ?? null) as Cell,
  ),
});

/** Pairs per statement, whose text is bounded. */
const PAIRS = 1000;

function mergesOf(moves: readonly (readonly [number, number])[]): Statement[] {
  const statements: Statement[] = [];
  for (let at = 0; at < moves.length; at += PAIRS) {
    const json = JSON.stringify(moves.slice(at, at + PAIRS));
    statements.push(...MERGE.map((sql) => ({ sql, values: [json] })));
  }
  return statements;
}
