/** One entry of a conversation, read in place. Images, files and tool results are skipped and never decoded. */
import { MAX_TEXT } from "./bounded-text.ts";
import { withoutScaffolding } from "./client-scaffolding.ts";
import { parseRange } from "./json-body.ts";
import { eachElement, eachMember, skipValue } from "./json-members.ts";
import { textPieces, textStart } from "./json-text.ts";
import { KeyCheck, KnownKeys } from "./known-keys.ts";
import type { Refusal } from "../../shared/refusal.ts";
import type { JsonObject } from "../../shared/json.ts";

/** The author of an entry. Instructions (`system`, `developer`) and invalid entries have none and are skipped. */
export type Author = "user" | "assistant" | "tool";

const INSTRUCTIONS: ReadonlySet<string> = new Set(["system", "developer"]);

/**
 * The author of an entry with a role that is no model's or tool's. An unknown role is the user's, because servers that put
 * any role into the model's template would let it hide a prompt.
 */
export const otherAuthor = (role: unknown): Author | null =>
  typeof role === "string" && !INSTRUCTIONS.has(role) ? "user" : null;

export type Entry = {
  readonly author: Author;
  /** Where the user's texts are that have more than the client's scaffolding. */
  readonly texts: readonly number[];
  /** The id of the tool call whose result the entry has; null if it has none; undefined if an earlier one's stays. */
  readonly toolCallId: unknown;
};

/** How a dialect's entries are read. */
export type EntryRules = {
  /** The keys of an entry that are read besides `role` and `content`. */
  readonly keys: readonly string[];
  /** `fields`: `role` and `keys`. Texts are cut, and objects and lists are empty. */
  readonly authorOf: (fields: JsonObject) => Author | null;
  /** As `Entry.toolCallId`. `resultId`: of the last part of type `tool_result`; undefined if there is none. */
  readonly toolCallId: (fields: JsonObject, resultId: unknown) => unknown;
  /** The type of a text part. */
  readonly textType: string;
  /** Whether an entry may be one part of a user message, without the message. */
  readonly acceptsParts?: boolean;
};

/** The keys that are read in the entries of one list and in the parts of their content, each at most once. */
export class EntryKeys {
  readonly entry: KeyCheck;
  readonly part: KeyCheck;

  constructor(list: string, rules: EntryRules) {
    this.entry = new KeyCheck(entryKeysOf(rules), `${list}.`);
    this.part = new KeyCheck(PART_KEYS, `${list}.content.`);
  }

  get refusal(): Refusal | null {
    return this.entry.refusal ?? this.part.refusal;
  }
}

/** Made once per dialect: it takes longer than the reading of a short conversation. */
const ENTRY_KEYS = new WeakMap<EntryRules, KnownKeys>();

function entryKeysOf(rules: EntryRules): KnownKeys {
  const partKeys = rules.acceptsParts ? ["text"] : [];
  const known = ENTRY_KEYS.get(rules) ?? new KnownKeys(["role", "content", ...partKeys, ...rules.keys]);
  ENTRY_KEYS.set(rules, known);
  return known;
}

const PART_KEYS = new KnownKeys(["type", "text", "tool_use_id"]);

/** Reads the object at `at`. `entry`: null if it has no author. `end`: the offset after it. */
export function readEntry(
  bytes: Uint8Array,
  at: number,
  rules: EntryRules,
  keys: EntryKeys,
): { readonly entry: Entry | null; readonly end: number } {
  const fields: Record<string, unknown> = {};
  let content = 0;
  let text = 0;
  keys.entry.reset();
  const end = eachMember(bytes, at, (key, from, to) => {
    const name = keys.entry.name(bytes, key);
    if (name === "content") content = from;
    else if (name === "text") text = from;
    else if (name !== null) fields[name] = shortValue(bytes, from, to);
  });
  const author = rules.authorOf(fields);
  if (author === null) return { entry: null, end };
  // A part in place of a message. The text of a message is in its content.
  if (content === 0 && text > 0 && bytes[text] === 0x22) content = text;
  const isRead = author === "user" && content > 0;
  const { texts, resultId, isText } = isRead ? readContent(bytes, content, rules, keys.part) : NO_CONTENT;
  // A message with only the client's scaffolding is no request of the user.
  const isScaffolding = isText && texts.length === 0;
  const toolCallId = isScaffolding ? undefined : rules.toolCallId(fields, resultId);
  return { entry: { author, texts, toolCallId }, end };
}

/** A request whose list is the user's text. */
export const readTextEntry = (bytes: Uint8Array, at: number): Entry => ({
  author: "user",
  texts: hasUserText(bytes, at) ? [at] : [],
  toolCallId: null,
});

/** The recorded texts of one request: each has at least one character, and a separator follows it. */
export const MAX_PROMPT_TEXTS = MAX_TEXT / 2 + 1;

/** `resultId`: the id of the last tool result; undefined if there is none. */
type Content = {
  readonly texts: readonly number[];
  readonly resultId: unknown;
  /** The content is text alone. */
  readonly isText: boolean;
};
const NO_CONTENT: Content = { texts: [], resultId: undefined, isText: false };

/** Reads the content of a user message. */
function readContent(bytes: Uint8Array, content: number, { textType }: EntryRules, keys: KeyCheck): Content {
  const texts: number[] = [];
  let resultId: unknown;
  const add = (at: number): void => {
    if (texts.length < MAX_PROMPT_TEXTS && hasUserText(bytes, at)) texts.push(at);
  };
  if (bytes[content] === 0x22) add(content);
  if (bytes[content] !== 0x5b) return { texts, resultId, isText: bytes[content] === 0x22 };
  let parts = 0;
  let textParts = 0;
  eachElement(bytes, content, (at) => {
    parts += 1;
    // vLLM takes a text in place of a text part.
    if (bytes[at] === 0x22) {
      textParts += 1;
      add(at);
    }
    if (bytes[at] !== 0x7b) return skipValue(bytes, at);
    const part: Record<string, unknown> = {};
    let text = 0;
    keys.reset();
    const end = eachMember(bytes, at, (key, from, to) => {
      const name = keys.name(bytes, key);
      if (name === "text") text = from;
      else if (name !== null) part[name] = shortValue(bytes, from, to);
    });
    // Servers differ in the types that they take for a text.
    const hasText = text > 0 && bytes[text] === 0x22;
    if (hasText || part["type"] === textType) textParts += 1;
    if (hasText) add(text);
    if (part["type"] === "tool_result") resultId = part["tool_use_id"] ?? null;
    return end;
  });
  return { texts, resultId, isText: parts > 0 && textParts === parts };
}

/** The first `max` UTF-16 units of the text at `at` without the client's scaffolding. */
export const userText = (bytes: Uint8Array, at: number, max: number): string =>
  withoutScaffolding(() => textPieces(bytes, at), max);

const hasUserText = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === 0x22 && userText(bytes, at, 1) !== "";

/** Longer than every role, type and id that is recorded. */
const MAX_SHORT = 1024;
const CONTAINER: JsonObject = {};

function shortValue(bytes: Uint8Array, from: number, to: number): unknown {
  const first = bytes[from];
  if (first === 0x22) return textStart(bytes, from, MAX_SHORT);
  return first === 0x7b || first === 0x5b ? CONTAINER : parseRange(bytes, { from, to });
}
