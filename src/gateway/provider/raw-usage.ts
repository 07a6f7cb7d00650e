/**
 * The provider's usage object as it is recorded beside the figures that were read from it. An object above the bound loses
 * its long members, so that the figures stay.
 */
import { toJson } from "./bounded-text.ts";
import { asObject, parseObject, type JsonObject } from "../../shared/json.ts";

const MAX_RAW = 2048;
/** A longer text is no name. */
const MAX_NAME = 64;
const MARK = "truncated";

/** A member of an object, by the length of its JSON. */
type Member = { readonly holder: Record<string, unknown>; readonly key: string; readonly length: number };
type Matches = (value: unknown, key: string) => boolean;

const isLong: Matches = (value, key) =>
  key.length > MAX_NAME || (typeof value === "string" && value.length > MAX_NAME);
const isObject: Matches = (value) => asObject(value) !== null;
const isAnything: Matches = () => true;

/**
 * The provider's usage object as JSON, at most 2,048 characters. A longer one loses the last entries of its longest lists,
 * then its longest texts and objects, and has a member `truncated`. null if the object has no JSON form.
 */
export function rawUsage(from: JsonObject): string | null {
  const json = toJson(from);
  if (json === null || json.length <= MAX_RAW) return json;
  const copy = parseObject(json);
  if (copy === null) return null;
  const kept: Record<string, unknown> = { ...copy, [MARK]: true };
  // An upper bound of the length: a comma that nothing follows is counted too.
  let length = json.length + `,"${MARK}":true`.length;
  for (const member of membersOf(kept, Array.isArray)) {
    if (length <= MAX_RAW) break;
    const list = member.holder[member.key] as unknown[];
    while (length > MAX_RAW && list.length > 0) length -= lengthOf(list.pop()) + 1;
  }
  const remove = (members: readonly Member[]): void => {
    for (const { holder, key, length: removed } of members) {
      if (length <= MAX_RAW) return;
      if (key === MARK && holder === kept) continue;
      delete holder[key];
      length -= removed;
    }
  };
  remove(membersOf(kept, isLong));
  remove(membersOf(kept, isObject));
  // The figures stand first in most objects.
  remove(outermost(kept, isAnything).toReversed());
  return toJson(kept);
}

/** The members of `outermost`, the longest first. */
const membersOf = (holder: Record<string, unknown>, matches: Matches): readonly Member[] =>
  outermost(holder, matches).toSorted((a, b) => b.length - a.length);

/** The members that match and are not within another one. */
function outermost(holder: Record<string, unknown>, matches: Matches): readonly Member[] {
  const found: Member[] = [];
  const visit = (inner: Record<string, unknown>): void => {
    for (const [key, value] of Object.entries(inner)) {
      if (matches(value, key)) found.push({ holder: inner, key, length: lengthOf({ [key]: value }) - 1 });
      else if (asObject(value)) visit(value as Record<string, unknown>);
    }
  };
  visit(holder);
  return found;
}

const lengthOf = (value: unknown): number => toJson(value)?.length ?? 0;
