/**
 * Session summaries. A session is the interceptions under one session id that have one `link_key`: one initiator, actor and
 * attribution. The client chooses the session id and may name any owner, so no request can add to a session with
 * other evidence.
 */
import { EVIDENCE_FIELDS, evidenceSql, toEvidence } from "./evidence.ts";
import { contentSchema } from "./kit/content.ts";
import { json, number, text, texts, textOrNull } from "./kit/row-mapper.ts";
import type { Row } from "./kit/query-ledger.ts";
import * as schema from "../../shared/json-schema.ts";
import { column, sql, type Sql } from "./kit/sql.ts";
import { isMember, linkParts } from "./session-key.ts";
import { toCounts, TOKEN_FIELDS, tokenSumsSql } from "./tokens.ts";
import { toUserDto, USER } from "./user-dto.ts";

/** The maximum number of names in a list: a client can send a new model with every request. */
const MAX_NAMES = 20;
/** In characters: a client chooses the length, too. */
const MAX_NAME = 128;
const MAX_LAST_PROMPT = 1000;

/** The fields of a session both in a list and alone. */
export const SESSION_FIELDS = {
  id: schema.TEXT,
  initiator: USER,
  initiator_source: schema.withDescription(schema.TEXT, "The source of the initiator's id."),
  actor_id: schema.TEXT,
  identity_source: schema.withDescription(schema.TEXT, "The identity source of the actor."),
  ...EVIDENCE_FIELDS,
  providers: schema.list(schema.TEXT),
  models: schema.withDescription(schema.list(schema.TEXT), `The requested models, at most ${MAX_NAMES}.`),
  client: schema.TEXT,
  metadata: schema.withDescription(schema.METADATA, "The metadata of the first interception's actor."),
  started_at: schema.TIME,
  ended_at: schema.withDescription(schema.TIME, "Absent while one of its interceptions is open."),
  first_interception_id: schema.withDescription(
    schema.UUID,
    "Also a key to the session, for ids that several sessions share or that do not fit into a path.",
  ),
  interceptions: schema.COUNT,
  agent_count: schema.withDescription(
    schema.COUNT,
    "The number of agents in `/sessions/{session_id}/agents`, the main agent included.",
  ),
  usage_complete: schema.withDescription(
    schema.FLAG,
    "false where the sums lack usage that was not reported.",
  ),
  actor_ids: schema.withDescription(schema.list(schema.TEXT), `At most ${MAX_NAMES}.`),
  attributions: schema.list(schema.TEXT),
  truncated_fields: schema.withDescription(
    schema.list(schema.TEXT),
    `The fields that are incomplete here: lists with more than ${MAX_NAMES} names or a name longer than ${MAX_NAME} characters, and a longer \`last_prompt\`.`,
  ),
};

export const SESSION = schema.object(
  {
    ...SESSION_FIELDS,
    cursor: schema.withDescription(schema.UUID, "For `after_id`."),
    threads: schema.COUNT,
    token_usage_summary: schema.object(TOKEN_FIELDS),
    last_prompt: schema.withDescription(
      contentSchema(schema.TEXT),
      `Truncated at ${MAX_LAST_PROMPT} characters; absent where no prompt was recorded.`,
    ),
    last_active_at: schema.withDescription(schema.TIME, "When its last interception started."),
  },
  ["ended_at", "last_prompt"],
);

/**
 * The summaries of sessions, newest first. `heads` selects id, session_id and link_key, one row per session. CROSS
 * JOIN keeps SQLite from reading all interceptions first, as it would once its statistics say that sessions are long.
 * `readsPrompts`: whether each has its last prompt.
 */
