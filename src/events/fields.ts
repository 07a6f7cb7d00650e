/**
 * **The event field table**: every event, every field, once. The types of events, the ledger's columns, the API's
 * records, the Analytics Engine columns and the tables in docs/reference.md all follow from it. A new field is one row
 * here, its value in compose.ts, and a migration where it is stored; `npm run tables` brings the rest up to date.
 *
 * Names and fields of `interception_start`, `interception_end`, `token_usage`, `prompt_usage`, `tool_usage` and
 * `model_thought` are those of Coder's interception log; fields may be added, none renamed. Times are RFC 3339 in UTC,
 * durations whole milliseconds, sizes bytes. A value that is not known is null.
 */
import {
  count,
  flag,
  integer,
  object,
  orNull,
  text,
  texts,
  time,
  uuid,
  type Fields,
  type ValuesOf,
} from "./field.ts";
import {
  ACTOR_KINDS,
  ATTEMPT_REASONS,
  BUDGET_CHANGES,
  BUDGET_MEASURES,
  BUDGET_SUBJECTS,
  CLIENT_KINDS,
  CORRECTED_RECORDS,
  COST_SOURCES,
  CREDENTIAL_KINDS,
  FLAGS,
  LEDGER_ACTIONS,
  OBSERVATIONS,
  OUTCOMES,
  PASSTHROUGH_OUTCOMES,
  USAGE_OPT_INS,
  USAGE_STATES,
  type ActorKind,
  type AssertionRule,
  type AttemptReason,
  type Attribution,
  type BudgetChange,
  type BudgetMeasure,
  type BudgetSubject,
  type Candidate,
  type ClientKind,
  type CorrectedRecord,
  type CredentialKind,
  type DirectoryResult,
  type Flag,
  type LedgerAction,
  type ObservationExtent,
  type Outcome,
  type OwnerRejection,
  type PassthroughOutcome,
  type SignatureResult,
  type ThoughtSource,
  type UsageOptIn,
  type UsageState,
} from "./vocabulary.ts";
import type { CostSource } from "../shared/prices/pricing.ts";

const ID = {
  interception_id: uuid("UUIDv7 of the interception", { interceptions: "blob3", overrides: "blob3" }),
} as const satisfies Fields;

/** Ids of a caller whose word for them is no evidence: those that are UUIDs, at least one. */
export type ClaimedIds = {
  readonly chat_id?: string;
  readonly subchat_id?: string;
  readonly workspace_id?: string;
};

/** The caller: on every event that has an actor. */
export const CALLER = {
  ...ID,
  initiator_id: text("the principal that the request is attributed to", {
    interceptions: "blob4",
    overrides: "blob4",
    erasable: "initiator",
  }),
  actor_id: text("the holder of the credential", {
    interceptions: "blob5",
    overrides: "blob5",
    erasable: "actor",
  }),
  attribution: text<Attribution>("strength of the evidence for the initiator", {
    interceptions: "blob6",
    overrides: "blob6",
  }),
  actor_kind: text<ActorKind>(ACTOR_KINDS, { interceptions: "blob7", overrides: "blob7" }),
  identity_source: text(
    "the identity source that recognized the actor's credential; `byok` verifies nothing",
    {
      interceptions: "blob8",
      overrides: "blob8",
    },
  ),
  client: text("the calling software, as it reports itself: a hint, never proof", {
    interceptions: "blob9",
    overrides: "blob11",
  }),
  user_agent: orNull.text("the User-Agent header, truncated at 256 characters", { erasable: "caller" }),
  client_session_id: orNull.text("the client's id of its session", {
    interceptions: "blob10",
    erasable: "content",
  }),
  chat_id: orNull.uuid("Coder's id of the chat", { overrides: "blob13", erasable: "content" }),
  subchat_id: orNull.uuid("Coder's id of the subchat", { overrides: "blob14", erasable: "content" }),
  workspace_id: orNull.uuid("Coder's id of the workspace", { overrides: "blob15", erasable: "content" }),
  delegated_key_id: orNull.text("with delegation: the id of the API key of the user behind the gateway", {
    erasable: "content",
  }),
  delegated_source: orNull.text("with delegation: the product that the user is using", {
    erasable: "technical",
  }),
  claimed_ids: orNull.object<ClaimedIds>(
    "`chat_id`, `subchat_id` and `workspace_id` as a caller sent them who may not name them, and whose own columns are therefore null; never evidence",
    { erasable: "content" },
  ),
  initiator_source: text(
    "the source of the initiator's id: `OWNER_ASSERTION.source` for an owner that a header named, else the actor's identity source. Source and id together name a principal",
  ),
  api_key_id: text("id of the actor's credential: the first 16 hex digits of its SHA-256", {
    erasable: "actor",
  }),
} as const satisfies Fields;

