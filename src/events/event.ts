/**
 * Every event the interceptor can record. Names and fields of `interception_start`, `interception_end`, `token_usage`,
 * `prompt_usage`, `tool_usage` and `model_thought` are those of Coder's interception log; fields may be added, none
 * renamed.
 *
 * Units: times are RFC 3339 strings in UTC, durations whole milliseconds, sizes bytes. What is not known is `null`.
 * Content (a prompt, a tool's input, a thought, an error's message) is recorded only where `RECORDING` says so, after
 * redaction, and cut at `MAX_CONTENT` characters.
 */
import type { Flag } from "../gateway/initiator/flags.ts";
import type { Attribution, Trace } from "../gateway/initiator/decision.ts";
import type { Outcome, UsageState } from "../gateway/observation/outcome.ts";
import type { RefusalCode } from "../shared/refusal.ts";
import type { OwnerRejection } from "../gateway/initiator/owner-header.ts";
import type { ActorKind } from "../gateway/identity/identity.ts";

/** Who called and on whose account: on every event that has an actor, always both, always how far to believe it. */
export type ActorFields = {
  readonly actor_id: string;
  readonly actor_kind: ActorKind;
  readonly initiator_id: string;
  readonly attribution: Attribution;
  readonly identity_source: string;
};

/** What the calling software said of itself. Hints, never proof. */
export type ClientFields = {
  readonly client: string;
  readonly user_agent: string | null;
  readonly client_session_id: string | null;
};

/** Coder's ids of the conversation; `null` where absent or malformed. */
export type CoderFields = {
  readonly chat_id: string | null;
  readonly subchat_id: string | null;
  readonly workspace_id: string | null;
  /** Told by a gateway that delegates: the API key of the user behind it, and what that user is using. */
  readonly delegated_key_id: string | null;
  readonly delegated_source: string | null;
};

type Base<T extends string> = { readonly record_type: T; readonly interception_id: string };

/** What was asked of whom: the same on an interception's start and end, so that either can be read alone. */
export type CallFields = {
  readonly provider: string;
  readonly provider_type: string;
  readonly route: string;
  /** As written by the client, cut at 256 characters. */
  readonly model: string | null;
  readonly streaming: boolean;
  /** Whose provider key went upstream, and the few characters at its ends by which its owner knows it. */
  readonly credential_kind: "centralized" | "byok";
  readonly credential_hint: string | null;
  readonly started_at: string;
};

/** Token counts: `null` where the provider gave none. */
export type TokenFields = {
  /** Cache excluded. */
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly cache_read_input_tokens: number | null;
  readonly cache_write_input_tokens: number | null;
};

export type InterceptionStart = Base<"interception_start"> &
  ActorFields &
  ClientFields &
  CoderFields &
  CallFields & {
    /** The id of the credential, never the credential: the first 16 hex digits of its SHA-256. */
    readonly api_key_id: string;
    /** What is known of the actor (its name, say); never of the owner named in a header. */
    readonly metadata: Readonly<Record<string, string>>;
    /** The owner's user name, where an owner counted and the directory told it; never the actor's. */
    readonly initiator_name: string | null;
    /** What is odd about the request, seen in it alone. */
    readonly flags: readonly Flag[];
    /** The tool call whose result this request brings back. */
    readonly correlating_tool_call_id: string | null;
    /** Always null here: who asked for that tool is known only to the ledger, which fills both in. */
    readonly thread_parent_id: null;
    readonly thread_root_id: null;
    /** What the user wrote in this request: 1, or 0 where the last message is not the user's. */
    readonly prompt_count: number;
  };

