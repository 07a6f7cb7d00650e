import { describe, expect, it } from "vitest";
import { ATTRIBUTION_WORDS, isStrong } from "../../src/events/attribution-strength.ts";
import { ATTRIBUTIONS } from "../../src/events/vocabulary.ts";

describe("the strength of an attribution", () => {
  it("has the order of the documented words, strongest first", () => {
    expect(ATTRIBUTION_WORDS).toEqual(Object.keys(ATTRIBUTIONS));
  });

  it("counts where it is at least that of the weakest that counts", () => {
    for (const [at, attribution] of ATTRIBUTION_WORDS.entries())
      for (const [weakest, word] of ATTRIBUTION_WORDS.entries())
        expect(isStrong(attribution, word)).toBe(at <= weakest);
  });
});