/** The call: the same on an interception's start and end, so that either can be read alone. */
export const CALL = {
  provider: text("the configured provider's name", { interceptions: "blob11" }),
  provider_type: text("the provider's dialect"),
  route: text("the route below the provider", { interceptions: "blob12", erasable: "technical" }),
  model: orNull.text("the model that the client requested, truncated at 256 characters", {
    interceptions: "blob13",
    erasable: "technical",
  }),
  streaming: flag("whether the client requested a stream", { interceptions: "double9" }),
  credential_kind: text<CredentialKind>(CREDENTIAL_KINDS, { interceptions: "blob17" }),
  credential_hint: orNull.text("the first and last characters of the provider key", { erasable: "caller" }),
  started_at: time("when the request arrived"),
  worker_version: orNull.text("the gateway's Worker version; null where `CF_VERSION_METADATA` is not bound"),
} as const satisfies Fields;

/** The recorded headers of the provider's response. The client does not get all of them. */
const PROVIDER_HEADERS = {
  provider_request_id: orNull.text(
    "the provider's id of the request, from its response's headers, truncated at 128 characters",
  ),
  provider_ray: orNull.text("the `cf-ray` of the provider's response; the client gets that of the gateway"),
  response_encoding: orNull.text(
    "the content encoding of the provider's response, which was requested without one; null where it had none",
  ),
} as const satisfies Fields;

/** Where the request came from, as Cloudflare's edge says it. Recorded only as `RECORDING.network` permits. */
const NETWORK = {
  client_country: orNull.text(
    "the country of the client's address, in two letters (`T1` for Tor), unless `RECORDING.network` is `off`",
    { erasable: "caller" },
  ),
  client_ray: orNull.text(
    "the request's own `cf-ray`, by which Cloudflare's logs are searched, unless `RECORDING.network` is `off`",
    { erasable: "caller" },
  ),
  client_ip: orNull.text(
    "the client's address as `RECORDING.network` permits it: `full`, or `truncated` to the network of 24 or 48 bits",
    { erasable: "caller" },
  ),
} as const satisfies Fields;

const CONFIG_VERSION = text(
  "the configuration that the request was decided under: the first 16 hex digits of the SHA-256 of the gateway's settings, without secrets; `npm run check-config` prints it",
);

const ERROR =
  "the code of the refusal, the provider's error type, or which network in front of the provider responded (`upstream_challenged`, `upstream_html`, `edge_520` … `edge_530`)";

const TOKENS = {
  input_tokens: orNull.count("input tokens, cache excluded", { interceptions: "double5" }),
  output_tokens: orNull.count("output tokens", { interceptions: "double6" }),
  cache_read_input_tokens: orNull.count("input tokens read from the cache", { interceptions: "double7" }),
  cache_write_input_tokens: orNull.count("input tokens written to the cache", { interceptions: "double8" }),
} as const satisfies Fields;

/** See docs/costs.md. */
const COST = {
  cost_micros: orNull.count(
    "what the call cost, in millionths of a US dollar, rounded up; null where that is not known",
    {
      interceptions: "double10",
    },
  ),
  cost_source: text<CostSource>(COST_SOURCES),
  price_version: orNull.text("the version of the prices; null where none were used"),
} as const satisfies Fields;

const USAGE_STATE = text<UsageState>(USAGE_STATES, { interceptions: "blob16" });
const DELEGATION_CHAIN = texts(
  "with a verified token that has an `act` claim: the ids of the parties that act for its subject, the actor first, at most five",
  { erasable: "content" },
);
const STATUS = "HTTP status that the client got; null where it disconnected before";
const MSG_ID = orNull.text("the provider's id of the response", {
  column: "provider_response_id",
  erasable: "technical",
});
const CREATED_AT = time("when it was recorded");
const TRUNCATED = flag("whether it was longer than is recorded");
const POSITION = count("zero-based index within the response");
const NO_METADATA = object<Readonly<Record<string, never>>>("empty");

