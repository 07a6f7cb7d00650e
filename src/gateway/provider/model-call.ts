/**
 * Parses the body of an intercepted request once, and returns the few fields that the gateway checks. The checked value
 * must be the one that the provider reads. A checked field that occurs twice is therefore rejected: JSON readers differ
 * in which one they use.
 */
import { topLevelMembers } from "./json-members.ts";
import { Refusal } from "../../shared/refusal.ts";
import { asObject, parseJson, type JsonObject } from "../../shared/json.ts";

export type ModelCall = {
  readonly fields: JsonObject;
  /** The body as text, from which `fields` was parsed. */
  readonly text: string;
  /** Unmodified; null if it is absent, which the provider rejects. */
  readonly model: string | null;
  readonly stream: boolean;
};

const MAX_DEPTH = 256;
const CHECKED_FIELDS = ["model", "stream", "stream_options"];
/** An escape of a lower-case letter or `_`. A checked key can have another spelling only with one of these. */
const ESCAPED_LETTER = /\\u00(?:5f|6|7)/i;

/** @returns the call, or the refusal `body_invalid`, `field_invalid` or `field_repeated`, all 400. */
export function readModelCall(bytes: Uint8Array): ModelCall | Refusal {
  const parsed = parseStrict(bytes);
  if (parsed instanceof Refusal) return parsed;
  const { fields, text } = parsed;
  const { model, stream } = fields;
  if (model !== undefined && model !== null && typeof model !== "string") return invalid("model");
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") return invalid("stream");
  // Some JSON readers ignore the case of keys.
  const caseVariant = Object.keys(fields).find(
    (key) => !CHECKED_FIELDS.includes(key) && CHECKED_FIELDS.includes(key.toLowerCase()),
  );
  if (caseVariant !== undefined) return new Refusal("field_repeated", { param: caseVariant.toLowerCase() });
  for (const key of CHECKED_FIELDS) {
    if (Object.hasOwn(fields, key) && mayRepeat(text, key) && countKey(text, key) > 1) {
      return new Refusal("field_repeated", { param: key });
    }
  }
  return { fields, text, model: model ?? null, stream: stream === true };
}

const invalid = (field: string): Refusal => new Refusal("field_invalid", { param: field });

/** ignoreBOM keeps a byte order mark in the text, so that JSON.parse rejects it (RFC 8259 §8.1). */
const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function parseStrict(bytes: Uint8Array): { fields: JsonObject; text: string } | Refusal {
  let text: string;
  try {
    text = STRICT.decode(bytes);
  } catch {
    return new Refusal("body_invalid");
  }
  const value = parseJson(text);
  if (value === undefined) return new Refusal("body_invalid");
  const fields = asObject(value);
  if (!fields) return new Refusal("body_invalid", { detail: "not an object" });
  return isDeep(fields, MAX_DEPTH)
    ? new Refusal("body_invalid", { detail: `nested over ${MAX_DEPTH} deep` })
    : { fields, text };
}

/** Whether the value nests deeper than `left` levels. The recursion itself stops at that depth. */
function isDeep(value: object, left: number): boolean {
  if (left === 0) return true;
  if (Array.isArray(value)) return value.some((inner: unknown) => isNested(inner, left - 1));
  // Iterating over keys avoids allocating a list of each object's values.
  for (const key in value) {
    if (isNested((value as Readonly<Record<string, unknown>>)[key], left - 1)) return true;
  }
  return false;
}

const isNested = (value: unknown, left: number): boolean =>
  typeof value === "object" && value !== null && isDeep(value, left);

/** A cheap test that returns false for nearly every body: the key occurs once and no letter is escaped. */
function mayRepeat(text: string, key: string): boolean {
  const quoted = `"${key}"`;
  const first = text.indexOf(quoted);
  return first < 0 || text.indexOf(quoted, first + 1) >= 0 || ESCAPED_LETTER.test(text);
}

/** The number of times the key occurs in the outermost object. `text` must be a valid JSON object. */
function countKey(text: string, key: string): number {
  let count = 0;
  for (const member of topLevelMembers(text)) if (member.key === key) count += 1;
  return count;
}
