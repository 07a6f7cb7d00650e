/**
 * The SQL that links interceptions into threads. A request that carries a tool result becomes the child of the
 * interception whose response made that tool call. The thread root is the first interception of such a chain.
 *
 * Links stay within one initiator. The client chooses the tool call id it sends, so a caller who has seen another user's
 * call id could otherwise attach requests to that user's thread. A parent is older than its child, so there are no cycles.
 * Some providers number their calls, so an initiator may have one call id several times: the latest call before the child
 * is its parent.
 *
 * Events may arrive in any order. A tool call links the children that are already stored, and an interception that gets
 * another parent takes its descendants along. So the links depend on the set of rows, never on their order.
 */

/** Parameter of the statements, as a JSON array. `tool_call_id` is null for an interception that needs its parent. */
export type Link = {
  readonly interception_id: string;
  readonly tool_call_id: string | null;
  readonly initiator_id: string;
};

/**
 * The interceptions that may get another parent: those that need one, and the children of these tool calls. Such a child is
 * newer than the call and not newer than the next call with the same id, which would be its parent. CROSS JOIN keeps this
 * order of the loops, so that each child is read through its index.
 */
const CANDIDATES = `
links (interception_id, tool_call_id, initiator_id) AS MATERIALIZED (
  SELECT value ->> 'interception_id', value ->> 'tool_call_id', value ->> 'initiator_id' FROM json_each(?1)
),
candidates (id) AS (
  SELECT interception_id FROM links WHERE tool_call_id IS NULL
  UNION
  SELECT child.id FROM links CROSS JOIN interceptions AS child
  WHERE child.correlating_tool_call_id = links.tool_call_id AND child.initiator_id = links.initiator_id
    AND child.id > links.interception_id AND child.id <= COALESCE((
      SELECT MIN(next.interception_id) FROM tool_usages AS next
      WHERE next.provider_tool_call_id = links.tool_call_id AND next.initiator_id = links.initiator_id
        AND next.interception_id > links.interception_id
    ), 'g')
)`;

/** IN (…) repeats the join: with statistics, SQLite may otherwise scan all interceptions to find these few. */
export const LINK_PARENTS = `
WITH ${CANDIDATES},
parents (id, parent_id, known_id) AS MATERIALIZED (
  SELECT child.id, (
    SELECT MAX(call.interception_id) FROM tool_usages AS call
    WHERE call.provider_tool_call_id = child.correlating_tool_call_id
      AND call.initiator_id = child.initiator_id AND call.interception_id < child.id
  ), child.thread_parent_id
  FROM candidates CROSS JOIN interceptions AS child ON child.id = candidates.id
),
moved (id, parent_id) AS MATERIALIZED (
  SELECT id, parent_id FROM parents WHERE parent_id IS NOT NULL AND parent_id IS NOT known_id
)
UPDATE interceptions SET thread_parent_id = moved.parent_id FROM moved
WHERE interceptions.id = moved.id AND interceptions.id IN (SELECT id FROM moved)`.trim();

/**
 * Recomputes the root of the candidates and all their descendants. It starts at each one without a parent among them, so
 * the root above is already right. A parent that is not stored counts as the root until it is.
 *
 * The unary plus keeps SQLite from reading all of `interceptions_by_parent` for each row. It prefers that partial index
 * once its statistics say that it is almost empty, as they do after `PRAGMA optimize` on a new ledger.
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
  WHERE +row.thread_parent_id IS NOT NULL AND row.thread_root_id IS NOT rooted.root_id
)
UPDATE interceptions SET thread_root_id = moved.root_id FROM moved
WHERE interceptions.id = moved.id AND interceptions.id IN (SELECT id FROM moved)`.trim();
