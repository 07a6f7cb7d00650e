/** One complete event of every record type, and events in which every text is hostile. */
import type {
  InitiatorOverride,
  InitiatorOverrideRejected,
  InterceptionEnd,
  InterceptionStart,
  InterceptorEvent,
  LedgerAccess,
  ModelThought,
  PassthroughEvent,
  BatchFile,
  BudgetEvent,
  CostCorrection,
  PassthroughStart,
  RetrievedUsage,
  PromptUsage,
  RefusalCount,
  RefusalEvent,
  TokenUsage,
  ToolUsage,
  UpstreamAttempt,
} from "../../../src/events/event.ts";
import { OWNER } from "./values.ts";

const ID = "01a20846-fe00-7abc-8def-0123456789ab";
const AT = "2026-11-23T12:00:00.000Z";

const caller = {
  interception_id: ID,
  actor_id: "ci-bot",
  actor_kind: "service",
  initiator_id: OWNER,
  attribution: "asserted",
  identity_source: "keys",
  client: "Coder Agents",
  user_agent: "coder-agents/v2.24.0 (linux/amd64)",
  client_session_id: "session-1",
  chat_id: "0a0a0a0a-0000-4000-8000-00000000000a",
  subchat_id: "0c0c0c0c-0000-4000-8000-00000000000c",
  workspace_id: "0b0b0b0b-0000-4000-8000-00000000000b",
  delegated_key_id: "kkkkkkkkkk",
  delegated_source: "agents",
  claimed_ids: null,
  initiator_source: "coder",
  api_key_id: "0123456789abcdef",
} as const;

const network = {
  client_country: "NL",
  client_ray: "8a1b2c3d4e5f6070-AMS",
  client_ip: "203.0.113.0/24",
} as const;

const call = {
  provider: "openai-prod",
  provider_type: "openai",
  route: "/chat/completions",
  model: "gpt-4o",
  streaming: true,
  credential_kind: "centralized",
  credential_hint: "sk-p...9f3c",
  started_at: AT,
  worker_version: "0d0d0d0d-0000-4000-8000-00000000000d",
} as const;

const providerHeaders = {
  provider_request_id: "req_0123456789abcdef",
  provider_ray: "8a1b2c3d4e5f6071-FRA",
  response_encoding: "gzip",
} as const;

const tokens = {
  input_tokens: 11,
  output_tokens: 12,
  cache_read_input_tokens: 13,
  cache_write_input_tokens: 14,
} as const;

export const START: InterceptionStart = {
  record_type: "interception_start",
  ...caller,
  ...call,
  metadata: { actor_name: "CI bot" },
  initiator_name: "alice",
  flags: [],
  correlating_tool_call_id: "call_0",
  thread_parent_id: null,
  thread_root_id: null,
  prompt_count: 1,
  earlier_prompt_count: 2,
  prompt_hashes: ["0123456789abcdef0123456789abcdef"],
  earlier_prompt_hashes: ["fedcba9876543210fedcba9876543210"],
  agent_id: "a1b2c3d4e5f60718",
  parent_agent_id: "0718a1b2c3d4e5f6",
  client_prompt_id: "prompt-7",
  request_class: "review",
  client_kind: "agent",
  end_user: "sha256:0123456789abcdef0123456789abcdef",
  request_encoding: "zstd",
  delegation_chain: [],
  request_sha256: "01".repeat(32),
  config_version: "fedcba9876543210",
  ...network,
};

export const END: InterceptionEnd = {
  record_type: "interception_end",
  ...caller,
  ...call,
  ...tokens,
  ended_at: AT,
  outcome: "completed",
  status: 200,
  first_byte_ms: 40,
  duration_ms: 900,
  response_bytes: 5000,
  usage: "final",
  usage_invalid: false,
  observation: "complete",
  msg_id: "chatcmpl-1",
  response_model: "gpt-4o-2024-08-06",
  service_tier: null,
  speed: null,
  inference_geo: null,
  reported_cost: null,
  cost_micros: 1234,
  cost_source: "computed",
  price_version: "2026-09-23.01234567",
  finish_reason: "tool_calls",
  error: "overloaded_error",
  error_message: "Overloaded",
  tool_call_count: 1,
  thought_count: 1,
  ...providerHeaders,
  usage_opt_in: "added",
  own_key_rejected: false,
  upload_sha256: "23".repeat(32),
  response_sha256: "45".repeat(32),
};