const INTERCEPTION_START = {
  ...CALLER,
  ...CALL,
  metadata: object<Readonly<Record<string, string>>>("what is known of the actor: `actor_name`", {
    erasable: "actor",
  }),
  initiator_name: orNull.text(
    "the accepted owner's user name, where the directory or the token has one; never the actor's",
    { erasable: "initiator" },
  ),
  flags: texts<Flag>(FLAGS),
  correlating_tool_call_id: orNull.text("the tool call whose result this request returns", {
    erasable: "content",
  }),
  thread_parent_id: orNull.never("the interception that requested the tool; only the ledger knows it", {
    column: null,
  }),
  thread_root_id: orNull.never("the first interception of the thread; only the ledger knows it", {
    column: null,
  }),
  prompt_count: count("user messages after the last completed assistant turn"),
  earlier_prompt_count: count("user messages before the last completed assistant turn"),
  prompt_hashes: texts(
    "SHA-256, its first 32 hex digits, of the length and the recorded form of each user text that `prompt_count` counts, the last 20; empty where prompts are not recorded",
    { contentDigest: true, erasable: "content" },
  ),
  earlier_prompt_hashes: texts(
    "the same of the user texts that `earlier_prompt_count` counts; a hash that no earlier interception has in `prompt_hashes` is of a text that was never sent as a prompt",
    { contentDigest: true, erasable: "content" },
  ),
  agent_id: orNull.text("the client's id of the agent that sent the request; null for the main agent", {
    erasable: "content",
  }),
  parent_agent_id: orNull.text("the client's id of the agent that started that agent", {
    erasable: "content",
  }),
  client_prompt_id: orNull.text("the client's id of the user prompt, or turn, that the request belongs to", {
    erasable: "content",
  }),
  request_class: orNull.text(
    "the client's word for the purpose of the request, such as `compact` or `review`",
    { erasable: "technical" },
  ),
  client_kind: orNull.text<ClientKind>(CLIENT_KINDS),
  end_user: orNull.text(
    "the client's word for its own user, as `RECORDING.end_users` permits: a hint that is not verified, never an identity",
    { erasable: "content" },
  ),
  request_encoding: orNull.text(
    "the Content-Encoding in which the client sent the body, which was decoded; null where it sent none",
  ),
  delegation_chain: DELEGATION_CHAIN,
  request_sha256: orNull.text(
    "SHA-256 of the request's body as the gateway checked it: decoded, and before the usage opt-in is added. null for a form or a batch: see `upload_sha256`",
    { contentDigest: true, erasable: "content" },
  ),
  config_version: CONFIG_VERSION,
  ...NETWORK,
} as const satisfies Fields;

const INTERCEPTION_END = {
  ...CALLER,
  ...CALL,
  outcome: text<Outcome>(OUTCOMES, { interceptions: "blob15" }),
  status: orNull.count(STATUS, { interceptions: "double1" }),
  finish_reason: orNull.text("why the model stopped, in the dialect's word"),
  error: orNull.text(ERROR, { interceptions: "blob18" }),
  error_message: orNull.text("the provider's error message, where recorded", {
    content: true,
    erasable: "content",
  }),
  tool_call_count: count("tool calls in the response, recorded or not"),
  thought_count: count("thoughts in the response, recorded or not"),
  ...TOKENS,
  usage: USAGE_STATE,
  usage_invalid: flag(
    "whether the provider sent a figure that is not a valid count, or that contradicts another one",
  ),
  observation: text<ObservationExtent>(OBSERVATIONS),
  msg_id: MSG_ID,
  response_model: orNull.text("the model that the provider says responded", {
    interceptions: "blob14",
    erasable: "technical",
  }),
  service_tier: orNull.text("the service tier that the provider used, in its word; it can change the price"),
  speed: orNull.text(
    "the speed that the provider used, in its word, such as `fast`; it can change the price",
  ),
  inference_geo: orNull.text("where the model ran, in the provider's word; it can change the price"),
  reported_cost: orNull.text(
    "the cost that the provider states, as a decimal number of its currency, usually US dollars",
  ),
  ...COST,
  response_bytes: count("bytes received of the response's body, also where the observation is truncated", {
    interceptions: "double4",
  }),
  first_byte_ms: orNull.count("from the request's arrival to the first byte of the response's body", {
    interceptions: "double3",
  }),
  duration_ms: count("from the request's arrival to its end", { interceptions: "double2" }),
  ended_at: time("when it ended"),
  ...PROVIDER_HEADERS,
  usage_opt_in: orNull.text<UsageOptIn>(USAGE_OPT_INS),
  own_key_rejected: flag(
    "whether the provider rejected the client's own key: status 401 or 403, or an error of that meaning before the response began. Any caller can send a made-up key, so totals leave such a call out",
  ),
  upload_sha256: orNull.text(
    "SHA-256 of the body of a form or a batch, which is forwarded while it arrives; null for others, and where it had not arrived whole when the call ended",
    { contentDigest: true, erasable: "content" },
  ),
  response_sha256: orNull.text(
    "with `RECORDING.response_hash`: SHA-256 of the response's body as the provider sent it, before the gateway removes the usage event that it requested. null where the body broke off or was cut, or the client disconnected",
    { contentDigest: true, erasable: "content" },
  ),
} as const satisfies Fields;

