/** Byte changes that ignore the syntax. */
import { between } from "../../test/support/rechunk.ts";
import { chance, pick, type Random } from "../random.ts";

const BYTES = ["\0", "\r", "\n", "\r\n", " ", "\t", ":", "\x80", "\xff", "%", "/", "\\", "\x1b", "\x0b"];

/** Removes, inserts, overwrites or repeats bytes, or removes the end. */
export function mutate(random: Random, bytes: string): string {
  if (chance(random, 0.5)) return bytes;
  let text = bytes;
  for (let left = between(random, 1, 3); left > 0; left -= 1) {
    // More often in the head, because most of the parsing happens there.
    const at = between(random, 0, Math.min(text.length, chance(random, 0.8) ? 600 : text.length));
    const length = between(random, 0, chance(random, 0.5) ? 3 : 60);
    const range = text.slice(at, at + length);
    text = pick(random, [
      text.slice(0, at) + text.slice(at + length),
      text.slice(0, at) + pick(random, BYTES) + text.slice(at),
      text.slice(0, at) + pick(random, BYTES) + text.slice(at + 1),
      text.slice(0, at) + range + text.slice(at),
      text.slice(0, at),
      text.slice(0, at) + String.fromCharCode(between(random, 0, 255)) + text.slice(at + 1),
    ]);
  }
  return text;
}
