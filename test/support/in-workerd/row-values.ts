/**
 * Expected rows of the ledger, written by hand in every column and independent of `src/records/ledger`. Each builder
 * returns the complete row of one plain exchange; a test names only the columns that differ.
 */
import { PRICE_VERSION } from "../../../src/shared/prices/price-table.ts";
import type { Row, Rows } from "./ledger-database.ts";

/** The id of an interception that begins at 12:00:00.000, made of its time and the test gateway's fixed UUID. */
export const ID = "01a20846-fe00-7abc-8def-0123456789ab";
/** The ids of interceptions that begin one and two seconds later. */
export const SECOND_ID = "01a20847-01e8-7abc-8def-0123456789ab";
export const THIRD_ID = "01a20847-05d0-7abc-8def-0123456789ab";

/** The fingerprint of the clients' own provider key. */
const ACTOR = "byok:35394ca1cef557f8732235c2823860c2";

const STARTED = "2026-11-23T12:00:00.000Z";
const ENDED = "2026-11-23T12:00:00.040Z";
/** The prompt's row has the time of the request, every other row that of the response. */
const RESPONSE_COLUMNS = { interception_id: ID, initiator_id: ACTOR, created_at: ENDED };

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
  credential_hint: "sk...ef",
  started_at: STARTED,
  worker_version: null,
  api_key_id: "35394ca1cef557f8",
  metadata: "{}",
  initiator_name: null,
  delegated_key_id: null,
  delegated_source: null,
  claimed_ids: null,
  flags: "[]",
  correlating_tool_call_id: null,
  prompt_count: 1,
  earlier_prompt_count: 0,
  agent_id: null,
  parent_agent_id: null,
  client_prompt_id: null,
  request_class: null,
  client_kind: null,
  end_user: null,
  request_encoding: null,
  delegation_chain: "[]",
  client_country: null,
  client_ray: null,
  client_ip: null,
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
  service_tier: null,
  speed: null,
  inference_geo: null,
  reported_cost: null,
  cost_micros: null,
  cost_source: "unpriced",
  price_version: null,
  response_bytes: 0,
  first_byte_ms: 40,
  duration_ms: 40,
  tool_call_count: 0,
  thought_count: 0,
  provider_request_id: null,
  provider_ray: null,
  response_encoding: null,
  own_key_rejected: 0,
  upload_sha256: null,
  response_sha256: null,
  usage_opt_in: null,
  input_tokens: null,
  output_tokens: null,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
  usage_metadata: null,
  raw_usage: null,
  claimed_usage: null,
  claimed_input_tokens: null,
  claimed_output_tokens: null,
  claimed_cache_read_input_tokens: null,
  claimed_cache_write_input_tokens: null,
  claimed_cost_micros: null,
  thread_parent_id: null,
  thread_root_id: null,
  session_id: ID,
} as const satisfies Row;

const PROMPT = {
  ...RESPONSE_COLUMNS,
  id: "01a20846-fe00-8300-8def-0123456789ab",
  provider_response_id: null,
  prompt: "Where?",
  truncated: 0,
  metadata: "{}",
  created_at: STARTED,
} as const satisfies Row;

const TOOL = {
  ...RESPONSE_COLUMNS,
  provider_response_id: "x",
  input: null,
  truncated: 0,
  server_url: null,
  injected: 0,
  invocation_error: null,
} as const satisfies Row;

const THOUGHT = {
  ...RESPONSE_COLUMNS,
  provider_response_id: "x",
  truncated: 0,
  metadata: '{"source":"thinking"}',
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
  claimed_ids: null,
  client: "Coder Agents",
  user_agent: "coder-agents/v2.24.0 (linux/amd64)",
  client_session_id: null,
  chat_id: null,
  subchat_id: null,
  workspace_id: null,
  provider: "central",
  created_at: STARTED,
  delegation_chain: "[]",
  api_key_id: "2f9492882e36c476",
} as const satisfies Row;

