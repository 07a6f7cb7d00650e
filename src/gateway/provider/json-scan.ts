/**
 * Validates a JSON object in bytes (RFC 8259): accepts exactly the texts that `JSON.parse` accepts after strict decoding,
 * within bounds. One pass, not recursive, and only a window of the text is decoded, so a body of any shape costs no memory.
 */
import type { JsonSource } from "./json-source.ts";

const MAX_DEPTH = 256;
/** Members of all objects together. */
const MAX_MEMBERS = 250_000;
/** Values of any kind, the objects and arrays included. */
const MAX_VALUES = 2_000_000;

/** Receives each member of the outermost object: the offsets of its key's content, of its value, and after its value. */
export type VisitMember = (key: number, from: number, to: number) => void;

/** Types of the open objects and arrays, as their opening byte. Shared, since a scan ends before another begins. */
const open = new Uint8Array(MAX_DEPTH);

/** @returns what is wrong with the text in words for a refusal ("" if it is not JSON); null if nothing is. */
export function scanObject(source: JsonSource, visit: VisitMember): string | null {
  const { bytes } = source;
  let at = skipBlank(bytes, 0);
  const isObject = bytes[at] === 0x7b;
  let depth = 0;
  let members = 0;
  let values = 0;
  let key = 0;
  let from = 0;
  for (;;) {
    // Most texts have no blanks, and a call per token costs more than the token.
    if ((bytes[at] as number) <= 0x20) at = skipBlank(bytes, at);
    const first = bytes[at];
    if (++values > MAX_VALUES) return `over ${MAX_VALUES} values`;
    if (depth === 1) from = at;
    let isClosed = true;
    if (first === 0x22) {
      if ((at = source.endOfString(at + 1)) < 0) return "";
    } else if (first === 0x7b || first === 0x5b) {
      if (depth === MAX_DEPTH) return `nested over ${MAX_DEPTH} deep`;
      at += 1;
      if ((bytes[at] as number) <= 0x20) at = skipBlank(bytes, at);
      // The closing brackets follow two after the opening ones.
      if (bytes[at] === first + 2) at += 1;
      else {
        open[depth++] = first;
        isClosed = false;
      }
    } else if ((at = endOfScalar(bytes, at)) < 0) return "";
    for (; isClosed; at += 1) {
      if (depth === 1 && isObject) visit(key, from, at);
      if ((bytes[at] as number) <= 0x20) at = skipBlank(bytes, at);
      if (depth === 0) return at < bytes.length ? "" : isObject ? null : "not an object";
      if (bytes[at] === 0x2c) isClosed = false;
      else if (bytes[at] !== (open[depth - 1] as number) + 2) return "";
      else depth -= 1;
    }
    if (open[depth - 1] !== 0x7b) continue;
    if (++members > MAX_MEMBERS) return `over ${MAX_MEMBERS} members`;
    if ((bytes[at] as number) <= 0x20) at = skipBlank(bytes, at);
    if (depth === 1) key = at + 1;
    if (bytes[at] !== 0x22 || (at = source.endOfString(at + 1)) < 0) return "";
    if ((bytes[at] as number) <= 0x20) at = skipBlank(bytes, at);
    if (bytes[at++] !== 0x3a) return "";
  }
}

/** The offset of the first byte from `at` on that is not a space, tab or line break. */
export function skipBlank(bytes: Uint8Array, at: number): number {
  let byte = bytes[at];
  while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++at];
  return at;
}

const ENCODER = new TextEncoder();
const TRUE = ENCODER.encode("true");
const FALSE = ENCODER.encode("false");
const NULL = ENCODER.encode("null");

/** The offset after the number or literal at `at`; -1 if it is invalid. */
function endOfScalar(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === 0x2d || isDigit(first)) return endOfNumber(bytes, at);
  if (first === 0x74) return endOfWord(bytes, at, TRUE);
  if (first === 0x66) return endOfWord(bytes, at, FALSE);
  return first === 0x6e ? endOfWord(bytes, at, NULL) : -1;
}

function endOfWord(bytes: Uint8Array, at: number, word: Uint8Array): number {
  for (let index = 1; index < word.length; index += 1) if (bytes[at + index] !== word[index]) return -1;
  return at + word.length;
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

function endOfNumber(bytes: Uint8Array, from: number): number {
  let at = bytes[from] === 0x2d ? from + 1 : from;
  const integer = endOfDigits(bytes, at);
  if (integer === at || (bytes[at] === 0x30 && integer > at + 1)) return -1;
  at = integer;
  if (bytes[at] === 0x2e) {
    const fraction = endOfDigits(bytes, at + 1);
    if (fraction === at + 1) return -1;
    at = fraction;
  }
  if (bytes[at] !== 0x65 && bytes[at] !== 0x45) return at;
  at += bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d ? 2 : 1;
  const exponent = endOfDigits(bytes, at);
  return exponent === at ? -1 : exponent;
}

function endOfDigits(bytes: Uint8Array, at: number): number {
  let end = at;
  while (isDigit(bytes[end])) end += 1;
  return end;
}
