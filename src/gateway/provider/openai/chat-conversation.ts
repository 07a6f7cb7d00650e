/** Reads the conversation of a Chat Completions request. */
import { lastEntry, readPrompts, toTurns, type Author, type Conversation } from "../conversation.ts";
import { asName } from "../usage.ts";
import type { JsonObject } from "../../../shared/json.ts";

export function chatConversation(fields: JsonObject): Conversation {
  const turns = toTurns(fields["messages"], authorOf);
  const last = lastEntry(turns, "text");
  return {
    ...readPrompts(turns, "text"),
    // A user message after the results starts a new request of the user, which no tool call caused.
    correlatingToolCallId: last?.["role"] === "tool" ? asName(last["tool_call_id"]) : null,
  };
}

function authorOf({ role }: JsonObject): Author | null {
  // The deprecated role of a function's result.
  if (role === "function") return "tool";
  return role === "user" || role === "assistant" || role === "tool" ? role : null;
}
