/** Facts about a conversation that a request's body contains, and helpers to read them. */
import { asObject, type JsonObject } from "../../shared/json.ts";

export type Conversation = {
  /** All user text after the last completed assistant turn; null if there is none. */
  readonly prompt: string | null;
  /** Number of user messages with text after the last completed assistant turn. */
  readonly promptCount: number;
  /** Number of user messages with text before it. */
  readonly earlierPromptCount: number;
  /** Id of the tool call whose result the request contains. It links the request to the interception that made the call. */
  readonly correlatingToolCallId: string | null;
};

/**
 * The list without the `system` and `developer` messages at its end, which clients add after the user's message. Claude
 * Code does so in the first request of every conversation.
 */
export function withoutTrailingInstructions(list: unknown): unknown {
  if (!Array.isArray(list)) return list;
  const end = list.findLastIndex((entry) => {
    const role = asObject(entry)?.["role"];
    return role !== "system" && role !== "developer";
  });
  return end === list.length - 1 ? list : list.slice(0, end + 1);
}

/** The last entry, or null if the value is not a list or the entry is not an object. */
export function lastOf(list: unknown): JsonObject | null {
  return Array.isArray(list) ? asObject(list.at(-1)) : null;
}

/** The last entry of the given type, or null. */
export function lastOfType(list: unknown, type: string): JsonObject | null {
  if (!Array.isArray(list)) return null;
  return asObject(list.findLast((entry) => asObject(entry)?.["type"] === type));
}

/**
 * The content if it is a string, else its text parts of the given type joined by line breaks; null if that is empty. Parts
 * that hold only scaffolding of the client are left out.
 */
export function userText(content: unknown, type: string): string | null {
  if (typeof content === "string") return isScaffolding(content) ? null : content || null;
  if (!Array.isArray(content)) return null;
  const texts = content.flatMap((part) => {
    const text = asObject(part)?.["type"] === type ? asObject(part)?.["text"] : null;
    return typeof text === "string" && text !== "" && !isScaffolding(text) ? [text] : [];
  });
  return texts.join("\n") || null;
}

/** Elements in which clients wrap their own context: Claude Code, Codex, Gemini CLI. */
const SCAFFOLDING = [
  "system-reminder",
  "environment_context",
  "user_instructions",
  "permissions instructions",
  "skills_instructions",
  "session_context",
];

/** Whether the whole text is one element of the list. A user may write about such an element in the middle of a text. */
function isScaffolding(text: string): boolean {
  if (!text.trimStart().startsWith("<")) return false;
  const trimmed = text.trim();
  return SCAFFOLDING.some((name) => {
    const end = `</${name}>`;
    return trimmed.startsWith(`<${name}>`) && trimmed.indexOf(end) === trimmed.length - end.length;
  });
}
