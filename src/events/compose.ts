/**
 * Builds events out of plain facts. Nothing is decided here.
 *
 * The fields that several events share are built once and spread first in each literal: V8 copies them as they are. A
 * spread after other fields makes a dictionary-mode object, which is slow to build and to print.
 */
import type {
  BatchFile,
  BudgetEvent,
  InitiatorOverride,
  InitiatorOverrideRejected,
  InterceptionEnd,
  InterceptionStart,
  ModelThought,
  PassthroughEvent,
  PassthroughStart,
  RetrievedUsage,
  PromptUsage,
  RefusalCount,
  RefusalEvent,
  TokenUsage,
  ToolUsage,
  UpstreamAttempt,
} from "./event.ts";
import type { CallerValues, CallValues, CoderIds, PriceTerms } from "./fields.ts";
import type { BilledUsage } from "../shared/prices/cost.ts";
import type { CostFacts } from "../shared/prices/pricing.ts";
import { toRecordedContent, type Redact } from "./redaction.ts";
import type {
  ActorKind,
  AttemptReason,
  AssertionRule,
  Attribution,
  Candidate,
  ClientKind,
  DirectoryResult,
  Flag,
  Outcome,
  OwnerRejection,
  PassthroughOutcome,
  SignatureResult,
  ThoughtSource,
  UsageOptIn,
  UsageState,
} from "./vocabulary.ts";

/** The caller: shared by all events of one request that has an actor. */
export type Caller = CallerValues;

/** The caller and its call: shared by an interception's start and end. */
export type Subject = Caller & CallValues;

export type ActorFacts = {
  readonly id: string;
  readonly kind: ActorKind;
  readonly name: string | null;
  readonly source: string;
  /** The credential's id. */
  readonly keyId: string;
  /** Where a token names for whom the actor acts. */
  readonly onBehalfOf?: { readonly chain: readonly string[] };
};

export type DecisionFacts = {
  readonly initiator: {
    readonly id: string;
    readonly source: string;
    readonly name: string | null;
    readonly attribution: Attribution;
  };
  readonly trace: {
    readonly rule: AssertionRule | null;
    readonly signature: SignatureResult | null;
    readonly directory: DirectoryResult | null;
    readonly candidates: readonly Candidate[];
    readonly delegationChain?: readonly string[];
  };
};

/** The conversation, as the request holds it. */
export type ConversationFacts = {
  /** All user text after the last completed assistant turn; null if there is none. */
  readonly prompt: string | null;
  /** Number of user messages with text after the last completed assistant turn, and before it. */
  readonly promptCount: number;
  readonly earlierPromptCount: number;
  readonly correlatingToolCallId: string | null;
};

/** Hashes of the user's texts after the last completed assistant turn, and before it. Empty where prompts are not recorded. */
export type PromptHashes = { readonly current: readonly string[]; readonly earlier: readonly string[] };

/** The request's place in the client's work, as the client states it. Hints, never proof. */
export type RequestHints = {
  readonly agentId: string | null;
  readonly parentAgentId: string | null;
  readonly promptId: string | null;
  readonly requestClass: string | null;
};

/** Where the request came from; each is null where it is not recorded. */
export type NetworkFacts = {
  readonly country: string | null;
  readonly ray: string | null;
  readonly ip: string | null;
};

export const NO_NETWORK: NetworkFacts = { country: null, ray: null, ip: null };

/** The observation of a response. */
export type ResponseFacts = {
  readonly usageState: UsageState;
  readonly end: { readonly bytes: number; readonly firstByteAt: number | null; readonly truncated: boolean };
  /** Of the whole body; null where it is not recorded or the body did not arrive whole. */
  readonly sha256: string | null;
  readonly report: {
    readonly id: string | null;
    readonly model: string | null;
    readonly serviceTier: string | null;
    readonly speed: string | null;
    readonly inferenceGeo: string | null;
    readonly reportedCost: string | null;
    readonly usage: UsageFacts | null;
    readonly finishReason: string | null;
    readonly errorMessage: string | null;
    readonly toolCalls: readonly ToolCallFacts[];
    readonly toolCallCount: number;
    readonly thoughts: readonly ThoughtFacts[];
    readonly thoughtCount: number;
  };
};

