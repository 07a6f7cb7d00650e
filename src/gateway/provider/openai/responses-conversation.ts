/** Reads the conversation of a Responses request: `input` is the user's text, or a list of which the last item counts. */
import { lastOf, type Conversation } from "../conversation.ts";
import { asName } from "../usage.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

export function responsesConversation(fields: JsonObject): Conversation {
  const { input } = fields;
  const last = lastOf(input);
  // An item without a type is a message.
  const type = last?.["type"] ?? "message";
  const isUserMessage = last?.["role"] === "user" && type === "message";
  // `function_call_output`, `custom_tool_call_output`, and the outputs of hosted tools that the client runs.
  const isOutput = typeof type === "string" && type.endsWith("_call_output");
  return {
    prompt: toPrompt(isUserMessage ? last["content"] : typeof input === "string" ? input : null),
    correlatingToolCallId: isOutput ? asName(last?.["call_id"]) : null,
  };
}

/** The content if it is a string, else its text parts joined by line breaks. */
function toPrompt(content: unknown): string | null {
  if (typeof content === "string") return content || null;
  if (!Array.isArray(content)) return null;
  const texts = content.flatMap((part) => {
    const text = asObject(part)?.["type"] === "input_text" ? asObject(part)?.["text"] : null;
    return typeof text === "string" && text !== "" ? [text] : [];
  });
  return texts.join("\n") || null;
}
