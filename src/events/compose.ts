/**
 * Builds events out of what the floors have found. Plain values in, plain records out; nothing is decided here.
 *
 * Every field is named, none is spread: an object of thirty fields put together by spreading is a hash table to V8, and
 * making and printing four of them cost as much as the rest of our share of a request.
 */
import type { Client } from "../client/client.ts";
import type { Actor } from "../identity/identity.ts";
import type { Initiator } from "../initiator/initiator.ts";
import type { OwnerRejection } from "../initiator/owner-assertion.ts";
import type { Conclusion } from "../observation/observe.ts";
import type { Outcome } from "../observation/outcome.ts";
import type { Route } from "../provider/route.ts";
import type { Refusal } from "../refusal.ts";
import type {
  Asked,
  ClientHints,
  CoderIds,
  InitiatorOverride,
  InitiatorOverrideRejected,
  InterceptionEnd,
  InterceptionStart,
  PassthroughEvent,
  RefusalEvent,
  TokenUsage,
  Who,
} from "./event.ts";

/** Who is calling, for all events of one request. */
export type Caller = { readonly who: Who; readonly hints: ClientHints; readonly coder: CoderIds };

export function toWho(actor: Actor, initiator: Initiator): Who {
  return {
    actor_id: actor.id,
    actor_kind: actor.kind,
    initiator_id: initiator.id,
    attribution: initiator.attribution,
    identity_source: actor.source,
  };
}

export function toHints(client: Client, sessionId: string | null): ClientHints {
  return { client: client.name, user_agent: client.userAgent, client_session_id: sessionId };
}

let lastAt = Number.NaN;
let lastIso = "";

/** RFC 3339, in UTC. The events of one request often share a millisecond, and writing one out is dear. */
function iso(at: number): string {
  if (at !== lastAt) {
    lastAt = at;
    lastIso = new Date(at).toISOString();
  }
  return lastIso;
}

export function overrideEvent(id: string, caller: Caller, provider: string, at: number): InitiatorOverride {
  const { who, hints, coder } = caller;
  return {
    record_type: "initiator_override",
    interception_id: id,
    actor_id: who.actor_id,
    actor_kind: who.actor_kind,
    initiator_id: who.initiator_id,
    attribution: who.attribution,
    identity_source: who.identity_source,
    owner_id: who.initiator_id,
    client: hints.client,
    user_agent: hints.user_agent,
    client_session_id: hints.client_session_id,
    chat_id: coder.chat_id,
    subchat_id: coder.subchat_id,
    workspace_id: coder.workspace_id,
    provider,
    created_at: iso(at),
  };
}

export function overrideRejectedEvent(
  id: string,
  caller: Caller,
  provider: string,
  rejected: { readonly reason: OwnerRejection; readonly valueLength: number; readonly valueSha256: string },
  at: number,
): InitiatorOverrideRejected {
  const { who, hints, coder } = caller;
  return {
    record_type: "initiator_override_rejected",
    interception_id: id,
    actor_id: who.actor_id,
    actor_kind: who.actor_kind,
    initiator_id: who.initiator_id,
    attribution: who.attribution,
    identity_source: who.identity_source,
    reason: rejected.reason,
    value_length: rejected.valueLength,
    value_sha256: rejected.valueSha256,
    client: hints.client,
    user_agent: hints.user_agent,
    client_session_id: hints.client_session_id,
    chat_id: coder.chat_id,
    subchat_id: coder.subchat_id,
    workspace_id: coder.workspace_id,
    provider,
    created_at: iso(at),
  };
}

export function startEvent(
  id: string,
  caller: Caller,
  asked: Asked,
  actor: Actor,
  at: number,
): InterceptionStart {
  const { who, hints, coder } = caller;
  return {
    record_type: "interception_start",
    interception_id: id,
    actor_id: who.actor_id,
    actor_kind: who.actor_kind,
    initiator_id: who.initiator_id,
    attribution: who.attribution,
    identity_source: who.identity_source,
    api_key_id: actor.keyId,
    credential_kind: asked.credential_kind,
    client: hints.client,
    user_agent: hints.user_agent,
    client_session_id: hints.client_session_id,
    chat_id: coder.chat_id,
    subchat_id: coder.subchat_id,
    workspace_id: coder.workspace_id,
    provider: asked.provider,
    provider_type: asked.provider_type,
    route: asked.route,
    model: asked.model,
    streaming: asked.streaming,
    started_at: iso(at),
    metadata: actor.name === null ? {} : { actor_name: actor.name },
    correlating_tool_call_id: null,
    thread_parent_id: null,
    thread_root_id: null,
  };
}

