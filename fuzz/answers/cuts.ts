/** Where a stream is cut into pieces: anywhere, and more often where framing breaks. */
import { between, seededRandom } from "../../test/support/rechunk.ts";
import { chance, type Random } from "../random.ts";

/** A seed, or the positions themselves once a case is being made smaller. */
export type Cuts = number | readonly number[];

/** Positions in ascending order, some of them twice: empty pieces happen too. */
export function cutPositions(bytes: Uint8Array, cuts: Cuts): readonly number[] {
  if (typeof cuts !== "number") return cuts.filter((at) => at <= bytes.length);
  const random = seededRandom(cuts);
  const way = random();
  if (way < 0.02 && bytes.length <= 4096) return Array.from(bytes, (_, at) => at);
  const found: number[] = [];
  const count = way < 0.1 ? 200 : way < 0.3 ? 1 : 12;
  for (let left = between(random, 1, count); left > 0; left -= 1) found.push(position(bytes, random));
  // A stretch byte by byte: each state of the framing meets each byte.
  if (chance(random, 0.3)) {
    const from = position(bytes, random);
    for (let at = from; at < Math.min(from + 40, bytes.length); at += 1) found.push(at);
  }
  return found.toSorted((one, other) => one - other);
}

/** Half of them beside a line end, a quote or a byte that is no character by itself. */
function position(bytes: Uint8Array, random: Random): number {
  const at = between(random, 0, bytes.length);
  if (chance(random, 0.5)) return at;
  for (let near = at; near < Math.min(at + 200, bytes.length); near += 1) {
    const byte = bytes[near] ?? 0;
    if (byte === 10 || byte === 13 || byte === 0x22 || byte >= 0x80) return near + between(random, 0, 1);
  }
  return at;
}

/** The pieces; each is a view of `bytes`. */
export function cutAt(bytes: Uint8Array, positions: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const at of positions) {
    pieces.push(bytes.subarray(from, at));
    from = at;
  }
  pieces.push(bytes.subarray(from));
  return pieces;
}
