/**
 * Builds events out of what the floors have found. Plain values in, plain records out; nothing is decided here.
 *
 * What several events share is put together once and spread as the first thing in each literal: V8 copies it as it is
 * there, and builds a hash table, dear to make and to print, where a spread comes later.
 */
import type { Client } from "../gateway/client/client.ts";
import type { Actor } from "../gateway/identity/identity.ts";
import type { Flag } from "../gateway/initiator/flags.ts";
import type { Decision, Initiator } from "../gateway/initiator/decision.ts";
import type { OwnerRejection } from "../gateway/initiator/owner-header.ts";
import type { Observation } from "../gateway/observation/observe.ts";
import type { Outcome } from "../gateway/observation/outcome.ts";
import type { Conversation } from "../gateway/provider/conversation.ts";
import type { Route } from "../gateway/provider/route.ts";
import type { Refusal } from "../shared/refusal.ts";
import type {
  CallFields,
  ClientFields,
  CoderFields,
  InitiatorOverride,
  InitiatorOverrideRejected,
  InterceptionEnd,
  InterceptionStart,
  ModelThought,
  PassthroughEvent,
  PromptUsage,
  RefusalEvent,
  TokenUsage,
  ToolUsage,
  ActorFields,
} from "./event.ts";
import { toRecordedContent, type Redact } from "./redaction.ts";

/** Who is calling: shared by all events of one request that has an actor. */
export type Caller = { readonly interception_id: string } & ActorFields & ClientFields & CoderFields;

/** Who is calling for what: shared by an interception's start and end. */
export type Subject = Caller & CallFields;

export function toCaller(
  id: string,
  actor: Actor,
  initiator: Initiator,
  client: Client,
  sessionId: string | null,
  coder: CoderFields,
): Caller {
  return {
    interception_id: id,
    initiator_id: initiator.id,
    actor_id: actor.id,
    attribution: initiator.attribution,
    actor_kind: actor.kind,
    identity_source: actor.source,
    client: client.name,
    user_agent: client.userAgent,
    client_session_id: sessionId,
    chat_id: coder.chat_id,
    subchat_id: coder.subchat_id,
    workspace_id: coder.workspace_id,
    delegated_key_id: coder.delegated_key_id,
    delegated_source: coder.delegated_source,
  };
}

