/** One entry of a conversation, read in place. Images, files and tool results are skipped and never decoded. */
import { withoutScaffolding } from "./client-scaffolding.ts";
import { parseRange } from "./json-body.ts";
import { eachElement, eachMember, skipValue } from "./json-members.ts";
import { textPieces, textStart } from "./json-text.ts";
import { KeyCheck, KnownKeys } from "./known-keys.ts";
import type { Refusal } from "../../shared/refusal.ts";
import type { JsonObject } from "../../shared/json.ts";

/** The author of an entry. Instructions (`system`, `developer`) and invalid entries have none and are skipped. */
export type Author = "user" | "assistant" | "tool";

export type Entry = {
  readonly author: Author;
  /** The user's texts without the client's scaffolding, as far as there is room. */
  readonly texts: readonly string[];
  readonly hasText: boolean;
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
};

/** The keys that are read in the entries of one list and in the parts of their content, each at most once. */
export class EntryKeys {
  readonly entry: KeyCheck;
  readonly part: KeyCheck;

  constructor(list: string, { keys }: EntryRules) {
    this.entry = new KeyCheck(new KnownKeys(["role", "content", ...keys]), `${list}.`);
    this.part = new KeyCheck(PART_KEYS, `${list}.content.`);
  }

  get refusal(): Refusal | null {
    return this.entry.refusal ?? this.part.refusal;
  }
}

const PART_KEYS = new KnownKeys(["type", "text", "tool_use_id"]);

export type EntryReading = {
  readonly rules: EntryRules;
  readonly keys: EntryKeys;
  /** The maximum length of the texts together. */
  readonly room: number;
};

/** Reads the object at `at`. `entry`: null if it has no author. `end`: the offset after it. */
export function readEntry(
  bytes: Uint8Array,
  at: number,
  { rules, keys, room }: EntryReading,
): { readonly entry: Entry | null; readonly end: number } {
  const fields: Record<string, unknown> = {};
  let content = 0;
  keys.entry.reset();
  const end = eachMember(bytes, at, (key, from, to) => {
    const name = keys.entry.name(bytes, key);
    if (name === "content") content = from;
    else if (name !== null) fields[name] = shortValue(bytes, from, to);
  });
  const author = rules.authorOf(fields);
  if (author === null) return { entry: null, end };
  const texts = new UserTexts(bytes, room);
  const resultId =
    author === "user" && content > 0 ? readContent(texts, content, rules, keys.part) : undefined;
  const toolCallId = rules.toolCallId(fields, resultId);
  return { entry: { author, texts: texts.texts, hasText: texts.hasText, toolCallId }, end };
}

/** A request whose list is the user's text. */
export function readTextEntry(bytes: Uint8Array, at: number, room: number): Entry {
  const texts = new UserTexts(bytes, room);
  texts.add(at);
  return { author: "user", texts: texts.texts, hasText: texts.hasText, toolCallId: null };
}

/** Reads the texts of a user message. @returns the id of its last tool result; undefined if it has none. */
function readContent(texts: UserTexts, content: number, { textType }: EntryRules, keys: KeyCheck): unknown {
  const { bytes } = texts;
  let resultId: unknown;
  if (bytes[content] === 0x22) texts.add(content);
  if (bytes[content] !== 0x5b) return resultId;
  eachElement(bytes, content, (at) => {
    if (bytes[at] !== 0x7b) return skipValue(bytes, at);
    const part: Record<string, unknown> = {};
    let text = 0;
    keys.reset();
    const end = eachMember(bytes, at, (key, from, to) => {
      const name = keys.name(bytes, key);
      if (name === "text") text = from;
      else if (name !== null) part[name] = shortValue(bytes, from, to);
    });
    if (part["type"] === textType && text > 0) texts.add(text);
    if (part["type"] === "tool_result") resultId = part["tool_use_id"] ?? null;
    return end;
  });
  return resultId;
}

/** Collects the texts of one user message. */
class UserTexts {
  readonly bytes: Uint8Array;
  readonly texts: string[] = [];
  hasText = false;
  #room: number;

  constructor(bytes: Uint8Array, room: number) {
    this.bytes = bytes;
    this.#room = room;
  }

  /** Adds the value at `at` if it is a string with more than scaffolding. */
  add(at: number): void {
    if (this.bytes[at] !== 0x22 || (this.hasText && this.#room <= 0)) return;
    const text = withoutScaffolding(() => textPieces(this.bytes, at), Math.max(1, this.#room));
    if (text === "") return;
    this.hasText = true;
    if (this.#room > 0) this.texts.push(text);
    this.#room -= text.length;
  }
}

/** Longer than every role, type and id that is recorded. */
const MAX_SHORT = 1024;
const CONTAINER: JsonObject = {};

function shortValue(bytes: Uint8Array, from: number, to: number): unknown {
  const first = bytes[from];
  if (first === 0x22) return textStart(bytes, from, MAX_SHORT);
  return first === 0x7b || first === 0x5b ? CONTAINER : parseRange(bytes, { from, to });
}