type UsageFacts = BilledUsage & {
  readonly invalid: boolean;
  /** The provider's usage object as JSON; null where it is too long. */
  readonly raw: string | null;
};

type ThoughtFacts = { readonly text: string; readonly source: ThoughtSource };

type ToolCallFacts = {
  readonly id: string | null;
  readonly name: string;
  readonly kind: string;
  readonly namespace: string | null;
  readonly input: string | null;
  readonly error: string | null;
};

export type CallerFacts = {
  readonly id: string;
  readonly actor: ActorFacts;
  readonly initiator: DecisionFacts["initiator"];
  readonly client: { readonly name: string; readonly userAgent: string | null };
  readonly sessionId: string | null;
  readonly coder: CoderIds;
};

export function toCaller({ id, actor, initiator, client, sessionId, coder }: CallerFacts): Caller {
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
    claimed_ids: coder.claimed_ids,
    initiator_source: initiator.source,
    api_key_id: actor.keyId,
  };
}

/** `startedAt`: milliseconds since 1970, like all times here. */
export function toSubject(caller: Caller, call: Omit<CallValues, "started_at">, startedAt: number): Subject {
  return {
    ...caller,
    provider: call.provider,
    provider_type: call.provider_type,
    route: call.route,
    model: call.model,
    streaming: call.streaming,
    credential_kind: call.credential_kind,
    credential_hint: call.credential_hint,
    started_at: iso(startedAt),
    worker_version: call.worker_version,
  };
}

let minuteAt = Number.NaN;
/** Until the minute, its seconds excluded. */
let minuteText = "";

/** RFC 3339 in UTC. `toISOString` takes 7,000 instructions, so that it is called once a minute. */
function iso(at: number): string {
  const inMinute = at - minuteAt;
  if (!(inMinute >= 0 && inMinute < 60_000)) {
    minuteAt = at - (((at % 60_000) + 60_000) % 60_000);
    minuteText = new Date(minuteAt).toISOString().slice(0, 17);
    return iso(at);
  }
  const ms = inMinute % 1000;
  return `${minuteText}${twoDigits((inMinute - ms) / 1000)}.${ms < 100 ? "0" : ""}${twoDigits(ms)}Z`;
}

const twoDigits = (value: number): string => (value < 10 ? `0${value}` : String(value));

/** null where no owner was accepted. `caller` is as the decision made it: its initiator is the owner. */
export function acceptedOverride(
  caller: Caller,
  { acceptedOwner, initiator, trace }: DecisionFacts & { readonly acceptedOwner: string | null },
  provider: string,
  at: number,
): InitiatorOverride | null {
  if (acceptedOwner === null) return null;
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
    delegation_chain: trace.delegationChain ?? [],
  };
}

/** An owner header that was not accepted: its value is recorded by length and hash only. */
export type RejectedOwner = {
  readonly reason: OwnerRejection;
  readonly valueLength: number;
  readonly valueSha256: string;
  readonly provider: string;
};

export function overrideRejectedEvent(
  caller: Caller,
  { trace }: Pick<DecisionFacts, "trace">,
  { reason, valueLength, valueSha256, provider }: RejectedOwner,
  at: number,
): InitiatorOverrideRejected {
  return {
    ...caller,
    record_type: "initiator_override_rejected",
    reason,
    value_length: valueLength,
    value_sha256: valueSha256,
    rule: trace.rule,
    signature: trace.signature,
    directory: trace.directory,
    candidates: trace.candidates,
    provider,
    created_at: iso(at),
    delegation_chain: trace.delegationChain ?? [],
  };
}

export type StartFacts = {
  readonly actor: ActorFacts;
  readonly initiatorName: string | null;
  readonly flags: readonly Flag[];
  readonly conversation: ConversationFacts;
  readonly promptHashes: PromptHashes;
  readonly hints: RequestHints;
  readonly clientKind: ClientKind | null;
  /** As it may be recorded. */
  readonly endUser: string | null;
  /** The Content-Encoding that was decoded; null where there was none. */
  readonly requestEncoding: string | null;
  /** Of the body that was checked; null where it is forwarded while it arrives. */
  readonly requestSha256: string | null;
  readonly configVersion: string;
  readonly network: NetworkFacts;
};

