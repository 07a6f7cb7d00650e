/** A JSON body: its bytes, validated, and where the known members of its outermost object are. */
import { parseJson } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import { scanObject } from "./json-scan.ts";
import type { JsonSource } from "./json-source.ts";
import { KeyCheck, type KnownKeys } from "./known-keys.ts";

/** The offsets of a value: its start, and the end after it. */
export type Range = { readonly from: number; readonly to: number };

export type JsonBody = {
  readonly source: JsonSource;
  readonly members: ReadonlyMap<string, Range>;
};

/** A value up to this size is parsed. Larger ones are texts and lists, which are read in place. */
export const MAX_PARSED_BYTES = 64 * 1024;

/** @returns the body, or the refusal `body_invalid` or `field_repeated`, both 400. */
export function readJsonBody(source: JsonSource, known: KnownKeys): JsonBody | Refusal {
  const members = new Map<string, Range>();
  const check = new KeyCheck(known);
  const problem = scanObject(source, (key, from, to) => {
    const name = check.name(source, key);
    if (name !== null) members.set(name, { from, to });
  });
  if (problem !== null) return new Refusal("body_invalid", problem === "" ? {} : { detail: problem });
  source.trust();
  return check.refusal ?? { source, members };
}

/** The value in the range; undefined where it is larger than `MAX_PARSED_BYTES`. */
export function parseRange(source: JsonSource, { from, to }: Range): unknown {
  if (to - from > MAX_PARSED_BYTES) return undefined;
  return parseJson(source.peek(from, to));
}
