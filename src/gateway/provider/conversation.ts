/**
 * Facts about a conversation that a request's body contains, and the rules that all dialects share to find them. The list
 * is read in place, entry by entry, so a long conversation is never held as objects.
 */
import { cut, MAX_TEXT } from "./bounded-text.ts";
import { EntryKeys, readEntry, readTextEntry, type Entry, type EntryRules } from "./conversation-entry.ts";
import type { JsonBody } from "./json-body.ts";
import { eachElement, skipValue } from "./json-members.ts";
import { asName } from "./usage.ts";
import type { Refusal } from "../../shared/refusal.ts";

export type Conversation = {
  /**
   * All user text after the last completed assistant turn; null if there is none. Truncated at `MAX_TEXT`, so a prompt of
   * that length may have been longer.
   */
  readonly prompt: string | null;
  /** Number of user messages with text after the last completed assistant turn. */
  readonly promptCount: number;
  /** Number of user messages with text before it. */
  readonly earlierPromptCount: number;
  /** Id of the tool call whose result the request contains. It links the request to the interception that made the call. */
  readonly correlatingToolCallId: string | null;
};

export type ConversationRules = EntryRules & {
  /** The field that holds the entries. */
  readonly list: "messages" | "input";
  /** Whether that field may also be the user's text. */
  readonly acceptsText: boolean;
};

/** @returns the conversation, or the refusal `field_repeated` (400) where an entry has a field twice. */
export function readConversation(
  { bytes, members }: JsonBody,
  rules: ConversationRules,
): Conversation | Refusal {
  const turns = new Turns();
  const list = members.get(rules.list);
  const first = list && bytes[list.from];
  if (list === undefined) return turns.conversation();
  if (first === 0x22 && rules.acceptsText) turns.add(readTextEntry(bytes, list.from, turns.room));
  if (first !== 0x5b) return turns.conversation();
  const keys = new EntryKeys(rules.list, rules);
  eachElement(bytes, list.from, (at) => {
    if (bytes[at] !== 0x7b) return skipValue(bytes, at);
    const { entry, end } = readEntry(bytes, at, { rules, keys, room: turns.room });
    if (entry !== null) turns.add(entry);
    return end;
  });
  return keys.refusal ?? turns.conversation();
}

/**
 * The conversation as entries are added. An assistant turn is completed if an entry of the user or of a tool follows it.
 * Without one it is a prefill, which the model continues: it does not end the user's prompt.
 */
class Turns {
  #pieces: string[] = [];
  #length = 0;
  #promptCount = 0;
  #earlierPromptCount = 0;
  #toolCallId: string | null = null;
  #lastIsAssistant = false;

  /** The characters of text of which the next entry's may be recorded. */
  get room(): number {
    return this.#lastIsAssistant ? MAX_TEXT : MAX_TEXT - this.#length;
  }

  add({ author, texts, hasText, toolCallId }: Entry): void {
    if (author !== "assistant" && this.#lastIsAssistant) this.#complete();
    this.#lastIsAssistant = author === "assistant";
    if (toolCallId !== undefined) this.#toolCallId = asName(toolCallId);
    if (hasText) this.#promptCount += 1;
    for (const text of texts) {
      if (this.#length >= MAX_TEXT) break;
      const separator = this.#pieces.length === 0 ? "" : "\n";
      const piece = cut(separator + text, MAX_TEXT - this.#length);
      this.#pieces.push(piece);
      this.#length += piece.length;
    }
  }

  conversation(): Conversation {
    return {
      prompt: this.#pieces.join("") || null,
      promptCount: this.#promptCount,
      earlierPromptCount: this.#earlierPromptCount,
      correlatingToolCallId: this.#toolCallId,
    };
  }

  #complete(): void {
    this.#pieces = [];
    this.#length = 0;
    this.#earlierPromptCount += this.#promptCount;
    this.#promptCount = 0;
    this.#toolCallId = null;
  }
}
