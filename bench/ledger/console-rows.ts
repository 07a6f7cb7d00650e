/** Rows of the lists that grow beside the interceptions, and a journal that is not folded yet. SQL makes them. */
import type { DatabaseSync } from "node:sqlite";
import { FOLD_AT_DELTAS } from "../../src/records/ledger/rollups/fold.ts";
import { MEASURES } from "../../src/records/rollups/contribution-sql.ts";

const EACH_10TH =
  "(SELECT id, started_at, actor_id, rowid_of FROM (SELECT i.id, i.started_at, i.actor_id, ROW_NUMBER() OVER (ORDER BY i.id) AS rowid_of FROM interceptions AS i) WHERE rowid_of % 10 = 0) AS i";

/** For each tenth interception a refusal, an access and a passthrough; and 1,000 anomalies. */
const LISTS: readonly string[] = [
  `INSERT INTO refusals (id, interception_id, reason, status, method, created_at, actor_id, identity_source, actor_verified)
  SELECT i.id, i.id, 'reason-' || i.rowid_of % 7, 403, 'POST', i.started_at, i.actor_id, 'keys', i.rowid_of % 20 = 0 FROM ${EACH_10TH}`,
  `INSERT INTO refusal_counts (id, minute, reason, refusals, created_at, merged)
  SELECT MIN(r.id), SUBSTR(r.created_at, 1, 16) || ':00.000Z', r.reason, COUNT(*), MIN(r.created_at), ''
  FROM refusals AS r WHERE r.actor_verified = 0 GROUP BY 2, 3`,
  `INSERT INTO ledger_accesses (id, interception_id, action, by, target, parameters, rows, created_at)
  SELECT i.id, i.id, 'read', 'console:ada', '/interceptions', '{"limit":"40"}', 40, i.started_at FROM ${EACH_10TH}`,
  `INSERT INTO passthroughs (id, actor_id, actor_kind, initiator_id, attribution, identity_source, client, method, provider,
    provider_type, route, started_at, start_seal)
  SELECT i.id, i.actor_id, 'service', i.actor_id, 'authenticated', 'keys', 'Codex', 'GET', 'openai', 'openai', '/models',
    i.started_at, '' FROM ${EACH_10TH}`,
  `INSERT INTO anomalies (id, kind, subject, first_interception_id, last_interception_id, count, details, first_seen, last_seen)
  SELECT i.id, 'actor_many_owners', i.actor_id, i.id, i.id, 10, '{}', i.started_at, i.started_at
  FROM ${EACH_10TH} WHERE i.rowid_of % 1000 = 0`,
];

/** Batches of 50 deltas, each of a completed call of the current hour. */
const UNFOLDED = `WITH RECURSIVE
  delta (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM delta WHERE n < ${FOLD_AT_DELTAS}),
  fine AS (SELECT id, ROW_NUMBER() OVER (ORDER BY id) - 1 AS at, COUNT(*) OVER () AS all_of FROM rollup_dimensions WHERE coarseness = 0)
INSERT INTO journal (stored_at, event_ids, deltas, delta_count)
SELECT 0, '[]', json_group_array(json_array(fine.id, '2026-11-23T11', ${MEASURES.map((_, at) => (at === 0 ? "1.0" : at < 8 ? "1200.0" : "0.0")).join(", ")})), COUNT(*)
FROM delta JOIN fine ON fine.at = delta.n % fine.all_of GROUP BY delta.n / 50`;

export function fillLists(sqlite: DatabaseSync): void {
  for (const sql of LISTS) sqlite.exec(sql);
}

export function fillUnfolded(sqlite: DatabaseSync): void {
  sqlite.exec(UNFOLDED);
}
