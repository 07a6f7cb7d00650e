/**
 * The SQL of who watches for lies (`watch.ts`): a page of interceptions, what there is beside them, and what is written
 * down. Each finds its rows by an index, and reads no more of them than it is told.
 */

/** Rows that are looked at together. */
export const PAGE_ROWS = 2000;
/** Of a chat's pairs and an owner's actors no more are read: that it is odd is clear from fewer. */
const CAP = 10;
/** Of all chats of a page together: the first of each, then the second of each, and so on. */
const PAIRS = 5 * PAGE_ROWS;

export const ANOMALY_SQL = {
  page: `SELECT id, actor_id, initiator_id, attribution, chat_id, flags FROM interceptions
WHERE id > MAX(?1, COALESCE((SELECT cursor FROM upkeep_cursors WHERE job = 'anomalies'), '')) AND id < ?2
ORDER BY id LIMIT ${PAGE_ROWS}`,

  owners: `INSERT INTO owner_actors (day, owner_id, actor_id, first_id, last_id)
SELECT value ->> 'day', value ->> 'owner_id', value ->> 'actor_id', value ->> 'first_id', value ->> 'last_id'
FROM json_each(?1) WHERE true
ON CONFLICT (day, owner_id, actor_id) DO UPDATE SET
  first_id = MIN(first_id, excluded.first_id), last_id = MAX(last_id, excluded.last_id)`,

  /** Only what lies behind what was counted: nothing is counted twice. */
  hours: `INSERT INTO attribution_hours (hour, attribution, requests, first_id, last_id)
SELECT value ->> 'hour', value ->> 'attribution', value ->> 'requests', value ->> 'first_id', value ->> 'last_id'
FROM json_each(?1) WHERE true
ON CONFLICT (hour, attribution) DO UPDATE SET requests = requests + excluded.requests, last_id = excluded.last_id
WHERE excluded.first_id > attribution_hours.last_id`,

  manyActors: `SELECT told.value ->> 'day' AS day, told.value ->> 'owner_id' AS owner_id, (
  SELECT json_group_array(json_object('actor_id', actor_id, 'first_id', first_id, 'last_id', last_id)) FROM (
    SELECT actor_id, first_id, last_id FROM owner_actors
    WHERE day = told.value ->> 'day' AND owner_id = told.value ->> 'owner_id' LIMIT ${CAP}
  )
) AS actors FROM json_each(?1) AS told`,

  week: `SELECT hour, attribution, requests, first_id, last_id FROM attribution_hours WHERE hour >= ?1 AND hour <= ?2`,

  /**
   * From pair to pair by the index, whatever the number of rows between them. In two questions: of one with a row value,
   * (actor_id, initiator_id) > (…), SQLite seeks only the first column and walks the rest.
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
  FROM pairs CROSS JOIN interceptions AS this ON this.id = pairs.id WHERE nth < ${CAP}
  LIMIT ${PAIRS}
)
SELECT pairs.chat_id, first.actor_id, first.initiator_id, first.id AS first_id, (
  SELECT MAX(last.id) FROM interceptions AS last
  WHERE last.chat_id = pairs.chat_id AND last.flags = '[]'
    AND last.actor_id = first.actor_id AND last.initiator_id = first.initiator_id
) AS last_id
FROM pairs CROSS JOIN interceptions AS first ON first.id = pairs.id`,

  /** Requests are added up where they lie behind those that were; whatever else is counted is counted anew each time. */
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
