/** Facts about a conversation that a request's body contains, and helpers to read them. */
import { asObject, type JsonObject } from "../../shared/json.ts";

export type Conversation = {
  /** The user's text. Set only if the last message is the user's, so that each prompt is recorded once. */
  readonly prompt: string | null;
  /** Id of the tool call whose result the request contains. It links the request to the interception that made the call. */
  readonly correlatingToolCallId: string | null;
};

/** The last entry, or null if the value is not a list or the entry is not an object. */
export function lastOf(list: unknown): JsonObject | null {
  return Array.isArray(list) ? asObject(list.at(-1)) : null;
}

/** The last entry of the given type, or null. */
export function lastOfType(list: unknown, type: string): JsonObject | null {
  if (!Array.isArray(list)) return null;
  return asObject(list.findLast((entry) => asObject(entry)?.["type"] === type));
}

/** The content if it is a string, else the text of its last text part; null if that is empty or not a string. */
export function lastTextPart(content: unknown): string | null {
  const text = typeof content === "string" ? content : lastOfType(content, "text")?.["text"];
  return typeof text === "string" && text !== "" ? text : null;
}
