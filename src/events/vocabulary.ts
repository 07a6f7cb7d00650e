/**
 * The closed sets of words that events, the ledger and the API use, each word with its meaning. A new word is one line
 * here; the types follow.
 */

import type { CostSource } from "../shared/prices/pricing.ts";

/** Strength of the evidence for the initiator, strongest first. */
export const ATTRIBUTIONS = {
  authenticated: "the actor itself, verified by an identity source",
  signed:
    "an owner header with a verified signature, or the subject of a verified token with an `act` claim, from an actor that may assert",
  asserted: "an owner header from a verified actor that may assert, unsigned",
  unverified: "the actor itself, known only by the fingerprint of its own provider key",
  claimed: "an owner header from an actor that may assert and is known only by such a fingerprint, unsigned",
} as const;
export type Attribution = keyof typeof ATTRIBUTIONS;

/** The attributions of an accepted owner. The others are the actor's own. */
export const OWNER_ATTRIBUTIONS: ReadonlySet<string> = new Set<Attribution>([
  "signed",
  "asserted",
  "claimed",
]);
/** The source of owners' ids before `OWNER_ASSERTION.source` could name one. */
export const EARLIER_OWNER_SOURCE = "coder";

/** The reason under which failed calls with a key that is not known to work are counted beside the refusals. */
export const UNCONFIRMED_KEY = "own_key_unconfirmed";

export const BUDGET_SUBJECTS = {
  principal: "an initiator or an actor: one account, whether the person calls or is called for",
  client: "the calling software",
  workspace: "a Coder workspace",
  key: "a credential",
  all: "all calls that the rule is about",
} as const;
export type BudgetSubject = keyof typeof BUDGET_SUBJECTS;

export const BUDGET_MEASURES = {
  dollars: "whole micro-dollars",
  tokens: "tokens of input and output, cached ones included",
  requests: "requests",
  concurrent: "calls at one time",
} as const;
export type BudgetMeasure = keyof typeof BUDGET_MEASURES;

export const BUDGET_CHANGES = {
  override: "a limit of the account's own, until it is changed again",
  no_override: "the rule's limit applies again",
  top_up: "an amount beside the limit, for the current period",
} as const;
export type BudgetChange = keyof typeof BUDGET_CHANGES;

export const ACTOR_KINDS = {
  user: "a person",
  service: "a service account or a gateway",
  unknown: "only a fingerprint of the provider key is known",
} as const;
export type ActorKind = keyof typeof ACTOR_KINDS;

/** The kinds of software that a known client can be. */
export const CLIENT_KINDS = {
  agent: "a coding agent, which works on its own with tools",
  app: "an application that a person works in, such as a chat or an editor",
  library: "an SDK: the program that uses it is not known",
} as const;
export type ClientKind = keyof typeof CLIENT_KINDS;

/** How an interception ended. */
export const OUTCOMES = {
  completed:
    "the response reached its end: its terminal event, a complete JSON body or, where its content is not read, its last byte",
  cancelled:
    "the client disconnected before the connection was over; how much of the response it got is not known",
  truncated: "the provider's bytes ended, or the connection broke, before the response's end",
  stalled: "the provider sent nothing for `idle_ms`",
  upstream_error:
    "no connection, no headers in time, an error status, an error event inside a 200, an HTML page instead of an API response, or a response that the gateway withheld",
  refused: "the gateway responded instead of the provider",
  queued: "the provider accepted the work and does it later: a background response",
} as const;
export type Outcome = keyof typeof OUTCOMES;

export const USAGE_STATES = {
  final: "the provider's own closing figures, input and output among them, every one a valid count",
  partial: "the figures seen before the end, or those of the closing figures that were valid counts",
  unknown: "no figure was seen",
} as const;
export type UsageState = keyof typeof USAGE_STATES;

export const COST_SOURCES = {
  computed: "from the usage, by `PRICES` or the price table",
  reported: "stated by the provider",
  partial:
    "computed from the known figures: the usage is not final, or something else was used whose price is not known",
  unpriced: "not known: the model, its tier or its usage has no price. The cost is null",
} as const satisfies Readonly<Record<CostSource, string>>;

