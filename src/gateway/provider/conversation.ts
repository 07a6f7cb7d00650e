/** Facts about a conversation that a request's body contains, and the rules that all dialects share to find them. */
import { cut, MAX_TEXT } from "./bounded-text.ts";
import { withoutScaffolding } from "./client-scaffolding.ts";
import { asObject, type JsonObject } from "../../shared/json.ts";

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
  readonly texts: UserTexts;
};

/** The last texts of the user, at most `MAX_USER_TEXTS` each, in their order. */
export type UserTexts = {
  /** After the last completed assistant turn. */
  readonly current: readonly string[];
  /** Before it. */
  readonly earlier: readonly string[];
};

const MAX_USER_TEXTS = 20;

/** The author of an entry. Instructions (`system`, `developer`) and invalid entries have none and are skipped. */
export type Author = "user" | "assistant" | "tool";

export type Entry = { readonly author: Author; readonly fields: JsonObject };

/** The entries up to and including the last completed assistant turn, and those after it. */
export type Turns = { readonly earlier: readonly Entry[]; readonly current: readonly Entry[] };

/**
 * Splits the list after its last completed assistant turn. A turn is completed if an entry of the user or of a tool follows
 * it. Without one it is a prefill, which the model continues: it does not end the user's prompt.
 */
export function toTurns(list: unknown, authorOf: (fields: JsonObject) => Author | null): Turns {
  const values: readonly unknown[] = Array.isArray(list) ? list : [];
  const entries = values.flatMap((value) => {
    const fields = asObject(value);
    const author = fields && authorOf(fields);
    return fields && author ? [{ author, fields }] : [];
  });
  const lastOfClient = entries.findLastIndex(({ author }) => author !== "assistant");
  const lastCompleted = entries.findLastIndex(
    ({ author }, index) => author === "assistant" && index < lastOfClient,
  );
  return { earlier: entries.slice(0, lastCompleted + 1), current: entries.slice(lastCompleted + 1) };
}

/** Reads the user's texts. `textType` is the dialect's type of a text part. */
export function readPrompts(
  { earlier, current }: Turns,
  textType: string,
): Omit<Conversation, "correlatingToolCallId"> {
  const texts = { current: [] as string[], earlier: [] as string[] };
  const pieces: string[] = [];
  let length = 0;
  let promptCount = 0;
  for (const entry of current) {
    const ofEntry = userTexts(entry, textType);
    if (ofEntry.length > 0) promptCount += 1;
    keepLast(texts.current, ofEntry);
    for (const text of ofEntry) {
      if (length >= MAX_TEXT) break;
      const separator = pieces.length === 0 ? "" : "\n";
      const piece = cut(separator + text, MAX_TEXT - length);
      pieces.push(piece);
      length += piece.length;
    }
  }
  let earlierPromptCount = 0;
  for (const entry of earlier) {
    const ofEntry = userTexts(entry, textType);
    if (ofEntry.length > 0) earlierPromptCount += 1;
    keepLast(texts.earlier, ofEntry);
  }
  return { prompt: pieces.join("") || null, promptCount, earlierPromptCount, texts };
}

function keepLast(kept: string[], texts: readonly string[]): void {
  kept.push(...texts.slice(-MAX_USER_TEXTS));
  if (kept.length > MAX_USER_TEXTS) kept.splice(0, kept.length - MAX_USER_TEXTS);
}

/** The last entry after the last completed assistant turn, user messages apart that have only the client's scaffolding. */
export function lastEntry({ current }: Turns, textType: string): JsonObject | undefined {
  return current.findLast((entry) => !isScaffolding(entry, textType))?.fields;
}

function isScaffolding(entry: Entry, textType: string): boolean {
  if (entry.author !== "user" || userTexts(entry, textType).length > 0) return false;
  const { content } = entry.fields;
  if (!Array.isArray(content)) return typeof content === "string";
  return content.length > 0 && partsOfType(content, textType).length === content.length;
}

/** The content's parts of the given type. Entries that are not parts are skipped. */
export function partsOfType(content: unknown, type: string): readonly JsonObject[] {
  const values: readonly unknown[] = Array.isArray(content) ? content : [];
  return values.flatMap((value) => {
    const part = asObject(value);
    return part?.["type"] === type ? [part] : [];
  });
}

/** The texts of a user message without the client's scaffolding; none if the entry is not a user message. */
function userTexts({ author, fields }: Entry, textType: string): readonly string[] {
  if (author !== "user") return [];
  const { content } = fields;
  const texts =
    typeof content === "string" ? [content] : partsOfType(content, textType).map((part) => part["text"]);
  return texts.flatMap((text) => (typeof text === "string" ? withoutScaffolding(text) || [] : []));
}
