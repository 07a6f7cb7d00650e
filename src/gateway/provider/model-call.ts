/**
 * Reads the body of a model call: scanned once, and only the few fields that the gateway needs are parsed. The checked
 * value must be the one that the provider reads.
 */
import { MAX_PARSED_BYTES, parseRange, readJsonBody, type JsonBody } from "./json-body.ts";
import { eachMember } from "./json-members.ts";
import type { JsonSource } from "./json-source.ts";
import { MODEL_FIELDS } from "./model-fields.ts";
import { KeyCheck, KnownKeys } from "./known-keys.ts";
import { namedModels, type NamedModels } from "./path-model.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { JsonObject } from "../../shared/json.ts";

export type ModelCall = NamedModels & {
  readonly body: JsonBody;
  /** The known fields that are neither long nor contain the conversation. */
  readonly fields: JsonObject;
  readonly stream: boolean;
};

/** The fields that the gateway checks in any request that runs a model. */
const CHECKED_FIELDS = ["model", "stream", "stream_options"];
const CHECKED_KEYS = new KnownKeys(CHECKED_FIELDS);

/** The known fields of one API's requests, the checked ones and those that decide what runs included. */
export const requestFields = (names: readonly string[]): KnownKeys =>
  new KnownKeys([...new Set([...CHECKED_FIELDS, ...MODEL_FIELDS, ...names])]);

/**
 * `pathModel`: the model that the path names; null where it names none.
 *
 * @returns the call, or the refusal `body_invalid`, `field_invalid` or `field_repeated`, all 400.
 */
export function readModelCall(
  source: JsonSource,
  known: KnownKeys = CHECKED_KEYS,
  pathModel: string | null = null,
): ModelCall | Refusal {
  const body = readJsonBody(source, known);
  if (body instanceof Refusal) return body;
  for (const name of CHECKED_FIELDS) {
    const range = body.members.get(name);
    if (range && range.to - range.from > MAX_PARSED_BYTES) return invalid(name);
  }
  const fields = parseShortFields(body);
  const { model, stream } = fields;
  if (model !== undefined && model !== null && typeof model !== "string") return invalid("model");
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") return invalid("stream");
  const named = namedModels(pathModel, model ?? null);
  return checkOptions(body) ?? { body, fields, ...named, stream: stream === true };
}

/** The one key of `stream_options` that the gateway reads. */
export const OPTION_KEYS = new KnownKeys(["include_usage"]);

/**
 * Two values of `include_usage`, or one that lenient providers read as false (`0`, `"off"`), would let the provider omit the
 * usage that the gateway takes for requested.
 */
function checkOptions({ source, members }: JsonBody): Refusal | null {
  const { bytes } = source;
  const options = members.get("stream_options");
  if (options === undefined || bytes[options.from] === NULL) return null;
  if (bytes[options.from] !== 0x7b) return invalid("stream_options");
  const check = new KeyCheck(OPTION_KEYS, "stream_options.");
  let isLiteral = true;
  eachMember(source, options.from, (key, from) => {
    if (check.name(source, key) !== null) isLiteral = LITERALS.has(bytes[from]);
  });
  return check.refusal ?? (isLiteral ? null : invalid("stream_options.include_usage"));
}

/** The first bytes of `null`, `true` and `false`. */
const NULL = 0x6e;
const LITERALS: ReadonlySet<number | undefined> = new Set([NULL, 0x74, 0x66]);

const invalid = (field: string): Refusal => new Refusal("field_invalid", { param: field });

/** Fields that are parsed although they are objects, or may be long. */
const PARSED_FIELDS: ReadonlySet<string> = new Set([...CHECKED_FIELDS, "metadata"]);
/** Other fields are parsed where they are a string, a number or a literal of at most this size. */
const MAX_SCALAR_BYTES = 4096;

function parseShortFields({ source, members }: JsonBody): JsonObject {
  const fields: Record<string, unknown> = {};
  for (const [name, range] of members) {
    const first = source.bytes[range.from];
    const isShort = first !== 0x7b && first !== 0x5b && range.to - range.from <= MAX_SCALAR_BYTES;
    if (!isShort && !PARSED_FIELDS.has(name)) continue;
    const value = parseRange(source, range);
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}
