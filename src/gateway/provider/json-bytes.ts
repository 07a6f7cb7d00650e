/** Strings of a JSON text in bytes (RFC 8259 §7), without any memory for them: slower than a native search in decoded text. */

/** 1: a byte that stands for itself within a string, one of ASCII. */
export const PLAIN = new Uint8Array(256).fill(1, 0x20, 0x80);
PLAIN[0x22] = 0;
PLAIN[0x5c] = 0;

/** `"\/bfnrt`: the characters that a single character escapes. */
const ESCAPES = new Uint8Array(256);
for (const character of '"\\/bfnrt') ESCAPES[character.charCodeAt(0)] = 1;

/** @returns the offset after the closing quote of the string whose content begins at `from`; -1 if it is invalid. */
export function endOfString(bytes: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    while (PLAIN[bytes[at] as number] === 1) at += 1;
    const byte = bytes[at];
    if (byte === 0x22) return at + 1;
    const width = byte === 0x5c ? escapeWidth(bytes, at) : characterWidth(bytes, at);
    if (width === 0) return -1;
    at += width;
  }
}

function escapeWidth(bytes: Uint8Array, at: number): number {
  const escaped = bytes[at + 1] ?? 0;
  if (ESCAPES[escaped] === 1) return 2;
  return escaped === 0x75 && hexValue(bytes, at + 2) >= 0 ? 6 : 0;
}

/** The value of the four hexadecimal digits at `at`; -1 if they are others. */
export function hexValue(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let digit = at; digit < at + 4; digit += 1) {
    const byte = bytes[digit] ?? 0;
    const lower = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = value * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + lower - 0x57;
    else return -1;
  }
  return value;
}

/** The bytes of the character at `at`, two to four; 0 if it is a control character or not UTF-8 (RFC 3629 §4). */
function characterWidth(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const width = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const second = bytes[at + 1] ?? 0;
  // No overlong forms, no surrogates, nothing past U+10FFFF.
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let next = at + 2; next < at + width; next += 1) if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0;
  return width;
}

/** As `endOfString`, of a string that is valid. */
export function endOfValidString(bytes: Uint8Array, from: number): number {
  let end = bytes.indexOf(0x22, from);
  while (hasOddSlashes(bytes, from, end)) end = bytes.indexOf(0x22, end + 1);
  return end + 1;
}

/** Whether an odd number of backslashes precedes `at`, counted back to `from`, where no escape has begun. */
export function hasOddSlashes(bytes: Uint8Array, from: number, at: number): boolean {
  let first = at;
  while (first > from && bytes[first - 1] === 0x5c) first -= 1;
  return (at - first) % 2 === 1;
}