/** A list of models that a client read with its own key. */
const PASSTHROUGH = {
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
  delegated_key_id: null,
  delegated_source: null,
  claimed_ids: null,
  method: "GET",
  provider: "openai",
  provider_type: "openai",
  route: "/models",
  started_at: STARTED,
  worker_version: null,
  api_key_id: "35394ca1cef557f8",
  metadata: "{}",
  initiator_name: null,
  client_country: null,
  client_ray: null,
  client_ip: null,
  object_ids: "[]",
  outcome: "completed",
  status: 200,
  error: null,
  duration_ms: 40,
  usage_of: null,
  result_count: 0,
  ended_at: ENDED,
  provider_request_id: null,
  provider_ray: null,
  response_encoding: null,
  own_key_rejected: 0,
} as const satisfies Row;

/** A refused model call of a client with its own key. */
const REFUSAL = {
  id: "01a20846-fe00-8800-8def-0123456789ab",
  interception_id: ID,
  reason: "",
  status: 0,
  detail: null,
  method: "POST",
  provider: "openai",
  route: "/chat/completions",
  client: "Unknown",
  actor_id: ACTOR,
  actor_kind: "unknown",
  initiator_id: ACTOR,
  created_at: STARTED,
  worker_version: null,
  identity_source: "byok",
  actor_verified: 0,
  api_key_id: INTERCEPTION.api_key_id,
  initiator_source: "byok",
  client_country: null,
  client_ray: null,
  client_ip: null,
  object_ids: "[]",
} as const satisfies Row;

/** The columns that differ from the default row, and those that every test must name. */
type Columns<Default, Always extends string = never> = Readonly<Record<Always, unknown>> & {
  readonly [Column in keyof Default]?: unknown;
};

/** An owner's source is Coder, the actor's its own. */
const sourceOf = ({ attribution, identity_source: source }: Row): unknown =>
  attribution === "asserted" ? "coder" : source;
const withSource = (row: Row): Row => ({ ...row, initiator_source: sourceOf(row) });

/** The key by which sessions and threads are linked. */
const linkKeyOf = (row: Row): string =>
  JSON.stringify([
    row["initiator_id"],
    sourceOf(row),
    row["attribution"],
    row["actor_id"],
    row["identity_source"],
  ]);

/** Micro-dollars per token, by the providers' price pages: input, output, read from the cache, written to it. */
const RATES: Readonly<Record<string, readonly [number, number, number, number]>> = {
  "gpt-4o": [2.5, 10, 1.25, 2.5],
  "gpt-4o-2024-08-06": [2.5, 10, 1.25, 2.5],
  "gpt-4o-mini": [0.15, 0.6, 0.075, 0.15],
  "gpt-5.1-2025-11-13": [1.25, 10, 0.125, 1.25],
  "gpt-5.2": [1.75, 14, 0.175, 1.75],
  "claude-opus-4-6": [5, 25, 0.5, 6.25],
  "claude-sonnet-4-6": [3, 15, 0.3, 3.75],
};

/** The cost of the call. A test whose call is in another tier, or uses a tool that is charged, names the columns itself. */
function costColumns(row: Row): Row {
  const { outcome, status, error, usage, reported_cost: reported, response_model: served, model } = row;
  const nothing = { cost_micros: 0, cost_source: "computed", price_version: null };
  if (outcome === "refused" && row["response_bytes"] === 0 && error !== "internal") return nothing;
  if (usage === "unknown" && reported === null && Number(status) >= 400) return nothing;
  const extras = JSON.parse(String(row["usage_metadata"])) as Readonly<Record<string, number>> | null;
  if (reported !== null) {
    // OpenRouter's cost is its fee alone where the client has a key of its own there.
    const behind = extras?.["is_byok"] === 1 ? Number(extras["upstream_inference_cost"]) : 0;
    const cost = Math.ceil((Number(reported) + behind) * 1e6 - 1e-6);
    return { cost_micros: cost, cost_source: "reported", price_version: null };
  }
  const rates = RATES[String(served)] ?? RATES[String(model)];
  const figures = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens"];
  if (!rates || usage === "unknown") return {};
  if (figures.every((name) => row[name] === null)) return {};
  const tokens = figures.reduce((sum, name, at) => sum + Number(row[name] ?? 0) * (rates[at] ?? 0), 0);
  const { cache_ephemeral_1h_input: long = 0, web_search_requests: searches = 0 } = extras ?? {};
  const place = row["inference_geo"] === "us" ? 1.1 : 1;
  // The cache of an hour costs twice the input, and a thousand searches ten dollars.
  const dollars = (tokens + long * (2 * rates[0] - rates[3])) * place + searches * 10_000;
  return {
    cost_micros: Math.ceil(dollars - 1e-6),
    cost_source: usage === "final" ? "computed" : "partial",
    price_version: PRICE_VERSION,
  };
}