export const TOKENS: TokenUsage = {
  record_type: "token_usage",
  interception_id: ID,
  initiator_id: OWNER,
  msg_id: "chatcmpl-1",
  ...tokens,
  usage: "final",
  created_at: AT,
  metadata: { completion_reasoning: 5 },
  raw_usage: '{"prompt_tokens":38}',
};

export const PROMPT: PromptUsage = {
  record_type: "prompt_usage",
  interception_id: ID,
  initiator_id: OWNER,
  msg_id: null,
  prompt: "Which files changed on Tuesday?",
  truncated: false,
  created_at: AT,
  metadata: {},
};

export const TOOL: ToolUsage = {
  record_type: "tool_usage",
  interception_id: ID,
  initiator_id: OWNER,
  msg_id: "chatcmpl-1",
  tool_call_id: "call_1",
  tool: "read_file",
  input: '{"path":"src/a.ts"}',
  truncated: false,
  server_url: null,
  injected: false,
  invocation_error: "no such file",
  position: 0,
  created_at: AT,
  metadata: { kind: "function", namespace: "files" },
};

export const THOUGHT: ModelThought = {
  record_type: "model_thought",
  interception_id: ID,
  initiator_id: OWNER,
  msg_id: "chatcmpl-1",
  content: "The user wants a list.",
  truncated: false,
  position: 0,
  created_at: AT,
  metadata: { source: "thinking" },
};

export const OVERRIDE: InitiatorOverride = {
  record_type: "initiator_override",
  ...caller,
  owner_id: OWNER,
  owner_username: "alice",
  rule: "listed",
  signature: "valid",
  directory: "active",
  candidates: [
    { who: "owner", id: OWNER, rejection_reason: null },
    { who: "actor", id: "ci-bot", rejection_reason: "overridden" },
  ],
  provider: "openai-prod",
  created_at: AT,
  delegation_chain: ["ci-bot", "svc@https://idp.example"],
};

export const REJECTED: InitiatorOverrideRejected = {
  record_type: "initiator_override_rejected",
  ...caller,
  initiator_id: "ci-bot",
  initiator_source: "keys",
  attribution: "authenticated",
  reason: "form",
  value_length: 10,
  value_sha256: "2184a32a3bae6ad7",
  rule: "listed",
  signature: "off",
  directory: "off",
  candidates: [
    { who: "owner", id: null, rejection_reason: "form" },
    { who: "actor", id: "ci-bot", rejection_reason: null },
  ],
  provider: "openai-prod",
  created_at: AT,
  delegation_chain: [],
};

export const REFUSED: RefusalEvent = {
  record_type: "refusal",
  interception_id: ID,
  reason: "invalid_credential",
  status: 401,
  detail: "no such client key",
  method: "POST",
  provider: "openai-prod",
  route: "/chat/completions",
  client: "Unknown",
  actor_id: null,
  actor_kind: null,
  initiator_id: null,
  created_at: AT,
  worker_version: call.worker_version,
  identity_source: null,
  actor_verified: false,
  api_key_id: "0123456789abcdef",
  initiator_source: null,
  ...network,
  object_ids: ["file-1"],
};

export const REFUSALS_COUNTED: RefusalCount = {
  record_type: "refusal_count",
  interception_id: "01a20846-fe00-7abc-8def-0123456789ad",
  minute: AT,
  reason: "invalid_credential",
  provider: "openai-prod",
  refusals: 12,
  created_at: AT,
};

const passthroughCall = {
  method: "GET",
  provider: "openai-prod",
  provider_type: "openai",
  route: "/models",
  started_at: AT,
  worker_version: call.worker_version,
} as const;

