/**
 * The ledger's tables: each column, the event's field that fills it, and its type in SQLite. The one place that knows
 * them beside the migrations, and held against those by test/records/ledger/tables.test.ts.
 */
import type {
  InitiatorOverride,
  InitiatorOverrideRejected,
  InterceptionEnd,
  InterceptionStart,
  ModelThought,
  PromptUsage,
  TokenUsage,
  ToolUsage,
} from "../../events/event.ts";

/** `id` is the row's, from event-id.ts; `accepted` tells the two overrides apart. */
type Field<Event> = (keyof Event & string) | "id" | "accepted";
type Fill<Event> = readonly [field: Field<Event>, type: "TEXT" | "INTEGER"];
/** Column → what fills it. */
export type Columns<Event> = Readonly<Record<string, Fill<Event>>>;

/** What an interception's start and end both tell: whichever comes first fills it in. */
export const SHARED_COLUMNS = {
  id: ["interception_id", "TEXT"],
  actor_id: ["actor_id", "TEXT"],
  actor_kind: ["actor_kind", "TEXT"],
  initiator_id: ["initiator_id", "TEXT"],
  attribution: ["attribution", "TEXT"],
  identity_source: ["identity_source", "TEXT"],
  client: ["client", "TEXT"],
  user_agent: ["user_agent", "TEXT"],
  client_session_id: ["client_session_id", "TEXT"],
  chat_id: ["chat_id", "TEXT"],
  subchat_id: ["subchat_id", "TEXT"],
  workspace_id: ["workspace_id", "TEXT"],
  delegated_key_id: ["delegated_key_id", "TEXT"],
  delegated_source: ["delegated_source", "TEXT"],
  provider: ["provider", "TEXT"],
  provider_type: ["provider_type", "TEXT"],
  route: ["route", "TEXT"],
  model: ["model", "TEXT"],
  streaming: ["streaming", "INTEGER"],
  credential_kind: ["credential_kind", "TEXT"],
  credential_hint: ["credential_hint", "TEXT"],
  started_at: ["started_at", "TEXT"],
} as const satisfies Columns<Pick<InterceptionEnd, keyof InterceptionStart & keyof InterceptionEnd>>;

export const START_COLUMNS = {
  api_key_id: ["api_key_id", "TEXT"],
  metadata: ["metadata", "TEXT"],
  initiator_name: ["initiator_name", "TEXT"],
  flags: ["flags", "TEXT"],
  correlating_tool_call_id: ["correlating_tool_call_id", "TEXT"],
  prompt_count: ["prompt_count", "INTEGER"],
} as const satisfies Columns<InterceptionStart>;

export const END_COLUMNS = {
  outcome: ["outcome", "TEXT"],
  ended_at: ["ended_at", "TEXT"],
  status: ["status", "INTEGER"],
  finish_reason: ["finish_reason", "TEXT"],
  error: ["error", "TEXT"],
  error_message: ["error_message", "TEXT"],
  usage: ["usage", "TEXT"],
  usage_invalid: ["usage_invalid", "INTEGER"],
  observation: ["observation", "TEXT"],
  provider_response_id: ["msg_id", "TEXT"],
  response_model: ["response_model", "TEXT"],
  response_bytes: ["response_bytes", "INTEGER"],
  first_byte_ms: ["first_byte_ms", "INTEGER"],
  duration_ms: ["duration_ms", "INTEGER"],
  tool_call_count: ["tool_call_count", "INTEGER"],
  thought_count: ["thought_count", "INTEGER"],
} as const satisfies Columns<InterceptionEnd>;

const TOKEN_USAGES = {
  id: ["id", "TEXT"],
  interception_id: ["interception_id", "TEXT"],
  initiator_id: ["initiator_id", "TEXT"],
  provider_response_id: ["msg_id", "TEXT"],
  input_tokens: ["input_tokens", "INTEGER"],
  output_tokens: ["output_tokens", "INTEGER"],
  cache_read_input_tokens: ["cache_read_input_tokens", "INTEGER"],
  cache_write_input_tokens: ["cache_write_input_tokens", "INTEGER"],
  usage: ["usage", "TEXT"],
  metadata: ["metadata", "TEXT"],
  created_at: ["created_at", "TEXT"],
} as const satisfies Columns<TokenUsage>;

