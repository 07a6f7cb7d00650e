/** The positions at which a stream is split: at random, and more often where framing bugs occur. */
import { between, seededRandom } from "../../test/support/rechunk.ts";
import { chance, type Random } from "../random.ts";

/** A seed, or explicit positions while a case is being shrunk. */
export type Cuts = number | readonly number[];

/** Ascending positions. Some occur twice, so that empty pieces occur too. */
export function cutPositions(bytes: Uint8Array, cuts: Cuts): readonly number[] {
  if (typeof cuts !== "number") return cuts.filter((at) => at <= bytes.length);
  const random = seededRandom(cuts);
  const strategy = random();
  if (strategy < 0.02 && bytes.length <= 4096) return Array.from(bytes, (_, at) => at);
  const positions: number[] = [];
  const most = strategy < 0.1 ? 200 : strategy < 0.3 ? 1 : 12;
  for (let left = between(random, 1, most); left > 0; left -= 1) positions.push(position(bytes, random));
  // A range split byte by byte, so that each state of the framing meets each byte.
  if (chance(random, 0.3)) {
    const from = position(bytes, random);
    for (let at = from; at < Math.min(from + 40, bytes.length); at += 1) positions.push(at);
  }
  return positions.toSorted((one, other) => one - other);
}

/** Half of the positions are next to a line end, a quote or a byte of a multi-byte character. */
function position(bytes: Uint8Array, random: Random): number {
  const at = between(random, 0, bytes.length);
  if (chance(random, 0.5)) return at;
  for (let near = at; near < Math.min(at + 200, bytes.length); near += 1) {
    const byte = bytes[near] ?? 0;
    if (byte === 10 || byte === 13 || byte === 0x22 || byte >= 0x80) return near + between(random, 0, 1);
  }
  return at;
}

/** The pieces. Each is a view of `bytes`. */
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
