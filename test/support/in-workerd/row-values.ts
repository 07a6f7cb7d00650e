/**
 * Rows of the ledger as tests write them down by hand, every column of them: what the database is held against knows
 * nothing of `src/ledger`. Each is a whole row of one plain request and its answer; a test names what is other.
 */
import type { Row, Rows } from "./ledger-database.ts";

/** Of the one interception that begins at 12:00:00.000, made of its time and the house's fixed randomness. */
export const ID = "01a20846-fe00-7abc-8def-0123456789ab";
/** The same of those that begin one and two seconds later. */
export const SECOND_ID = "01a20847-01e8-7abc-8def-0123456789ab";
export const THIRD_ID = "01a20847-05d0-7abc-8def-0123456789ab";

/** The fingerprint of the clients' own provider key. */
const ACTOR = "byok:35394ca1cef557f8732235c2823860c2";

const STARTED = "2026-11-23T12:00:00.000Z";
const ENDED = "2026-11-23T12:00:00.040Z";
/** Of every row but the prompt's, which is as old as the request. */
const OF_ANSWER = { interception_id: ID, initiator_id: ACTOR, created_at: ENDED };

const INTERCEPTION = {
  id: ID,
  actor_id: ACTOR,
  actor_kind: "unknown",
  initiator_id: ACTOR,
  attribution: "unverified",
  identity_source: "byok",
  client: "Unknown",
  user_agent: null,
  client_session_id: null,
  chat_id: null,
  subchat_id: null,
  workspace_id: null,
  provider: "openai",
  provider_type: "openai",
  route: "/chat/completions",
  model: "gpt-4o",
  streaming: 1,
  credential_kind: "byok",
  credential_hint: "sk-C...cdef",
  started_at: STARTED,
  api_key_id: "35394ca1cef557f8",
  metadata: "{}",
  initiator_name: null,
  delegated_key_id: null,
  delegated_source: null,
  flags: "[]",
  correlating_tool_call_id: null,
  prompt_count: 1,
  outcome: "completed",
  ended_at: ENDED,
  status: 200,
  finish_reason: "stop",
  error: null,
  error_message: null,
  usage: "final",
  usage_invalid: 0,
  observation: "complete",
  provider_response_id: "x",
  response_model: "m",
  response_bytes: 0,
  first_byte_ms: 40,
  duration_ms: 40,
  tool_call_count: 0,
  thought_count: 0,
  thread_parent_id: null,
  thread_root_id: null,
  session_id: ID,
} as const satisfies Row;

const TOKENS = {
  ...OF_ANSWER,
  id: "01a20846-fe00-8200-8def-0123456789ab",
  provider_response_id: "x",
  input_tokens: null,
  output_tokens: null,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
  usage: "final",
  metadata: "{}",
} as const satisfies Row;

const PROMPT = {
  ...OF_ANSWER,
  id: "01a20846-fe00-8300-8def-0123456789ab",
  provider_response_id: null,
  prompt: "Where?",
  truncated: 0,
  metadata: "{}",
  created_at: STARTED,
} as const satisfies Row;

const TOOL = {
  ...OF_ANSWER,
  provider_response_id: "x",
  input: null,
  truncated: 0,
  server_url: null,
  injected: 0,
  invocation_error: null,
} as const satisfies Row;

const THOUGHT = {
  ...OF_ANSWER,
  provider_response_id: "x",
  truncated: 0,
  metadata: "{}",
} as const satisfies Row;

const OVERRIDE = {
  id: "01a20846-fe00-8600-8def-0123456789ab",
  interception_id: ID,
  accepted: 1,
  actor_id: "ci-bot",
  actor_kind: "service",
  identity_source: "keys",
  reason: null,
  value_length: null,
  value_sha256: null,
  owner_username: null,
  rule: "any",
  signature: "off",
  directory: "off",
  delegated_key_id: null,
  delegated_source: null,
  client: "Coder Agents",
  user_agent: "coder-agents/v2.24.0 (linux/amd64)",
  client_session_id: null,
  chat_id: null,
  subchat_id: null,
  workspace_id: null,
  provider: "central",
  created_at: STARTED,
} as const satisfies Row;

/** What a row has beside the columns that are mostly the same. */
type Own<Default, Always extends string = never> = Readonly<Record<Always, unknown>> & {
  readonly [Column in keyof Default]?: unknown;
};

export const interceptionRow = (own: Own<typeof INTERCEPTION>): Row => ({ ...INTERCEPTION, ...own });
export const tokenRow = (own: Own<typeof TOKENS>): Row => ({ ...TOKENS, ...own });
export const promptRow = (own: Own<typeof PROMPT> = {}): Row => ({ ...PROMPT, ...own });
type OverrideColumn = "initiator_id" | "attribution" | "owner_id";
/** Of an owner that counted, unless told otherwise. */
export const overrideRow = (
  own: Own<typeof OVERRIDE, OverrideColumn> & { readonly candidates?: string },
): Row => ({
  ...OVERRIDE,
  candidates: `[{"who":"owner","id":"${String(own.owner_id)}","rejection_reason":null},{"who":"actor","id":"ci-bot","rejection_reason":"overridden"}]`,
  ...own,
});

/** The how-manieth of its answer is in the id too, in hexadecimal. */
const hex = (position: number): string => position.toString(16).padStart(2, "0");

type ToolColumn = "position" | "provider_tool_call_id" | "tool" | "metadata";
export const toolRow = (
  own: Own<typeof TOOL, ToolColumn> & { readonly position: number; readonly id?: string },
): Row => ({
  ...TOOL,
  id: `01a20846-fe00-84${hex(own.position)}-8def-0123456789ab`,
  ...own,
});
export const thoughtRow = (
  own: Own<typeof THOUGHT, "position" | "content"> & { readonly position: number },
): Row => ({ ...THOUGHT, id: `01a20846-fe00-85${hex(own.position)}-8def-0123456789ab`, ...own });

const EMPTY = {
  interceptions: [],
  token_usages: [],
  user_prompts: [],
  tool_usages: [],
  model_thoughts: [],
  initiator_overrides: [],
} as const satisfies Rows;

/** All tables; what is not named has no row. */
export const tables = (own: { readonly [Table in keyof typeof EMPTY]?: readonly Row[] }): Rows => ({
  ...EMPTY,
  ...own,
});
