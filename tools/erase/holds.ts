/** Legal holds that prevent an erasure: on the person, and on a session in which the person is initiator or actor. */
import type { Query, Row } from "../../src/records/ledger/seal/rebuild.ts";

const PRINCIPALS = `SELECT id, reason FROM legal_holds
WHERE principal_id IN (SELECT value FROM json_each(?1)) ORDER BY id`;

const inSession = (table: string, session: string): string =>
  `EXISTS (SELECT 1 FROM ${table} AS r WHERE r.${session} = hold.session_id AND (r.initiator_id IN ids OR r.actor_id IN ids))`;

const SESSIONS = `WITH ids AS MATERIALIZED (SELECT value FROM json_each(?1))
SELECT hold.id, hold.reason FROM legal_holds AS hold WHERE hold.session_id IS NOT NULL AND (
  ${inSession("interceptions", "session_id")}
  OR ${inSession("passthroughs", "client_session_id")}
  OR ${inSession("initiator_overrides", "client_session_id")}
) ORDER BY hold.id`;

/** Each as its id and its reason. */
export async function holdsOn(query: Query, ids: readonly string[]): Promise<string[]> {
  const json = JSON.stringify(ids);
  const name = ({ id, reason }: Row): string => `${String(id)} (${JSON.stringify(reason)})`;
  const held = await query(PRINCIPALS, json);
  if (held.length > 0) return held.map(name);
  const sessions = await query("SELECT 1 AS found FROM legal_holds WHERE session_id IS NOT NULL LIMIT 1");
  return sessions.length === 0 ? [] : (await query(SESSIONS, json)).map(name);
}
