/** A month of made-up traffic: the same events for the same place, so that two runs can be compared. */
import type { InterceptorEvent } from "../../src/events/event.ts";
import { uuidV7 } from "../../src/shared/uuid.ts";

export const NOW = Date.UTC(2026, 10, 23, 12);
const SPAN_MS = 30 * 86_400_000;
const USERS = 500;

/** Evenly spread numbers, without chance. */
const spread = (at: number, of: number): number => Math.floor(((at * 0.618_033_988_75) % 1) * of);

const user = (at: number): string => `${at.toString(16).padStart(8, "0")}-1815-4a10-8a00-00000000ada1`;
export const ADA = user(7);
const isAsserted = (at: number): boolean => at % 3 !== 0;
/** Some twenty requests of a user in a row are one session. */
const sessionOf = (at: number, all: number): string =>
  `session-${isAsserted(at) ? spread(at, USERS) : `of-service-${at % 5}`}-${Math.floor(at / (all / 10))}`;
/** A session in the middle of it. */
export const someSession = (all: number): string => sessionOf(Math.floor(all / 2) + 1, all);

const CLIENTS = ["Coder Agents", "Claude Code", "Codex", "OpenCode", "Unknown"];
const MODELS = ["gpt-5.1", "gpt-5.1-mini", "claude-sonnet-5", "claude-haiku-4-5"];
const OUTCOMES = ["completed", "completed", "completed", "completed", "cancelled", "upstream_error"] as const;

/** Events of `count` interceptions from the `from`th on, of `all` that fill the month. */
export function traffic(from: number, count: number, all: number): readonly InterceptorEvent[] {
  return Array.from({ length: count }, (_, n) => interception(from + n, all)).flat();
}

function interception(at: number, all: number): readonly InterceptorEvent[] {
  const startedAt = NOW - SPAN_MS + Math.floor((at / all) * SPAN_MS);
  const tail = at.toString(16).padStart(12, "0");
  const id = uuidV7(startedAt, `00000000-0000-4${tail.slice(-3)}-8000-${tail}`);
  const owner = user(spread(at, USERS));
  const actor = `service-${at % 5}`;
  const asserted = isAsserted(at);
  const who = {
    actor_id: actor,
    actor_kind: "service",
    initiator_id: asserted ? owner : actor,
    attribution: asserted ? "asserted" : "authenticated",
    identity_source: "keys",
  } as const;
  const hints = {
    client: CLIENTS[spread(at, CLIENTS.length)] ?? "Unknown",
    user_agent: "coder-agents/v2.30.0 (linux/amd64)",
    // Every fourth client has none.
    client_session_id: at % 4 === 0 ? null : sessionOf(at, all),
    chat_id: null,
    subchat_id: null,
    workspace_id: null,
    delegated_key_id: null,
    delegated_source: null,
  };
  const caller = { interception_id: id, ...who, ...hints };
  const started = new Date(startedAt).toISOString();
  const ended = new Date(startedAt + 4000).toISOString();
  const asked = {
    provider: at % 2 === 0 ? "openai" : "anthropic",
    provider_type: at % 2 === 0 ? "openai" : "anthropic",
    route: at % 2 === 0 ? "/responses" : "/v1/messages",
    model: MODELS[spread(at, MODELS.length)] ?? null,
    streaming: true,
    credential_kind: "centralized",
    credential_hint: "sk-p...f4c1",
    started_at: started,
  } as const;
  const tokens = {
    input_tokens: 1200 + (at % 700),
    output_tokens: 150 + (at % 90),
    cache_read_input_tokens: 9000,
    cache_write_input_tokens: null,
  };
  const outcome = OUTCOMES[spread(at, OUTCOMES.length)] ?? "completed";
  const usage = outcome === "completed" ? "final" : "unknown";
  const events: InterceptorEvent[] = [
    {
      record_type: "interception_start",
      ...caller,
      ...asked,
      api_key_id: "0123456789abcdef",
      metadata: { actor_name: "Coder Agents" },
      initiator_name: null,
      flags: [],
      // Each answer's tool is brought back by the user's next request, as an agent's loop has it.
      correlating_tool_call_id: at % 2 === 1 ? `call-${at - 1}` : null,
      thread_parent_id: null,
      thread_root_id: null,
      prompt_count: at % 2 === 0 ? 1 : 0,
    },
    {
      record_type: "interception_end",
      ...caller,
      ...asked,
      ...(usage === "final" ? tokens : NO_TOKENS),
      ended_at: ended,
      outcome,
      status: 200,
      first_byte_ms: 400,
      duration_ms: 4000,
      response_bytes: 24_000,
      usage,
      usage_invalid: false,
      observation: "complete",
      msg_id: `resp_${tail}`,
      response_model: asked.model,
      finish_reason: "stop",
      error: null,
      error_message: null,
      tool_call_count: at % 2 === 0 ? 1 : 0,
      thought_count: 0,
    },
  ];
  if (usage === "final") {
    const of = { interception_id: id, initiator_id: who.initiator_id, msg_id: `resp_${tail}` };
    events.push({ record_type: "token_usage", ...of, ...tokens, usage, created_at: ended, metadata: {} });
  }
  if (at % 2 === 0) events.push(toolUsage(id, who.initiator_id, at, ended));
  if (asserted) {
    events.push({
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
      provider: asked.provider,
      created_at: started,
    });
  }
  return events;
}

const NO_TOKENS = {
  input_tokens: null,
  output_tokens: null,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
};

function toolUsage(id: string, initiator: string, at: number, created: string): InterceptorEvent {
  return {
    record_type: "tool_usage",
    interception_id: id,
    initiator_id: initiator,
    msg_id: null,
    tool_call_id: `call-${at}`,
    tool: "read_file",
    input: null,
    truncated: false,
    server_url: null,
    injected: false,
    invocation_error: null,
    position: 0,
    created_at: created,
    metadata: { kind: "function" },
  };
}
