/** Reads the conversation of a request body. The three APIs' conversations differ only in field names. */
import { arrayAt, isObject, stringAt, type JsonObject } from "./json.ts";

export type Conversation = {
  /** All text that counts as the prompt. */
  readonly text: string;
  /** The last text part of the last user message, without tool results and what the client adds. */
  readonly lastUserText: string;
  /** How often tools were called and gave their results since that message. */
  readonly toolRounds: number;
};

const TEXT_FIELDS = ["system", "instructions", "messages", "input", "content", "text", "arguments", "output"];

export function readConversation(body: JsonObject): Conversation {
  const turns = [...arrayAt(body, "messages"), ...arrayAt(body, "input")];
  const lastUser = turns.findLastIndex(isPrompt);
  return {
    text: allText(body),
    lastUserText: stringAt(body, "input") ?? textOfTurn(turns[lastUser]),
    toolRounds: countRounds(turns.slice(lastUser + 1)),
  };
}

function allText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(allText).join("");
  if (!isObject(value)) return "";
  return TEXT_FIELDS.map((name) => allText(value[name])).join("");
}

function isPrompt(turn: unknown): boolean {
  return stringAt(turn, "role") === "user" && !isToolResult(turn) && textOfTurn(turn) !== "";
}

function textOfTurn(turn: unknown): string {
  const text = stringAt(turn, "content");
  const parts = arrayAt(turn, "content").map((part) => stringAt(part, "text") ?? "");
  const texts = (text === undefined ? parts : [text]).map(withoutElements);
  return texts.findLast((part) => part !== "") ?? "";
}

/** Without the elements at the start, such as `<system-reminder>`. Coding agents add them to prompts. */
function withoutElements(text: string): string {
  return text.replace(/^(?:\s*<([\w:-]+)>.*?<\/\1>)+\s*/s, "");
}

/** Results that follow each other belong to parallel calls. A client may put a system message behind a result. */
function countRounds(turns: readonly unknown[]): number {
  const ofModelAndTools = turns.filter(
    (turn) => !["system", "developer"].includes(stringAt(turn, "role") ?? ""),
  );
  const isResult = ofModelAndTools.map(isToolResult);
  return isResult.filter((result, index) => result && isResult[index - 1] !== true).length;
}

function isToolResult(turn: unknown): boolean {
  if (stringAt(turn, "role") === "tool" || stringAt(turn, "type")?.endsWith("_call_output")) return true;
  return arrayAt(turn, "content").some((part) => stringAt(part, "type") === "tool_result");
}
