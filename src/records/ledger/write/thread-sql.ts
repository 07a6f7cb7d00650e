/**
 * The SQL that links interceptions to threads: a request that brings back a tool's result hangs under the interception
 * whose answer asked for that tool, and the thread's root is where that chain begins.
 *
 * Only the initiator's own interceptions are looked at: a tool call's id is the client's word, and whoever learns of
 * somebody else's could otherwise hang their requests into that thread. A parent is older than its child, so there are no
 * circles; where an initiator has the same call's id several times (some providers number them), the latest before the
 * child is meant.
 *
 * What is stored may come in any order: a tool finds the children that were there before it, and whoever gets another
 * parent takes everything that hangs below along. So the links depend on which rows there are, never on their order.
 */

/** What the statements are told: `tool_call_id` is null for an interception that looks for its parent. */
export type Link = {
  readonly interception_id: string;
  readonly tool_call_id: string | null;
  readonly initiator_id: string;
};

/**
 * Who may have another parent now: those that look for one, and those that wait for one of these tools. They came after
 * the tool, and not after the next of the same id, which is theirs then. CROSS JOIN: in this order, by the index.
 */
const CANDIDATES = `
told (interception_id, tool_call_id, initiator_id) AS MATERIALIZED (
  SELECT value ->> 'interception_id', value ->> 'tool_call_id', value ->> 'initiator_id' FROM json_each(?1)
),
candidates (id) AS (
  SELECT interception_id FROM told WHERE tool_call_id IS NULL
  UNION
  SELECT child.id FROM told CROSS JOIN interceptions AS child
  WHERE child.correlating_tool_call_id = told.tool_call_id AND child.initiator_id = told.initiator_id
    AND child.id > told.interception_id AND child.id <= COALESCE((
      SELECT MIN(next.interception_id) FROM tool_usages AS next
      WHERE next.provider_tool_call_id = told.tool_call_id AND next.initiator_id = told.initiator_id
        AND next.interception_id > told.interception_id
    ), 'g')
)`;

/** IN (…) beside the join: else SQLite, once it has counted rows, may go through all interceptions to find these few. */
export const LINK_PARENTS = `
WITH ${CANDIDATES},
found (id, parent_id, known_id) AS MATERIALIZED (
  SELECT child.id, (
    SELECT MAX(asked.interception_id) FROM tool_usages AS asked
    WHERE asked.provider_tool_call_id = child.correlating_tool_call_id
      AND asked.initiator_id = child.initiator_id AND asked.interception_id < child.id
  ), child.thread_parent_id
  FROM candidates CROSS JOIN interceptions AS child ON child.id = candidates.id
),
moved (id, parent_id) AS MATERIALIZED (
  SELECT id, parent_id FROM found WHERE parent_id IS NOT NULL AND parent_id IS NOT known_id
)
UPDATE interceptions SET thread_parent_id = moved.parent_id FROM moved
WHERE interceptions.id = moved.id AND interceptions.id IN (SELECT id FROM moved)`.trim();

/**
 * Anew for the candidates and all that hang below them: downwards from each that has no parent among those, so that what
 * is above it is right. A parent that is not stored itself is taken for the root until it is.
 */
export const LINK_ROOTS = `
WITH RECURSIVE ${CANDIDATES},
affected (id) AS (
  SELECT id FROM candidates
  UNION
  SELECT child.id FROM affected CROSS JOIN interceptions AS child ON child.thread_parent_id = affected.id
),
rooted (id, root_id) AS (
  SELECT top.id, COALESCE(parent.thread_root_id, top.thread_parent_id, top.id)
  FROM affected CROSS JOIN interceptions AS top ON top.id = affected.id
  LEFT JOIN interceptions AS parent ON parent.id = top.thread_parent_id
  WHERE top.thread_parent_id IS NULL OR top.thread_parent_id NOT IN (SELECT id FROM affected)
  UNION
  SELECT child.id, rooted.root_id
  FROM rooted CROSS JOIN interceptions AS child ON child.thread_parent_id = rooted.id
),
moved (id, root_id) AS MATERIALIZED (
  SELECT row.id, rooted.root_id FROM rooted CROSS JOIN interceptions AS row ON row.id = rooted.id
  WHERE row.thread_parent_id IS NOT NULL AND row.thread_root_id IS NOT rooted.root_id
)
UPDATE interceptions SET thread_root_id = moved.root_id FROM moved
WHERE interceptions.id = moved.id AND interceptions.id IN (SELECT id FROM moved)`.trim();
