/** The output of the emulated model. The same request always gets the same output. */
import { readConversation } from "./conversation.ts";
import type { JsonObject } from "./json.ts";
import { callsFor, type ToolCall } from "./tool-calls.ts";
import { truncateToTokens, figuresFor, type Figures } from "./tokens.ts";

export type ModelOutput = {
  readonly text: string;
  /** The model's thought before the text; empty unless the request enables thinking. */
  readonly thought: string;
  readonly calls: readonly ToolCall[];
  /** Whether the request's token limit truncated the text. */
  readonly truncated: boolean;
  readonly figures: Figures;
};

export type OutputOptions = {
  readonly model: string;
  readonly think: boolean;
  readonly maxTokens: number | undefined;
};

const ECHO_CHARACTERS = 60;

export function composeOutput(body: JsonObject, options: OutputOptions): ModelOutput {
  const conversation = readConversation(body);
  // "Use read, then bash" is two steps: the second one follows the results of the first.
  const step = conversation.lastUserText.split(/\bthen\b/i)[conversation.toolRounds];
  const calls = step === undefined ? [] : callsFor(body, step);
  const thought = options.think ? "The user wants a reply. An echo of the prompt will do." : "";
  const full = calls.length > 0 ? callText(calls) : echoText(conversation.lastUserText, options.model);
  const { text, truncated } = truncateToTokens(full, options.maxTokens);
  const counted = text + calls.map((call) => JSON.stringify(call.input)).join("");
  return { text, thought, calls, truncated, figures: figuresFor(conversation.text, counted, thought) };
}

function echoText(prompt: string, model: string): string {
  const line = prompt.trim().replace(/\s+/g, " ");
  const echo = line.length > ECHO_CHARACTERS ? `${line.slice(0, ECHO_CHARACTERS)}…` : line;
  return `You said: "${echo}" This is the emulated provider responding as ${model}; no AI model was called.`;
}

function callText(calls: readonly ToolCall[]): string {
  return `I will call ${calls.map((call) => call.name).join(" and ")}.`;
}
