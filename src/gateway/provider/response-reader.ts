/**
 * The contract between a dialect's readers and the observation of a response. A report always has names and counts; it
 * has content (a tool's input, a thought, an error's message) only if `ContentOptions` keeps it.
 */
import type { ThoughtSource } from "../../events/vocabulary.ts";
import type { Usage } from "./usage.ts";

/** The content that a reader keeps. A reader never stores content that is switched off, not even temporarily. */
export type ContentOptions = {
  readonly toolInputs: boolean;
  readonly thoughts: boolean;
  readonly errorMessages: boolean;
};

/** A tool call: one for the client to run, or one that the provider ran. */
export type ToolCall = {
  /** The provider's id of the call, which its result refers to; null if it has none. */
  readonly id: string | null;
  /** The tool's name; for a hosted tool without a name, the kind. */
  readonly name: string;
  /** The item's type in the dialect: `function`, `tool_use`, `web_search_call`, … */
  readonly kind: string;
  /** The namespace of the tool's name; null if it has none. */
  readonly namespace: string | null;
  /**
   * The call's input as the model wrote it: JSON or raw text. It is partial if the response was cut off. null if it is
   * not kept, is absent, or did not fit beside the response's other texts.
   */
  readonly input: string | null;
  /** The error of a tool that the provider ran; null if it succeeded or errors are not kept. */
  readonly error: string | null;
};

export type Thought = { readonly text: string; readonly source: ThoughtSource };

export type ResponseReport = {
  /** The provider's id of the response. */
  readonly id: string | null;
  /** The model that the response names. */
  readonly model: string | null;
  readonly usage: Usage | null;
  /** Whether the response went on until the provider sent its last figures. */
  readonly usageFinal: boolean;
  /** Whether the response is complete: its terminal event or a whole JSON body was read. */
  readonly ended: boolean;
  /** Why the model stopped, in the dialect's terms: `stop`, `tool_calls`, `max_output_tokens`, `end_turn`, … */
  readonly finishReason: string | null;
  /** The type of the error that the response contained, inside a 200 or as its body. */
  readonly error: string | null;
  /** The error's message, if kept; a long one is truncated between words. */
  readonly errorMessage: string | null;
  /** The first `MAX_TOOL_CALLS`, in the order in which they started. */
  readonly toolCalls: readonly ToolCall[];
  /** Number of tool calls, kept or not. */
  readonly toolCallCount: number;
  /** If kept, the first `MAX_THOUGHTS` in the order in which they started, without empty ones and ones that did not fit. */
  readonly thoughts: readonly Thought[];
  /** Number of thoughts, kept or not. */
  readonly thoughtCount: number;
  /** The provider accepted the work and does it later: a background response. */
  readonly queued: boolean;
  /** The service tier, speed and region that the provider used. */
  readonly serviceTier: string | null;
  readonly speed: string | null;
  readonly inferenceGeo: string | null;
  /** The cost that the provider states, as a decimal number of its currency; null if it states none. */
  readonly reportedCost: string | null;
};

/** The content in a report, and the other fields. */
export type ContentReport = Pick<ResponseReport, "toolCalls" | "toolCallCount" | "thoughts" | "thoughtCount">;
export type FieldReport = Omit<ResponseReport, keyof ContentReport>;

/** Reads one response, as events or as one JSON value. It never throws, regardless of its input. */
export type ResponseReader = {
  /** Reads one SSE event: its data, and its `event:` name or an empty string. */
  readonly event: (data: string, name: string) => void;
  /** Reads a whole parsed JSON body. */
  readonly body: (value: unknown) => void;
  readonly report: () => ResponseReport;
};

/** Maximum number of tool calls and of thoughts kept of one response; the rest is only counted. */
export const MAX_TOOL_CALLS = 100;
export const MAX_THOUGHTS = 100;

/** The report of an empty response. */
export const EMPTY_REPORT: ResponseReport = {
  id: null,
  model: null,
  usage: null,
  usageFinal: false,
  ended: false,
  finishReason: null,
  error: null,
  errorMessage: null,
  toolCalls: [],
  toolCallCount: 0,
  thoughts: [],
  thoughtCount: 0,
  queued: false,
  serviceTier: null,
  speed: null,
  inferenceGeo: null,
  reportedCost: null,
};
