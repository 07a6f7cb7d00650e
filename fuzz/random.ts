/** Choices made from random numbers. Each function's result depends on its arguments only. */
import { between, seededRandom } from "../test/support/rechunk.ts";

export type Random = () => number;

export const chance = (random: Random, probability: number): boolean => random() < probability;

export function pick<T>(random: Random, from: readonly T[]): T {
  if (from.length === 0) throw new Error("nothing to pick from");
  return from[between(random, 0, from.length - 1)] as T;
}

/** A list of `least` to `most` elements, each made by `make`. */
export function several<T>(random: Random, least: number, most: number, make: (at: number) => T): T[] {
  return Array.from({ length: between(random, least, most) }, (_, at) => make(at));
}

/** A copy in another order. */
export function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const all = [...list];
  for (let at = all.length - 1; at > 0; at -= 1) {
    const other = between(random, 0, at);
    const one = all[at] as T;
    all[at] = all[other] as T;
    all[other] = one;
  }
  return all;
}

/** A separate seed for one part of a case. */
export const newSeed = (random: Random): number => Math.floor(random() * 4_294_967_296);

/** The random numbers of one case. Mixing the bits keeps neighboring cases and seeds independent. */
export function randomFor(seed: number, at: number): Random {
  let mixed = Math.imul((seed ^ Math.imul(at + 1, 0x9e3779b1)) >>> 0, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return seededRandom((mixed ^ (mixed >>> 16) ^ Math.imul(at, 0x27d4eb2f)) >>> 0);
}
