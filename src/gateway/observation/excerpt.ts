/**
 * The beginning and the end of a JSON text that is too large to be held. They have the members that the record needs: the
 * id and the model stand before the content, the usage and the reason of the end after it. Azure sorts the members by name.
 */
import { asObject, parseJson, type JsonObject } from "../../shared/json.ts";
import { closeJson } from "./close-json.ts";

const HEAD_CHARACTERS = 4 * 1024;
const TAIL_CHARACTERS = 64 * 1024;
/** Characters that an excerpt holds at most. The end grows to twice its size before it is cut. */
export const EXCERPT_CHARACTERS = HEAD_CHARACTERS + 2 * TAIL_CHARACTERS;

export type Excerpt = {
  /** The next piece of the text. */
  readonly add: (piece: string) => void;
  /** The members of the text that are known; null if there are none. */
  readonly read: () => JsonObject | null;
};

export function createExcerpt(): Excerpt {
  let head = "";
  let tail = "";
  let size = 0;
  return {
    add(piece) {
      if (size < HEAD_CHARACTERS) head += piece.slice(0, HEAD_CHARACTERS - size);
      size += piece.length;
      tail = join(tail, piece);
    },
    read: () =>
      size <= tail.length ? asObject(parseJson(tail)) : readEnds(head, tail.slice(-TAIL_CHARACTERS)),
  };
}

function join(tail: string, piece: string): string {
  if (piece.length >= TAIL_CHARACTERS) return piece.slice(-TAIL_CHARACTERS);
  const joined = tail + piece;
  return joined.length <= 2 * TAIL_CHARACTERS ? joined : joined.slice(-TAIL_CHARACTERS);
}

/** The members with the content: those before them stand in the head. */
const CONTENT = /"(?:choices|content|output|data|response)"\s*:/;
/**
 * The first of the members after the content. A quote inside a text is escaped, so a match is a key. The parameters of tools
 * often have an `id`, whose value is an object.
 */
const LAST_MEMBERS =
  /"(?:(?:usage|stop_reason|status|service_tier|incomplete_details|error)"\s*:|(?:id|model)"\s*:\s*")/g;
const FINISH_REASON = /"finish_reason"\s*:\s*"([^"\\]{1,128})"/g;
/** Attempts to read the end. The members of the content can have the same keys. */
const MAX_ATTEMPTS = 32;

function readEnds(head: string, tail: string): JsonObject | null {
  // Gemini's list with one error.
  if (/^\s*\[/.test(head)) return readError(head.trimStart().slice(1), tail.trimEnd().replace(/\]$/, ""));
  const error = readError(head, tail);
  if (error) return error;
  const last = readTail(tail);
  const first = readHead(head);
  // Some servers have the usage or an error before the content, and nothing after it.
  if (!last && !Object.hasOwn(first, "usage") && !Object.hasOwn(first, "error")) return null;
  const response = asObject(last?.["response"]);
  const reason = [...(head + tail).matchAll(FINISH_REASON)].at(-1)?.[1];
  return {
    ...first,
    ...last,
    ...(response && { response: { ...asObject(first["response"]), ...response } }),
    ...(reason !== undefined && { choices: [{ index: 0, finish_reason: reason }] }),
  };
}

/** A text with one of these members may be an error, unless it has content too. The dialect's reader decides. */
const ERROR_MEMBERS = ["error", "errors", "message", "detail", "base_resp"];
const CONTENT_MEMBERS = ["choices", "content", "output", "data", "response", "usage"];
/** Members that name an error. They stand before its message or after it. */
const ERROR_NAMES = /"(?:type|code|status|reason|__type|statusCode|status_code|error_type|error_code)"\s*:/g;

/**
 * An error whose message or details are long: the members before them and those after them. null if the text does not begin
 * with an error.
 */
function readError(head: string, tail: string): JsonObject | null {
  const first = asObject(parseJson(closeJson(head)));
  const has = (keys: readonly string[]): boolean => keys.some((key) => (first?.[key] ?? null) !== null);
  if (!first || !has(ERROR_MEMBERS) || has(CONTENT_MEMBERS)) return null;
  const inner = asObject(first["error"]);
  for (const { index } of [...tail.matchAll(ERROR_NAMES)].slice(-MAX_ATTEMPTS)) {
    const end = tail.slice(index);
    const outerEnd = asObject(parseJson(`{${end}`));
    if (outerEnd) return { ...outerEnd, ...first };
    const innerEnd = inner && asObject(parseJson(`{"error":{${end}`));
    if (innerEnd) return { ...innerEnd, ...first, error: { ...asObject(innerEnd["error"]), ...inner } };
  }
  return first;
}

/** The members before the content: of the object, and of the `response` object of an event. */
function readHead(head: string): JsonObject {
  const at = CONTENT.exec(head);
  if (!at) return {};
  const members = closed(head.slice(0, at.index));
  if (!at[0].startsWith('"response"')) return members;
  return { ...members, response: readHead(head.slice(at.index + at[0].length)) };
}

/** An object of which only the first members are known. */
const closed = (start: string): JsonObject =>
  asObject(parseJson(`${start.trimEnd().replace(/,$/, "")}}`)) ?? {};

/** The members after the content: of the object, or of the `response` object of an event. */
function readTail(tail: string): JsonObject | null {
  const starts = [...tail.matchAll(LAST_MEMBERS)].slice(-MAX_ATTEMPTS);
  // From the first: it has the most members. One inside the content leaves brackets that do not match.
  for (const { index } of starts) {
    const end = tail.slice(index);
    const value = asObject(parseJson(`{${end}`)) ?? asObject(parseJson(`{"response":{${end}`));
    if (value) return value;
  }
  return null;
}