export function startEvent(
  subject: Subject,
  {
    actor,
    initiatorName,
    flags,
    conversation,
    promptHashes,
    hints,
    clientKind,
    endUser,
    requestEncoding,
    requestSha256,
    configVersion,
    network,
  }: StartFacts,
): InterceptionStart {
  return {
    ...subject,
    record_type: "interception_start",
    metadata: actor.name === null ? {} : { actor_name: actor.name },
    initiator_name: initiatorName,
    flags,
    correlating_tool_call_id: conversation.correlatingToolCallId,
    thread_parent_id: null,
    thread_root_id: null,
    prompt_count: conversation.promptCount,
    earlier_prompt_count: conversation.earlierPromptCount,
    prompt_hashes: promptHashes.current,
    earlier_prompt_hashes: promptHashes.earlier,
    agent_id: hints.agentId,
    parent_agent_id: hints.parentAgentId,
    client_prompt_id: hints.promptId,
    request_class: hints.requestClass,
    client_kind: clientKind,
    end_user: endUser,
    request_encoding: requestEncoding,
    delegation_chain: actor.onBehalfOf?.chain ?? [],
    request_sha256: requestSha256,
    config_version: configVersion,
    client_country: network.country,
    client_ray: network.ray,
    client_ip: network.ip,
  };
}

/** null where the request has no prompt. */
export function promptEvent(
  caller: Caller,
  { prompt }: ConversationFacts,
  redact: Redact,
  at: number,
): PromptUsage | null {
  if (prompt === null) return null;
  const { text, truncated } = toRecordedContent(prompt, redact);
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

/** The recorded headers of the provider's response; all null where there is no response. */
export type ProviderHeaderFacts = {
  readonly requestId: string | null;
  readonly ray: string | null;
  readonly encoding: string | null;
  /** Those of Cloudflare AI Gateway; null from another upstream. */
  readonly aiGateway: AiGatewayFacts | null;
};

export type AiGatewayFacts = { readonly logId: string | null; readonly cache: string | null };

/** How an interception ended: with a response that was observed, or with an outcome alone where there was none. */
export type InterceptionResult = {
  readonly outcome: Outcome;
  readonly status: number | null;
  readonly error: string | null;
  readonly providerHeaders: ProviderHeaderFacts;
  readonly usageOptIn: UsageOptIn | null;
  readonly observation: ResponseFacts | null;
  /** The last attempt was not sent. */
  readonly isUnsent?: boolean | undefined;
  /** An attempt that may have cost something was followed by another one. */
  readonly hasLost?: boolean | undefined;
  /** When the last of several attempts was sent, in milliseconds since 1970. */
  readonly sentAt?: number | undefined;
};

/** The facts that follow from the result. */
type EndFacts = {
  readonly isOwnKeyRejected: boolean;
  readonly uploadSha256: string | null;
  readonly cost: CostFacts;
};

const costFields = ({ micros, source, version }: CostFacts) => ({
  cost_micros: micros,
  cost_source: source,
  price_version: version,
});

export function endEvent(
  subject: Subject,
  {
    outcome,
    status,
    error,
    providerHeaders,
    usageOptIn,
    observation,
    isOwnKeyRejected,
    uploadSha256,
    cost,
  }: InterceptionResult & EndFacts,
  redact: Redact,
  { startedAt, at }: { readonly startedAt: number; readonly at: number },
): InterceptionEnd {
  const report = observation?.report ?? null;
  const usage = report?.usage ?? null;
  const firstByteAt = observation?.end.firstByteAt ?? null;
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
    usage: observation?.usageState ?? "unknown",
    usage_invalid: usage?.invalid ?? false,
    observation: observation?.end.truncated ? "truncated" : "complete",
    msg_id: report?.id ?? null,
    response_model: report?.model ?? null,
    service_tier: report?.serviceTier ?? null,
    speed: report?.speed ?? null,
    inference_geo: report?.inferenceGeo ?? null,
    reported_cost: report?.reportedCost ?? null,
    ...costFields(cost),
    response_bytes: observation?.end.bytes ?? 0,
    first_byte_ms: firstByteAt === null ? null : firstByteAt - startedAt,
    duration_ms: at - startedAt,
    ended_at: iso(at),
    provider_request_id: providerHeaders.requestId,
    provider_ray: providerHeaders.ray,
    response_encoding: providerHeaders.encoding,
    usage_opt_in: usageOptIn,
    own_key_rejected: isOwnKeyRejected,
    upload_sha256: uploadSha256,
    response_sha256: observation?.sha256 ?? null,
  };
}

