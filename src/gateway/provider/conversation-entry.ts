/** One entry of a conversation, read in place. Images, files and tool results are skipped and never decoded. */
import { MAX_TEXT } from "./bounded-text.ts";
import { SCAFFOLDING_STARTS, withoutScaffolding } from "./client-scaffolding.ts";
import { parseRange, type Range } from "./json-body.ts";
import { eachElement, eachMember, skipValue } from "./json-members.ts";
import type { JsonSource } from "./json-source.ts";
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
  readonly texts: readonly Range[];
  /** The id of the tool call whose result the entry has; null if it has none; undefined if an earlier one's stays. */
  readonly toolCallId: unknown;
};

/** How a dialect's entries are read. */
export type EntryRules = {
  /** The keys of an entry that are read, by `entryKeys`. */
  readonly keys: KnownKeys;
  /** `fields`: the members of `keys` but `content`. Texts are cut, and objects and lists are empty. */
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

  constructor(list: string, rules: EntryRules) {
    this.entry = new KeyCheck(rules.keys, `${list}.`);
    this.part = new KeyCheck(PART_KEYS, `${list}.content.`);
  }

  get refusal(): Refusal | null {
    return this.entry.refusal ?? this.part.refusal;
  }
}

/** `role`, `content` and further keys of an entry. */
export const entryKeys = (...further: readonly string[]): KnownKeys =>
  new KnownKeys(["role", "content", ...further]);

const PART_KEYS = new KnownKeys(["type", "text", "content", "tool_use_id"]);

/** Of a member that the object does not have. */
const ABSENT: Range = { from: 0, to: 0 };

/** Reads the object at `at`. `entry`: null if it has no author. `end`: the offset after it. */
export function readEntry(
  source: JsonSource,
  at: number,
  rules: EntryRules,
  keys: EntryKeys,
): { readonly entry: Entry | null; readonly end: number } {
  const { bytes } = source;
  const fields: Record<string, unknown> = {};
  let content = ABSENT;
  let text = ABSENT;
  keys.entry.reset();
  const end = eachMember(source, at, (key, from, to) => {
    const name = keys.entry.name(source, key);
    if (name === "content") content = { from, to };
    else if (name === "text") text = { from, to };
    else if (name !== null) fields[name] = shortValue(source, { from, to });
  });
  const author = rules.authorOf(fields);
  if (author === null) return { entry: null, end };
  // A part in place of a message. The text of a message is in its content.
  const read = content === ABSENT && bytes[text.from] === 0x22 ? text : content;
  const { texts, resultId, isText } =
    author === "user" && read !== ABSENT ? readContent(source, read, rules, keys.part) : NO_CONTENT;
  // A message with only the client's scaffolding is no request of the user.
  const isScaffolding = isText && texts.length === 0;
  const toolCallId = isScaffolding ? undefined : rules.toolCallId(fields, resultId);
  return { entry: { author, texts, toolCallId }, end };
}

/** A request whose list is the user's text. */
export const readTextEntry = (bytes: Uint8Array, text: Range): Entry => ({
  author: "user",
  texts: hasUserText(bytes, text) ? [text] : [],
  toolCallId: null,
});

/** The recorded texts of one request: each has at least one character, and a separator follows it. */
export const MAX_PROMPT_TEXTS = MAX_TEXT / 2 + 1;

/** `resultId`: the id of the last tool result; undefined if there is none. */
type Content = {
  readonly texts: readonly Range[];
  readonly resultId: unknown;
  /** The content is text alone. */
  readonly isText: boolean;
};
const NO_CONTENT: Content = { texts: [], resultId: undefined, isText: false };

