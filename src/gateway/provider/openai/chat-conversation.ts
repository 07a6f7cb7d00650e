/** Reads the conversation of a Chat Completions request, of which the last message counts. */
import { lastOf, userText, withoutTrailingInstructions, type Conversation } from "../conversation.ts";
import { asName } from "../usage.ts";
import type { JsonObject } from "../../../shared/json.ts";

export function chatConversation(fields: JsonObject): Conversation {
  const last = lastOf(withoutTrailingInstructions(fields["messages"]));
  const role = last?.["role"];
  const prompt = role === "user" ? userText(last?.["content"], "text") : null;
  return {
    prompt,
    promptCount: prompt === null ? 0 : 1,
    earlierPromptCount: 0,
    correlatingToolCallId: role === "tool" ? asName(last?.["tool_call_id"]) : null,
  };
}
