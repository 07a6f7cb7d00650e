/** How the conversation of a Messages request is read. A user message has the user's text, tool results, or both. */
import { entryKeys, otherAuthor, type Author } from "../conversation-entry.ts";
import type { ConversationRules } from "../conversation.ts";
import type { JsonObject } from "../../../shared/json.ts";

export const messagesConversation: ConversationRules = {
  list: "messages",
  acceptsText: false,
  keys: entryKeys(),
  authorOf,
  toolCallId: (_, resultId) => resultId,
  textType: "text",
};

/** Claude Code adds messages with the role `system` (beta `mid-conversation-system`). */
function authorOf({ role }: JsonObject): Author | null {
  return role === "assistant" ? role : otherAuthor(role);
}