/** Reads the content of a user message: a text, a part, or a list of them. */
function readContent(source: JsonSource, content: Range, { textType }: EntryRules, keys: KeyCheck): Content {
  const { bytes } = source;
  // A conversation can have very many short messages: this path allocates least.
  if (bytes[content.from] === 0x22)
    return { texts: hasUserText(bytes, content) ? [content] : [], resultId: undefined, isText: true };
  const texts: Range[] = [];
  let resultId: unknown;
  let parts = 0;
  let textParts = 0;
  /** Whether the value is a text. */
  const add = (value: Range): boolean => {
    if (bytes[value.from] !== 0x22) return false;
    if (texts.length < MAX_PROMPT_TEXTS && hasUserText(bytes, value)) texts.push(value);
    return true;
  };
  const read = (at: number): number => {
    parts += 1;
    if (bytes[at] !== 0x7b) {
      const to = skipValue(source, at);
      // vLLM takes a text in place of a text part.
      if (add({ from: at, to })) textParts += 1;
      return to;
    }
    const part = readPart(source, at, keys);
    // Servers differ in the types that they take for a text, and in the key of the text.
    const isResult = part.type === "tool_result";
    const hasText = add(part.text) || (!isResult && add(part.content));
    if (hasText || part.type === textType) textParts += 1;
    if (isResult) resultId = part.resultId ?? null;
    return part.end;
  };
  if (bytes[content.from] === 0x5b) eachElement(source, content.from, read);
  else read(content.from);
  return { texts, resultId, isText: parts > 0 && textParts === parts };
}

type Part = {
  readonly type: unknown;
  readonly resultId: unknown;
  readonly text: Range;
  readonly content: Range;
  readonly end: number;
};

function readPart(source: JsonSource, at: number, keys: KeyCheck): Part {
  const fields: Record<string, unknown> = {};
  let [text, content] = [ABSENT, ABSENT];
  keys.reset();
  const end = eachMember(source, at, (key, from, to) => {
    const name = keys.name(source, key);
    if (name === "text") text = { from, to };
    else if (name === "content") content = { from, to };
    else if (name !== null) fields[name] = shortValue(source, { from, to });
  });
  return { type: fields["type"], resultId: fields["tool_use_id"], text, content, end };
}

const TEMPLATE_KEYS = new KnownKeys(["id", "variables"]);

/** The texts that a request gives for the variables of the provider's prompt template. They are the user's. */
export function readVariables(
  source: JsonSource,
  template: Range,
  keys: KeyCheck,
): readonly Range[] | Refusal {
  const { bytes } = source;
  const texts: Range[] = [];
  const add = (value: Range): void => {
    if (bytes[value.from] === 0x22 && texts.length < MAX_PROMPT_TEXTS && hasUserText(bytes, value))
      texts.push(value);
  };
  const check = new KeyCheck(TEMPLATE_KEYS, "prompt.");
  const addVariable = (_: unknown, from: number, to: number): void => {
    if (bytes[from] === 0x7b) add(readPart(source, from, keys).text);
    else add({ from, to });
  };
  if (bytes[template.from] === 0x7b)
    eachMember(source, template.from, (key, from) => {
      if (check.name(source, key) === "variables" && bytes[from] === 0x7b)
        eachMember(source, from, addVariable);
    });
  return check.refusal ?? texts;
}

/** The first `max` UTF-16 units of the text without the client's scaffolding. */
export const userText = (bytes: Uint8Array, text: Range, max: number): string =>
  mayHaveScaffolding(bytes, text)
    ? withoutScaffolding(() => textPieces(bytes, text), max)
    : textStart(bytes, text, max);

const hasUserText = (bytes: Uint8Array, text: Range): boolean =>
  !mayHaveScaffolding(bytes, text) || userText(bytes, text, 1) !== "";

/** Whether the text is empty, or begins as scaffolding does, or with a character that is escaped. Most texts do not. */
function mayHaveScaffolding(bytes: Uint8Array, { from }: Range): boolean {
  const first = bytes[from + 1] as number;
  return first === 0x22 || first === 0x5c || SCAFFOLDING_STARTS.includes(String.fromCharCode(first));
}

/** Longer than every role, type and id that is recorded. */
const MAX_SHORT = 1024;
/** V8 copies a part of a string up to this length. A longer one would keep the window in memory. */
const MAX_COPIED = 12;
const CONTAINER: JsonObject = {};

function shortValue(source: JsonSource, range: Range): unknown {
  const { bytes } = source;
  const { from, to } = range;
  const first = bytes[from];
  if (first === 0x22) {
    if (to - from > MAX_SHORT) return textStart(bytes, range, MAX_SHORT);
    if (to - from - 2 > MAX_COPIED) return parseRange(source, range);
    const text = source.peek(from + 1, to - 1);
    return text.includes("\\") ? parseRange(source, range) : text;
  }
  return first === 0x7b || first === 0x5b ? CONTAINER : parseRange(source, range);
}