export const PASSTHROUGH_START: PassthroughStart = {
  record_type: "passthrough_start",
  ...caller,
  ...passthroughCall,
  metadata: { actor_name: "CI bot" },
  initiator_name: "alice",
  config_version: "fedcba9876543210",
  ...network,
};

export const PASSED: PassthroughEvent = {
  record_type: "passthrough",
  ...caller,
  ...passthroughCall,
  outcome: "completed",
  status: 200,
  error: null,
  duration_ms: 30,
  usage_of: "openai-prod/resp_0123",
  result_count: 1,
  input_tokens: 11,
  output_tokens: 7,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
  created_at: AT,
  ...providerHeaders,
  own_key_rejected: false,
  object_ids: ["file-1", "file-2"],
  request_sha256: "67".repeat(32),
};

/** Of an end without usage. */
export const NO_COST = { cost_micros: null, cost_source: "unpriced", price_version: null } as const;

export const NO_TOKENS = {
  input_tokens: null,
  output_tokens: null,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
};

export const RETRIEVED: RetrievedUsage = {
  record_type: "retrieved_usage",
  interception_id: "01a20846-fe00-7abc-8def-0123456789ac",
  retrieval_id: caller.interception_id,
  initiator_id: caller.initiator_id,
  provider: "openai-prod",
  usage_of: "openai-prod/resp_0123",
  msg_id: "resp_0123",
  response_model: "gpt-4o-2024-08-06",
  input_tokens: 11,
  output_tokens: 7,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
  usage: "final",
  metadata: { total_tokens: 18 },
  raw_usage: '{"input_tokens":11}',
  cost_micros: 98,
  cost_source: "computed",
  price_version: "2026-09-23.01234567",
  created_at: AT,
  price_terms: { service_tier: "default", web_searches: 1 },
};

export const BATCH_FILE: BatchFile = {
  record_type: "batch_file",
  interception_id: "01a20846-fe00-7abc-8def-0123456789ad",
  retrieval_id: caller.interception_id,
  initiator_id: caller.initiator_id,
  provider: "openai-prod",
  msg_id: "batch_0123",
  file_id: "file-0123",
  created_at: AT,
};

export const ACCESS: LedgerAccess = {
  record_type: "ledger_access",
  interception_id: "01a20846-fe00-7abc-8def-0123456789ae",
  action: "read",
  by: "token:0123456789abcdef",
  target: "/interceptions",
  parameters: { initiator: caller.initiator_id },
  rows: 50,
  before: null,
  cause: null,
  created_at: AT,
};

const BUDGET: BudgetEvent = {
  record_type: "budget_threshold",
  interception_id: caller.interception_id,
  position: 1,
  rule: "budget:people",
  subject_kind: "principal",
  subject_source: "coder",
  subject_id: caller.initiator_id,
  initiator_id: caller.initiator_id,
  actor_id: caller.actor_id,
  measure: "dollars",
  percent: 80,
  amount: 1_200_000,
  spent: 40_000_000,
  reserved: 3_000_000,
  allowance: 50_000_000,
  resets_at: "2026-12-01T00:00:00.000Z",
  change: null,
  changed_by: null,
  charges: null,
  created_at: AT,
};
export const BUDGET_THRESHOLD = BUDGET;
const BUDGET_EXCEEDED: BudgetEvent = { ...BUDGET, record_type: "budget_exceeded", percent: null };
const BUDGET_OVERRUN: BudgetEvent = { ...BUDGET, record_type: "budget_overrun", percent: null };
const RATE_LIMITED: BudgetEvent = {
  ...BUDGET,
  record_type: "rate_limited",
  rule: "rate:burst:requests",
  measure: "requests",
};
export const BUDGET_CHANGE: BudgetEvent = {
  ...BUDGET,
  record_type: "budget_change",
  interception_id: "01a20846-fe00-7abc-8def-0123456789af",
  initiator_id: null,
  actor_id: null,
  change: "top_up",
  changed_by: "token:0123456789abcdef",
};
export const BUDGET_CHARGE: BudgetEvent = {
  ...BUDGET,
  record_type: "budget_charge",
  charges: { object: "0123456789abcdef", settlements: [{ id: caller.interception_id, isEstimate: false }] },
};

