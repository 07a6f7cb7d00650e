/** GET /sessions: session summaries, newest first. */
import { idBounds, interceptionsFor } from "../interception-source.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { invalidFilter } from "../kit/invalid-filter.ts";
import { endpoint } from "../kit/endpoint.ts";
import { INTERCEPTION_FILTERS, isCounted, PROPERTY_FILTERS } from "../filters.ts";
import type { QueryLedger } from "../kit/query-ledger.ts";
import {
  AFTER_ID,
  checkCursors,
  COUNT_FIELDS,
  countFields,
  countSql,
  cutPage,
  LIMIT,
  OFFSET,
  AFTER_EVERY_ID,
} from "../kit/page.ts";
import { anyText } from "../kit/parameter.ts";
import { SEARCH } from "../kit/query.ts";
import { text } from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { SESSION, summaries, toSession } from "../session-summary.ts";
import { column, sql, type Condition, type Sql } from "../kit/sql.ts";
import { spanOf } from "../../rollups/spans.ts";

const COUNT_CAP = 1000;

export const sessions = endpoint({
  path: "/sessions",
  summary: "Sessions, newest first",
  description:
    "Filters apply to interceptions. A session is listed if any of its interceptions matches and the provider did not reject its own key (`own_key_rejected`); its summary covers the whole session, and its position is that of the first match. A session is one initiator's, from one actor and with one attribution: the same session id under two of any is two sessions.",
  filters: INTERCEPTION_FILTERS,
  parameters: {
    q: SEARCH,
    limit: LIMIT,
    offset: OFFSET,
    after_session_id: {
      ...anyText(
        "Coder's cursor: the id of the last session on the previous page. Use `after_id` where several sessions share the id.",
      ),
      rule: "must be the id of exactly one listed session, and the only cursor",
    },
    after_id: { ...AFTER_ID, description: "Cursor: the `cursor` of the last session on the previous page." },
  },
  response: schema.object({ ...COUNT_FIELDS, sessions: schema.list(SESSION) }),
  handle: async ({ limit, offset, after_session_id, after_id }, matches, { query, sent, readsContent }) => {
    const refusal = checkCursors({ after_id, after_session_id, offset });
    if (refusal) return refusal;
    const after = after_session_id === null ? after_id : await headOf(after_session_id, matches, query);
    if (after instanceof Refusal) return after;
    const before = after ?? AFTER_EVERY_ID;
    const pageHeads = sql`${heads(sent, before, matches)} ORDER BY 1 DESC LIMIT ${limit + 1} OFFSET ${offset}`;
    const all = heads(sent, AFTER_EVERY_ID, matches);
    const result = await query([summaries(pageHeads, readsContent), countSql(COUNT_CAP, all)]);
    if (result instanceof Refusal) return result;
    const count = countFields(COUNT_CAP, result[1]);
    const { rows, page } = cutPage(result[0], limit, count, ({ cursor }) => ({ after_id: text(cursor) }));
    return { body: { ...count, sessions: rows.map((row) => toSession(row, readsContent)) }, page };
  },
});

/**
 * The first matching interception (the head) of each session, before a cursor. Interceptions that are stored while a
 * client pages have newer ids and precede the cursor, so no session is repeated or skipped.
 *
 * Without a filter other than on time, the query walks the primary key backwards until the page is full. Few lookups per row
 * find out whether it is the first of its session in the time range. With another filter, that lookup would scan a session's
 * other rows for each match. The matches are therefore scanned once, by the primary key or the filter's index. The unary plus
 * keeps SQLite from scanning all sessions in index order.
 */
function heads(sent: Sent, before: string, matches: Condition): Sql {
  if (!PROPERTIES.some((name) => sent.has(name))) return headsInTime(idBounds(sent, before));
  const { from, where } = interceptionsFor({ sent, alias: "found", ...idBounds(sent, AFTER_EVERY_ID) });
  return sql`SELECT MIN(found.id) AS id, found.session_id, found.link_key FROM ${from}
    WHERE found.id < ${AFTER_EVERY_ID} AND ${where} AND ${matches("found")} AND ${isCounted("found")}
    GROUP BY +found.session_id, +found.link_key HAVING MIN(found.id) < ${before}`;
}

type Sent = ReadonlyMap<string, string>;
const PROPERTIES = Object.keys(PROPERTY_FILTERS);

function headsInTime({ from, to }: ReturnType<typeof idBounds>): Sql {
  const isSince = (alias: string): Sql => (from === "" ? sql`1` : sql`${column(alias, "id")} >= ${from}`);
  return sql`SELECT i.id, i.session_id, i.link_key FROM interceptions i
    WHERE i.id < ${to} AND ${isSince("i")} AND ${isCounted("i")} AND NOT EXISTS (
      SELECT 1 FROM session_spans noted CROSS JOIN interceptions e INDEXED BY interceptions_by_initiator
        ON e.initiator_id = i.initiator_id AND e.span = noted.span AND e.session_id = i.session_id
        AND e.actor_id = i.actor_id AND e.attribution = i.attribution
      WHERE noted.session_id = i.session_id AND noted.link_key = i.link_key AND noted.span <= i.span
        AND noted.span >= ${spanOf(from)} AND e.link_key = i.link_key AND e.id < i.id AND ${isSince("e")} AND ${isCounted("e")})`;
}

/** A session's position in the list. An id that several sessions share has several positions and is refused. */
async function headOf(id: string, matches: Condition, query: QueryLedger): Promise<string | Refusal> {
  const { from, where } = interceptionsFor({ sent: new Map([["session_id", id]]), alias: "i" });
  const rows = await query([
    sql`SELECT MIN(i.id) AS id FROM ${from} WHERE ${where} AND ${matches("i")} GROUP BY i.link_key LIMIT 2`,
  ]);
  if (rows instanceof Refusal) return rows;
  const [[head, another]] = rows;
  if (!head || another)
    return invalidFilter(
      "after_session_id",
      head ? "is the id of several sessions" : "is not the id of a session",
    );
  return text(head["id"]);
}
