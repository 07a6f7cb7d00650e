import { describe, expect, it } from "vitest";
import { instructionsPerRequest, isEnough, type Round } from "../../bench/whole-collections.ts";

/** Rounds of ten requests with 100 instructions each; `g` marks one with a garbage collection, which costs 5,000 more. */
const rounds = (pattern: string): Round[] =>
  Array.from(pattern, (mark) => ({
    requests: 10,
    instructions: mark === "g" ? 6000 : 1000,
    collected: mark === "g",
  }));

describe("the instructions of a request", () => {
  it.each([
    ["--g---g---g", "both periods", 225],
    ["g---g", "the period after the first collection", 225],
    ["--g---g---", "no rounds after the last collection", 225],
    ["gggg", "rounds with a collection each", 600],
  ])("include whole periods between collections: %s counts %s", (pattern, _, expected) => {
    expect(instructionsPerRequest(rounds(pattern))).toBe(expected);
  });

  it.each(["----", "--g-"])("are those of all rounds if there is no whole period: %s", (pattern) => {
    const all = rounds(pattern);
    const total = all.reduce((sum, { instructions }) => sum + instructions, 0);
    expect(instructionsPerRequest(all)).toBe(total / 40);
  });

  it("are enough when the whole periods have enough requests", () => {
    expect(isEnough(rounds("--g---g"), 40)).toBe(true);
    expect(isEnough(rounds("--g---g-----"), 41)).toBe(false);
    expect(isEnough(rounds("------g-----"), 1)).toBe(false);
    expect(isEnough([], 1)).toBe(false);
  });
});
