/** Finds a session by the path's id. */
import { Refusal } from "../../shared/refusal.ts";
import { canonicalId } from "../../shared/uuid.ts";
import { INITIATOR_RULE } from "./filters.ts";
import { invalidFilter } from "./kit/invalid-filter.ts";
import { anyText } from "./kit/parameter.ts";
import type { QueryLedger } from "./kit/query-ledger.ts";
import { text } from "./kit/row-mapper.ts";
import { sql } from "./kit/sql.ts";

/** A session is one initiator's, because the client chooses its id. */
export type SessionKey = { readonly session: string; readonly initiator: string };

/** The parameter `initiator` of the endpoints below `/sessions/{session_id}`. */
export const SESSION_INITIATOR = {
  ...anyText("The id of the session's initiator."),
  rule: INITIATOR_RULE,
};

/** The session with this id; else the session of the interception with this id. */
export async function findKey(
  id: string,
  initiator: string | null,
  query: QueryLedger,
): Promise<SessionKey | Refusal> {
  const matches = initiator === null ? sql`1` : sql`initiator_id = ${canonicalId(initiator)}`;
  const rows = await query([
    // The minimum and maximum of an indexed column are the ends of the index: two lookups, regardless of the session's size.
    sql`SELECT (SELECT MIN(initiator_id) FROM interceptions WHERE session_id = ${id} AND ${matches}) AS first,
      (SELECT MAX(initiator_id) FROM interceptions WHERE session_id = ${id} AND ${matches}) AS last`,
    sql`SELECT session_id, initiator_id FROM interceptions WHERE id = ${canonicalId(id)} AND ${matches}`,
  ]);
  if (rows instanceof Refusal) return rows;
  const [[initiators], [member]] = rows;
  if (initiators && initiators["first"] !== null) {
    return initiators["first"] === initiators["last"]
      ? { session: id, initiator: text(initiators["first"]) }
      : invalidFilter("initiator", "is required: sessions of several initiators have this id");
  }
  if (!member) return new Refusal("not_found", { detail: "no session has this id" });
  return { session: text(member["session_id"]), initiator: text(member["initiator_id"]) };
}
