/**
 * The ids of stored objects that a request's body names, wherever it names them: found by their keys in one pass over
 * validated bytes, in any case and spelling, and as often as they are repeated.
 */
import { parseJson } from "../../shared/json.ts";
import type { Range } from "./json-body.ts";
import { eachElement, eachMember, skipValue } from "./json-members.ts";
import { skipBlank } from "./json-scan.ts";
import type { JsonSource } from "./json-source.ts";
import { KnownKeys } from "./known-keys.ts";

/** The values of these keys are ids, lists of ids, or objects with one. */
const REFERENCES = new KnownKeys(
  (
    "previous_response_id conversation input_file_id file_id file_ids vector_store_id vector_store_ids container " +
    "container_id training_file validation_file"
  ).split(" "),
);
/** Labels that the client wrote for itself. */
const LABELS = new KnownKeys(["metadata"]);
/** No keys at all: a dialect whose tool arguments are text. */
const NONE = new KnownKeys([]);
const ID = new KnownKeys(["id"]);
/** The deepest nesting that `scanObject` accepts, and one level for the text itself. */
const LEVELS = 257;

const COMMA = 0x2c;

/** `source`: an object that `scanObject` has validated. `toolArguments`: the key of a tool call's own data, below the first level. */
export function namedObjects(source: JsonSource, toolArguments: KnownKeys = NONE): Set<string> {
  const { bytes } = source;
  const ids = new Set<string>();
  /** For each open object or list: whether it is the value of a reference, or inside a list that is. */
  const isReference = new Uint8Array(LEVELS);
  const isList = new Uint8Array(LEVELS);
  let depth = 0;
  /** Whether the next value is an id. */
  let isNamed = false;
  for (let at = skipBlank(bytes, 0); at < bytes.length; at = skipBlank(bytes, at)) {
    const byte = bytes[at];
    if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      isReference[depth] = isNamed ? 1 : 0;
      isList[depth] = byte === 0x5b ? 1 : 0;
      isNamed &&= byte === 0x5b;
      at += 1;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
      isNamed = false;
      at += 1;
    } else if (byte === COMMA) {
      isNamed = isReference[depth] === 1 && isList[depth] === 1;
      at += 1;
    } else {
      const end = skipValue(source, at);
      const colon = skipBlank(bytes, end);
      if (bytes[colon] !== 0x3a) {
        if (isNamed) addId(ids, source, { from: at, to: end });
        at = end;
        continue;
      }
      const value = skipBlank(bytes, colon + 1);
      const isOwn = (depth === 1 ? LABELS : toolArguments).find(source, at + 1)?.isExact === true;
      isNamed = REFERENCES.find(source, at + 1) !== null;
      isNamed ||= isReference[depth] === 1 && ID.find(source, at + 1) !== null;
      at = isOwn ? skipValue(source, value) : value;
    }
  }
  return ids;
}

/** A number or a literal counts as its text, which names no object. */
function addId(ids: Set<string>, source: JsonSource, { from, to }: Range): void {
  const text = source.peek(from, to);
  if (text !== "null") ids.add(String(parseJson(text)));
}

const ITEM_KEYS = new KnownKeys(["id", "type", "content"]);

/** Adds the items that a list only refers to: those of type `item_reference`, also without a type, have no content. */
export function addItemReferences(ids: Set<string>, source: JsonSource, { from }: Range): void {
  const { bytes } = source;
  if (bytes[from] !== 0x5b) return;
  eachElement(source, from, (at) => {
    if (bytes[at] !== 0x7b) return skipValue(source, at);
    const found = new Set<string>();
    let [isReference, hasOther] = [false, false];
    const end = eachMember(source, at, (key, valueFrom, valueTo) => {
      const name = ITEM_KEYS.find(source, key)?.name;
      if (name === "id") addId(found, source, { from: valueFrom, to: valueTo });
      else if (name === "content") hasOther = true;
      else if (name === "type") {
        const type = parseJson(source.peek(valueFrom, valueTo));
        if (type === "item_reference") isReference = true;
        else if (type !== null) hasOther = true;
      }
    });
    if (isReference || !hasOther) for (const id of found) ids.add(id);
    return end;
  });
}
