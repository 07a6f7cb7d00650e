/**
 * Threads in Coder's form. A thread is an interception, the interceptions that return results of the tools it called, the
 * interceptions that return results of theirs, and so on. This file maps rows only; it runs no queries.
 */
import {
  asContent,
  FLAG,
  ID,
  JSON_OBJECT,
  schemasOf,
  TEXT,
  text,
  textOrNull,
  TIME,
  toRecord,
  withDescription,
  type Fields,
} from "./kit/row-mapper.ts";
import { contentSchema } from "./kit/content.ts";
import type { Row } from "./kit/query-ledger.ts";
import * as schema from "../../shared/json-schema.ts";
import { EVIDENCE_FIELDS, evidenceOf } from "./evidence.ts";
import { sumUsages, TOKEN_USAGE } from "./tokens.ts";

/** In Coder's form: the columns, and how each is read. */
export const TOOL_CALL: Fields = {
  id: ID,
  interception_id: ID,
  provider_response_id: TEXT,
  server_url: TEXT,
  tool: TEXT,
  injected: FLAG,
  input: asContent(withDescription(TEXT, "Empty where inputs are not recorded.")),
  metadata: JSON_OBJECT,
  created_at: TIME,
};

const AGENTIC_ACTION = schema.object({
  interception_id: schema.UUID,
  actor_id: schema.TEXT,
  identity_source: schema.TEXT,
  attribution: schema.withDescription(schema.TEXT, "The attribution of this interception."),
  model: schema.TEXT,
  token_usage: TOKEN_USAGE,
  thinking: schema.list(schema.object({ text: contentSchema(schema.TEXT) })),
  tool_calls: schema.list(schema.object(schemasOf(TOOL_CALL))),
});

export const THREAD = schema.object(
  {
    id: schema.withDescription(schema.UUID, "The id of the first interception."),
    prompt: schema.withDescription(contentSchema(schema.TEXT), "Absent where no prompt was recorded."),
    model: schema.TEXT,
    provider: schema.TEXT,
    credential_kind: schema.TEXT,
    credential_hint: schema.TEXT,
    actor_id: schema.TEXT,
    identity_source: schema.withDescription(schema.TEXT, "The identity source of the actor."),
    ...EVIDENCE_FIELDS,
    agent_id: schema.withDescription(
      schema.orNull(schema.TEXT),
      "The agent of the session's tree that the thread belongs to; null for the main agent.",
    ),
    started_at: schema.TIME,
    ended_at: schema.withDescription(schema.TIME, "Absent while one of its interceptions is open."),
    outcome: schema.withDescription(
      schema.orNull(schema.TEXT),
      "The last interception's outcome; null while it is open.",
    ),
    usage_complete: schema.FLAG,
    token_usage: TOKEN_USAGE,
    agentic_actions: schema.withDescription(
      schema.list(AGENTIC_ACTION),
      "One action per interception whose response called tools.",
    ),
  },
  ["prompt", "ended_at"],
);

/** The rows of the threads on a page, each list ordered by id. */
export type ThreadRows = {
  /** With the column `thread`: the id of the thread that the interception belongs to. */
  readonly interceptions: readonly Row[];
  readonly usages: readonly Row[];
  readonly prompts: readonly Row[];
  readonly tools: readonly Row[];
  readonly thoughts: readonly Row[];
};

type Group = ReadonlyMap<string, readonly Row[]>;

/** Ordered by the threads' ids. `readsContent`: whether the rows have content. */
export function toThreads(parts: ThreadRows, readsContent: boolean): Record<string, unknown>[] {
  const groups = {
    usages: grouped(parts.usages, "interception_id"),
    prompts: grouped(parts.prompts, "interception_id"),
    tools: grouped(parts.tools, "interception_id"),
    thoughts: grouped(parts.thoughts, "interception_id"),
  };
  return [...grouped(parts.interceptions, "thread")].map(([id, members]) =>
    toThread(id, members, { ...groups, readsContent }),
  );
}

type Groups = Readonly<Record<"usages" | "prompts" | "tools" | "thoughts", Group>> & {
  readonly readsContent: boolean;
};

function toThread(
  id: string,
  members: readonly Row[],
  { usages, prompts, tools, thoughts, readsContent }: Groups,
): Record<string, unknown> {
  const [first, last] = [members[0], members.at(-1)];
  const prompt = textOrNull(of(prompts, first)[0]?.["prompt"]);
  return {
    id,
    ...(readsContent && prompt === null ? {} : { prompt }),
    model: text(first?.["model"]),
    provider: text(first?.["provider"]),
    credential_kind: text(first?.["credential_kind"]),
    credential_hint: text(first?.["credential_hint"]),
    actor_id: text(first?.["actor_id"]),
    identity_source: text(first?.["identity_source"]),
    ...evidenceOf(members.map(({ attribution }) => text(attribution))),
    agent_id: textOrNull(first?.["agent_id"]),
    started_at: text(first?.["started_at"]),
    ...endOf(members),
    outcome: textOrNull(last?.["outcome"]),
    usage_complete: members.every(({ usage }) => usage === "final"),
    token_usage: sumUsages(members.flatMap((member) => of(usages, member))),
    agentic_actions: members
      .filter((member) => of(tools, member).length > 0)
      .map((member) => ({
        interception_id: text(member["id"]),
        actor_id: text(member["actor_id"]),
        identity_source: text(member["identity_source"]),
        attribution: text(member["attribution"]),
        model: text(member["model"]),
        token_usage: sumUsages(of(usages, member)),
        thinking: of(thoughts, member).map(({ content }) => ({ text: readsContent ? text(content) : null })),
        tool_calls: of(tools, member).map((row) => toRecord(row, TOOL_CALL, readsContent)),
      })),
  };
}

/** The latest end; empty while a member is open. All times have one form, so text order is time order. */
function endOf(members: readonly Row[]): { ended_at?: string } {
  if (members.some(({ outcome }) => outcome === null)) return {};
  const latest =
    members
      .map((member) => text(member["ended_at"]))
      .toSorted()
      .at(-1) ?? "";
  return latest === "" ? {} : { ended_at: latest };
}

const of = (group: Group, row: Row | undefined): readonly Row[] => group.get(text(row?.["id"])) ?? [];

function grouped(rows: readonly Row[], name: string): Group {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = text(row[name]);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return groups;
}
