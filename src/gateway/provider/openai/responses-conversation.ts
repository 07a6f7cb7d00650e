/** Reads the conversation of a Responses request: `input` is the user's text or a list of items. */
import { lastEntry, readPrompts, toTurns, type Author, type Conversation } from "../conversation.ts";
import { asName } from "../usage.ts";
import type { JsonObject } from "../../../shared/json.ts";

/** Items that the client adds and that are neither messages nor outputs. */
const CLIENT_ITEMS: ReadonlySet<string> = new Set(["mcp_approval_response", "compaction_trigger"]);

export function responsesConversation({ input }: JsonObject): Conversation {
  const turns = toTurns(typeof input === "string" ? [{ role: "user", content: input }] : input, authorOf);
  const last = lastEntry(turns, "input_text");
  const type = last?.["type"];
  // `function_call_output`, `custom_tool_call_output`, and the outputs of hosted tools that the client runs.
  const isOutput = typeof type === "string" && type.endsWith("_call_output");
  return {
    ...readPrompts(turns, "input_text"),
    correlatingToolCallId: isOutput ? asName(last?.["call_id"]) : null,
  };
}

function authorOf({ type, role }: JsonObject): Author | null {
  // An item without a type is a message.
  if (type === undefined || type === null || type === "message") {
    return role === "user" || role === "assistant" ? role : null;
  }
  if (typeof type !== "string") return null;
  if (type.endsWith("_output") || CLIENT_ITEMS.has(type)) return "tool";
  // The model produced all other items, among them the items of an `item_reference`: the AI SDK sends its turns that way.
  return "assistant";
}
