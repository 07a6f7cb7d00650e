/**
 * The SQL that links interceptions into threads. A request that carries a tool result becomes the child of the
 * interception whose response made that tool call. The thread root is the first interception of such a chain.
 *
 * Links stay within one `link_key`: one actor, one initiator (each a source and an id) and one attribution. The client
 * chooses the tool call id it sends and may name another user as the owner. Otherwise a caller who has seen a user's call
 * id could attach requests to a thread whose evidence is stronger than their own. A parent is older than its child, so
 * there are no cycles. Some providers number their calls, so there may be several calls with one id: the latest call
 * before the child is its parent.
 *
 * Events may arrive in any order. The key is the interception's, so a call that is stored before its interception gets it
 * later. Each statement looks at the interceptions themselves and at the children of their calls. So the links depend on
 * the set of rows, never on their order.
 */

/** The ids of the statements' JSON array: interceptions with a new start, end or tool call. */
const IDS = `ids (id) AS MATERIALIZED (SELECT value FROM json_each(?1))`;

/** Gives tool calls the key of their interception, if they were stored before it. */
export const KEY_CALLS = `
WITH ${IDS},
known (id, link_key) AS MATERIALIZED (
  SELECT maker.id, maker.link_key FROM ids CROSS JOIN interceptions AS maker ON maker.id = ids.id
)
UPDATE tool_usages SET link_key = known.link_key FROM known
WHERE tool_usages.interception_id = known.id AND tool_usages.link_key IS NULL
  AND tool_usages.interception_id IN (SELECT id FROM known)`.trim();

/**
 * The interceptions that may get another parent: those of the list, and the children of their tool calls. Such a child is
 * newer than the call and not newer than the next call with the same id, which would be its parent. CROSS JOIN keeps this
 * order of the loops. With some statistics SQLite would read the calls by another index, or the children by their primary
 * key: the unary plus and INDEXED BY keep it from that.
 */
const CANDIDATES = `
${IDS},
calls (call_id, link_key, interception_id) AS MATERIALIZED (
  SELECT DISTINCT call.provider_tool_call_id, call.link_key, call.interception_id
  FROM ids CROSS JOIN tool_usages AS call ON call.interception_id = ids.id
  WHERE +call.provider_tool_call_id IS NOT NULL AND +call.link_key IS NOT NULL
),
candidates (id) AS (
  SELECT id FROM ids
  UNION
  SELECT child.id FROM calls CROSS JOIN interceptions AS child INDEXED BY interceptions_by_correlation
  WHERE child.correlating_tool_call_id = calls.call_id AND child.link_key = calls.link_key
    AND child.id > calls.interception_id AND child.id <= COALESCE((
      SELECT MIN(next.interception_id) FROM tool_usages AS next
      WHERE next.provider_tool_call_id = calls.call_id AND next.link_key = calls.link_key
        AND next.interception_id > calls.interception_id
    ), 'g')
)`;

/** The call that a row's tool result belongs to: the latest one before it. */
export const latestCall = (child: string): string => `(
    SELECT MAX(call.interception_id) FROM tool_usages AS call
    WHERE call.provider_tool_call_id = ${child}.correlating_tool_call_id
      AND call.link_key = ${child}.link_key AND call.interception_id < ${child}.id
  )`;

/**
 * A parent is only replaced by a later one: where its call was deleted by age, an older call that arrives late is not the parent.
 *
 * IN (…) repeats the join: with statistics, SQLite may otherwise scan all interceptions to find these few.
 */
export const LINK_PARENTS = `
WITH ${CANDIDATES},
parents (id, parent_id, known_id) AS MATERIALIZED (
  SELECT child.id, ${latestCall("child")}, child.thread_parent_id
  FROM candidates CROSS JOIN interceptions AS child ON child.id = candidates.id
),
moved (id, parent_id) AS MATERIALIZED (
  SELECT id, parent_id FROM parents WHERE parent_id > COALESCE(known_id, '')
)
UPDATE interceptions SET thread_parent_id = moved.parent_id FROM moved
WHERE interceptions.id = moved.id AND interceptions.id IN (SELECT id FROM moved)`.trim();

/** The candidates and all their descendants. */
export const AFFECTED = `${CANDIDATES},
affected (id) AS (
  SELECT id FROM candidates
  UNION
  SELECT child.id FROM affected CROSS JOIN interceptions AS child ON child.thread_parent_id = affected.id
)`;

/**
 * Recomputes the root of the candidates and all their descendants. It starts at each one without a stored parent among them, so
 * the root above is already right. A parent that is not stored, or is deleted, counts as the root. The candidates also name
 * interceptions that are not stored.
 *
 * The unary plus keeps SQLite from reading all of `interceptions_by_parent` for each row. It prefers that partial index
 * once its statistics say that it is almost empty, as they do after `PRAGMA optimize` on a new ledger.
 */
export const LINK_ROOTS = `
WITH RECURSIVE ${AFFECTED},
rooted (id, root_id) AS (
  SELECT top.id, COALESCE(parent.thread_root_id, top.thread_parent_id, top.id)
  FROM affected CROSS JOIN interceptions AS top ON top.id = affected.id
  LEFT JOIN interceptions AS parent ON parent.id = top.thread_parent_id
  WHERE parent.id IS NULL OR top.thread_parent_id NOT IN (SELECT id FROM affected)
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
