/**
 * Facts about a conversation that a request's body contains, and the rules that all dialects share to find them. The list
 * is read in place, entry by entry, so a long conversation is never held as objects.
 */
import { cut, MAX_TEXT } from "./bounded-text.ts";
import {
  EntryKeys,
  MAX_PROMPT_TEXTS,
  readEntry,
  readTextEntry,
  userText,
  type Entry,
  type EntryRules,
} from "./conversation-entry.ts";
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
  const keys = new EntryKeys(rules.list, rules);
  const at = members.get(rules.list)?.from;
  if (at !== undefined && bytes[at] === 0x22 && rules.acceptsText) turns.add(readTextEntry(bytes, at));
  if (at !== undefined && bytes[at] === 0x5b) {
    eachElement(bytes, at, (element) => {
      if (bytes[element] !== 0x7b) return skipValue(bytes, element);
      const { entry, end } = readEntry(bytes, element, rules, keys);
      if (entry !== null) turns.add(entry);
      return end;
    });
  }
  return keys.refusal ?? turns.conversation(bytes);
}

/**
 * The conversation as entries are added. An assistant turn is completed if an entry of the user or of a tool follows it.
 * Without one it is a prefill, which the model continues: it does not end the user's prompt.
 */
class Turns {
  /** Where the texts after the last completed turn are. */
  #texts: number[] = [];
  #promptCount = 0;
  #earlierPromptCount = 0;
  #toolCallId: unknown = null;
  #lastIsAssistant = false;

  add({ author, texts, toolCallId }: Entry): void {
    if (author !== "assistant" && this.#lastIsAssistant) {
      this.#texts = [];
      this.#earlierPromptCount += this.#promptCount;
      this.#promptCount = 0;
      this.#toolCallId = null;
    }
    this.#lastIsAssistant = author === "assistant";
    if (toolCallId !== undefined) this.#toolCallId = toolCallId;
    if (texts.length > 0) this.#promptCount += 1;
    for (const text of texts) if (this.#texts.length < MAX_PROMPT_TEXTS) this.#texts.push(text);
  }

  conversation(bytes: Uint8Array): Conversation {
    return {
      prompt: readPrompt(bytes, this.#texts),
      promptCount: this.#promptCount,
      earlierPromptCount: this.#earlierPromptCount,
      correlatingToolCallId: asName(this.#toolCallId),
    };
  }
}

function readPrompt(bytes: Uint8Array, texts: readonly number[]): string | null {
  const pieces: string[] = [];
  let length = 0;
  for (const at of texts) {
    if (length >= MAX_TEXT) break;
    const separator = pieces.length === 0 ? "" : "\n";
    const piece = cut(separator + userText(bytes, at, MAX_TEXT - length), MAX_TEXT - length);
    pieces.push(piece);
    length += piece.length;
  }
  return pieces.join("") || null;
}