/** A text of six characters in a JSON object, other than a name such as `prompt_tokens_details`. Each secret is one. */
const LONG_TEXT = /"(?![:,}\]])(?=[^"]*[^a-z_"])[^"]{6,}"/;

/** Most usage objects have figures only, and there are some 30 forms of secrets. */
const redactUsage = (raw: string, redact: Redact): string => redact(raw, LONG_TEXT.test(raw) ? "all" : "own");

/** null where the response reported no figure: an unknown count is not recorded as 0. */
export function tokenUsageEvent(
  caller: Caller,
  { report, usageState }: ResponseFacts,
  redact: Redact,
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
    // A provider can put any text into it.
    raw_usage: usage.raw === null ? null : redactUsage(usage.raw, redact),
    created_at: iso(at),
  };
}

export function toolEvents(
  caller: Caller,
  { report }: ResponseFacts,
  redact: Redact,
  at: number,
): readonly ToolUsage[] {
  return report.toolCalls.map(({ id, name, kind, namespace, input, error }, position) => {
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
      metadata: namespace === null ? { kind } : { kind, namespace },
    };
  });
}

export function thoughtEvents(
  caller: Caller,
  { report }: ResponseFacts,
  redact: Redact,
  at: number,
): readonly ModelThought[] {
  return report.thoughts.map((thought, position) => {
    const { text, truncated } = toRecordedContent(thought.text, redact);
    return {
      record_type: "model_thought",
      interception_id: caller.interception_id,
      initiator_id: caller.initiator_id,
      msg_id: report.id,
      content: text,
      truncated,
      position,
      created_at: iso(at),
      metadata: { source: thought.source },
    };
  });
}

/** Results of an earlier call: what they belong to, their number, and the sums of their tokens. */
export type RetrievedFacts = Pick<
  PassthroughEvent,
  "input_tokens" | "output_tokens" | "cache_read_input_tokens" | "cache_write_input_tokens"
> & {
  readonly usageOf: string | null;
  readonly resultCount: number;
};

export const NOTHING_RETRIEVED: RetrievedFacts = {
  usageOf: null,
  resultCount: 0,
  input_tokens: null,
  output_tokens: null,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
};

/** `createdId`: the provider's id of the response or the batch. */
export type RetrievedCall = {
  readonly id: string;
  readonly retrievalId: string;
  readonly initiatorId: string;
  readonly provider: string;
  readonly usageOf: string;
  readonly createdId: string;
};

export function retrievedUsageEvent(
  call: RetrievedCall,
  {
    model,
    usage,
    cost,
    terms,
  }: {
    readonly model: string | null;
    readonly usage: UsageFacts;
    readonly cost: CostFacts;
    readonly terms: PriceTerms;
  },
  state: UsageState,
  { redact, at }: { readonly redact: Redact; readonly at: number },
): RetrievedUsage {
  return {
    record_type: "retrieved_usage",
    interception_id: call.id,
    retrieval_id: call.retrievalId,
    initiator_id: call.initiatorId,
    provider: call.provider,
    usage_of: call.usageOf,
    msg_id: call.createdId,
    response_model: model,
    input_tokens: usage.input_tokens,
    output_tokens: usage.output_tokens,
    cache_read_input_tokens: usage.cache_read_input_tokens,
    cache_write_input_tokens: usage.cache_write_input_tokens,
    usage: state,
    metadata: usage.extras,
    raw_usage: usage.raw === null ? null : redactUsage(usage.raw, redact),
    ...costFields(cost),
    created_at: iso(at),
    price_terms: terms,
  };
}

/** `id`: the event's own. `retrievalId`: of the request that read it. */
export type BatchFileFacts = {
  readonly id: string;
  readonly retrievalId: string;
  readonly batchId: string;
  readonly fileId: string;
};

