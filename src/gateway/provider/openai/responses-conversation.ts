/** How the conversation of a Responses request is read: `input` is the user's text or a list of items. */
import { entryKeys, otherAuthor, type Author } from "../conversation-entry.ts";
import type { ConversationRules } from "../conversation.ts";
import type { JsonObject } from "../../../shared/json.ts";

/** A message of another agent of Codex. Its text is encrypted. */
const AGENT_MESSAGE = "agent_message";

/** Items that the client adds and that are neither messages nor outputs. */
const CLIENT_ITEMS: ReadonlySet<string> = new Set([
  "mcp_approval_response",
  "compaction_trigger",
  AGENT_MESSAGE,
]);

/** Items that are instructions of the client: tools and settings from this place on. */
const INSTRUCTION_ITEMS: ReadonlySet<string> = new Set(["additional_tools", "configuration_update"]);

export const responsesConversation: ConversationRules = {
  list: "input",
  acceptsText: true,
  template: "prompt",
  keys: entryKeys("type", "call_id", "text"),
  authorOf,
  // `function_call_output`, `custom_tool_call_output`, and the outputs of hosted tools that the client runs.
  toolCallId: ({ type, call_id: id }) => {
    // The first request of a sub-agent has the output of the call that started it, and then its task.
    if (type === AGENT_MESSAGE) return undefined;
    return typeof type === "string" && type.endsWith("_call_output") ? (id ?? null) : null;
  },
  textType: "input_text",
};

function authorOf({ type, role }: JsonObject): Author | null {
  // Servers differ in the types that they take for a message. llama.cpp reads the content of any item with a role.
  if (typeof role === "string") return role === "assistant" ? role : otherAuthor(role);
  if (typeof type !== "string" || INSTRUCTION_ITEMS.has(type) || type === "message") return null;
  if (type.endsWith("_output") || CLIENT_ITEMS.has(type)) return "tool";
  // A part of a message in place of the message.
  if (type === "text" || type.startsWith("input_")) return "user";
  // The model produced all other items, among them the items of an `item_reference`: the AI SDK sends its turns that way.
  return "assistant";
}
