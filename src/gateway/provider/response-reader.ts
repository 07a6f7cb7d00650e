/**
 * What one answer tells of itself: the contract between a dialect's readers and who watches the answer. Names and counts
 * are always told; content (a tool's input, a thought, an error's message) only where `Keep` asks for it.
 */
import type { Usage } from "./usage.ts";

/** Which content a reader keeps. What it is not asked to keep it does not hold, not even for a moment. */
export type ContentOptions = {
  readonly toolInputs: boolean;
  readonly thoughts: boolean;
  readonly errorMessages: boolean;
};

/** A tool that the model wants run, or that the provider ran for it. */
export type ToolCall = {
  /** The provider's id of the call, by which its result is sent back; null where it has none. */
  readonly id: string | null;
  /** The tool's name; for a hosted kind that has none, the kind. */
  readonly name: string;
  /** The item's type in the dialect: `function`, `tool_use`, `web_search_call`, … */
  readonly kind: string;
  /**
   * What it is called with: JSON or raw text, as the model wrote it; of an answer that was cut, what came. null where it
   * is not kept, or nothing came, or it did not fit beside the answer's other texts.
   */
  readonly input: string | null;
  /** What a tool that the provider ran says went wrong; null where nothing did or it is not kept. */
  readonly error: string | null;
};

export type ResponseReport = {
  /** The provider's id of the answer. */
  readonly id: string | null;
  /** The model that answered. */
  readonly model: string | null;
  readonly usage: Usage | null;
  /** The figures are the provider's closing ones. */
  readonly usageFinal: boolean;
  /** The answer's own end was seen: its terminal event, or the whole of a JSON body. */
  readonly ended: boolean;
  /** Why the model stopped, in the dialect's word: `stop`, `tool_calls`, `max_output_tokens`, `end_turn`, … */
  readonly finishReason: string | null;
  /** The type of the error that the answer carried inside a 200 or as its body. */
  readonly error: string | null;
  /** Its message, where kept; a long one is cut between words. */
  readonly errorMessage: string | null;
  /** In the order they began; the first `MAX_TOOL_CALLS`. */
  readonly toolCalls: readonly ToolCall[];
  /** How many there were, kept or not. */
  readonly toolCallCount: number;
  /** Where kept, in the order they began; the first `MAX_THOUGHTS`, less those of which no word came or was kept. */
  readonly thoughts: readonly string[];
  /** How many there were, kept or not. */
  readonly thoughtCount: number;
};

/** Reads one answer, as events or as one JSON value; never throws, whatever it is given. */
export type ResponseReader = {
  /** One SSE event's data, and its `event:` name where it had one. */
  readonly event: (data: string, name: string) => void;
  /** A whole JSON body, parsed. */
  readonly body: (value: unknown) => void;
  readonly report: () => ResponseReport;
};

/** So many are kept of one answer; the rest is only counted. */
export const MAX_TOOL_CALLS = 100;
export const MAX_THOUGHTS = 100;

/** The report of an answer that said nothing. */
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
};
