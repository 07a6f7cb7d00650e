import { describe, expect, it } from "vitest";
import { randomFor } from "../../fuzz/random.ts";
import { findingText } from "../../fuzz/report.ts";
import { runTarget } from "../../fuzz/run.ts";
import { shorterText } from "../../fuzz/shrink.ts";
import type { Target } from "../../fuzz/target.ts";
import { between } from "../support/rechunk.ts";

/** Texts of small letters; wrong are those with an x before a y. */
const letters = (check: Target<string>["check"]): Target<string> => ({
  name: "letters",
  generate: (random) =>
    Array.from({ length: 60 }, () => String.fromCharCode(between(random, 0x61, 0x7a))).join(""),
  check,
  smaller: shorterText,
  show: (text) => text,
});
const span = { seed: 5, from: 0, cases: 50, maxFindings: 2 };
const planted = letters((text) => ({ wrong: /x.*y/s.test(text) ? "x before y" : null, sort: "text" }));

const first = (seed: number, at: number): number[] => Array.from({ length: 4 }, randomFor(seed, at));

describe("running a target", () => {
  it("finds what is wrong, makes it as small as it can be, and gives up after so many findings", async () => {
    const { findings, cases } = await runTarget(planted, span);
    expect(findings.map(({ smallest }) => smallest)).toEqual(["x before y\nxy", "x before y\nxy"]);
    expect(cases).toBe((findings[1]?.at ?? 0) + 1);
    expect(cases).toBeLessThan(span.cases);
  });

  it("a finding's own case is enough to see it again", async () => {
    const [finding] = (await runTarget(planted, span)).findings;
    const again = await runTarget(planted, { ...span, from: finding?.at ?? 0, cases: 1 });
    expect(again.findings).toEqual([finding]);
    expect(findingText({ ...again.findings[0], target: "letters", seed: 5 } as never)).toContain(
      `npm run fuzz -- --seed 5 --only letters --case ${finding?.at}`,
    );
  });

  it("what throws, or rejects, is a finding", async () => {
    const throwing = letters((text) => {
      if (text.includes("q")) throw new Error("a q");
      return { wrong: null, sort: "text" };
    });
    const rejecting = letters((text) =>
      text.includes("q") ? Promise.reject(new Error("a q")) : Promise.resolve({ wrong: null, sort: "text" }),
    );
    for (const target of [throwing, rejecting]) {
      const [finding] = (await runTarget(target, span)).findings;
      expect(finding?.smallest).toMatch(/^threw Error: a q[^]*\nq$/);
    }
  });

  it("counts the sorts of cases, one by one or in crowds", async () => {
    const single = letters((text) => ({ wrong: null, sort: text < "n" ? "low" : "high" }));
    const crowds = letters(() => ({ wrong: null, sort: new Map([["a", 2]]) }));
    const { sorts } = await runTarget(single, span);
    expect((sorts.get("low") ?? 0) + (sorts.get("high") ?? 0)).toBe(50);
    expect([...(await runTarget(crowds, span)).sorts]).toEqual([["a", 100]]);
  });

  it("the same seed gives the same cases, and neighbours have nothing in common", () => {
    expect(first(1, 2)).toEqual(first(1, 2));
    const all = [1, 2, 3].flatMap((seed) => [0, 1, 2, 3].map((at) => first(seed, at)[0]));
    expect(new Set(all).size).toBe(all.length);
  });
});