export type InterceptionEnd = Base<"interception_end"> &
  ActorFields &
  ClientFields &
  CoderFields &
  CallFields &
  TokenFields & {
    readonly ended_at: string;
    readonly outcome: Outcome;
    /** The status the client got; `null` when it left before there was one. */
    readonly status: number | null;
    /** From the request's arrival to the answer's first body byte. */
    readonly first_byte_ms: number | null;
    readonly duration_ms: number;
    /** Bytes of the answer's body seen from the provider. A lower bound once `observation` is `truncated`. */
    readonly response_bytes: number;
    readonly usage: UsageState;
    /** A figure was no count and was not taken. */
    readonly usage_invalid: boolean;
    /** `truncated`: the answer outgrew what is read beside the client's stream; its end was not seen. */
    readonly observation: "complete" | "truncated";
    /** The provider's id of the answer, and the model it says answered. */
    readonly msg_id: string | null;
    readonly response_model: string | null;
    /** Why the model stopped, in the dialect's word. */
    readonly finish_reason: string | null;
    /** Why it ended as it did, where that is more than the outcome says: a refusal's reason or a provider's error type. */
    readonly error: string | null;
    /** The provider's words about it. */
    readonly error_message: string | null;
    readonly tool_call_count: number;
    readonly thought_count: number;
  };

export type TokenUsage = Base<"token_usage"> &
  TokenFields & {
    readonly initiator_id: string;
    readonly msg_id: string | null;
    readonly usage: UsageState;
    readonly created_at: string;
    /** Named extras of the dialect, such as `completion_reasoning`. */
    readonly metadata: Readonly<Record<string, number>>;
  };

/** What the user wrote; recorded with the start, so that it is known whatever becomes of the answer. */
export type PromptUsage = Base<"prompt_usage"> & {
  readonly initiator_id: string;
  readonly msg_id: null;
  readonly prompt: string;
  /** It was longer than is recorded. */
  readonly truncated: boolean;
  readonly created_at: string;
  readonly metadata: Readonly<Record<string, never>>;
};

/** A tool that the model asked for, or that the provider ran; the name always, the rest where it is known or wanted. */
export type ToolUsage = Base<"tool_usage"> & {
  readonly initiator_id: string;
  readonly msg_id: string | null;
  readonly tool_call_id: string | null;
  readonly tool: string;
  readonly input: string | null;
  readonly truncated: boolean;
  /** Coder's names for what it does with MCP servers itself; here the tools are the client's or the provider's. */
  readonly server_url: null;
  readonly injected: false;
  readonly invocation_error: string | null;
  /** From 0: the how-manieth of its answer. */
  readonly position: number;
  readonly created_at: string;
  readonly metadata: { readonly kind: string };
};

export type ModelThought = Base<"model_thought"> & {
  readonly initiator_id: string;
  readonly msg_id: string | null;
  readonly content: string;
  readonly truncated: boolean;
  readonly position: number;
  readonly created_at: string;
  readonly metadata: Readonly<Record<string, never>>;
};

/** How it was decided: which rule spoke, what the signature and the directory said, who lost and why. */
export type InitiatorOverride = Base<"initiator_override"> &
  ActorFields &
  ClientFields &
  CoderFields &
  Trace & {
    readonly owner_id: string;
    /** As the directory tells it; `null` where none is asked, or it does not answer. */
    readonly owner_username: string | null;
    readonly provider: string;
    readonly created_at: string;
  };

export type InitiatorOverrideRejected = Base<"initiator_override_rejected"> &
  ActorFields &
  ClientFields &
  CoderFields &
  Trace & {
    readonly reason: OwnerRejection;
    /** The refused value itself is recorded nowhere: its length in characters and 16 hex digits of its SHA-256. */
    readonly value_length: number;
    readonly value_sha256: string;
    readonly provider: string;
    readonly created_at: string;
  };

export type RefusalEvent = Base<"refusal"> & {
  readonly reason: RefusalCode;
  readonly status: number;
  /** For the operator; never sent to the client. */
  readonly detail: string | null;
  readonly method: string;
  readonly provider: string | null;
  readonly route: string | null;
  readonly client: string | null;
  readonly actor_id: string | null;
  readonly initiator_id: string | null;
  readonly created_at: string;
};

export type PassthroughEvent = Base<"passthrough"> &
  ActorFields &
  ClientFields &
  CoderFields & {
    readonly method: string;
    readonly provider: string;
    readonly provider_type: string;
    readonly route: string;
    readonly status: number;
    readonly duration_ms: number;
    readonly created_at: string;
  };

export type InterceptorEvent =
  | InterceptionStart
  | InterceptionEnd
  | TokenUsage
  | PromptUsage
  | ToolUsage
  | ModelThought
  | InitiatorOverride
  | InitiatorOverrideRejected
  | RefusalEvent
  | PassthroughEvent;