const USER_PROMPTS = {
  id: ["id", "TEXT"],
  interception_id: ["interception_id", "TEXT"],
  initiator_id: ["initiator_id", "TEXT"],
  provider_response_id: ["msg_id", "TEXT"],
  prompt: ["prompt", "TEXT"],
  truncated: ["truncated", "INTEGER"],
  metadata: ["metadata", "TEXT"],
  created_at: ["created_at", "TEXT"],
} as const satisfies Columns<PromptUsage>;

const TOOL_USAGES = {
  id: ["id", "TEXT"],
  interception_id: ["interception_id", "TEXT"],
  initiator_id: ["initiator_id", "TEXT"],
  position: ["position", "INTEGER"],
  provider_response_id: ["msg_id", "TEXT"],
  provider_tool_call_id: ["tool_call_id", "TEXT"],
  tool: ["tool", "TEXT"],
  input: ["input", "TEXT"],
  truncated: ["truncated", "INTEGER"],
  server_url: ["server_url", "TEXT"],
  injected: ["injected", "INTEGER"],
  invocation_error: ["invocation_error", "TEXT"],
  metadata: ["metadata", "TEXT"],
  created_at: ["created_at", "TEXT"],
} as const satisfies Columns<ToolUsage>;

const MODEL_THOUGHTS = {
  id: ["id", "TEXT"],
  interception_id: ["interception_id", "TEXT"],
  initiator_id: ["initiator_id", "TEXT"],
  position: ["position", "INTEGER"],
  provider_response_id: ["msg_id", "TEXT"],
  content: ["content", "TEXT"],
  truncated: ["truncated", "INTEGER"],
  metadata: ["metadata", "TEXT"],
  created_at: ["created_at", "TEXT"],
} as const satisfies Columns<ModelThought>;

const INITIATOR_OVERRIDES = {
  id: ["id", "TEXT"],
  interception_id: ["interception_id", "TEXT"],
  accepted: ["accepted", "INTEGER"],
  actor_id: ["actor_id", "TEXT"],
  actor_kind: ["actor_kind", "TEXT"],
  identity_source: ["identity_source", "TEXT"],
  initiator_id: ["initiator_id", "TEXT"],
  attribution: ["attribution", "TEXT"],
  owner_id: ["owner_id", "TEXT"],
  reason: ["reason", "TEXT"],
  value_length: ["value_length", "INTEGER"],
  value_sha256: ["value_sha256", "TEXT"],
  client: ["client", "TEXT"],
  user_agent: ["user_agent", "TEXT"],
  client_session_id: ["client_session_id", "TEXT"],
  chat_id: ["chat_id", "TEXT"],
  subchat_id: ["subchat_id", "TEXT"],
  workspace_id: ["workspace_id", "TEXT"],
  delegated_key_id: ["delegated_key_id", "TEXT"],
  delegated_source: ["delegated_source", "TEXT"],
  provider: ["provider", "TEXT"],
  created_at: ["created_at", "TEXT"],
  owner_username: ["owner_username", "TEXT"],
  rule: ["rule", "TEXT"],
  signature: ["signature", "TEXT"],
  directory: ["directory", "TEXT"],
  candidates: ["candidates", "TEXT"],
} as const satisfies Columns<InitiatorOverride & Omit<InitiatorOverrideRejected, "record_type">>;

/** What the cron writes who watches for lies, each with its primary key: the first column begins with the time. */
export const ANOMALY_TABLE_KEYS = {
  anomalies: ["id"],
  owner_actors: ["day", "owner_id", "actor_id"],
  attribution_hours: ["hour", "attribution"],
} as const satisfies Readonly<Record<string, readonly [string, ...string[]]>>;

/** The tables whose rows are each one event, never changed: table → columns. */
export const EVENT_TABLES = {
  token_usages: TOKEN_USAGES,
  user_prompts: USER_PROMPTS,
  tool_usages: TOOL_USAGES,
  model_thoughts: MODEL_THOUGHTS,
  initiator_overrides: INITIATOR_OVERRIDES,
} as const satisfies Readonly<Record<string, Columns<never>>>;

export type EventTable = keyof typeof EVENT_TABLES;

/**
 * Each table's primary key, those that hang on interceptions first. The first column begins with the time, so that what
 * is older than a moment is a range of it.
 */
export const TABLE_KEYS = {
  token_usages: ["interception_id", "id"],
  user_prompts: ["interception_id", "id"],
  tool_usages: ["interception_id", "id"],
  model_thoughts: ["interception_id", "id"],
  initiator_overrides: ["id"],
  interceptions: ["id"],
} as const satisfies Readonly<Record<EventTable | "interceptions", readonly [string, ...string[]]>>;
