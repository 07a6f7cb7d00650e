/** A month of generated traffic. The events depend on the index only, so that runs are comparable. */
import type { InterceptorEvent } from "../../src/events/event.ts";
import { uuidV7 } from "../../src/shared/uuid.ts";

export const NOW = Date.UTC(2026, 10, 23, 12);
export const SPAN_MS = 30 * 86_400_000;
const USERS = 500;

/** Evenly spread numbers from a low-discrepancy sequence, without randomness. */
const spread = (at: number, of: number): number => Math.floor(((at * 0.618_033_988_75) % 1) * of);

const user = (at: number): string => `${at.toString(16).padStart(8, "0")}-1815-4a10-8a00-00000000ada1`;
export const ADA = user(7);
const isAsserted = (at: number): boolean => at % 3 !== 0;
const personOf = (at: number): number => spread(at, USERS);
/** A person's usual choice of a list, and in every `every`th request the next one of it. */
const choice = <Value>(values: readonly Value[], at: number, every: number): Value | undefined =>
  values[(personOf(at) + Number(at % every === 0)) % values.length];
/** About twenty consecutive requests of a user form one session. */
const sessionOf = (at: number, all: number): string =>
  `session-${isAsserted(at) ? personOf(at) : `of-service-${personOf(at) % 5}`}-${Math.floor(at / (all / 10))}`;
/** A session from the middle of the month. */
export const someSession = (all: number): string => sessionOf(Math.floor(all / 2) + 1, all);

const CLIENTS = ["Coder Agents", "Claude Code", "Codex", "OpenCode", "Unknown"];
const MODELS = ["gpt-5.1", "gpt-5.1-mini", "claude-sonnet-5", "claude-haiku-4-5"];
const OUTCOMES = ["completed", "completed", "completed", "completed", "cancelled", "upstream_error"] as const;

/** The events of `count` interceptions from index `from`, where `all` interceptions fill the month. */
export function traffic(from: number, count: number, all: number): readonly InterceptorEvent[] {
  return Array.from({ length: count }, (_, n) => interception(from + n, all)).flat();
}

/** The values that the events of one interception share. */
type Interception = ReturnType<typeof interceptionValues>;

function interception(at: number, all: number): readonly InterceptorEvent[] {
  const values = interceptionValues(at, all);
  return [
    startEvent(values),
    endEvent(values),
    ...(values.usage === "final" ? [tokenUsage(values)] : []),
    ...(at % 2 === 0 ? [toolUsage(values)] : []),
    ...(isAsserted(at) ? [override(values)] : []),
  ];
}

function interceptionValues(at: number, all: number) {
  const startedAt = NOW - SPAN_MS + Math.floor((at / all) * SPAN_MS);
  const tail = at.toString(16).padStart(12, "0");
  const outcome = OUTCOMES[spread(at, OUTCOMES.length)] ?? "completed";
  const usage: "final" | "unknown" = outcome === "completed" ? "final" : "unknown";
  const owner = user(personOf(at));
  const actor = `service-${personOf(at) % 5}`;
  return {
    at,
    owner,
    actor,
    outcome,
    usage,
    messageId: `resp_${tail}`,
    startedAt: new Date(startedAt).toISOString(),
    endedAt: new Date(startedAt + 4000).toISOString(),
    caller: {
      interception_id: uuidV7(startedAt, `00000000-0000-4${tail.slice(-3)}-8000-${tail}`),
      actor_id: actor,
      actor_kind: "service",
      initiator_id: isAsserted(at) ? owner : actor,
      attribution: isAsserted(at) ? "asserted" : "authenticated",
      identity_source: "keys",
      initiator_source: isAsserted(at) ? "coder" : "keys",
      ...clientFields(at, all),
    } as const,
    request: requestFields(at, new Date(startedAt).toISOString()),
    tokens: usage === "final" ? tokens(at) : NO_TOKENS,
  };
}

const clientFields = (at: number, all: number) => ({
  client: choice(CLIENTS, at, 10) ?? "Unknown",
  user_agent: "coder-agents/v2.30.0 (linux/amd64)",
  // Every fourth interception has no session.
  client_session_id: at % 4 === 0 ? null : sessionOf(at, all),
  chat_id: null,
  subchat_id: null,
  workspace_id: null,
  delegated_key_id: null,
  delegated_source: null,
  claimed_ids: null,
  api_key_id: "0123456789abcdef",
});