const TOKEN_USAGE = {
  ...ID,
  initiator_id: text("the principal that the request is attributed to", {
    api: false,
    erasable: "initiator",
  }),
  msg_id: MSG_ID,
  ...TOKENS,
  usage: USAGE_STATE,
  metadata: object<Readonly<Record<string, number>>>(
    "the dialect's further figures, such as `completion_reasoning`",
  ),
  raw_usage: orNull.text(
    "the provider's usage object as JSON, the last one of a stream; where it has more than 2,048 characters, without its longest lists and texts, and marked `truncated`",
    { erasable: "content" },
  ),
  created_at: CREATED_AT,
} as const satisfies Fields;

/** The further fields of the end in the ledger's form: the rest of the usage event (ledger-events.ts). */
const LEDGER_END = {
  usage_metadata: orNull.object<Readonly<Record<string, number>>>(
    "the dialect's further figures, such as `completion_reasoning`; null where no usage is known",
    { api: false },
  ),
  raw_usage: { ...TOKEN_USAGE.raw_usage, api: false },
} as const satisfies Fields;

const PROMPT_USAGE = {
  ...ID,
  initiator_id: TOKEN_USAGE.initiator_id,
  msg_id: orNull.never("always null", { column: "provider_response_id" }),
  prompt: text("the text that the user wrote", { content: true, erasable: "content" }),
  truncated: TRUNCATED,
  created_at: CREATED_AT,
  metadata: NO_METADATA,
} as const satisfies Fields;

const TOOL_USAGE = {
  ...ID,
  initiator_id: TOKEN_USAGE.initiator_id,
  msg_id: MSG_ID,
  tool_call_id: orNull.text("the provider's id of the call", {
    column: "provider_tool_call_id",
    erasable: "content",
  }),
  tool: text("the tool's name", { erasable: "technical" }),
  input: orNull.text("the call's input, where recorded", { content: true, erasable: "content" }),
  truncated: TRUNCATED,
  server_url: orNull.never("always null here: Coder's name for its own MCP servers"),
  injected: flag<false>("always false here: Coder's name for its own MCP tools"),
  invocation_error: orNull.text("the error of a tool that the provider ran, where recorded", {
    content: true,
    erasable: "content",
  }),
  position: POSITION,
  created_at: CREATED_AT,
  metadata: object<{ readonly kind: string; readonly namespace?: string }>(
    "`kind`: the call's type in the dialect; `namespace`: the tool's, where it has one",
    { erasable: "technical" },
  ),
} as const satisfies Fields;

const MODEL_THOUGHT = {
  ...ID,
  initiator_id: TOKEN_USAGE.initiator_id,
  msg_id: MSG_ID,
  content: text("the thought", { content: true, erasable: "content" }),
  truncated: TRUNCATED,
  position: POSITION,
  created_at: CREATED_AT,
  metadata: object<{ readonly source?: ThoughtSource }>(
    "`source`: `thinking`, `reasoning_summary` or `commentary`",
  ),
} as const satisfies Fields;

/** How the owner assertion was decided. A check that did not run is null, because an earlier one had decided. */
const DECISION = {
  rule: orNull.text<AssertionRule>("the rule that permitted the assertion, or denied it", {
    overrides: "blob17",
  }),
  signature: orNull.text<SignatureResult>("`valid`, `absent`, `off`, or why it was rejected", {
    overrides: "blob18",
  }),
  directory: orNull.text<DirectoryResult>("the directory's result for the owner, or `off`", {
    overrides: "blob19",
  }),
  candidates: object<readonly Candidate[]>(
    "owner and actor, each with the reason why it is not the initiator",
    {
      api: false,
      erasable: "content",
    },
  ),
  provider: text("the configured provider's name", { overrides: "blob12" }),
  created_at: CREATED_AT,
  delegation_chain: DELEGATION_CHAIN,
} as const satisfies Fields;

const INITIATOR_OVERRIDE = {
  ...CALLER,
  owner_id: text("the accepted owner", { overrides: "blob9", erasable: "initiator" }),
  owner_username: orNull.text("the owner's user name, where the directory or the token has one", {
    erasable: "initiator",
  }),
  ...DECISION,
} as const satisfies Fields;

const INITIATOR_OVERRIDE_REJECTED = {
  ...CALLER,
  reason: text<OwnerRejection>("why the owner header was not accepted", { overrides: "blob10" }),
  value_length: count("characters of the rejected value, which is recorded nowhere", {
    overrides: "double1",
  }),
  value_sha256: text(
    "the first 16 hex digits of the rejected value's SHA-256, or of its HMAC-SHA256 where `RECORDING.end_user_key` is set",
    { overrides: "blob16", erasable: "content" },
  ),
  ...DECISION,
} as const satisfies Fields;

