/** Reads the conversation of a Messages request: the last message has the user's text, tool results, or both. */
import { lastOf, lastOfType, lastTextPart, type Conversation } from "../conversation.ts";
import { asName } from "../usage.ts";
import type { JsonObject } from "../../../shared/json.ts";

export function messagesConversation(fields: JsonObject): Conversation {
  const last = lastOf(fields["messages"]);
  const content = last?.["content"];
  return {
    prompt: last?.["role"] === "user" ? lastTextPart(content) : null,
    correlatingToolCallId: asName(lastOfType(content, "tool_result")?.["tool_use_id"]),
  };
}
