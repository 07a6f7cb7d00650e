/** How the conversation of a Chat Completions request is read. */
import { entryKeys, otherAuthor, type Author } from "../conversation-entry.ts";
import type { ConversationRules } from "../conversation.ts";
import type { JsonObject } from "../../../shared/json.ts";

export const chatConversation: ConversationRules = {
  list: "messages",
  acceptsText: false,
  keys: entryKeys("tool_call_id"),
  authorOf,
  // A user message after the results starts a new request of the user, which no tool call caused.
  toolCallId: ({ role, tool_call_id: id }) => (role === "tool" ? (id ?? null) : null),
  textType: "text",
};

function authorOf({ role }: JsonObject): Author | null {
  // The deprecated role of a function's result.
  if (role === "function") return "tool";
  return role === "assistant" || role === "tool" ? role : otherAuthor(role);
}
