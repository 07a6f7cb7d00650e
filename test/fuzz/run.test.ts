import { describe, expect, it } from "vitest";
import { randomFor } from "../../fuzz/random.ts";
import { findingText } from "../../fuzz/report.ts";
import { runTarget } from "../../fuzz/run.ts";
import { shorterText } from "../../fuzz/shrink.ts";
import type { Target } from "../../fuzz/target.ts";
import { between } from "../support/rechunk.ts";

/** Cases are texts of lower-case letters. */
const letters = (check: Target<string>["check"]): Target<string> => ({
  name: "letters",
  generate: (random) =>
    Array.from({ length: 60 }, () => String.fromCharCode(between(random, 0x61, 0x7a))).join(""),
  check,
  smaller: shorterText,
  show: (text) => text,
});
const range = { seed: 5, from: 0, cases: 50, maxFindings: 2 };
const planted = letters(async (text) => ({
  failure: /x.*y/s.test(text) ? "x before y" : null,
  category: "text",
}));

const first = (seed: number, at: number): number[] => Array.from({ length: 4 }, randomFor(seed, at));

describe("runTarget", () => {
  it("shrinks each finding and stops at the maximum number of findings", async () => {
    const { findings, cases } = await runTarget(planted, range);
    expect(findings.map(({ smallest }) => smallest)).toEqual(["x before y\nxy", "x before y\nxy"]);
    expect(cases).toBe((findings[1]?.at ?? 0) + 1);
    expect(cases).toBeLessThan(range.cases);
  });

  it("reproduces a finding from its seed and case number", async () => {
    const [finding] = (await runTarget(planted, range)).findings;
    const again = await runTarget(planted, { ...range, from: finding?.at ?? 0, cases: 1 });
    expect(again.findings).toEqual([finding]);
    expect(findingText({ ...again.findings[0], target: "letters", seed: 5 } as never)).toContain(
      `npm run fuzz -- --seed 5 --only letters --case ${finding?.at}`,
    );
  });

  it("reports a thrown error and a rejected promise as findings", async () => {
    const throwing = letters((text) => {
      if (text.includes("q")) throw new Error("a q");
      return Promise.resolve({ failure: null, category: "text" });
    });
    const rejecting = letters((text) =>
      text.includes("q")
        ? Promise.reject(new Error("a q"))
        : Promise.resolve({ failure: null, category: "text" }),
    );
    for (const target of [throwing, rejecting]) {
      const [finding] = (await runTarget(target, range)).findings;
      expect(finding?.smallest).toMatch(/^threw Error: a q[^]*\nq$/);
    }
  });

  it("counts categories of single cases and of cases with several inputs", async () => {
    const single = letters(async (text) => ({ failure: null, category: text < "n" ? "low" : "high" }));
    const several = letters(async () => ({ failure: null, category: new Map([["a", 2]]) }));
    const { categories } = await runTarget(single, range);
    expect((categories.get("low") ?? 0) + (categories.get("high") ?? 0)).toBe(50);
    expect([...(await runTarget(several, range)).categories]).toEqual([["a", 100]]);
  });

  it("repeats the cases of a seed and draws different cases for neighboring seeds and numbers", () => {
    expect(first(1, 2)).toEqual(first(1, 2));
    const all = [1, 2, 3].flatMap((seed) => [0, 1, 2, 3].map((at) => first(seed, at)[0]));
    expect(new Set(all).size).toBe(all.length);
  });
});
