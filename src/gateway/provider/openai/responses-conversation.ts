/** Reads the conversation of a Responses request: `input` is the user's text, or a list of which the last item counts. */
import { lastOf, userText, withoutTrailingInstructions, type Conversation } from "../conversation.ts";
import { asName } from "../usage.ts";
import type { JsonObject } from "../../../shared/json.ts";

export function responsesConversation(fields: JsonObject): Conversation {
  const { input } = fields;
  const last = lastOf(withoutTrailingInstructions(input));
  // An item without a type is a message.
  const type = last?.["type"] ?? "message";
  const isUserMessage = last?.["role"] === "user" && type === "message";
  // `function_call_output`, `custom_tool_call_output`, and the outputs of hosted tools that the client runs.
  const isOutput = typeof type === "string" && type.endsWith("_call_output");
  const prompt = userText(
    isUserMessage ? last["content"] : typeof input === "string" ? input : null,
    "input_text",
  );
  return {
    prompt,
    promptCount: prompt === null ? 0 : 1,
    earlierPromptCount: 0,
    correlatingToolCallId: isOutput ? asName(last?.["call_id"]) : null,
  };
}