/** The records whose cost a correction can replace. */
export const CORRECTED_RECORDS = {
  interception_end: "the cost of an interception",
  retrieved_usage: "the cost of usage that was retrieved later",
} as const;
export type CorrectedRecord = keyof typeof CORRECTED_RECORDS;

/** The option by which a stream reports its usage, for an API that reports it only on request. */
export const USAGE_OPT_INS = {
  client: "the client set the option itself",
  added: "the gateway added it, and removed the event that only reports usage",
  rejected: "the gateway added it, the provider rejected it, and the request was sent once more without it",
  skipped:
    "the gateway did not add it: `inject_usage = false`, or the provider rejected it within the last hour",
} as const;
export type UsageOptIn = keyof typeof USAGE_OPT_INS;

/** Where in a response a thought stands. */
export const THOUGHT_SOURCES = {
  thinking: "a `thinking` block of the Messages API",
  reasoning_summary: "a summary of a reasoning item of the Responses API",
  commentary: "an assistant message of the Responses API with `phase: commentary`",
} as const;
export type ThoughtSource = keyof typeof THOUGHT_SOURCES;

/** How a passthrough ended. Its response is not read, so it ends when the provider's headers arrive. */
export const PASSTHROUGH_OUTCOMES = {
  completed: "the provider responded, with a status below 400",
  cancelled: "the client disconnected before the provider responded",
  upstream_error:
    "no connection, no headers in time, an error status, or a response that the gateway withheld or cut",
  refused: "the gateway responded, and the provider did not get the complete request",
} as const;
export type PassthroughOutcome = keyof typeof PASSTHROUGH_OUTCOMES;

/** How much of a response was observed. */
export const OBSERVATIONS = {
  complete: "the response was observed to its end",
  truncated:
    "a JSON body was too large to be held (`observe_bytes`, the isolate's bound): only its start and its last 64 KiB were read",
} as const;
export type ObservationExtent = keyof typeof OBSERVATIONS;

/**
 * Errors of a network in front of the provider that responded in its place. 520 to 526 and 530 are Cloudflare's own
 * statuses; a fetch of a Worker can also get them from Cloudflare's egress, without a Cloudflare zone at the provider.
 * https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
 */
export const EDGE_ERRORS = {
  upstream_challenged:
    "bot protection, a firewall or a rate limit in front of the provider: Cloudflare's challenge or block page, or another HTML page with status 403",
  upstream_html: "any other HTML page, which no AI API sends",
  edge_520: "Cloudflare: the provider's server sent an empty or invalid response",
  edge_521: "Cloudflare: the provider's server refused the connection",
  edge_522: "Cloudflare: the connection to the provider's server timed out",
  edge_523: "Cloudflare: the provider's server could not be reached",
  edge_524: "Cloudflare: the provider's server sent no response in time",
  edge_525: "Cloudflare: the TLS handshake with the provider's server failed",
  edge_526: "Cloudflare: the certificate of the provider's server is invalid",
  edge_530: "Cloudflare: the provider's host name could not be resolved, or another error of the 1xxx series",
} as const;
export type EdgeError = keyof typeof EDGE_ERRORS;

/** How one attempt of a request ended. */
export const ATTEMPT_REASONS = {
  used: "its response is the response of the request",
  key_rejected:
    "the provider rejected the central key (401, or 403), or no access token could be fetched; nothing was run",
  rate_limited: "status 429; nothing was run",
  unavailable: "status 503, or 529 (overloaded); nothing was run",
  unreachable: "Cloudflare could not connect to the provider's server (521, 523, 525, 526); nothing was run",
  server_error: "status 500, 502, 504 or 524; the request may have been run",
  connection_lost: "the connection failed, or status 520 or 522; the request may have been run",
  circuit_open: "it was not sent: the provider's circuit for the route and model was open",
  busy: "it was not sent: the provider had as many open calls as the configuration permits",
  timed_out: "no headers arrived in time; the request may have been run",
  other: "the request ended with this attempt, and without a response of the provider that was passed on",
} as const;
export type AttemptReason = keyof typeof ATTEMPT_REASONS;

