/** What a Chat Completions request says of its conversation: its last message tells who spoke last. */
import { lastOf, lastText, type Ask } from "../conversation.ts";
import { asName, type JsonObject } from "../usage.ts";

export function chatAsk(fields: JsonObject): Ask {
  const last = lastOf(fields["messages"]);
  const role = last?.["role"];
  return {
    prompt: role === "user" ? lastText(last?.["content"]) : null,
    correlatingToolCallId: role === "tool" ? asName(last?.["tool_call_id"]) : null,
  };
}
