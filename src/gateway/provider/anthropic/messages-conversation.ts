/** Reads the conversation of a Messages request. A user message has the user's text, tool results, or both. */
import { partsOfType, readPrompts, toTurns, type Author, type Conversation } from "../conversation.ts";
import { asName } from "../usage.ts";
import type { JsonObject } from "../../../shared/json.ts";

export function messagesConversation(fields: JsonObject): Conversation {
  const turns = toTurns(fields["messages"], authorOf);
  const results = turns.current.flatMap((entry) =>
    entry.author === "user" ? partsOfType(entry.fields["content"], "tool_result") : [],
  );
  return {
    ...readPrompts(turns, "text"),
    correlatingToolCallId: asName(results.at(-1)?.["tool_use_id"]),
  };
}

/** Claude Code adds messages with the role `system` (beta `mid-conversation-system`). */
function authorOf({ role }: JsonObject): Author | null {
  return role === "user" || role === "assistant" ? role : null;
}
