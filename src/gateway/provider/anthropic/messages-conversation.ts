/** Reads the conversation of a Messages request: the last message has the user's text, tool results, or both. */
import {
  lastOf,
  lastOfType,
  userText,
  withoutTrailingInstructions,
  type Conversation,
} from "../conversation.ts";
import { asName } from "../usage.ts";
import type { JsonObject } from "../../../shared/json.ts";

export function messagesConversation(fields: JsonObject): Conversation {
  const last = lastOf(withoutTrailingInstructions(fields["messages"]));
  const content = last?.["content"];
  const prompt = last?.["role"] === "user" ? userText(content, "text") : null;
  return {
    prompt,
    promptCount: prompt === null ? 0 : 1,
    earlierPromptCount: 0,
    correlatingToolCallId: asName(lastOfType(content, "tool_result")?.["tool_use_id"]),
  };
}