export function summaries(heads: Sql, readsPrompts: boolean): Sql {
  const lastPrompt = sql`(SELECT SUBSTR(p.prompt, 1, ${MAX_LAST_PROMPT + 1}) FROM interceptions l
        JOIN user_prompts p ON p.interception_id = l.id
        WHERE ${ofHead("l")}
        ORDER BY l.id DESC LIMIT 1)`;
  return sql`WITH head AS (${heads})
    SELECT h.id AS cursor, h.session_id, h.link_key, ${evidenceSql("i")}, MIN(i.id) AS first_interception_id,
      COUNT(*) AS interceptions, COUNT(DISTINCT COALESCE(i.thread_root_id, i.id)) AS threads,
      COUNT(DISTINCT COALESCE(i.agent_id, '')) AS agents,
      MIN(i.started_at) AS started_at, MAX(i.started_at) AS last_active_at,
      CASE WHEN COUNT(*) = COUNT(i.outcome) THEN MAX(i.ended_at) END AS ended_at,
      MIN(i.usage_state IS 'final') AS usage_complete, ${tokenSumsSql("i")},
      MAX(i.initiator_name) AS initiator_name, ${first("client")} AS client, ${first("metadata")} AS metadata,
      ${distinct("provider")} AS providers, ${distinct("model")} AS models,
      ${distinct("actor_id")} AS actor_ids, ${distinct("attribution")} AS attributions,
      ${readsPrompts ? lastPrompt : sql`NULL`} AS last_prompt
    FROM head h
    CROSS JOIN interceptions i ON ${ofHead("i")}
    GROUP BY h.id ORDER BY h.id DESC`;
}

const ofHead = (alias: string): Sql => isMember(alias, sql`h.session_id`, sql`h.link_key`);

/** The column's value in the session's first interception. */
function first(name: string): Sql {
  return sql`(SELECT ${column("f", name)} FROM interceptions f
    WHERE ${ofHead("f")} ORDER BY f.id LIMIT 1)`;
}

/** The column's distinct values in the session, as a JSON list: one more, and one character more, than is shown. */
function distinct(name: string): Sql {
  return sql`(SELECT json_group_array(value) FROM (SELECT DISTINCT SUBSTR(${column("d", name)}, 1, ${MAX_NAME + 1}) AS value
    FROM interceptions d WHERE ${ofHead("d")}
    AND ${column("d", name)} IS NOT NULL LIMIT ${MAX_NAMES + 1}))`;
}

/** The lists of names, as far as they are shown, and which of them that makes incomplete. */
function nameLists(row: Row): { lists: Record<string, string[]>; truncated: string[] } {
  const lists: Record<string, string[]> = {};
  const truncated: string[] = [];
  for (const field of ["providers", "models", "actor_ids", "attributions"]) {
    const names = texts(row[field]);
    const shown = names.slice(0, MAX_NAMES).map((name) => firstCharacters(name, MAX_NAME));
    if (names.length > MAX_NAMES || shown.some((name, at) => name !== names[at])) truncated.push(field);
    lists[field] = shown;
  }
  return { lists, truncated };
}

/** As SQLite counts: a surrogate pair is one character. */
const firstCharacters = (value: string, length: number): string => [...value].slice(0, length).join("");

export function toSessionFields(
  row: Row,
): Record<string, unknown> & { readonly truncated_fields: readonly string[] } {
  const [initiator, source, , actor, actorSource] = linkParts(text(row["link_key"]));
  const { lists, truncated } = nameLists(row);
  const endedAt = textOrNull(row["ended_at"]);
  return {
    id: text(row["session_id"]),
    initiator: toUserDto({
      id: initiator,
      ownerName: textOrNull(row["initiator_name"]),
      isActor: actor === initiator && actorSource === source,
      metadata: row["metadata"],
    }),
    initiator_source: source,
    actor_id: actor,
    identity_source: actorSource,
    ...toEvidence(row),
    ...lists,
    client: text(row["client"]),
    metadata: json(row["metadata"]),
    started_at: text(row["started_at"]),
    ...(endedAt === null ? {} : { ended_at: endedAt }),
    first_interception_id: text(row["first_interception_id"]),
    interceptions: number(row["interceptions"]),
    agent_count: number(row["agents"]),
    usage_complete: row["usage_complete"] === 1,
    truncated_fields: truncated,
  };
}

export function toSession(row: Row, readsContent: boolean): Record<string, unknown> {
  const recorded = textOrNull(row["last_prompt"]);
  const lastPrompt = recorded === null ? null : firstCharacters(recorded, MAX_LAST_PROMPT);
  const { truncated_fields, ...fields } = toSessionFields(row);
  return {
    ...fields,
    truncated_fields: [...truncated_fields, ...(lastPrompt === recorded ? [] : ["last_prompt"])],
    cursor: text(row["cursor"]),
    threads: number(row["threads"]),
    token_usage_summary: toCounts(row),
    ...(readsContent && lastPrompt === null ? {} : { last_prompt: lastPrompt }),
    last_active_at: text(row["last_active_at"]),
  };
}
