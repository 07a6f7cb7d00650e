/**
 * The interceptions of one actor, in the order of their ids.
 *
 * - Where the actor named no owner, it is the initiator itself: `interceptions_by_initiator` has the row.
 * - Where it named one and is no service, `interceptions_by_actor` has the row.
 * - A service that names owners has no index. The totals have its initiators. Where they are few, their rows are read;
 *   a service with many is frequent, and is found by reading from the newest.
 */
import { canonicalId } from "../../shared/uuid.ts";
import { sql, type Sql } from "./kit/sql.ts";

const FEW_INITIATORS = 20;

/** In the words of the index (migration 0009): SQLite uses a partial index only where the query repeats its condition. */
const namesOwner = (alias: string): Sql => ({
  text: `${alias}.attribution IN ('asserted', 'signed', 'claimed')`,
  values: [],
});

/**
 * Stands in place of the table. Without an actor it is the table itself. With one, SQLite reads the parts in the order of the
 * outer query and stops at its limit. The outer query repeats the filter.
 *
 * `sent`: the texts of a request's parameters.
 */
export function interceptionsOf(sent: ReadonlyMap<string, string>): Sql {
  const text = sent.get("actor");
  if (text === undefined) return sql`interceptions`;
  const actor = canonicalId(text);
  const known = sql`FROM rollup_dimensions AS total WHERE total.actor_id = ${actor} AND ${namesOwner("total")}`;
  // A row that is found by its id is one at most, so the join keeps the order of the ids, and reads nothing without it.
  const ofService = (hasFew: Sql, among: Sql): Sql => sql`
    SELECT made.* FROM rollup_dimensions AS one CROSS JOIN ${among}
    WHERE one.id = (SELECT IIF(COUNT(DISTINCT total.initiator_id) ${hasFew}, MIN(total.id), NULL) ${known})
      AND made.actor_id = ${actor} AND ${namesOwner("made")} AND made.actor_kind = 'service'`;
  const ofInitiators = sql`(SELECT DISTINCT total.initiator_id ${known}) AS owner
    CROSS JOIN interceptions AS made ON made.initiator_id = owner.initiator_id`;
  return sql`(
    SELECT own.* FROM interceptions AS own
    WHERE own.initiator_id = ${actor} AND own.actor_id = ${actor} AND NOT ${namesOwner("own")}
    UNION ALL
    SELECT made.* FROM interceptions AS made
    WHERE made.actor_id = ${actor} AND ${namesOwner("made")} AND made.actor_kind <> 'service'
    UNION ALL ${ofService(sql`<= ${FEW_INITIATORS}`, ofInitiators)}
    UNION ALL ${ofService(sql`> ${FEW_INITIATORS}`, sql`interceptions AS made`)})`;
}