const REFUSAL = {
  ...ID,
  reason: text("the refusal's code, as in `x-interceptor-error`"),
  status: count("HTTP status that the client got"),
  detail: orNull.text("details for the operator; never sent to the client", { erasable: "caller" }),
  method: text("the request's method, truncated at 16 characters", { erasable: "technical" }),
  provider: orNull.text("the configured provider's name"),
  route: orNull.text("the route below the provider", { erasable: "technical" }),
  client: orNull.text("the calling software, as it reports itself"),
  actor_id: orNull.text("the holder of the credential", { erasable: "actor" }),
  actor_kind: orNull.text<ActorKind>(ACTOR_KINDS),
  initiator_id: orNull.text("the principal that the request is attributed to", { erasable: "initiator" }),
  created_at: CREATED_AT,
  worker_version: CALL.worker_version,
  identity_source: orNull.text("the identity source that named the actor"),
  actor_verified: flag(
    "whether an identity source verified the actor; if not, the actor is unknown or the fingerprint of a provider key",
  ),
  api_key_id: orNull.text(
    "id of the presented credential, accepted or not: the first 16 hex digits of its SHA-256; null where none was read",
    { erasable: "actor" },
  ),
  initiator_source: orNull.text("the source of the initiator's id"),
  ...NETWORK,
  object_ids: texts(
    "the provider's ids of the stored objects that the path names, as of a passthrough: those that the caller did not get",
    { erasable: "technical" },
  ),
} as const satisfies Fields;

const REFUSAL_COUNT = {
  interception_id: text("an id of its own, UUIDv7", { column: null, api: false }),
  minute: time("the start of the UTC minute in which the gateway refused the requests"),
  reason: REFUSAL.reason,
  provider: orNull.text(
    "the configured provider's name; null where none is known, and beyond the first 64 pairs of reason and provider of an isolate within 10 s",
  ),
  refusals: count("refusals without a verified actor, those with a row of their own among them"),
  created_at: CREATED_AT,
} as const satisfies Fields;

const USAGE_OF =
  "what the tokens are the usage of: the provider's name and the id of a response or a batch, for one result of a batch also its custom id";

/** Each only where the result has it. */
export type PriceTerms = {
  readonly service_tier?: string;
  readonly speed?: string;
  readonly inference_geo?: string;
  readonly reported_cost?: string;
  readonly batch?: true;
  readonly web_searches?: number;
  readonly file_searches?: number;
  readonly more?: true;
};

const RETRIEVED_USAGE = {
  interception_id: text("an id of its own, UUIDv7", { api: false }),
  retrieval_id: text("id of the request that read it", { api: false }),
  initiator_id: text("the principal of that request, who need not be the creator", {
    api: false,
    erasable: "initiator",
  }),
  provider: text("the configured provider's name", { api: false }),
  usage_of: text(USAGE_OF, { api: false, erasable: "content" }),
  msg_id: text("the provider's id of the response or the batch", {
    column: "provider_response_id",
    api: false,
    erasable: "technical",
  }),
  response_model: orNull.text("the model that the result names", { api: false, erasable: "technical" }),
  ...TOKENS,
  usage: USAGE_STATE,
  metadata: TOKEN_USAGE.metadata,
  raw_usage: TOKEN_USAGE.raw_usage,
  ...COST,
  created_at: CREATED_AT,
  price_terms: orNull.object<PriceTerms>(
    "further facts that the price depends on: `service_tier`, `speed`, `inference_geo`, `reported_cost`, `batch`, `web_searches`, `file_searches`, and `more` if the figures do not cover all costs of the result. Each is present only if the result has it. null in records of earlier gateway versions",
    { api: false },
  ),
} as const satisfies Fields;

const BATCH_FILE = {
  interception_id: RETRIEVED_USAGE.interception_id,
  retrieval_id: RETRIEVED_USAGE.retrieval_id,
  initiator_id: RETRIEVED_USAGE.initiator_id,
  provider: RETRIEVED_USAGE.provider,
  msg_id: text("the provider's id of the batch", {
    column: "provider_response_id",
    api: false,
    erasable: "technical",
  }),
  file_id: text("the provider's id of the file with the batch's results", {
    api: false,
    erasable: "technical",
  }),
  created_at: CREATED_AT,
} as const satisfies Fields;

/** A passthrough's call: the same on its start and its end, so that either can be read alone. */
const PASSTHROUGH_CALL = {
  method: text("the request's method", { erasable: "technical" }),
  provider: CALL.provider,
  provider_type: CALL.provider_type,
  route: CALL.route,
  started_at: CALL.started_at,
  worker_version: CALL.worker_version,
} as const satisfies Fields;

const PASSTHROUGH_START = {
  ...CALLER,
  ...PASSTHROUGH_CALL,
  metadata: INTERCEPTION_START.metadata,
  initiator_name: INTERCEPTION_START.initiator_name,
  config_version: CONFIG_VERSION,
  ...NETWORK,
} as const satisfies Fields;

