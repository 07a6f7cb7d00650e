/** Positions of members and elements in a text that `scanObject` has validated. Nothing is decoded. */
import { skipBlank, type VisitMember } from "./json-scan.ts";
import type { JsonSource } from "./json-source.ts";

/** Calls `visit` for each member of the object at `from`, also repeated ones. @returns the offset after the object. */
export function eachMember(source: JsonSource, from: number, visit: VisitMember): number {
  const { bytes } = source;
  let at = skipBlank(bytes, from + 1);
  while (bytes[at] !== 0x7d) {
    const key = at + 1;
    const value = afterPunctuation(bytes, source.endOfString(key));
    const end = skipValue(source, value);
    visit(key, value, end);
    at = end;
    if (isBlank(bytes[at])) at = skipBlank(bytes, at);
    if (bytes[at] === 0x2c) at = afterPunctuation(bytes, at);
  }
  return at + 1;
}

/**
 * Calls `visit` for each element of the array at `from`; it returns the offset after the element.
 * @returns the offset after the array.
 */
export function eachElement({ bytes }: JsonSource, from: number, visit: (at: number) => number): number {
  let at = skipBlank(bytes, from + 1);
  while (bytes[at] !== 0x5d) {
    at = visit(at);
    if (isBlank(bytes[at])) at = skipBlank(bytes, at);
    if (bytes[at] === 0x2c) at = afterPunctuation(bytes, at);
  }
  return at + 1;
}

/** Most texts have no blanks, and a call per token costs more than the token. */
const isBlank = (byte: number | undefined): boolean => (byte as number) <= 0x20;

/** The offset of the token after the comma or colon at `at`, which blanks may precede. */
function afterPunctuation(bytes: Uint8Array, at: number): number {
  const next = (isBlank(bytes[at]) ? skipBlank(bytes, at) : at) + 1;
  return isBlank(bytes[next]) ? skipBlank(bytes, next) : next;
}

/** The offset after the value at `from`. */
export function skipValue(source: JsonSource, from: number): number {
  const { bytes } = source;
  const first = bytes[from];
  if (first === 0x22) return source.endOfString(from + 1);
  if (first !== 0x7b && first !== 0x5b) return skipLiteral(bytes, from);
  let depth = 1;
  for (let at = from + 1; ;) {
    const byte = bytes[at];
    if (byte === 0x22) at = source.endOfString(at + 1);
    else {
      at += 1;
      if (byte === 0x7b || byte === 0x5b) depth += 1;
      else if ((byte === 0x7d || byte === 0x5d) && --depth === 0) return at;
    }
  }
}

/** The offset after a number, `true`, `false` or `null`, which consist of letters, digits, `+`, `-` and `.` alone. */
function skipLiteral(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte !== undefined && byte > 0x20 && byte !== 0x2c; byte = bytes[++at])
    if (byte === 0x5d || byte === 0x7d) break;
  return at;
}