export function batchFileEvent(
  caller: Caller,
  provider: string,
  facts: BatchFileFacts,
  at: number,
): BatchFile {
  return {
    record_type: "batch_file",
    interception_id: facts.id,
    retrieval_id: facts.retrievalId,
    initiator_id: caller.initiator_id,
    provider,
    msg_id: facts.batchId,
    file_id: facts.fileId,
    created_at: iso(at),
  };
}

/** A passthrough's call: the same in its start and end. */
export type PassthroughFacts = {
  readonly method: string;
  readonly provider: string;
  readonly providerType: string;
  readonly route: string;
  readonly startedAt: number;
  readonly workerVersion: string | null;
};

export function passthroughStartEvent(
  caller: Caller,
  facts: PassthroughFacts,
  {
    actor,
    initiatorName,
    configVersion,
    network,
  }: Pick<StartFacts, "actor" | "initiatorName" | "configVersion" | "network">,
): PassthroughStart {
  return {
    ...caller,
    record_type: "passthrough_start",
    method: facts.method,
    provider: facts.provider,
    provider_type: facts.providerType,
    route: facts.route,
    started_at: iso(facts.startedAt),
    worker_version: facts.workerVersion,
    metadata: actor.name === null ? {} : { actor_name: actor.name },
    initiator_name: initiatorName,
    config_version: configVersion,
    client_country: network.country,
    client_ray: network.ray,
    client_ip: network.ip,
  };
}

/** The facts about a passthrough's path and body. */
export type PassthroughContent = {
  readonly objectIds: readonly string[];
  /** null where the body passed unread. */
  readonly requestSha256: string | null;
};

/** How a passthrough ended. */
export type PassthroughResult = {
  readonly outcome: PassthroughOutcome;
  readonly status: number;
  readonly error: string | null;
  readonly retrieved: RetrievedFacts;
  readonly providerHeaders: ProviderHeaderFacts;
};

export function passthroughEvent(
  caller: Caller,
  facts: PassthroughFacts,
  {
    outcome,
    status,
    error,
    retrieved,
    providerHeaders,
    isOwnKeyRejected,
    objectIds,
    requestSha256,
  }: PassthroughResult & PassthroughContent & { readonly isOwnKeyRejected: boolean },
  at: number,
): PassthroughEvent {
  return {
    ...caller,
    record_type: "passthrough",
    method: facts.method,
    provider: facts.provider,
    provider_type: facts.providerType,
    route: facts.route,
    outcome,
    status,
    error,
    duration_ms: at - facts.startedAt,
    usage_of: retrieved.usageOf,
    result_count: retrieved.resultCount,
    input_tokens: retrieved.input_tokens,
    output_tokens: retrieved.output_tokens,
    cache_read_input_tokens: retrieved.cache_read_input_tokens,
    cache_write_input_tokens: retrieved.cache_write_input_tokens,
    started_at: iso(facts.startedAt),
    created_at: iso(at),
    worker_version: facts.workerVersion,
    provider_request_id: providerHeaders.requestId,
    provider_ray: providerHeaders.ray,
    response_encoding: providerHeaders.encoding,
    own_key_rejected: isOwnKeyRejected,
    object_ids: objectIds,
    request_sha256: requestSha256,
  };
}

/** A refusal, and the decisions before it; null where there is none. */
export type RefusalFacts = {
  readonly code: string;
  readonly status: number;
  readonly detail: string | null;
  readonly method: string;
  readonly provider: string | null;
  readonly route: string | null;
  readonly client: string | null;
  readonly actorId: string | null;
  readonly actorKind: ActorKind | null;
  readonly initiatorId: string | null;
  readonly workerVersion: string | null;
  readonly identitySource: string | null;
  readonly isActorVerified: boolean;
  readonly keyId: string | null;
  readonly initiatorSource: string | null;
  readonly network: NetworkFacts;
  readonly objectIds: readonly string[];
};

export function refusalEvent(id: string, facts: RefusalFacts, at: number): RefusalEvent {
  return {
    record_type: "refusal",
    interception_id: id,
    reason: facts.code,
    status: facts.status,
    detail: facts.detail,
    method: facts.method.slice(0, 16),
    provider: facts.provider,
    route: facts.route,
    client: facts.client,
    actor_id: facts.actorId,
    actor_kind: facts.actorKind,
    initiator_id: facts.initiatorId,
    created_at: iso(at),
    worker_version: facts.workerVersion,
    identity_source: facts.identitySource,
    actor_verified: facts.isActorVerified,
    api_key_id: facts.keyId,
    initiator_source: facts.initiatorSource,
    client_country: facts.network.country,
    client_ray: facts.network.ray,
    client_ip: facts.network.ip,
    object_ids: facts.objectIds,
  };
}