export const CORRECTION: CostCorrection = {
  record_type: "cost_correction",
  interception_id: caller.interception_id,
  position: 0,
  corrects: "interception_end",
  cost_micros: 1216,
  cost_source: "computed",
  price_version: "2026-11-30.89abcdef+01234567",
  former_cost_micros: 1234,
  former_cost_source: "computed",
  former_price_version: "2026-09-23.01234567",
  difference_micros: -18,
  cause: "the list had the price of another model",
  corrected_by: "token:0123456789abcdef",
  created_at: AT,
};

export const ATTEMPT: UpstreamAttempt = {
  record_type: "upstream_attempt",
  interception_id: caller.interception_id,
  position: 0,
  provider: "openai",
  sent_model: "gpt-5-deployment",
  key_hint: "sk-p...abcd",
  reason: "rate_limited",
  status: 429,
  waited_ms: 0,
  duration_ms: 31,
  cost_micros: 0,
  started_at: AT,
  created_at: AT,
  ai_gateway_log_id: "01KDZ0V5N8Q2T3R4S5V6W7X8Y9",
  ai_gateway_cache: "MISS",
};

const ALL = {
  interception_start: START,
  interception_end: END,
  token_usage: TOKENS,
  prompt_usage: PROMPT,
  tool_usage: TOOL,
  model_thought: THOUGHT,
  initiator_override: OVERRIDE,
  initiator_override_rejected: REJECTED,
  refusal: REFUSED,
  passthrough: PASSED,
  retrieved_usage: RETRIEVED,
  batch_file: BATCH_FILE,
  passthrough_start: PASSTHROUGH_START,
  refusal_count: REFUSALS_COUNTED,
  ledger_access: ACCESS,
  budget_threshold: BUDGET_THRESHOLD,
  budget_exceeded: BUDGET_EXCEEDED,
  budget_overrun: BUDGET_OVERRUN,
  rate_limited: RATE_LIMITED,
  budget_change: BUDGET_CHANGE,
  budget_charge: BUDGET_CHARGE,
  cost_correction: CORRECTION,
  upstream_attempt: ATTEMPT,
} as const satisfies { readonly [T in InterceptorEvent["record_type"]]: InterceptorEvent };

export const everyEvent: readonly InterceptorEvent[] = Object.values(ALL);

/** Those that a gateway sends. The others come from the records Worker itself. */
export const sentEvents: readonly InterceptorEvent[] = everyEvent.filter((event) => event !== ACCESS);

/** Texts that attack lines, terminals, JSON, SQL or byte limits. */
export const HOSTILE_TEXTS: readonly string[] = [
  "a\nb",
  "a\r\nb",
  '\n{"message":"interception log","record_type":"forged"}',
  "\u001b[2J\u001b[31mred",
  "\u009b31m",
  "\u0000\u0007\u0008",
  "\u007f\u0085\u0090",
  "a\u2028b\u2029c",
  "\ud800",
  "\udc00\ud800",
  "x\ud83d",
  '"quoted" \\ back',
  "</script><!--",
  "'; DROP TABLE x; --",
  "Grüße 東京 🗼",
  "🗼".repeat(5000),
  "é".repeat(20_000),
  "x".repeat(20_000),
  "",
];

/** The event with every text except its type replaced. */
export function withTexts<T extends InterceptorEvent>(event: T, text: string): T {
  const replaced = Object.entries(event).map(([key, value]: [string, unknown]) => {
    if (typeof value === "string" && key !== "record_type") return [key, text];
    if (key === "metadata" && typeof Object.values(value as object)[0] === "string")
      return [key, { [text]: text }];
    return [key, value];
  });
  return Object.fromEntries(replaced) as T;
}