/** The actions on the ledger's records that are events themselves. */
export const LEDGER_ACTIONS = {
  read: "the API returned records without recorded content",
  read_content:
    "the API returned records with their recorded content: prompts, thoughts, inputs and errors of tools",
  purge: "the cron deleted rows",
  hold: "a legal hold began",
  release: "a legal hold ended",
  erase: "a person's data was erased",
  export: "a person's events were exported as evidence",
  sign_in: "a session of the console began",
  sign_in_failed: "an attempt to sign in to the console failed; at most 60 a minute are recorded",
  sign_out: "a session of the console was ended by its holder",
} as const;
export type LedgerAction = keyof typeof LEDGER_ACTIONS;

/** Which provider key went upstream. */
export const CREDENTIAL_KINDS = {
  centralized: "a central key of the gateway",
  byok: "the client's own key",
} as const;
export type CredentialKind = keyof typeof CREDENTIAL_KINDS;

/** Why an owner header was not accepted. */
export const OWNER_REJECTIONS = {
  client: "the client is not Coder Agents",
  not_permitted: "the actor may not assert owners, nor act for others by a token",
  multiple: "more than one value",
  form: "not 8-4-4-4-12 hexadecimal digits",
  version: "a UUID, but not version 4",
  variant: "version 4, but not the variant of RFC 9562",
  signature_required: "unsigned, where only signed owners are accepted",
  signature_malformed: "not exactly one signature, or another form than docs/signing.md has",
  signature_uncovered: "an HTTP message signature that does not cover a required part of the request",
  signature_expired: "signed more than 300 s ago, too far ahead, or past its `expires`",
  signature_invalid: "signed with another or an unknown key, or for another request",
  directory_unknown: "not a user of the directory",
  directory_inactive: "a user of the directory who is not active",
  directory_down: "the directory could not be queried",
  replayed: "this signature has been used before",
  replay_unavailable: "the replay cache could not be queried",
  token_differs: "the verified token with an `act` claim names another subject, which decides",
} as const;
export type OwnerRejection = keyof typeof OWNER_REJECTIONS;

/** The rule that permitted an owner assertion, or denied it. */
export const ASSERTION_RULES = {
  any: '`allow = "any"`',
  service: '`allow = "service"`: verified services',
  listed: '`allow = "listed"`: the actors of the list',
  credential: "the credential itself permits or denies it",
  delegation: "the actor is a gateway that presented a delegation key",
  off: '`allow = "off"`',
} as const;
export type AssertionRule = keyof typeof ASSERTION_RULES;

export const SIGNATURE_RESULTS = {
  off: "signatures are not checked",
  absent: "the owner was not signed",
  valid: "the signature was verified",
  token: "a verified token with an `act` claim named the owner",
} as const;
export type SignatureResult = keyof typeof SIGNATURE_RESULTS | OwnerRejection;

export const DIRECTORY_RESULTS = {
  off: "no directory is configured",
  active: "an active user",
  unknown: "not a user",
  inactive: "a user who is not active",
  down: "the directory could not be queried",
} as const;
export type DirectoryResult = keyof typeof DIRECTORY_RESULTS;

/** Anomalies that one request shows by itself. */
export const FLAGS = {
  owner_rejected: "an owner header was sent and not accepted",
  coder_agents_without_headers:
    "the client reports itself as Coder Agents, without an owner and without a chat",
  owner_without_chat:
    "an owner was accepted without the id of a chat, which Coder Agents sends in every call",
} as const;
export type Flag = keyof typeof FLAGS;

/** A candidate for the initiator. An owner that was not accepted has no id here: its value is recorded nowhere. */
export type Candidate = {
  readonly who: "owner" | "actor";
  readonly id: string | null;
  readonly rejection_reason: OwnerRejection | "overridden" | null;
};

/** A closed set of words, each with its meaning. */
export type Words = Readonly<Record<string, string>>;

/** The words of a set with their meanings, for documentation: `word`: meaning · … */
export function meanings(words: Words): string {
  return Object.entries(words)
    .map(([word, meaning]) => `\`${word}\`: ${meaning}`)
    .join(" · ");
}

/** The words of a set, typed. */
export function wordsOf<Word extends string>(words: Readonly<Record<Word, string>>): readonly Word[] {
  return Object.keys(words) as Word[];
}