/** What there was of an answer: a conclusion, or nothing but an outcome where no answer came. */
export type Finish = {
  readonly outcome: Outcome;
  readonly status: number | null;
  readonly error: string | null;
  readonly conclusion: Conclusion | null;
};

export function endEvent(
  id: string,
  caller: Caller,
  asked: Asked,
  startedAt: number,
  { outcome, status, error, conclusion }: Finish,
  at: number,
): InterceptionEnd {
  const { who, hints, coder } = caller;
  const report = conclusion?.report ?? null;
  const usage = report?.usage ?? NO_TOKENS;
  const firstByteAt = conclusion?.ending.firstByteAt ?? null;
  return {
    record_type: "interception_end",
    interception_id: id,
    actor_id: who.actor_id,
    actor_kind: who.actor_kind,
    initiator_id: who.initiator_id,
    attribution: who.attribution,
    identity_source: who.identity_source,
    credential_kind: asked.credential_kind,
    client: hints.client,
    user_agent: hints.user_agent,
    client_session_id: hints.client_session_id,
    chat_id: coder.chat_id,
    subchat_id: coder.subchat_id,
    workspace_id: coder.workspace_id,
    provider: asked.provider,
    provider_type: asked.provider_type,
    route: asked.route,
    model: asked.model,
    response_model: report?.model ?? null,
    streaming: asked.streaming,
    outcome,
    status,
    error,
    msg_id: report?.id ?? null,
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
    cache_read_input_tokens: usage.cache_read_input_tokens,
    cache_write_input_tokens: usage.cache_write_input_tokens,
    usage: conclusion?.usageState ?? "unknown",
    usage_flagged: report?.usage?.flagged ?? false,
    observation: conclusion?.ending.how === "capped" ? "capped" : "whole",
    response_bytes: conclusion?.ending.bytes ?? 0,
    first_byte_ms: firstByteAt === null ? null : firstByteAt - startedAt,
    duration_ms: at - startedAt,
    ended_at: iso(at),
  };
}

/** null where the answer reported no usage: what is not known is not recorded as nothing. */
export function tokenUsageEvent(
  id: string,
  caller: Caller,
  conclusion: Conclusion,
  at: number,
): TokenUsage | null {
  const { usage, id: answerId } = conclusion.report;
  if (usage === null) return null;
  return {
    record_type: "token_usage",
    interception_id: id,
    initiator_id: caller.who.initiator_id,
    msg_id: answerId,
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
    cache_read_input_tokens: usage.cache_read_input_tokens,
    cache_write_input_tokens: usage.cache_write_input_tokens,
    usage: conclusion.usageState,
    created_at: iso(at),
    metadata: usage.extras,
  };
}

const NO_TOKENS = {
  input_tokens: null,
  output_tokens: null,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
};

export function passthroughEvent(
  id: string,
  caller: Caller,
  { provider, route }: Route,
  request: { readonly method: string; readonly startedAt: number; readonly status: number },
  at: number,
): PassthroughEvent {
  const { who, hints } = caller;
  return {
    record_type: "passthrough",
    interception_id: id,
    actor_id: who.actor_id,
    actor_kind: who.actor_kind,
    initiator_id: who.initiator_id,
    attribution: who.attribution,
    identity_source: who.identity_source,
    client: hints.client,
    user_agent: hints.user_agent,
    client_session_id: hints.client_session_id,
    method: request.method,
    provider: provider.name,
    provider_type: provider.dialect.type,
    route: route.path,
    status: request.status,
    duration_ms: at - request.startedAt,
    created_at: iso(at),
  };
}

export function refusalEvent(
  id: string,
  refusal: Refusal,
  known: {
    readonly method: string;
    readonly route: Route | null;
    readonly client: string | null;
    readonly who: Who | null;
  },
  at: number,
): RefusalEvent {
  return {
    record_type: "refusal",
    interception_id: id,
    reason: refusal.reason,
    status: refusal.status,
    detail: refusal.detail,
    method: known.method.slice(0, 16),
    provider: known.route?.provider.name ?? null,
    route: known.route?.route.path ?? null,
    client: known.client,
    actor_id: known.who?.actor_id ?? null,
    initiator_id: known.who?.initiator_id ?? null,
    created_at: iso(at),
  };
}