export function toSubject(caller: Caller, asked: Omit<CallFields, "started_at">, startedAt: number): Subject {
  return {
    ...caller,
    provider: asked.provider,
    provider_type: asked.provider_type,
    route: asked.route,
    model: asked.model,
    streaming: asked.streaming,
    credential_kind: asked.credential_kind,
    credential_hint: asked.credential_hint,
    started_at: iso(startedAt),
  };
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

/** `caller` is as the decision made it: its initiator is the owner. */
export function overrideEvent(
  caller: Caller,
  { initiator, trace }: Decision,
  provider: string,
  at: number,
): InitiatorOverride {
  return {
    ...caller,
    record_type: "initiator_override",
    owner_id: initiator.id,
    owner_username: initiator.name,
    rule: trace.rule,
    signature: trace.signature,
    directory: trace.directory,
    candidates: trace.candidates,
    provider,
    created_at: iso(at),
  };
}

export function overrideRejectedEvent(
  caller: Caller,
  { trace }: Decision,
  provider: string,
  rejected: { readonly reason: OwnerRejection; readonly valueLength: number; readonly valueSha256: string },
  at: number,
): InitiatorOverrideRejected {
  return {
    ...caller,
    record_type: "initiator_override_rejected",
    reason: rejected.reason,
    value_length: rejected.valueLength,
    value_sha256: rejected.valueSha256,
    rule: trace.rule,
    signature: trace.signature,
    directory: trace.directory,
    candidates: trace.candidates,
    provider,
    created_at: iso(at),
  };
}

export function startEvent(
  subject: Subject,
  actor: Actor,
  initiatorName: string | null,
  flags: readonly Flag[],
  ask: Conversation,
): InterceptionStart {
  return {
    ...subject,
    record_type: "interception_start",
    api_key_id: actor.keyId,
    metadata: actor.name === null ? {} : { actor_name: actor.name },
    initiator_name: initiatorName,
    flags,
    correlating_tool_call_id: ask.correlatingToolCallId,
    thread_parent_id: null,
    thread_root_id: null,
    prompt_count: ask.prompt === null ? 0 : 1,
  };
}

/** null where the user said nothing in this request. */
export function promptEvent(
  caller: Caller,
  ask: Conversation,
  redact: Redact,
  at: number,
): PromptUsage | null {
  if (ask.prompt === null) return null;
  const { text, truncated } = toRecordedContent(ask.prompt, redact);
  return {
    record_type: "prompt_usage",
    interception_id: caller.interception_id,
    initiator_id: caller.initiator_id,
    msg_id: null,
    prompt: text,
    truncated,
    created_at: iso(at),
    metadata: {},
  };
}

/** What there was of an answer: a conclusion, or nothing but an outcome where no answer came. */
export type InterceptionResult = {
  readonly outcome: Outcome;
  readonly status: number | null;
  readonly error: string | null;
  readonly observation: Observation | null;
};

export function endEvent(
  subject: Subject,
  startedAt: number,
  { outcome, status, error, observation: conclusion }: InterceptionResult,
  redact: Redact,
  at: number,
): InterceptionEnd {
  const report = conclusion?.report ?? null;
  const usage = report?.usage ?? null;
  const firstByteAt = conclusion?.end.firstByteAt ?? null;
  return {
    ...subject,
    record_type: "interception_end",
    outcome,
    status,
    finish_reason: report?.finishReason ?? null,
    error,
    error_message: report?.errorMessage == null ? null : toRecordedContent(report.errorMessage, redact).text,
    tool_call_count: report?.toolCallCount ?? 0,
    thought_count: report?.thoughtCount ?? 0,
    input_tokens: usage?.input_tokens ?? null,
    output_tokens: usage?.output_tokens ?? null,
    cache_read_input_tokens: usage?.cache_read_input_tokens ?? null,
    cache_write_input_tokens: usage?.cache_write_input_tokens ?? null,
    usage: conclusion?.usageState ?? "unknown",
    usage_invalid: usage?.invalid ?? false,
    observation: conclusion?.end.truncated ? "truncated" : "complete",
    msg_id: report?.id ?? null,
    response_model: report?.model ?? null,
    response_bytes: conclusion?.end.bytes ?? 0,
    first_byte_ms: firstByteAt === null ? null : firstByteAt - startedAt,
    duration_ms: at - startedAt,
    ended_at: iso(at),
  };
}

/** null where the answer told no figure: what is not known is not recorded as nothing. */
export function tokenUsageEvent(
  caller: Caller,
  { report, usageState }: Observation,
  at: number,
): TokenUsage | null {
  const { usage } = report;
  if (usage === null || usageState === "unknown") return null;
  return {
    record_type: "token_usage",
    interception_id: caller.interception_id,
    initiator_id: caller.initiator_id,
    msg_id: report.id,
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
    cache_read_input_tokens: usage.cache_read_input_tokens,
    cache_write_input_tokens: usage.cache_write_input_tokens,
    usage: usageState,
    metadata: usage.extras,
    created_at: iso(at),
  };
}

export function toolEvents(
  caller: Caller,
  { report }: Observation,
  redact: Redact,
  at: number,
): readonly ToolUsage[] {
  return report.toolCalls.map(({ id, name, kind, input, error }, position) => {
    const content = input === null ? null : toRecordedContent(input, redact);
    return {
      record_type: "tool_usage",
      interception_id: caller.interception_id,
      initiator_id: caller.initiator_id,
      msg_id: report.id,
      tool_call_id: id,
      tool: name,
      input: content?.text ?? null,
      truncated: content?.truncated ?? false,
      server_url: null,
      injected: false,
      invocation_error: error === null ? null : toRecordedContent(error, redact).text,
      position,
      created_at: iso(at),
      metadata: { kind },
    };
  });
}

export function thoughtEvents(
  caller: Caller,
  { report }: Observation,
  redact: Redact,
  at: number,
): readonly ModelThought[] {
  return report.thoughts.map((thought, position) => {
    const { text, truncated } = toRecordedContent(thought, redact);
    return {
      record_type: "model_thought",
      interception_id: caller.interception_id,
      initiator_id: caller.initiator_id,
      msg_id: report.id,
      content: text,
      truncated,
      position,
      created_at: iso(at),
      metadata: {},
    };
  });
}

export function passthroughEvent(
  caller: Caller,
  { provider, route }: Route,
  request: { readonly method: string; readonly startedAt: number; readonly status: number },
  at: number,
): PassthroughEvent {
  return {
    ...caller,
    record_type: "passthrough",
    method: request.method,
    provider: provider.name,
    provider_type: provider.dialect.type,
    route: route.path,
    status: request.status,
    duration_ms: at - request.startedAt,
    created_at: iso(at),
  };
}

/** `known`: what had been found out when it came to this. */
export function refusalEvent(
  id: string,
  refusal: Refusal,
  known: {
    readonly method: string;
    readonly route: Route | null;
    readonly client: string | null;
    readonly actor: Actor | null;
    readonly caller: Caller | null;
  },
  at: number,
): RefusalEvent {
  return {
    record_type: "refusal",
    interception_id: id,
    reason: refusal.code,
    status: refusal.status,
    detail: refusal.data.detail ?? null,
    method: known.method.slice(0, 16),
    provider: known.route?.provider.name ?? null,
    route: known.route?.route.path ?? null,
    client: known.client,
    actor_id: known.actor?.id ?? null,
    initiator_id: known.caller?.initiator_id ?? null,
    created_at: iso(at),
  };
}
