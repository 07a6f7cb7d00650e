/**
 * The agents of a session: the main agent, and the sub-agents that the client names. They form a tree: a sub-agent is below
 * the agent that started it. All names are the client's, so the tree never spans sessions.
 *
 * An agent is older than those it starts. A stated parent that is newer, the agent itself or unknown is not followed, so
 * there are no cycles, and each agent has a place: below the main agent.
 */
import type { Row } from "./kit/query-ledger.ts";
import { number, text, textOrNull, texts } from "./kit/row-mapper.ts";
import * as schema from "../../shared/json-schema.ts";
import { EVIDENCE_FIELDS, evidenceSql, rankSql, toEvidence } from "./evidence.ts";
import { inSession, type SessionKey } from "./session-key.ts";
import { joined, sql, type Sql } from "./kit/sql.ts";
import { toCounts, TOKEN_COLUMNS, TOKEN_FIELDS, tokenSumsSql } from "./tokens.ts";

/** The maximum number of request classes of an agent: a client can send a new one with every request. */
const MAX_CLASSES = 20;

/** The tools by which coding agents start sub-agents: of Claude Code, OpenCode, the Copilot CLI, Codex, the Gemini CLI. */
const SPAWN_TOOLS = ["Agent", "Task", "task", "spawn_agent", "invoke_agent"] as const;

export const AGENT = schema.object(
  {
    agent_id: schema.withDescription(schema.orNull(schema.TEXT), "null for the main agent."),
    parent_agent_id: schema.withDescription(
      schema.orNull(schema.TEXT),
      "The agent above it in the tree; null for the main agent.",
    ),
    stated_parent_agent_id: schema.withDescription(
      schema.orNull(schema.TEXT),
      "The parent that the client first named. It is not followed if it has no earlier interception in this session.",
    ),
    spawned_by_interception_id: schema.withDescription(
      schema.orNull(schema.UUID),
      "The interception whose tool call started the agent, where only one of its parent can have.",
    ),
    first_interception_id: schema.withDescription(schema.UUID, "The agent's position in the list."),
    started_at: schema.TIME,
    last_active_at: schema.withDescription(schema.TIME, "When its last interception started."),
    ended_at: schema.withDescription(schema.TIME, "Absent while one of its interceptions is open."),
    ...EVIDENCE_FIELDS,
    interceptions: schema.COUNT,
    prompts: schema.withDescription(schema.COUNT, "The number of user messages that its requests added."),
    request_classes: schema.withDescription(
      schema.list(schema.TEXT),
      `The purposes that the client stated, at most ${MAX_CLASSES}.`,
    ),
    request_classes_are_capped: schema.FLAG,
    usage_complete: schema.withDescription(
      schema.FLAG,
      "false where the sums lack usage that was not reported.",
    ),
    token_usage_summary: schema.object(TOKEN_FIELDS),
  },
  ["ended_at"],
);

export type AgentPage = SessionKey & {
  /** The agents after the one whose first interception this is. */
  readonly after: string;
  readonly limit: number;
};

/** The page's agents in the order of their start. `toAgent` reads the rows. */
export const agentsSql = (page: AgentPage): Sql => sql`${tables(page)} ${PAGE}`;

/** The number of agents in the session, and its evidence. */
export function agentCountSql(key: SessionKey): Sql {
  return sql`SELECT COUNT(DISTINCT COALESCE(i.agent_id, '')) AS agents, ${evidenceSql("i")}
    FROM interceptions i WHERE ${inSession("i", key)}`;
}

