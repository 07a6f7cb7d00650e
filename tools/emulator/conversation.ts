/** What a request body says, whichever of the three APIs it is for: their conversations differ only in field names. */
import { arrayAt, isObject, stringAt, type JsonObject } from "./json.ts";

export type Conversation = {
  /** Everything that counts as prompt. */
  readonly text: string;
  /** What the user said last: the last text part of the last user message. */
  readonly lastUserText: string;
  /** The request brings a tool's result, so the answer is words and not another call. */
  readonly afterTool: boolean;
};

const TEXT_FIELDS = ["system", "instructions", "messages", "input", "content", "text", "arguments", "output"];

export function readConversation(body: JsonObject): Conversation {
  const turns = [...arrayAt(body, "messages"), ...arrayAt(body, "input")];
  const lastUser = turns.findLast((turn) => stringAt(turn, "role") === "user");
  return {
    text: allText(body),
    lastUserText: stringAt(body, "input") ?? ownText(lastUser),
    afterTool: isToolResult(turns.at(-1)),
  };
}

function allText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(allText).join("");
  if (!isObject(value)) return "";
  return TEXT_FIELDS.map((name) => allText(value[name])).join("");
}

function ownText(turn: unknown): string {
  const whole = stringAt(turn, "content");
  if (whole !== undefined) return whole;
  const parts = arrayAt(turn, "content").map((part) => stringAt(part, "text"));
  return parts.findLast((text) => text !== undefined) ?? "";
}

function isToolResult(turn: unknown): boolean {
  if (stringAt(turn, "role") === "tool" || stringAt(turn, "type") === "function_call_output") return true;
  return arrayAt(turn, "content").some((part) => stringAt(part, "type") === "tool_result");
}
