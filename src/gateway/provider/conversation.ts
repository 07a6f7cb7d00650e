import { asObject, type JsonObject } from "../../shared/json.ts";

export type Conversation = {
  /** What the user wrote: only where the last message is the user's, so once for each thing the user says. */
  readonly prompt: string | null;
  /** The tool call whose result this request brings back: what links it to the interception that asked for the tool. */
  readonly correlatingToolCallId: string | null;
};

/** The last entry of what may be a list, if it is an object. */
export function lastOf(list: unknown): JsonObject | null {
  return Array.isArray(list) ? asObject(list.at(-1)) : null;
}

/** The last of the entries that have this type. */
export function lastOfType(list: unknown, type: string): JsonObject | null {
  if (!Array.isArray(list)) return null;
  return asObject(list.findLast((entry) => asObject(entry)?.["type"] === type));
}

/** Content that is text, or the last text among its parts; null where it is empty. */
export function lastTextPart(content: unknown): string | null {
  const text = typeof content === "string" ? content : lastOfType(content, "text")?.["text"];
  return typeof text === "string" && text !== "" ? text : null;
}
