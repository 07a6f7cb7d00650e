/** GET /sessions: sessions, newest first. */
import { Refusal } from "../../../shared/refusal.ts";
import { invalidFilter } from "../kit/invalid-filter.ts";
import { endpoint } from "../kit/endpoint.ts";
import { INTERCEPTION_FILTERS } from "../filters.ts";
import type { QueryLedger } from "../kit/query-ledger.ts";
import {
  AFTER_ID,
  checkCursors,
  COUNT_FIELDS,
  countFields,
  countSql,
  LIMIT,
  OFFSET,
  PAST_ALL,
} from "../kit/page.ts";
import { anyText } from "../kit/parameter.ts";
import { SEARCH } from "../kit/query.ts";
import { text } from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { SESSION, summaries, toSession } from "../session-summary.ts";
import { allOf, sql, type Condition, type Sql } from "../kit/sql.ts";

const COUNT_CAP = 1000;

export const sessions = endpoint({
  path: "/sessions",
  summary: "Sessions, newest first",
  description:
    "A filter applies to interceptions: a session is listed where any of its interceptions matches, whole, and stands at the first one that does. Of two sessions of one id under two initiators each is its own.",
  filters: INTERCEPTION_FILTERS,
  parameters: {
    q: SEARCH,
    limit: LIMIT,
    offset: OFFSET,
    after_session_id: {
      ...anyText(
        "Coder's cursor: the id of the last session on the page before. Where sessions of several initiators have that id, use `after_id`.",
      ),
      rule: "the id of a session that is listed, and of one only, with no other cursor beside it",
    },
    after_id: { ...AFTER_ID, description: "Cursor: the `cursor` of the last session on the page before." },
  },
  response: schema.object({ ...COUNT_FIELDS, sessions: schema.list(SESSION) }),
  handle: async ({ limit, offset, after_session_id, after_id }, matches, { query: ask }) => {
    const refusal = checkCursors({ after_id, after_session_id, offset });
    if (refusal) return refusal;
    const after = after_session_id === null ? after_id : await headOf(after_session_id, matches, ask);
    if (after instanceof Refusal) return after;
    const page = sql`${heads(after ?? PAST_ALL, matches)} ORDER BY 1 DESC LIMIT ${limit} OFFSET ${offset}`;
    const rows = await ask([summaries(page), countSql(COUNT_CAP, heads(PAST_ALL, matches))]);
    if (rows instanceof Refusal) return rows;
    const [found, count] = rows;
    return { body: { ...countFields(COUNT_CAP, count), sessions: found.map(toSession) } };
  },
});

/**
 * The first matching interception of each session, before a cursor. What is stored meanwhile is newer and stands before
 * the cursor, so nothing comes twice and nothing is passed over.
 *
 * Where everything matches, the primary key is walked backwards until there are enough, and each session's first one is
 * found by one look into the index. With a filter that look would go through all of a session that does not match, for
 * each that does; so there the matching ones are gone through once
 * (by the primary key or the filter's index: the plus keeps SQLite from going through all sessions in their order).
 */
function heads(before: string, matches: Condition): Sql {
  const matching = matches("i");
  if (matching.text === EVERYTHING) {
    return sql`SELECT i.id, i.session_id, i.initiator_id FROM interceptions i
      WHERE i.id < ${before} AND NOT EXISTS (
        SELECT 1 FROM interceptions e
        WHERE e.session_id = i.session_id AND e.initiator_id = i.initiator_id AND e.id < i.id)`;
  }
  return sql`SELECT MIN(i.id) AS id, i.session_id, i.initiator_id FROM interceptions i
    WHERE i.id < ${PAST_ALL} AND ${matching}
    GROUP BY +i.session_id, +i.initiator_id HAVING MIN(i.id) < ${before}`;
}

const EVERYTHING = allOf([])("i").text;

/** Where a session stands in the list. An id that several initiators have stands in several places: none is guessed. */
async function headOf(id: string, matches: Condition, ask: QueryLedger): Promise<string | Refusal> {
  const rows = await ask([
    sql`SELECT MIN(i.id) AS id FROM interceptions i
      WHERE i.session_id = ${id} AND ${matches("i")} GROUP BY i.initiator_id LIMIT 2`,
  ]);
  if (rows instanceof Refusal) return rows;
  const [[head, another]] = rows;
  if (!head || another)
    return invalidFilter("after_session_id", head ? "is the id of several" : "is the id of none");
  return text(head["id"]);
}