const PASSTHROUGH = {
  ...CALLER,
  ...PASSTHROUGH_CALL,
  outcome: text<PassthroughOutcome>(PASSTHROUGH_OUTCOMES, { interceptions: "blob15" }),
  status: count("HTTP status that the client got; 499 where it disconnected before", {
    interceptions: "double1",
  }),
  error: orNull.text(
    "the code of the refusal, or which network in front of the provider responded (`upstream_challenged`, `upstream_html`, `edge_520` … `edge_530`)",
    { interceptions: "blob18" },
  ),
  duration_ms: count("from the request's arrival to the response's headers, or to the refusal", {
    interceptions: "double2",
  }),
  usage_of: orNull.text(`${USAGE_OF}. Rows with the same one are the same tokens`, {
    interceptions: "blob19",
    erasable: "content",
  }),
  result_count: count("results with usage that the response had"),
  input_tokens: { ...TOKENS.input_tokens, column: null },
  output_tokens: { ...TOKENS.output_tokens, column: null },
  cache_read_input_tokens: { ...TOKENS.cache_read_input_tokens, column: null },
  cache_write_input_tokens: { ...TOKENS.cache_write_input_tokens, column: null },
  created_at: { ...CREATED_AT, column: "ended_at" },
  ...PROVIDER_HEADERS,
  own_key_rejected: INTERCEPTION_END.own_key_rejected,
  object_ids: texts(
    "the provider's ids of the stored objects (files, batches, responses, conversations, models) that the path names; with `objects.owners`, also of those that the body names and the response creates. At most 16, each of at most 256 characters",
    { erasable: "technical" },
  ),
  request_sha256: orNull.text(
    "SHA-256 of the request's body, decoded, where the gateway checked it before it was forwarded, as for `models` and `objects.owners`; null where it passed unread",
    { erasable: "content" },
  ),
} as const satisfies Fields;

const LEDGER_ACCESS = {
  interception_id: text("an id of its own, UUIDv7; for a read, the `x-interception-id` of its response"),
  action: text<LedgerAction>(LEDGER_ACTIONS),
  by: text(
    "who did it: `token:` and the first 16 hex digits of the admin token's SHA-256, `console:` and the name of the token or person who signed in to the console, `console` for a caller of the console's sign-in who is not known, `cron`, or `tool` for a tool that wrote into the database",
    { erasable: "admin", sealedSince: 3 },
  ),
  target: text(
    "the endpoint that was read, the table that lost rows, or the principal or session that is held or exported",
    { erasable: "content" },
  ),
  parameters: object<Readonly<Record<string, string>>>(
    "the query's parameters, or what else the action was given",
    { erasable: "content" },
  ),
  rows: count("rows in the response, rows that were deleted or changed, or events that were exported"),
  before: orNull.text(
    "for a deletion: rows that began before this time were deleted; for an erasure: rows that were stored before it were changed. RFC 3339",
  ),
  cause: orNull.text(
    "why: `age` or `size` for a deletion, the operator's own words for a hold or an export",
    { erasable: "content" },
  ),
  created_at: CREATED_AT,
} as const satisfies Fields;

/** The same for all events of budgets and rate limits, so that one table has them. */
const BUDGET = {
  interception_id: text("the request with which it became known; of a change, an id of its own"),
  position: count("zero-based index among the request's events of the type", { api: false }),
  rule: text("the rule: `budget:` or `rate:` and its name, of a rate limit also what is limited"),
  subject_kind: text<BudgetSubject>(BUDGET_SUBJECTS),
  subject_source: orNull.text("the source of a principal's id"),
  subject_id: orNull.text("whose account it is; null for the calls without such an id", {
    erasable: "initiator",
    sealedSince: 2,
  }),
  initiator_id: orNull.text("the principal that the request is attributed to", {
    erasable: "initiator",
    sealedSince: 2,
  }),
  actor_id: orNull.text("the holder of the request's credential", { erasable: "actor", sealedSince: 2 }),
  measure: text<BudgetMeasure>(BUDGET_MEASURES),
  percent: orNull.count("of a threshold: the percentage of the limit that the spending has reached"),
  amount: orNull.count(
    "of a refusal: what the request might have used; of an overrun: what it used; of a change: the new limit, or the top-up",
  ),
  spent: orNull.count("what the account has spent in the period"),
  reserved: orNull.count("what its open calls reserve"),
  allowance: orNull.count("its limit, with top-ups"),
  resets_at: orNull.text("when the period ends, or a part of the window. RFC 3339"),
  change: orNull.text<BudgetChange>(BUDGET_CHANGES),
  changed_by: orNull.text(
    "of a change: `token:` and the first 16 hex digits of the admin token's SHA-256, or `console:` and the name of the token or person who signed in to the console",
    { erasable: "admin", sealedSince: 3 },
  ),
  charges: orNull.object("of charges that their object did not take: the object, and the charges", {
    api: false,
  }),
  created_at: CREATED_AT,
} as const satisfies Fields;

