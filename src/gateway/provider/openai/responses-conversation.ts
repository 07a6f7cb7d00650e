/** What a Responses request says of its conversation: its input is the user's words, or items of which the last tells. */
import { lastOf, type Conversation } from "../conversation.ts";
import { asName } from "../usage.ts";
import { asObject, type JsonObject } from "../../../shared/json.ts";

export function responsesConversation(fields: JsonObject): Conversation {
  const { input } = fields;
  const last = lastOf(input);
  // An item without a type is a message.
  const type = last?.["type"] ?? "message";
  const isUsers = last?.["role"] === "user" && type === "message";
  // `function_call_output`, `custom_tool_call_output`, and those of the hosted kinds that the client runs.
  const isOutput = typeof type === "string" && type.endsWith("_call_output");
  return {
    prompt: toPrompt(isUsers ? last["content"] : typeof input === "string" ? input : null),
    correlatingToolCallId: isOutput ? asName(last?.["call_id"]) : null,
  };
}

/** The content where it is text, else all its text parts. */
function toPrompt(content: unknown): string | null {
  if (typeof content === "string") return content || null;
  if (!Array.isArray(content)) return null;
  const texts = content.flatMap((part) => {
    const text = asObject(part)?.["type"] === "input_text" ? asObject(part)?.["text"] : null;
    return typeof text === "string" && text !== "" ? [text] : [];
  });
  return texts.join("\n") || null;
}
