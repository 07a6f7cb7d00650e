import { describe, expect, it } from "vitest";
import { isWarm, warmUp } from "../../bench/warm-up.ts";

describe("the end of a warm-up", () => {
  it("needs three rounds after the first three", () => {
    expect(isWarm([])).toBe(false);
    expect(isWarm([100, 100, 100, 100, 100])).toBe(false);
    expect(isWarm([100, 100, 100, 100, 100, 100])).toBe(true);
  });

  it("waits while the least of the last three rounds is more than 3 % below all before", () => {
    expect(isWarm([300, 200, 100, 99, 96, 99])).toBe(false);
    expect(isWarm([300, 200, 100, 99, 97, 99])).toBe(true);
  });

  it("ignores rounds that other load made dearer", () => {
    expect(isWarm([300, 100, 400, 500, 98, 300])).toBe(true);
    expect(isWarm([300, 400, 500, 100, 900, 900])).toBe(false);
  });
});

/** Rounds with these costs, the last of which repeats. */
function rounds(...costs: readonly number[]): () => Promise<number> {
  let at = 0;
  return () => Promise.resolve(costs[Math.min(at++, costs.length - 1)] ?? 0);
}

describe("a warm-up", () => {
  it("goes on until the cost no longer falls", async () => {
    expect(await warmUp(rounds(300, 250, 200, 150, 100))).toEqual({ rounds: 8, settled: true });
  });

  it("has at least as many rounds as demanded", async () => {
    expect(await warmUp(rounds(100), 9)).toEqual({ rounds: 9, settled: true });
  });

  it("gives up after 20 rounds of a cost that keeps falling", async () => {
    const falling = Array.from({ length: 30 }, (_, n) => 1000 * 0.9 ** n);
    expect(await warmUp(rounds(...falling))).toEqual({ rounds: 20, settled: false });
  });
});
