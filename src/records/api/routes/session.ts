/** GET /sessions/{session_id}: one session with a page of its threads. */
import { Refusal } from "../../../shared/refusal.ts";
import { checkSize, NO_SIZE, sizeSql, SIZE_NOTE } from "../kit/response-size.ts";
import { endpoint } from "../kit/endpoint.ts";
import type { Row } from "../kit/query-ledger.ts";
import { checkCursors, cursor, LIMIT_RULE, type Page } from "../kit/page.ts";
import { integer } from "../kit/parameter.ts";
import { contentColumn, number, selected, text } from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { findKey, inSession, SESSION_PARAMETERS, type SessionKey } from "../session-key.ts";
import { SESSION_FIELDS, summaries, toSessionFields } from "../session-summary.ts";
import { toUnrecordedPrompts, UNRECORDED_PROMPTS, unrecordedPromptsSql } from "../unrecorded-prompts.ts";
import { sql, type Sql } from "../kit/sql.ts";
import { THREAD, TOOL_CALL, toThreads } from "../threads.ts";
import { toCounts, TOKEN_USAGE } from "../tokens.ts";
import { usageRowsSql } from "../usage-rows.ts";

type Cursor = { readonly after_id: string | null; readonly before_id: string | null; readonly limit: number };

export const session = endpoint({
  path: "/sessions/{session_id}",
  summary: "A session with its threads",
  description:
    "The path has the session's id or the id of one of its interceptions. Threads are in chronological order. A session is one initiator's, from one actor and with one attribution. The parameters by which sessions with one id differ are required.",
  filters: {},
  parameters: {
    ...SESSION_PARAMETERS,
    limit: {
      ...integer(1, 200, 50, `The maximum number of threads. ${SIZE_NOTE}`),
      rule: LIMIT_RULE,
    },
    after_id: cursor("Cursor: the threads that started after this one."),
    before_id: cursor("Cursor: the last threads that started before this one."),
  },
  response: schema.object(
    {
      ...SESSION_FIELDS,
      page_started_at: schema.TIME,
      page_ended_at: schema.TIME,
      token_usage_summary: TOKEN_USAGE,
      thread_count: schema.withDescription(schema.COUNT, "The number of threads on all pages."),
      threads: schema.list(THREAD),
      ...UNRECORDED_PROMPTS,
    },
    ["ended_at", "page_started_at", "page_ended_at"],
  ),
  handle: async ({ limit, after_id, before_id, ...choice }, _, { id, query, readsContent }) => {
    const page: Cursor = { limit, after_id, before_id };
    const refusal = checkCursors({ after_id, before_id });
    if (refusal) return refusal;
    const key = await findKey(id, choice, query);
    if (key instanceof Refusal) return key;
    const members = membersOf(key, page);
    const summary = await query([
      summaries(wholeSession(key), false),
      extras(key),
      sql`SELECT sized.size, (${remaining(key, page)}) AS remaining,
        (${readsContent ? unrecordedPromptsSql(key) : sql`SELECT NULL`}) AS unrecorded
        FROM (${readsContent ? sizeSql(sql`SELECT id FROM (${members})`) : NO_SIZE}) sized`,
    ]);
    if (summary instanceof Refusal) return summary;
    const [[row], extraRows, size] = summary;
    if (!row) return new Refusal("not_found");
    const tooLarge = checkSize(size);
    if (tooLarge) return tooLarge;
    const parts = await query(partsOf(members, readsContent));
    if (parts instanceof Refusal) return parts;
    const [interceptions, usages, prompts, tools, thoughts] = parts;
    const metadata = Object.fromEntries(extraRows.map(({ name, total }) => [text(name), number(total)]));
    const total = number(row["threads"]);
    return {
      body: {
        ...toSessionFields(row),
        ...spanOf(interceptions),
        token_usage_summary: { ...toCounts(row), metadata },
        thread_count: total,
        threads: toThreads({ interceptions, usages, prompts, tools, thoughts }, readsContent),
        ...(readsContent
          ? toUnrecordedPrompts(size[0]?.["unrecorded"])
          : { unrecorded_prompts: null, unrecorded_prompts_are_capped: null }),
      },
      page: { total, ...neighbors(interceptions, page, number(size[0]?.["remaining"]) > page.limit) },
    };
  },
});

