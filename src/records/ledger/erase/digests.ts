/**
 * Salted digests by which the records Worker recognizes a person while an erasure is open, so that the request itself does not
 * name them. They do not hide a person from someone who can guess the id, so they are deleted when the erasure is complete.
 */
import { fromBase64 } from "../../../shared/base64.ts";
import { parseObject } from "../../../shared/json.ts";
import { concat, toBase64Url, utf8 } from "../seal/bytes.ts";
import { hash } from "../seal/merkle.ts";
import type { KnownTexts, Person } from "./person.ts";

export type Digests = {
  readonly salt: Uint8Array;
  readonly ids: readonly string[];
  readonly names: readonly string[];
};

/** 16 bytes of a hash are enough for no two texts to share one. */
const DIGEST_BYTES = 16;

export const digestOf = (salt: Uint8Array, text: string): string =>
  toBase64Url(hash(concat(salt, utf8(text.toWellFormed()))).subarray(0, DIGEST_BYTES));

export function digestsOf(salt: Uint8Array, { ids, names }: KnownTexts): Digests {
  const digests = (texts: readonly string[]): string[] => texts.map((text) => digestOf(salt, text));
  return { salt, ids: digests(ids), names: digests(names) };
}

/** Both, each digest once. They have one salt. */
export const unionOf = (a: Digests, b: Digests): Digests => ({
  salt: a.salt,
  ids: [...new Set([...a.ids, ...b.ids])],
  names: [...new Set([...a.names, ...b.names])],
});

export const formatDigests = ({ salt, ids, names }: Digests): string =>
  JSON.stringify({ salt: toBase64Url(salt), ids, names });

/** null where the text has another form. */
export function parseDigests(text: string): Digests | null {
  const { salt, ids, names } = parseObject(text) ?? {};
  const bytes = typeof salt === "string" ? fromBase64(salt) : null;
  return bytes && isTexts(ids) && isTexts(names) ? { salt: bytes, ids, names } : null;
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

/** Longer texts are no ids, and need not be hashed. */
const LONGEST = 512;

/** A digest tells nothing about a part of a text, so a mention is a whole text here. */
export function personOfDigests(pseudonym: string, { salt, ids, names }: Digests): Person {
  const [idSet, all] = [new Set(ids), new Set([...ids, ...names])];
  const isIn = (digests: ReadonlySet<string>, text: string): boolean =>
    text !== "" && text.length <= LONGEST && digests.has(digestOf(salt, text));
  const isNamed = (text: string): boolean => isIn(all, text);
  return { pseudonym, isId: (text) => isIn(idSet, text), isNamed, isMentioned: isNamed };
}