const COST_CORRECTION = {
  interception_id: text("id of the call whose cost is corrected; for retrieved usage, the id of that event"),
  position: count("zero-based index among the corrections of the same cost; the last correction counts"),
  corrects: text<CorrectedRecord>(CORRECTED_RECORDS),
  ...COST,
  former_cost_micros: orNull.count(
    "the cost that the correction replaces: the recorded cost, or the cost of the previous correction",
  ),
  former_cost_source: text<CostSource>("the `cost_source` of the replaced cost"),
  former_price_version: orNull.text("the `price_version` of the replaced cost"),
  difference_micros: integer("the new cost minus the former cost; an unknown cost counts as 0"),
  cause: text("the operator's reason; it should not name a person", {
    erasable: "technical",
    sealedSince: 3,
  }),
  corrected_by: text(
    "`token:` and the first 16 hex digits of the admin token's SHA-256, or `console:` and the name of the token or person who signed in to the console",
    { erasable: "admin", sealedSince: 3 },
  ),
  created_at: CREATED_AT,
} as const satisfies Fields;

const UPSTREAM_ATTEMPT = {
  interception_id: text("id of the interception, or of the passthrough"),
  position: count("zero-based index among the attempts of the request"),
  provider: text("the configured provider: that of the request, or a fallback of it"),
  sent_model: orNull.text(
    "the id of the model that was sent, from `model_ids`; null where it is the one that the client requested",
  ),
  key_hint: orNull.text(
    "the first and last characters of the central key; null where the client's own key was used, or the key is short",
  ),
  reason: text<AttemptReason>(ATTEMPT_REASONS),
  status: orNull.count("the HTTP status of its response; null where there was none"),
  waited_ms: count("milliseconds that the gateway waited before it"),
  duration_ms: count(
    "milliseconds until its response's headers arrived and, of an error, its body; or until it failed",
  ),
  cost_micros: orNull.count(
    "0 where it failed and cost nothing: it ran nothing, or the provider returned an error other than 524, or there was no connection within a second. null where a failed attempt may have cost something, and for an attempt that did not fail: its cost is that of the interception",
  ),
  started_at: time("when it was sent. RFC 3339"),
  created_at: CREATED_AT,
  ai_gateway_log_id: orNull.text(
    "the id of its entry in the logs of Cloudflare AI Gateway (`cf-aig-log-id`), truncated at 64 characters; null from another upstream",
  ),
  ai_gateway_cache: orNull.text(
    "with AI Gateway: `HIT` where its cache had the response, which then cost nothing; else `MISS` or null",
  ),
} as const satisfies Fields;

/** The ledger's tables. */
export type LedgerTable =
  | "interceptions"
  | "token_usages"
  | "user_prompts"
  | "tool_usages"
  | "model_thoughts"
  | "retrieved_usages"
  | "batch_files"
  | "passthroughs"
  | "initiator_overrides"
  | "refusals"
  | "refusal_counts"
  | "ledger_accesses"
  | "budget_events"
  | "cost_corrections"
  | "upstream_attempts";

export type RecordDefinition = {
  /** The bits of the record type in the event's id (event-id.ts): never changed, never reused. */
  readonly code: number;
  /** When it is recorded. */
  readonly when: string;
  /** The ledger's table for it. */
  readonly table: LedgerTable;
  /** The Analytics Engine data set that gets a row for it. */
  readonly dataset: "interceptions" | "overrides" | null;
  readonly fields: Fields;
  /** Fields that only the ledger's form of the event has, not its log line. */
  readonly ledgerFields?: Fields;
};

