/** What a Messages request says of its conversation: its last message has the user's words, tools' results, or both. */
import { lastOf, lastOfType, lastText, type Ask } from "../conversation.ts";
import { asName, type JsonObject } from "../usage.ts";

export function messagesAsk(fields: JsonObject): Ask {
  const last = lastOf(fields["messages"]);
  const content = last?.["content"];
  return {
    prompt: last?.["role"] === "user" ? lastText(content) : null,
    correlatingToolCallId: asName(lastOfType(content, "tool_result")?.["tool_use_id"]),
  };
}
