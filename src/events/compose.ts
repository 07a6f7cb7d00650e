/** Builds events out of what the floors have found. Plain values in, plain records out; nothing is decided here. */
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

const iso = (at: number): string => new Date(at).toISOString();

export function overrideEvent(id: string, caller: Caller, provider: string, at: number): InitiatorOverride {
  return {
    record_type: "initiator_override",
    interception_id: id,
    ...caller.who,
    owner_id: caller.who.initiator_id,
    ...caller.hints,
    ...caller.coder,
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
  return {
    record_type: "initiator_override_rejected",
    interception_id: id,
    ...caller.who,
    reason: rejected.reason,
    value_length: rejected.valueLength,
    value_sha256: rejected.valueSha256,
    ...caller.hints,
    ...caller.coder,
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
  return {
    record_type: "interception_start",
    interception_id: id,
    ...caller.who,
    api_key_id: actor.keyId,
    ...caller.hints,
    ...caller.coder,
    ...asked,
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
  const report = conclusion?.report;
  const firstByteAt = conclusion?.ending.firstByteAt ?? null;
  return {
    record_type: "interception_end",
    interception_id: id,
    ...caller.who,
    ...caller.hints,
    ...caller.coder,
    ...asked,
    outcome,
    status,
    error,
    ...tokens(conclusion),
    usage: conclusion?.usageState ?? "unknown",
    usage_flagged: report?.usage?.flagged ?? false,
    observation: conclusion?.ending.how === "capped" ? "capped" : "whole",
    msg_id: report?.id ?? null,
    response_model: report?.model ?? null,
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
  if (conclusion.report.usage === null) return null;
  return {
    record_type: "token_usage",
    interception_id: id,
    initiator_id: caller.who.initiator_id,
    msg_id: conclusion.report.id,
    ...tokens(conclusion),
    usage: conclusion.usageState,
    created_at: iso(at),
    metadata: conclusion.report.usage.extras,
  };
}

function tokens(conclusion: Conclusion | null): Pick<InterceptionEnd, keyof typeof NO_TOKENS> {
  const usage = conclusion?.report.usage;
  if (!usage) return NO_TOKENS;
  const { input_tokens, output_tokens, cache_read_input_tokens, cache_write_input_tokens } = usage;
  return { input_tokens, output_tokens, cache_read_input_tokens, cache_write_input_tokens };
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
  return {
    record_type: "passthrough",
    interception_id: id,
    ...caller.who,
    ...caller.hints,
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
