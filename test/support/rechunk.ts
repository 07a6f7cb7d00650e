/**
 * Splits the same bytes at other positions. Every result is a function of a seed, and a failure names its seed. Runs in
 * Node and in workerd.
 */

/** A small deterministic generator (mulberry32). Each call returns a number in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A whole number in [from, to], both included. */
export function between(random: () => number, from: number, to: number): number {
  return from + Math.floor(random() * (to - from + 1));
}

/**
 * Random pieces of 1 to `longest` bytes. Half of the seeds use tiny pieces, because framing bugs show up at splits
 * inside a CRLF or a character.
 */
export function rechunk(bytes: Uint8Array, seed: number, longest = 64): Uint8Array[] {
  const random = seededRandom(seed);
  const cap = random() < 0.5 ? Math.min(4, longest) : longest;
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = between(random, 1, cap);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

/** Every split of the bytes in two, at each position from 0 to the end, so one piece may be empty. */
export function* everySplit(bytes: Uint8Array): Generator<[Uint8Array, Uint8Array]> {
  for (let at = 0; at <= bytes.length; at += 1) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

/** One byte at a time. */
export function byteByByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
}

/** Runs `check` for `count` seeds from `first`. A failure message starts with the seed that reproduces it. */
export function forSeeds(count: number, check: (seed: number) => void, first = 1): void {
  for (let seed = first; seed < first + count; seed += 1) {
    try {
      check(seed);
    } catch (error) {
      throw withSeed(seed, error);
    }
  }
}

/** As `forSeeds`, for asynchronous checks, which run one after another. */
export async function forSeedsAsync(
  count: number,
  check: (seed: number) => Promise<void>,
  first = 1,
): Promise<void> {
  for (let seed = first; seed < first + count; seed += 1) {
    try {
      await check(seed);
    } catch (error) {
      throw withSeed(seed, error);
    }
  }
}

/** Changes the message in place, because test runners print an assertion error with its diff and a wrapper without. */
function withSeed(seed: number, error: unknown): unknown {
  if (!(error instanceof Error)) return new Error(`seed ${seed}: ${String(error)}`);
  error.message = `seed ${seed}: ${error.message}`;
  return error;
}
