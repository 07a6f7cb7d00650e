/**
 * The SQL of the anomaly scan: reads a page of interceptions and their context, writes the aggregates and anomalies. Each
 * statement finds its rows by an index and reads a bounded number of them.
 */
import { ANOMALY_GROUP_LIMIT, type AnomalyKind } from "../../../events/anomaly-kinds.ts";

/** Interceptions per page. */
export const PAGE_ROWS = 2000;
/** Bound of the pairs that are read per page: the first pair of each chat, then the second of each, and so on. */
const PAGE_PAIRS = 5 * PAGE_ROWS;

/** Bound of the owners that are counted per actor and hour. */
const MAX_OWNERS = 1000;
/** The kinds whose requests each page counts by itself. */
const COUNTED_KINDS: readonly AnomalyKind[] = [
  "coder_agents_without_headers",
  "owner_without_chat",
  "unverified_owner_claims",
  "provider_key_rejected",
  "provider_key_leaked",
];

export const ANOMALY_SQL = {
  /** A key that was not sent, because there was no access token, has no status. */
  page: `SELECT id, actor_principal AS actor, initiator_principal AS initiator, actor_kind, attribution, chat_id, flags,
  outcome, usage_state AS usage, error, provider, credential_hint,
  (SELECT json_group_array(json_array(tried.provider, tried.key_hint)) FROM upstream_attempts AS tried
   WHERE tried.interception_id = interceptions.id AND tried.reason = 'key_rejected'
   AND tried.status IS NOT NULL) AS rejected_keys
FROM interceptions
WHERE id > MAX(?1, COALESCE((SELECT cursor FROM upkeep_cursors WHERE job = 'anomalies'), '')) AND id < ?2
ORDER BY id LIMIT ${PAGE_ROWS}`,

  owners: `INSERT INTO actor_owners (hour, actor, owner, first_id, last_id)
SELECT value ->> 'hour', value ->> 'actor', value ->> 'owner', value ->> 'first_id', value ->> 'last_id'
FROM json_each(?1) WHERE true
ON CONFLICT (hour, actor, owner) DO UPDATE SET
  first_id = MIN(first_id, excluded.first_id), last_id = MAX(last_id, excluded.last_id)`,

  /** Adds only requests after the last one counted, so that no request is counted twice. */
  hours: `INSERT INTO attribution_hours (hour, attribution, requests, first_id, last_id)
SELECT value ->> 'hour', value ->> 'attribution', value ->> 'requests', value ->> 'first_id', value ->> 'last_id'
FROM json_each(?1) WHERE true
ON CONFLICT (hour, attribution) DO UPDATE SET requests = requests + excluded.requests, last_id = excluded.last_id
WHERE excluded.first_id > attribution_hours.last_id`,

  /** An actor has at most 24 rows of a day, one per hour. */
  manyActors: `SELECT owners.value ->> 'day' AS day, owners.value ->> 'owner' AS owner, (
  SELECT json_group_array(json_object('actor', actor, 'first_id', first_id, 'last_id', last_id)) FROM (
    SELECT actor, MIN(first_id) AS first_id, MAX(last_id) AS last_id FROM (
      SELECT actor, first_id, last_id FROM actor_owners INDEXED BY actor_owners_by_owner
      WHERE owner = owners.value ->> 'owner' AND hour >= owners.value ->> 'day' AND hour < owners.value ->> 'end'
      LIMIT ${24 * ANOMALY_GROUP_LIMIT}
    ) GROUP BY actor LIMIT ${ANOMALY_GROUP_LIMIT}
  )
) AS actors FROM json_each(?1) AS owners`,

  /** An actor's hour as counted before the page, its owners with the page's, and its hours before: of the week, of the day. */
  actorHours: `SELECT listed.value ->> 'hour' AS hour, listed.value ->> 'actor' AS actor, counted.served, counted.unknown, counted.last_id, (
  SELECT COUNT(*) FROM (
    SELECT 1 FROM actor_owners WHERE hour = listed.value ->> 'hour' AND actor = listed.value ->> 'actor' LIMIT ${MAX_OWNERS}
  )
) AS owners, (
  SELECT MAX(owners) FROM actor_hours INDEXED BY actor_hours_by_actor
  WHERE actor = listed.value ->> 'actor' AND hour >= listed.value ->> 'week' AND hour < listed.value ->> 'hour'
) AS busiest, (
  SELECT SUM(served) FROM actor_hours INDEXED BY actor_hours_by_actor
  WHERE actor = listed.value ->> 'actor' AND hour >= listed.value ->> 'day' AND hour < listed.value ->> 'hour'
) AS served_before, (
  SELECT SUM(unknown) FROM actor_hours INDEXED BY actor_hours_by_actor
  WHERE actor = listed.value ->> 'actor' AND hour >= listed.value ->> 'day' AND hour < listed.value ->> 'hour'
) AS unknown_before
FROM json_each(?1) AS listed
LEFT JOIN actor_hours AS counted ON counted.hour = listed.value ->> 'hour' AND counted.actor = listed.value ->> 'actor'`,

  /** As `hours`: adds only requests after the last one counted. */
  actors: `INSERT INTO actor_hours (hour, actor, owners, served, unknown, last_id)
SELECT value ->> 'hour', value ->> 'actor', value ->> 'owners', value ->> 'served', value ->> 'unknown', value ->> 'last_id'
FROM json_each(?1) WHERE true
ON CONFLICT (hour, actor) DO UPDATE SET
  owners = MAX(owners, excluded.owners), served = excluded.served, unknown = excluded.unknown,
  last_id = MAX(last_id, excluded.last_id)`,

  week: `SELECT hour, attribution, requests, first_id, last_id FROM attribution_hours WHERE hour >= ?1 AND hour <= ?2`,

  /**
   * A loose index scan: it seeks from each pair to the next, regardless of the number of rows between them. It needs two
   * subqueries: with a row value, (actor, initiator) > (…), SQLite seeks by the first column and scans the rest.
   */
  pairs: `WITH RECURSIVE pairs (chat_id, id, nth) AS (
  SELECT value, (
    SELECT id FROM interceptions WHERE chat_id = value AND flags = '[]' ORDER BY actor_principal, initiator_principal, id LIMIT 1
  ), 1 FROM json_each(?1)
  UNION ALL
  SELECT pairs.chat_id, COALESCE((
    SELECT next.id FROM interceptions AS next
    WHERE next.chat_id = pairs.chat_id AND next.flags = '[]'
      AND next.actor_principal = this.actor_principal AND next.initiator_principal > this.initiator_principal
    ORDER BY next.initiator_principal, next.id LIMIT 1
  ), (
    SELECT next.id FROM interceptions AS next
    WHERE next.chat_id = pairs.chat_id AND next.flags = '[]' AND next.actor_principal > this.actor_principal
    ORDER BY next.actor_principal, next.initiator_principal, next.id LIMIT 1
  )), nth + 1
  FROM pairs CROSS JOIN interceptions AS this ON this.id = pairs.id WHERE nth < ${ANOMALY_GROUP_LIMIT}
  LIMIT ${PAGE_PAIRS}
)
SELECT pairs.chat_id, first.actor_principal AS actor, first.initiator_principal AS initiator, first.id AS first_id, (
  SELECT MAX(last.id) FROM interceptions AS last
  WHERE last.chat_id = pairs.chat_id AND last.flags = '[]'
    AND last.actor_principal = first.actor_principal AND last.initiator_principal = first.initiator_principal
) AS last_id
FROM pairs CROSS JOIN interceptions AS first ON first.id = pairs.id`,

  /** As `pairs`, from actor to actor: pairs of one actor, however many, hide no other actor. */
  chatActors: `WITH RECURSIVE pairs (chat_id, id, nth) AS (
  SELECT value, (
    SELECT id FROM interceptions WHERE chat_id = value AND flags = '[]'
    ORDER BY actor_principal, initiator_principal, id LIMIT 1
  ), 1 FROM json_each(?1)
  UNION ALL
  SELECT pairs.chat_id, (
    SELECT next.id FROM interceptions AS next
    WHERE next.chat_id = pairs.chat_id AND next.flags = '[]' AND next.actor_principal > this.actor_principal
    ORDER BY next.actor_principal, next.initiator_principal, next.id LIMIT 1
  ), nth + 1
  FROM pairs CROSS JOIN interceptions AS this ON this.id = pairs.id WHERE nth < ${ANOMALY_GROUP_LIMIT}
  LIMIT ${PAGE_PAIRS}
)
SELECT pairs.chat_id, first.actor_principal AS actor, first.id AS first_id, first.id AS last_id
FROM pairs CROSS JOIN interceptions AS first ON first.id = pairs.id`,

  /**
   * Requests of the kinds that are counted by the page are added when they are newer than those counted. Each scan
   * recomputes all other counts, so the greater one is kept.
   */
  anomalies: `INSERT INTO anomalies (
  id, kind, subject, first_interception_id, last_interception_id, count, details, first_seen, last_seen
) SELECT value ->> 'id', value ->> 'kind', value ->> 'subject', value ->> 'first_interception_id',
  value ->> 'last_interception_id', value ->> 'count', value ->> 'details', value ->> 'first_seen', value ->> 'last_seen'
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
  count = CASE
    WHEN kind IN (${COUNTED_KINDS.map((kind) => `'${kind}'`).join(", ")}) AND excluded.first_interception_id > last_interception_id
    THEN count + excluded.count ELSE MAX(count, excluded.count) END,
  details = CASE WHEN excluded.last_interception_id >= last_interception_id THEN excluded.details ELSE details END,
  first_interception_id = MIN(first_interception_id, excluded.first_interception_id),
  last_interception_id = MAX(last_interception_id, excluded.last_interception_id),
  first_seen = MIN(first_seen, excluded.first_seen), last_seen = MAX(last_seen, excluded.last_seen)`,

  /** As `page`, of refusals with a credential. */
  refusals: `SELECT id, interception_id, api_key_id, actor_id, identity_source, reason FROM refusals
WHERE id > MAX(?1, COALESCE((SELECT cursor FROM upkeep_cursors WHERE job = 'refusals'), '')) AND id < ?2
ORDER BY id LIMIT ${PAGE_ROWS}`,

  keyHours: `SELECT listed.value ->> 'hour' AS hour, listed.value ->> 'api_key_id' AS api_key_id, counted.refusals, counted.last_id
FROM json_each(?1) AS listed JOIN key_refusals AS counted
  ON counted.hour = listed.value ->> 'hour' AND counted.api_key_id = listed.value ->> 'api_key_id'`,

  keys: `INSERT INTO key_refusals (hour, api_key_id, refusals, last_id)
SELECT value ->> 'hour', value ->> 'api_key_id', value ->> 'refusals', value ->> 'last_id' FROM json_each(?1) WHERE true
ON CONFLICT (hour, api_key_id) DO UPDATE SET
  refusals = excluded.refusals, last_id = MAX(last_id, excluded.last_id)`,

  refusalCursor: `INSERT INTO upkeep_cursors (job, cursor) VALUES ('refusals', ?1)
ON CONFLICT (job) DO UPDATE SET cursor = MAX(cursor, excluded.cursor)`,

  cursor: `INSERT INTO upkeep_cursors (job, cursor) VALUES ('anomalies', ?1)
ON CONFLICT (job) DO UPDATE SET cursor = MAX(cursor, excluded.cursor)`,
} as const;
