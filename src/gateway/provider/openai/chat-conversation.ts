/** Reads the conversation of a Chat Completions request, of which the last message counts. */
import { lastOf, lastTextPart, type Conversation } from "../conversation.ts";
import { asName } from "../usage.ts";
import type { JsonObject } from "../../../shared/json.ts";

export function chatConversation(fields: JsonObject): Conversation {
  const last = lastOf(fields["messages"]);
  const role = last?.["role"];
  return {
    prompt: role === "user" ? lastTextPart(last?.["content"]) : null,
    correlatingToolCallId: role === "tool" ? asName(last?.["tool_call_id"]) : null,
  };
}