/** Refusals without a verified actor, of one minute, reason and provider. */
export type RefusalSum = {
  /** RFC 3339. */
  readonly minute: string;
  readonly reason: string;
  readonly provider: string | null;
  readonly refusals: number;
};

/** `id`: a UUIDv7 of its own. An event that is delivered again has the same one, so it counts once. */
export function refusalCountEvent(
  id: string,
  { minute, reason, provider, refusals }: RefusalSum,
  at: number,
): RefusalCount {
  return {
    record_type: "refusal_count",
    interception_id: id,
    minute,
    reason,
    provider,
    refusals,
    created_at: iso(at),
  };
}

/** The account of a budget or rate limit, and what is known of it. Amounts are in the units of the measure. */
export type BudgetFacts = {
  readonly rule: string;
  readonly subject: {
    readonly kind: BudgetEvent["subject_kind"];
    readonly source: string | null;
    readonly id: string | null;
  };
  readonly measure: BudgetEvent["measure"];
  readonly percent?: number;
  readonly amount?: number;
  /** `resetsAt`: milliseconds since 1970. */
  readonly state?: {
    readonly spent: number;
    readonly reserved: number;
    readonly limit: number;
    readonly resetsAt: number;
  };
  readonly change?: BudgetEvent["change"];
  readonly changedBy?: string;
  readonly charges?: object;
};

/** The event's place among those of its type, and whose request it is. */
export type BudgetOccasion = {
  readonly id: string;
  readonly position: number;
  /** null for a change. */
  readonly caller: Pick<Caller, "initiator_id" | "actor_id"> | null;
};

export function budgetEvent(
  type: BudgetEvent["record_type"],
  { id, position, caller }: BudgetOccasion,
  facts: BudgetFacts,
  at: number,
): BudgetEvent {
  const { state } = facts;
  return {
    record_type: type,
    interception_id: id,
    position,
    rule: facts.rule,
    subject_kind: facts.subject.kind,
    subject_source: facts.subject.source,
    subject_id: facts.subject.id,
    initiator_id: caller?.initiator_id ?? null,
    actor_id: caller?.actor_id ?? null,
    measure: facts.measure,
    percent: facts.percent ?? null,
    amount: facts.amount ?? null,
    spent: state?.spent ?? null,
    reserved: state?.reserved ?? null,
    allowance: state?.limit ?? null,
    resets_at: state ? iso(state.resetsAt) : null,
    change: facts.change ?? null,
    changed_by: facts.changedBy ?? null,
    charges: facts.charges ?? null,
    created_at: iso(at),
  };
}

/** One attempt of a request. */
export type AttemptFacts = {
  readonly position: number;
  readonly provider: string;
  /** From `model_ids`; null where it is the one that the client requested. */
  readonly sentModel: string | null;
  readonly keyHint: string | null;
  readonly reason: AttemptReason;
  readonly status: number | null;
  readonly waitedMs: number;
  /** Milliseconds since 1970, as `endedAt`. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Micro-dollars. 0 where the attempt failed and cost nothing; null where that is not known, or it did not fail. */
  readonly costMicros: number | null;
  readonly aiGateway: AiGatewayFacts | null;
};

export function attemptEvent(id: string, facts: AttemptFacts, at: number): UpstreamAttempt {
  return {
    record_type: "upstream_attempt",
    interception_id: id,
    position: facts.position,
    provider: facts.provider,
    sent_model: facts.sentModel,
    key_hint: facts.keyHint,
    reason: facts.reason,
    status: facts.status,
    waited_ms: Math.round(facts.waitedMs),
    duration_ms: facts.endedAt - facts.startedAt,
    cost_micros: facts.costMicros,
    started_at: iso(facts.startedAt),
    created_at: iso(at),
    ai_gateway_log_id: facts.aiGateway?.logId ?? null,
    ai_gateway_cache: facts.aiGateway?.cache ?? null,
  };
}