export function interceptionRow(columns: Columns<typeof INTERCEPTION>): Row {
  const filled = withSource({ ...INTERCEPTION, ...columns });
  const row: Row = {
    ...filled,
    span: String(filled["id"]).slice(0, 7),
    link_key: linkKeyOf(filled),
    actor_principal: `${String(filled["identity_source"])}:${String(filled["actor_id"])}`,
    initiator_principal: `${String(sourceOf(filled))}:${String(filled["initiator_id"])}`,
  };
  // The gateway requests the usage of a stream of this API.
  const isAdded = row["route"] === "/chat/completions" && row["streaming"] === 1;
  return { ...row, ...costColumns(row), usage_opt_in: isAdded ? "added" : null, ...columns };
}
export const passthroughRow = (columns: Columns<typeof PASSTHROUGH>): Row =>
  withSource({ ...PASSTHROUGH, ...columns });
export const refusalRow = (columns: Columns<typeof REFUSAL, "reason" | "status">): Row => ({
  ...REFUSAL,
  ...columns,
});
export const promptRow = (columns: Columns<typeof PROMPT> = {}): Row => ({ ...PROMPT, ...columns });
type OverrideColumn = "initiator_id" | "attribution" | "owner_id";
/** The override of an accepted owner assertion by default. */
export const overrideRow = (
  columns: Columns<typeof OVERRIDE, OverrideColumn> & { readonly candidates?: string },
): Row =>
  withSource({
    ...OVERRIDE,
    candidates: `[{"who":"owner","id":"${String(columns.owner_id)}","rejection_reason":null},{"who":"actor","id":"ci-bot","rejection_reason":"overridden"}]`,
    ...columns,
  });

/** The id of a tool call or thought contains its zero-based index within the response, in hexadecimal. */
const hex = (position: number): string => position.toString(16).padStart(2, "0");

type ToolColumn = "position" | "provider_tool_call_id" | "tool" | "metadata";
export const toolRow = (
  columns: Columns<typeof TOOL, ToolColumn> & { readonly position: number; readonly id?: string },
): Row => ({
  ...TOOL,
  link_key: linkKeyOf(INTERCEPTION),
  id: `01a20846-fe00-84${hex(columns.position)}-8def-0123456789ab`,
  ...columns,
});
export const thoughtRow = (
  columns: Columns<typeof THOUGHT, "position" | "content"> & { readonly position: number },
): Row => ({ ...THOUGHT, id: `01a20846-fe00-85${hex(columns.position)}-8def-0123456789ab`, ...columns });

const EMPTY = {
  interceptions: [],
  token_usages: [],
  user_prompts: [],
  tool_usages: [],
  model_thoughts: [],
  initiator_overrides: [],
  retrieved_usages: [],
  batch_files: [],
  passthroughs: [],
  refusals: [],
  refusal_counts: [],
  ledger_accesses: [],
  budget_events: [],
  cost_corrections: [],
  upstream_attempts: [],
} as const satisfies Rows;

/** All tables; those not named have no rows. */
export const tables = (columns: { readonly [Table in keyof typeof EMPTY]?: readonly Row[] }): Rows => ({
  ...EMPTY,
  ...columns,
});
