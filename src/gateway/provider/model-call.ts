/**
 * What an intercepted request asks for. Receives the body's bytes, hands on the few fields that are judged, parsed
 * once. What is judged is what the provider will read: a judged field given twice is refused, as readers differ in
 * which of the two counts.
 */
import { topLevelMembers } from "./json-members.ts";
import { Refusal } from "../../shared/refusal.ts";
import { asObject, type JsonObject } from "../../shared/json.ts";

export type ModelCall = {
  readonly fields: JsonObject;
  /** The body as text: what `fields` was parsed from. */
  readonly text: string;
  /** As written; null where there is none (the provider will say so). */
  readonly model: string | null;
  readonly stream: boolean;
};

const MAX_DEPTH = 256;
const CHECKED_FIELDS = ["model", "stream", "stream_options"];
/** An escape of a lower-case letter or `_`: only with one of these could a judged key be spelled otherwise. */
const ESCAPED_LETTER = /\\u00(?:5f|6|7)/i;

/** Refuses `body_invalid`, `field_invalid` and `field_repeated`, all 400. */
export function readModelCall(bytes: Uint8Array): ModelCall | Refusal {
  const parsed = parseStrict(bytes);
  if (parsed instanceof Refusal) return parsed;
  const { fields, text } = parsed;
  const { model, stream } = fields;
  if (model !== undefined && model !== null && typeof model !== "string") return invalid("model");
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") return invalid("stream");
  // Some readers take keys in any case.
  const strange = Object.keys(fields).find(
    (key) => !CHECKED_FIELDS.includes(key) && CHECKED_FIELDS.includes(key.toLowerCase()),
  );
  if (strange !== undefined) return new Refusal("field_repeated", { param: strange.toLowerCase() });
  for (const key of CHECKED_FIELDS) {
    if (Object.hasOwn(fields, key) && mayRepeat(text, key) && countKey(text, key) > 1) {
      return new Refusal("field_repeated", { param: key });
    }
  }
  return { fields, text, model: model ?? null, stream: stream === true };
}

const invalid = (field: string): Refusal => new Refusal("field_invalid", { param: field });

/** ignoreBOM keeps a byte order mark in the text, where JSON.parse refuses it (RFC 8259 §8.1). */
const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function parseStrict(bytes: Uint8Array): { fields: JsonObject; text: string } | Refusal {
  let text: string;
  let value: unknown;
  try {
    text = STRICT.decode(bytes);
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the body.
    return new Refusal("body_invalid");
  }
  const fields = asObject(value);
  if (!fields) return new Refusal("body_invalid", { detail: "not an object" });
  return isDeep(fields, MAX_DEPTH)
    ? new Refusal("body_invalid", { detail: `nested over ${MAX_DEPTH} deep` })
    : { fields, text };
}

/** Whether the value nests deeper than `left`; recurses no deeper than that itself. */
function isDeep(value: object, left: number): boolean {
  if (left === 0) return true;
  if (Array.isArray(value)) return value.some((inner: unknown) => isNested(inner, left - 1));
  // By key: a list of each object's values would be made for nothing.
  for (const key in value) {
    if (isNested((value as Readonly<Record<string, unknown>>)[key], left - 1)) return true;
  }
  return false;
}

const isNested = (value: unknown, left: number): boolean =>
  typeof value === "object" && value !== null && isDeep(value, left);

/** A cheap look that says no for nearly every body: the key is written once, and no letter is escaped. */
function mayRepeat(text: string, key: string): boolean {
  const quoted = `"${key}"`;
  const first = text.indexOf(quoted);
  return first < 0 || text.indexOf(quoted, first + 1) >= 0 || ESCAPED_LETTER.test(text);
}

/** How often the key stands in the outermost object. `text` is valid JSON and an object. */
function countKey(text: string, key: string): number {
  let count = 0;
  for (const member of topLevelMembers(text)) if (member.key === key) count += 1;
  return count;
}
