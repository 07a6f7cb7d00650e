/** Positions of members and elements in bytes that `scanObject` has validated. Nothing is decoded. */
import { skipBlank, type VisitMember } from "./json-scan.ts";

/** Calls `visit` for each member of the object at `from`, also repeated ones. @returns the offset after the object. */
export function eachMember(bytes: Uint8Array, from: number, visit: VisitMember): number {
  let at = skipBlank(bytes, from + 1);
  while (bytes[at] !== 0x7d) {
    const key = at + 1;
    const value = skipBlank(bytes, skipBlank(bytes, skipString(bytes, at)) + 1);
    const end = skipValue(bytes, value);
    visit(key, value, end);
    at = skipBlank(bytes, end);
    if (bytes[at] === 0x2c) at = skipBlank(bytes, at + 1);
  }
  return at + 1;
}

/** Calls `visit` for each element of the array at `from`; it returns the offset after the element. */
export function eachElement(bytes: Uint8Array, from: number, visit: (at: number) => number): void {
  let at = skipBlank(bytes, from + 1);
  while (bytes[at] !== 0x5d) {
    at = skipBlank(bytes, visit(at));
    if (bytes[at] === 0x2c) at = skipBlank(bytes, at + 1);
  }
}

/** The offset after the value at `from`. */
export function skipValue(bytes: Uint8Array, from: number): number {
  let depth = 0;
  for (let at = from; ;) {
    const byte = bytes[at];
    if (byte === 0x22) at = skipString(bytes, at);
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      at += 1;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
      at += 1;
    } else if (depth === 0) return skipLiteral(bytes, at);
    else at += 1;
    if (depth === 0) return at;
  }
}

/** The offset after a number, `true`, `false` or `null`, which consist of letters, digits, `+`, `-` and `.` alone. */
function skipLiteral(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte !== undefined && byte > 0x20 && byte !== 0x2c; byte = bytes[++at])
    if (byte === 0x5d || byte === 0x7d) break;
  return at;
}

/** A native search pays only for strings longer than this. */
const SHORT = 64;

/** The offset after the closing quote of the string at `from`. */
export function skipString(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  for (const near = at + SHORT; at < near; at += bytes[at] === 0x5c ? 2 : 1) {
    if (bytes[at] === 0x22) return at + 1;
  }
  let end = bytes.indexOf(0x22, at);
  while (hasOddSlashes(bytes, at, end)) end = bytes.indexOf(0x22, end + 1);
  return end + 1;
}

/** Whether an odd number of backslashes precedes `at`, counted back to `from`, where no escape has begun. */
export function hasOddSlashes(bytes: Uint8Array, from: number, at: number): boolean {
  let first = at;
  while (first > from && bytes[first - 1] === 0x5c) first -= 1;
  return (at - first) % 2 === 1;
}
