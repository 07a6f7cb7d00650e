/** What the emulated model says. The same request always gets the same answer. */
import { readConversation } from "./conversation.ts";
import type { JsonObject } from "./json.ts";
import { callsFor, type ToolCall } from "./tool-calls.ts";
import { cutToTokens, figuresFor, type Figures } from "./tokens.ts";

export type Answer = {
  readonly text: string;
  /** What the model thought first; empty when it was not asked to think. */
  readonly thought: string;
  readonly calls: readonly ToolCall[];
  /** The request's token limit ended the text. */
  readonly cut: boolean;
  readonly figures: Figures;
};

export type Wishes = {
  readonly model: string;
  readonly think: boolean;
  readonly maxTokens: number | undefined;
};

const ECHO_CHARACTERS = 60;

export function composeAnswer(body: JsonObject, wishes: Wishes): Answer {
  const conversation = readConversation(body);
  const calls = conversation.afterTool ? [] : callsFor(body, conversation.lastUserText);
  const thought = wishes.think ? "The user wants an answer. An echo of the prompt will do." : "";
  const said = calls.length > 0 ? callText(calls) : echoText(conversation.lastUserText, wishes.model);
  const { text, cut } = cutToTokens(said, wishes.maxTokens);
  const spoken = text + calls.map((call) => JSON.stringify(call.input)).join("");
  return { text, thought, calls, cut, figures: figuresFor(conversation.text, spoken, thought) };
}

function echoText(prompt: string, model: string): string {
  const line = prompt.trim().replace(/\s+/g, " ");
  const echo = line.length > ECHO_CHARACTERS ? `${line.slice(0, ECHO_CHARACTERS)}…` : line;
  return `You said: "${echo}" This is the emulated provider answering as ${model}; no AI model was asked.`;
}

function callText(calls: readonly ToolCall[]): string {
  return `I will call ${calls.map((call) => call.name).join(" and ")}.`;
}
