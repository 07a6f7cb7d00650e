/** Legal holds that prevent an erasure: on the person, and on a session in which the person is initiator or actor. */
import type { Statement } from "../../src/records/ledger/erase/erase-row.ts";
import type { Query, Row } from "../../src/records/ledger/seal/rebuild.ts";

const inSession = (table: string, session: string): string =>
  `EXISTS (SELECT 1 FROM ${table} AS r WHERE r.${session} = hold.session_id AND (r.initiator_id IN ids OR r.actor_id IN ids))`;

const SESSIONS = `WITH ids AS MATERIALIZED (SELECT value FROM json_each(?1))
SELECT hold.id, hold.reason FROM legal_holds AS hold WHERE hold.session_id IS NOT NULL AND (
  ${inSession("interceptions", "session_id")}
  OR ${inSession("passthroughs", "client_session_id")}
  OR ${inSession("initiator_overrides", "client_session_id")}
) ORDER BY hold.id`;

export const ALL_HOLDS: Statement = {
  sql: "SELECT id, principal_id, session_id, reason FROM legal_holds ORDER BY id",
  values: [],
};

const named = ({ id, reason }: Row): string => `${String(id)} (${JSON.stringify(reason)})`;

/** Those that are about the person, each as its id and its reason. `holds`: the result of `ALL_HOLDS`. */
export async function holdsOn(
  query: Query,
  holds: readonly Row[],
  ids: readonly string[],
): Promise<string[]> {
  const held = holds.filter(({ principal_id: principal }) => ids.includes(String(principal)));
  if (held.length > 0) return held.map(named);
  const hasSessions = holds.some(({ session_id: session }) => session !== null);
  return hasSessions ? (await query(SESSIONS, JSON.stringify(ids))).map(named) : [];
}