function wholeSession(key: SessionKey): Sql {
  return sql`SELECT i.id, i.session_id, i.link_key FROM interceptions i
    WHERE ${inSession("i", key)} ORDER BY i.id LIMIT 1`;
}

/** The sums of the dialects' named extras (usage metadata) over the whole session. */
function extras(key: SessionKey): Sql {
  return sql`SELECT x.key AS name, TOTAL(x.value) AS total
    FROM (${usageRowsSql(sql`SELECT i.id FROM interceptions i WHERE ${inSession("i", key)}`)}) used
    JOIN json_each(CASE WHEN json_valid(used.metadata) THEN used.metadata ELSE '{}' END) x
    WHERE x.type IN ('integer', 'real')
    GROUP BY x.key ORDER BY x.key LIMIT 100`;
}

/** The interceptions of the page's threads, each with its thread's id. */
function membersOf(key: SessionKey, { after_id, before_id, limit }: Cursor): Sql {
  const all = sql`SELECT i.id, COALESCE(i.thread_root_id, i.id) AS thread FROM interceptions i
    WHERE ${inSession("i", key)}`;
  const page =
    before_id === null
      ? sql`SELECT DISTINCT thread FROM (${all}) WHERE thread > ${after_id ?? ""} ORDER BY thread LIMIT ${limit}`
      : sql`SELECT DISTINCT thread FROM (${all}) WHERE thread < ${before_id} ORDER BY thread DESC LIMIT ${limit}`;
  return sql`SELECT id, thread FROM (${all}) WHERE thread IN (${page})`;
}

/** The number of threads from the cursor on, in the direction of reading, this page's included. */
function remaining(key: SessionKey, { after_id, before_id }: Cursor): Sql {
  const all = sql`SELECT DISTINCT COALESCE(i.thread_root_id, i.id) AS thread FROM interceptions i
    WHERE ${inSession("i", key)}`;
  return before_id === null
    ? sql`SELECT COUNT(*) FROM (${all}) WHERE thread > ${after_id ?? ""}`
    : sql`SELECT COUNT(*) FROM (${all}) WHERE thread < ${before_id}`;
}

/** The page that continues the direction of reading. `interceptions`: ordered by thread. */
function neighbors(
  interceptions: readonly Row[],
  { before_id }: Cursor,
  hasMore: boolean,
): Pick<Page, "next" | "prev"> {
  const [first, last] = [interceptions[0]?.["thread"], interceptions.at(-1)?.["thread"]];
  if (!hasMore) return { next: null };
  return before_id === null
    ? { next: { after_id: text(last) } }
    : { next: null, prev: { before_id: text(first) } };
}

function partsOf(members: Sql, readsContent: boolean): readonly [Sql, Sql, Sql, Sql, Sql] {
  const ids = sql`SELECT id FROM (${members})`;
  const content = (name: "prompt" | "content"): Sql => contentColumn("c", name, readsContent);
  return [
    sql`SELECT m.thread, i.id, i.model, i.provider, i.credential_kind, i.credential_hint, i.actor_id, i.identity_source,
        i.attribution, i.agent_id, i.started_at, i.ended_at, i.outcome, i.usage_state AS usage
      FROM (${members}) m JOIN interceptions i ON i.id = m.id ORDER BY m.thread, i.id`,
    sql`${usageRowsSql(ids)} ORDER BY id`,
    sql`SELECT interception_id, ${content("prompt")} FROM user_prompts c WHERE interception_id IN (${ids}) ORDER BY id`,
    sql`SELECT ${selected("u", TOOL_CALL, readsContent)} FROM tool_usages u WHERE interception_id IN (${ids})
      ORDER BY interception_id, position`,
    sql`SELECT interception_id, ${content("content")} FROM model_thoughts c WHERE interception_id IN (${ids})
      ORDER BY interception_id, position`,
  ];
}

/** The page's first start and last end; empty where the page is. */
function spanOf(rows: readonly Row[]): { page_started_at?: string; page_ended_at?: string } {
  const starts = rows.map((row) => text(row["started_at"])).toSorted();
  const ends = rows.flatMap(({ ended_at: end }) => (end == null ? [] : [text(end)])).toSorted();
  const [started, ended] = [starts[0], ends.at(-1)];
  return {
    ...(started === undefined ? {} : { page_started_at: started }),
    ...(ended === undefined ? {} : { page_ended_at: ended }),
  };
}