const requestFields = (at: number, startedAt: string) =>
  ({
    provider: at % 2 === 0 ? "openai" : "anthropic",
    provider_type: at % 2 === 0 ? "openai" : "anthropic",
    route: at % 2 === 0 ? "/responses" : "/v1/messages",
    model: choice(MODELS, at, 5) ?? null,
    streaming: true,
    credential_kind: "centralized",
    credential_hint: "sk-p...f4c1",
    started_at: startedAt,
    worker_version: null,
  }) as const;

const tokens = (at: number) => ({
  input_tokens: 1200 + (at % 700),
  output_tokens: 150 + (at % 90),
  cache_read_input_tokens: 9000,
  cache_write_input_tokens: null,
});

const cost = (at: number) => ({
  cost_micros: 4000 + (at % 3000),
  cost_source: "computed" as const,
  price_version: "2026-09-23.01234567",
});

const NO_TOKENS = {
  input_tokens: null,
  output_tokens: null,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
};

/** As long as a SHA-256. */
const digestOf = (at: number): string => at.toString(16).padStart(64, "0");

function startEvent({ at, caller, request }: Interception): InterceptorEvent {
  return {
    record_type: "interception_start",
    ...caller,
    ...request,
    metadata: { actor_name: "Coder Agents" },
    initiator_name: null,
    flags: [],
    // The user's next request returns the tool's result, as in an agent's loop.
    correlating_tool_call_id: at % 2 === 1 ? `call-${at - 1}` : null,
    thread_parent_id: null,
    thread_root_id: null,
    prompt_count: at % 2 === 0 ? 1 : 0,
    earlier_prompt_count: 0,
    prompt_hashes: [],
    earlier_prompt_hashes: [],
    agent_id: null,
    parent_agent_id: null,
    client_prompt_id: null,
    request_class: null,
    client_kind: null,
    end_user: null,
    request_encoding: null,
    delegation_chain: [],
    request_sha256: digestOf(at),
    config_version: "0123456789abcdef",
    client_country: null,
    client_ray: null,
    client_ip: null,
  };
}

function endEvent(values: Interception): InterceptorEvent {
  return {
    record_type: "interception_end",
    ...values.caller,
    ...values.request,
    ...values.tokens,
    ...cost(values.at),
    ended_at: values.endedAt,
    provider_request_id: null,
    provider_ray: null,
    response_encoding: null,
    usage_opt_in: "added",
    own_key_rejected: false,
    upload_sha256: null,
    response_sha256: null,
    outcome: values.outcome,
    status: 200,
    first_byte_ms: 400,
    duration_ms: 4000,
    response_bytes: 24_000,
    usage: values.usage,
    usage_invalid: false,
    observation: "complete",
    msg_id: values.messageId,
    response_model: values.request.model,
    service_tier: null,
    speed: null,
    inference_geo: null,
    reported_cost: null,
    finish_reason: "stop",
    error: null,
    error_message: null,
    tool_call_count: values.at % 2 === 0 ? 1 : 0,
    thought_count: 0,
  };
}

function tokenUsage({ caller, usage, messageId, endedAt, at }: Interception): InterceptorEvent {
  return {
    record_type: "token_usage",
    interception_id: caller.interception_id,
    initiator_id: caller.initiator_id,
    msg_id: messageId,
    ...tokens(at),
    usage,
    created_at: endedAt,
    metadata: {},
    raw_usage: JSON.stringify(tokens(at)),
  };
}

function toolUsage({ at, caller, endedAt }: Interception): InterceptorEvent {
  return {
    record_type: "tool_usage",
    interception_id: caller.interception_id,
    initiator_id: caller.initiator_id,
    msg_id: null,
    tool_call_id: `call-${at}`,
    tool: "read_file",
    input: null,
    truncated: false,
    server_url: null,
    injected: false,
    invocation_error: null,
    position: 0,
    created_at: endedAt,
    metadata: { kind: "function" },
  };
}

function override({ caller, request, owner, actor, startedAt }: Interception): InterceptorEvent {
  return {
    record_type: "initiator_override",
    ...caller,
    owner_id: owner,
    owner_username: null,
    rule: "listed",
    signature: "off",
    directory: "off",
    candidates: [
      { who: "owner", id: owner, rejection_reason: null },
      { who: "actor", id: actor, rejection_reason: "overridden" },
    ],
    delegation_chain: [],
    provider: request.provider,
    created_at: startedAt,
  };
}
