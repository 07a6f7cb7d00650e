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
  readVariables,
  userText,
  type Entry,
  type EntryRules,
} from "./conversation-entry.ts";
import type { JsonBody, Range } from "./json-body.ts";
import { eachElement, skipValue } from "./json-members.ts";
import { asName } from "./usage.ts";
import { Refusal } from "../../shared/refusal.ts";

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
  /** The user's texts, decoded from the body. Call it while the body is held. */
  readonly texts: () => UserTexts;
};

/** The last texts of the user, at most `MAX_USER_TEXTS` each, in their order. */
export type UserTexts = {
  /** After the last completed assistant turn. */
  readonly current: readonly string[];
  /** Before it. */
  readonly earlier: readonly string[];
};

const MAX_USER_TEXTS = 20;
/** Characters of each of these texts. Longer than what is recorded of one, and so that a hash of it knows its length. */
const MAX_USER_TEXT = 2 * MAX_TEXT;

/** The conversation of a request without one. */
export const NO_CONVERSATION: Conversation = {
  prompt: null,
  promptCount: 0,
  earlierPromptCount: 0,
  correlatingToolCallId: null,
  texts: () => ({ current: [], earlier: [] }),
};

export type ConversationRules = EntryRules & {
  /** The field that holds the entries. */
  readonly list: "messages" | "input" | "prompt";
  /** Whether that field may also be the user's text. */
  readonly acceptsText: boolean;
  /** The field that names a prompt template of the provider, with texts for its variables. */
  readonly template?: string;
};

/** @returns the conversation, or the refusal `field_repeated` (400) where an entry has a field twice. */
export function readConversation(
  { source, members }: JsonBody,
  rules: ConversationRules,
): Conversation | Refusal {
  const { bytes } = source;
  const turns = new Turns();
  const keys = new EntryKeys(rules.list, rules);
  const add = (from: number): number => {
    if (bytes[from] !== 0x7b) {
      const to = skipValue(source, from);
      if (rules.acceptsText && bytes[from] === 0x22) turns.add(readTextEntry(bytes, { from, to }));
      return to;
    }
    const { entry, end } = readEntry(source, from, rules, keys);
    if (entry !== null) turns.add(entry);
    return end;
  };
  const list = members.get(rules.list);
  if (list && bytes[list.from] === 0x5b) eachElement(source, list.from, add);
  // Some servers take one entry in place of a list.
  else if (list) add(list.from);
  const template = rules.template === undefined ? undefined : members.get(rules.template);
  const variables = template && readVariables(source, template, keys.part);
  if (variables instanceof Refusal) return variables;
  if (variables) turns.addTexts(variables);
  return keys.refusal ?? turns.conversation(bytes);
}

/**
 * The conversation as entries are added. An assistant turn is completed if an entry of the user or of a tool follows it.
 * Without one it is a prefill, which the model continues: it does not end the user's prompt.
 */
class Turns {
  /** Where the texts after the last completed turn are. */
  #texts: Range[] = [];
  /** The last of these texts, and the last texts before the turn. */
  #current: Range[] = [];
  #earlier: Range[] = [];
  #promptCount = 0;
  #earlierPromptCount = 0;
  #toolCallId: unknown = null;
  #lastIsAssistant = false;

  add({ author, texts, toolCallId }: Entry): void {
    if (author !== "assistant" && this.#lastIsAssistant) {
      this.#texts = [];
      this.#earlier = lastOf([...this.#earlier, ...this.#current]);
      this.#current = [];
      this.#earlierPromptCount += this.#promptCount;
      this.#promptCount = 0;
      this.#toolCallId = null;
    }
    this.#lastIsAssistant = author === "assistant";
    if (toolCallId !== undefined) this.#toolCallId = toolCallId;
    this.addTexts(texts);
  }

  /** Texts of the user that are in no entry: they end no turn. */
  addTexts(texts: readonly Range[]): void {
    if (texts.length === 0) return;
    this.#promptCount += 1;
    for (const text of texts) if (this.#texts.length < MAX_PROMPT_TEXTS) this.#texts.push(text);
    this.#current = lastOf([...this.#current, ...lastOf(texts)]);
  }

  conversation(bytes: Uint8Array): Conversation {
    const read = (text: Range): string => userText(bytes, text, MAX_USER_TEXT);
    return {
      prompt: readPrompt(bytes, this.#texts),
      promptCount: this.#promptCount,
      earlierPromptCount: this.#earlierPromptCount,
      correlatingToolCallId: asName(this.#toolCallId),
      texts: () => ({ current: this.#current.map(read), earlier: this.#earlier.map(read) }),
    };
  }
}

function readPrompt(bytes: Uint8Array, texts: readonly Range[]): string | null {
  const pieces: string[] = [];
  let length = 0;
  for (const text of texts) {
    if (length >= MAX_TEXT) break;
    const separator = pieces.length === 0 ? "" : "\n";
    const piece = cut(separator + userText(bytes, text, MAX_TEXT - length), MAX_TEXT - length);
    pieces.push(piece);
    length += piece.length;
  }
  return pieces.join("") || null;
}

const lastOf = (texts: readonly Range[]): Range[] => texts.slice(-MAX_USER_TEXTS);
