/**
 * The interceptions of one actor, in the order of their ids.
 *
 * - Where the actor named no owner, it is the initiator itself: `interceptions_by_initiator` has the row.
 * - Where it named one and is no service, `interceptions_by_actor` has the row.
 * - A service that names owners has many rows and no index. They are found by reading from the newest, and not at all where
 *   the totals have no such actor.
 */
import { canonicalId } from "../../shared/uuid.ts";
import { sql, type Sql } from "./kit/sql.ts";

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
  // A row that is found by its id is one, so the join keeps the order of the ids.
  return sql`(
    SELECT own.* FROM interceptions AS own
    WHERE own.initiator_id = ${actor} AND own.actor_id = ${actor} AND NOT ${namesOwner("own")}
    UNION ALL
    SELECT made.* FROM interceptions AS made
    WHERE made.actor_id = ${actor} AND ${namesOwner("made")} AND made.actor_kind <> 'service'
    UNION ALL
    SELECT made.* FROM rollup_dimensions AS known CROSS JOIN interceptions AS made
    WHERE known.id = (SELECT MIN(d.id) FROM rollup_dimensions AS d WHERE d.actor_id = ${actor} AND ${namesOwner("d")})
      AND made.actor_id = ${actor} AND ${namesOwner("made")} AND made.actor_kind = 'service')`;
}