/** The main agent's name is empty here, so that all names can be compared by `=`. An id has 36 characters. */
function tables({ after, limit, ...key }: AgentPage): Sql {
  return sql`WITH members AS MATERIALIZED (
      SELECT i.id, COALESCE(i.agent_id, '') AS agent, i.parent_agent_id, i.request_class, i.prompt_count,
        i.started_at, i.ended_at, i.outcome, i.usage_state, ${rankSql("i")} AS rank
      FROM interceptions i WHERE ${inSession("i", key)}),
    nodes AS MATERIALIZED (
      SELECT agent, MIN(id) AS first_id, COUNT(*) AS interceptions, TOTAL(prompt_count) AS prompts,
        MIN(started_at) AS started_at, MAX(started_at) AS last_active_at,
        CASE WHEN COUNT(*) = COUNT(outcome) THEN MAX(ended_at) END AS ended_at,
        MIN(usage_state IS 'final') AS usage_complete, MIN(rank) AS strongest, MAX(rank) AS weakest,
        CASE WHEN agent <> '' THEN SUBSTR(MIN(id || parent_agent_id), 37) END AS stated
      FROM members GROUP BY agent),
    page AS MATERIALIZED (
      SELECT node.*, COALESCE(above.agent, '') AS parent FROM nodes node
      LEFT JOIN nodes above ON above.agent = node.stated AND above.first_id < node.first_id
      WHERE node.first_id > ${after} ORDER BY node.first_id LIMIT ${limit})`;
}

const tools = joined(
  SPAWN_TOOLS.map((name) => sql`${name}`),
  ", ",
);

/** An agent whose stated parent is not followed has an unknown origin: no interception is taken for the one that started it. */
const PAGE: Sql = sql`, tokens AS MATERIALIZED (
    SELECT member.agent, ${tokenSumsSql("i")} FROM members member CROSS JOIN interceptions i ON i.id = member.id
    WHERE member.agent IN (SELECT agent FROM page) GROUP BY member.agent),
  spawns AS MATERIALIZED (
    SELECT DISTINCT member.agent, member.id FROM members member CROSS JOIN tool_usages u ON u.interception_id = member.id
    WHERE u.tool IN (${tools})),
  origins AS MATERIALIZED (
    SELECT page.agent, MIN(spawn.id) AS spawned_by FROM page CROSS JOIN spawns spawn ON spawn.agent = page.parent
    WHERE page.agent <> '' AND spawn.id < page.first_id AND COALESCE(page.stated, '') = page.parent
    GROUP BY page.agent HAVING COUNT(*) = 1),
  classes AS MATERIALIZED (
    SELECT agent, json_group_array(request_class) AS request_classes FROM (
      SELECT member.agent, member.request_class,
        ROW_NUMBER() OVER (PARTITION BY member.agent ORDER BY MIN(member.id)) AS position
      FROM page CROSS JOIN members member ON member.agent = page.agent
      WHERE member.request_class IS NOT NULL GROUP BY member.agent, member.request_class)
    WHERE position <= ${MAX_CLASSES + 1} GROUP BY agent)
  SELECT page.*, classes.request_classes, origins.spawned_by, ${joined(
    TOKEN_COLUMNS.map((name) => ({ text: `tokens.${name}`, values: [] })),
    ", ",
  )}
  FROM page LEFT JOIN tokens ON tokens.agent = page.agent LEFT JOIN origins ON origins.agent = page.agent
    LEFT JOIN classes ON classes.agent = page.agent
  ORDER BY page.first_id`;

export function toAgent(row: Row): Record<string, unknown> {
  const classes = texts(row["request_classes"]);
  const endedAt = textOrNull(row["ended_at"]);
  return {
    agent_id: text(row["agent"]) || null,
    parent_agent_id: text(row["parent"]) || null,
    stated_parent_agent_id: textOrNull(row["stated"]),
    spawned_by_interception_id: textOrNull(row["spawned_by"]),
    first_interception_id: text(row["first_id"]),
    started_at: text(row["started_at"]),
    last_active_at: text(row["last_active_at"]),
    ...(endedAt === null ? {} : { ended_at: endedAt }),
    ...toEvidence(row),
    interceptions: number(row["interceptions"]),
    prompts: number(row["prompts"]),
    request_classes: classes.slice(0, MAX_CLASSES),
    request_classes_are_capped: classes.length > MAX_CLASSES,
    usage_complete: row["usage_complete"] === 1,
    token_usage_summary: toCounts(row),
  };
}
