/** Reads the conversation of a request body. The three APIs' conversations differ only in field names. */
import { arrayAt, isObject, stringAt, type JsonObject } from "./json.ts";

export type Conversation = {
  /** All text that counts as the prompt. */
  readonly text: string;
  /** The last text part of the last user message. */
  readonly lastUserText: string;
  /** Whether the request carries a tool's result. The output is then text, not another call. */
  readonly afterTool: boolean;
};

const TEXT_FIELDS = ["system", "instructions", "messages", "input", "content", "text", "arguments", "output"];

export function readConversation(body: JsonObject): Conversation {
  const turns = [...arrayAt(body, "messages"), ...arrayAt(body, "input")];
  const lastUser = turns.findLast((turn) => stringAt(turn, "role") === "user");
  return {
    text: allText(body),
    lastUserText: stringAt(body, "input") ?? textOfTurn(lastUser),
    afterTool: isToolResult(turns.at(-1)),
  };
}

function allText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(allText).join("");
  if (!isObject(value)) return "";
  return TEXT_FIELDS.map((name) => allText(value[name])).join("");
}

function textOfTurn(turn: unknown): string {
  const text = stringAt(turn, "content");
  if (text !== undefined) return text;
  const parts = arrayAt(turn, "content").map((part) => stringAt(part, "text"));
  return parts.findLast((part) => part !== undefined) ?? "";
}

function isToolResult(turn: unknown): boolean {
  if (stringAt(turn, "role") === "tool" || stringAt(turn, "type") === "function_call_output") return true;
  return arrayAt(turn, "content").some((part) => stringAt(part, "type") === "tool_result");
}
