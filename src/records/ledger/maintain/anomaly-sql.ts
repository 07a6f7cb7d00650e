/**
 * The SQL of the anomaly scan: reads a page of interceptions and their context, writes the aggregates and anomalies. Each
 * statement finds its rows by an index and reads a bounded number of them.
 */

/** Interceptions per page. */
export const PAGE_ROWS = 2000;
/** Bound of the pairs that are read per chat and of the actors per owner: fewer already make an anomaly. */
const GROUP_LIMIT = 10;
/** Bound of the pairs that are read per page: the first pair of each chat, then the second of each, and so on. */
const PAGE_PAIRS = 5 * PAGE_ROWS;

export const ANOMALY_SQL = {
  page: `SELECT id, actor_id, initiator_id, attribution, chat_id, flags FROM interceptions
WHERE id > MAX(?1, COALESCE((SELECT cursor FROM upkeep_cursors WHERE job = 'anomalies'), '')) AND id < ?2
ORDER BY id LIMIT ${PAGE_ROWS}`,

  owners: `INSERT INTO owner_actors (day, owner_id, actor_id, first_id, last_id)
SELECT value ->> 'day', value ->> 'owner_id', value ->> 'actor_id', value ->> 'first_id', value ->> 'last_id'
FROM json_each(?1) WHERE true
ON CONFLICT (day, owner_id, actor_id) DO UPDATE SET
  first_id = MIN(first_id, excluded.first_id), last_id = MAX(last_id, excluded.last_id)`,

  /** Adds only requests after the last one counted, so that no request is counted twice. */
  hours: `INSERT INTO attribution_hours (hour, attribution, requests, first_id, last_id)
SELECT value ->> 'hour', value ->> 'attribution', value ->> 'requests', value ->> 'first_id', value ->> 'last_id'
FROM json_each(?1) WHERE true
ON CONFLICT (hour, attribution) DO UPDATE SET requests = requests + excluded.requests, last_id = excluded.last_id
WHERE excluded.first_id > attribution_hours.last_id`,

  manyActors: `SELECT owners.value ->> 'day' AS day, owners.value ->> 'owner_id' AS owner_id, (
  SELECT json_group_array(json_object('actor_id', actor_id, 'first_id', first_id, 'last_id', last_id)) FROM (
    SELECT actor_id, first_id, last_id FROM owner_actors
    WHERE day = owners.value ->> 'day' AND owner_id = owners.value ->> 'owner_id' LIMIT ${GROUP_LIMIT}
  )
) AS actors FROM json_each(?1) AS owners`,

  week: `SELECT hour, attribution, requests, first_id, last_id FROM attribution_hours WHERE hour >= ?1 AND hour <= ?2`,

  /**
   * A loose index scan: it seeks from each pair to the next, regardless of the number of rows between them. It needs two
   * subqueries: with a row value, (actor_id, initiator_id) > (…), SQLite seeks by the first column and scans the rest.
   */
  pairs: `WITH RECURSIVE pairs (chat_id, id, nth) AS (
  SELECT value, (
    SELECT id FROM interceptions WHERE chat_id = value AND flags = '[]' ORDER BY actor_id, initiator_id, id LIMIT 1
  ), 1 FROM json_each(?1)
  UNION ALL
  SELECT pairs.chat_id, COALESCE((
    SELECT next.id FROM interceptions AS next
    WHERE next.chat_id = pairs.chat_id AND next.flags = '[]'
      AND next.actor_id = this.actor_id AND next.initiator_id > this.initiator_id
    ORDER BY next.initiator_id, next.id LIMIT 1
  ), (
    SELECT next.id FROM interceptions AS next
    WHERE next.chat_id = pairs.chat_id AND next.flags = '[]' AND next.actor_id > this.actor_id
    ORDER BY next.actor_id, next.initiator_id, next.id LIMIT 1
  )), nth + 1
  FROM pairs CROSS JOIN interceptions AS this ON this.id = pairs.id WHERE nth < ${GROUP_LIMIT}
  LIMIT ${PAGE_PAIRS}
)
SELECT pairs.chat_id, first.actor_id, first.initiator_id, first.id AS first_id, (
  SELECT MAX(last.id) FROM interceptions AS last
  WHERE last.chat_id = pairs.chat_id AND last.flags = '[]'
    AND last.actor_id = first.actor_id AND last.initiator_id = first.initiator_id
) AS last_id
FROM pairs CROSS JOIN interceptions AS first ON first.id = pairs.id`,

  /**
   * Requests without headers are added when they are newer than those counted. Each scan recomputes all other counts, so
   * the greater one is kept.
   */
  anomalies: `INSERT INTO anomalies (
  id, kind, subject, first_interception_id, last_interception_id, count, details, first_seen, last_seen
) SELECT value ->> 'id', value ->> 'kind', value ->> 'subject', value ->> 'first_interception_id',
  value ->> 'last_interception_id', value ->> 'count', value ->> 'details', value ->> 'first_seen', value ->> 'last_seen'
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
  count = CASE
    WHEN kind = 'coder_agents_without_headers' AND excluded.first_interception_id > last_interception_id
    THEN count + excluded.count ELSE MAX(count, excluded.count) END,
  details = CASE WHEN excluded.last_interception_id >= last_interception_id THEN excluded.details ELSE details END,
  first_interception_id = MIN(first_interception_id, excluded.first_interception_id),
  last_interception_id = MAX(last_interception_id, excluded.last_interception_id),
  first_seen = MIN(first_seen, excluded.first_seen), last_seen = MAX(last_seen, excluded.last_seen)`,

  cursor: `INSERT INTO upkeep_cursors (job, cursor) VALUES ('anomalies', ?1)
ON CONFLICT (job) DO UPDATE SET cursor = MAX(cursor, excluded.cursor)`,
} as const;
