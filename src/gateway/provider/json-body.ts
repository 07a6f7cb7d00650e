/** A request body: its bytes, validated, and where the known members of its outermost object are. */
import { parseJson } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import { decodeUtf8 } from "./json-text.ts";
import { scanObject } from "./json-scan.ts";
import { KeyCheck, type KnownKeys } from "./known-keys.ts";

/** The offsets of a value: its start, and the end after it. */
export type Range = { readonly from: number; readonly to: number };

export type JsonBody = {
  readonly bytes: Uint8Array;
  readonly members: ReadonlyMap<string, Range>;
};

/** A value up to this size is parsed. Larger ones are texts and lists, which are read in place. */
export const MAX_PARSED_BYTES = 64 * 1024;

/** @returns the body, or the refusal `body_invalid` or `field_repeated`, both 400. */
export function readJsonBody(bytes: Uint8Array, known: KnownKeys): JsonBody | Refusal {
  const members = new Map<string, Range>();
  const check = new KeyCheck(known);
  const problem = scanObject(bytes, (key, from, to) => {
    const name = check.name(bytes, key);
    if (name !== null) members.set(name, { from, to });
  });
  if (problem !== null) return new Refusal("body_invalid", problem === "" ? {} : { detail: problem });
  return check.refusal ?? { bytes, members };
}

/** The value in the range; undefined where it is larger than `MAX_PARSED_BYTES`. */
export function parseRange(bytes: Uint8Array, { from, to }: Range): unknown {
  if (to - from > MAX_PARSED_BYTES) return undefined;
  return parseJson(decodeUtf8(bytes, from, to));
}