/** Every record type. Its fields are beside `record_type`, which each event has. */
export const RECORDS = {
  interception_start: {
    code: 0,
    when: "before policies decide on an intercepted request and it is forwarded",
    table: "interceptions",
    dataset: null,
    fields: INTERCEPTION_START,
  },
  interception_end: {
    code: 1,
    when: "once for every start, however it ended; can be read alone",
    table: "interceptions",
    dataset: "interceptions",
    fields: INTERCEPTION_END,
    ledgerFields: LEDGER_END,
  },
  token_usage: {
    code: 2,
    when: "with an end whose response reported usage; the ledger has it as part of that end",
    table: "token_usages",
    dataset: null,
    fields: TOKEN_USAGE,
  },
  prompt_usage: {
    code: 3,
    when: "with a start, where prompts are recorded and the request adds user text",
    table: "user_prompts",
    dataset: null,
    fields: PROMPT_USAGE,
  },
  tool_usage: {
    code: 4,
    when: "with an end, for each tool that the model called or the provider ran",
    table: "tool_usages",
    dataset: null,
    fields: TOOL_USAGE,
  },
  model_thought: {
    code: 5,
    when: "with an end, for each thought, where thoughts are recorded",
    table: "model_thoughts",
    dataset: null,
    fields: MODEL_THOUGHT,
  },
  initiator_override: {
    code: 6,
    when: "an owner header was accepted",
    table: "initiator_overrides",
    dataset: "overrides",
    fields: INITIATOR_OVERRIDE,
  },
  initiator_override_rejected: {
    code: 7,
    when: "an owner header was not accepted",
    table: "initiator_overrides",
    dataset: "overrides",
    fields: INITIATOR_OVERRIDE_REJECTED,
  },
  refusal: {
    code: 8,
    when: "the gateway responded instead of the provider",
    table: "refusals",
    dataset: null,
    fields: REFUSAL,
  },
  passthrough: {
    code: 9,
    when: "once for every `passthrough_start`, when the provider's headers have arrived, or however else it ended; can be read alone",
    table: "passthroughs",
    dataset: "interceptions",
    fields: PASSTHROUGH,
  },
  retrieved_usage: {
    code: 10,
    when: "with a passthrough that reads results of an earlier call, for each result with usage",
    table: "retrieved_usages",
    dataset: null,
    fields: RETRIEVED_USAGE,
  },
  batch_file: {
    code: 11,
    when: "with a passthrough that reads batches, for each one that names the file with its results",
    table: "batch_files",
    dataset: null,
    fields: BATCH_FILE,
  },
  passthrough_start: {
    code: 12,
    when: "before policies decide on a request that is not intercepted, and it is forwarded without being parsed",
    table: "passthroughs",
    dataset: null,
    fields: PASSTHROUGH_START,
  },
  refusal_count: {
    code: 13,
    when: "up to 10 s after refusals without a verified actor, for each minute, reason and provider; no log line, because each refusal has one",
    table: "refusal_counts",
    dataset: null,
    fields: REFUSAL_COUNT,
  },
  ledger_access: {
    code: 14,
    when: "the API returned records, or records were deleted, held, erased or exported",
    table: "ledger_accesses",
    dataset: null,
    fields: LEDGER_ACCESS,
  },
  budget_threshold: {
    code: 15,
    when: "an account reached a percentage of its limit, once in a period",
    table: "budget_events",
    dataset: null,
    fields: BUDGET,
  },
  budget_exceeded: {
    code: 16,
    when: "a budget refused a request, the first time in a period; every refusal has its own event",
    table: "budget_events",
    dataset: null,
    fields: BUDGET,
  },
  budget_overrun: {
    code: 17,
    when: "a call cost more than was reserved for it",
    table: "budget_events",
    dataset: null,
    fields: BUDGET,
  },
  rate_limited: {
    code: 18,
    when: "a rate limit refused a request, at most once a minute for each account and isolate; every refusal has its own event",
    table: "budget_events",
    dataset: null,
    fields: BUDGET,
  },
  budget_change: {
    code: 19,
    when: "an administrator changed a limit, or added a top-up",
    table: "budget_events",
    dataset: null,
    fields: BUDGET,
  },
  budget_charge: {
    code: 20,
    when: "a budget object did not take charges; the records Worker delivers them",
    table: "budget_events",
    dataset: null,
    fields: BUDGET,
  },
  cost_correction: {
    code: 21,
    when: "`npm run reprice` computed a cost of a call, or of retrieved usage, that differs from the cost in the ledger",
    table: "cost_corrections",
    dataset: null,
    fields: COST_CORRECTION,
  },
  upstream_attempt: {
    code: 22,
    when: "for each attempt of a request that was sent more than once, with another model id than the client's, or to Cloudflare AI Gateway, or that an open circuit or a cap refused",
    table: "upstream_attempts",
    dataset: null,
    fields: UPSTREAM_ATTEMPT,
  },
} as const satisfies Readonly<Record<string, RecordDefinition>>;

export type RecordType = keyof typeof RECORDS;

export type EventOf<Type extends RecordType> = { readonly record_type: Type } & ValuesOf<
  (typeof RECORDS)[Type]["fields"]
>;

/** The values of `LEDGER_END`. */
export type LedgerEndValues = ValuesOf<typeof LEDGER_END>;

/** The fields of the caller, of the call, and of the ids that Coder's headers carry. */
export type CallerValues = ValuesOf<typeof CALLER>;
export type CallValues = ValuesOf<typeof CALL>;
export type CoderIds = Pick<
  CallerValues,
  "chat_id" | "subchat_id" | "workspace_id" | "delegated_key_id" | "delegated_source" | "claimed_ids"
>;
