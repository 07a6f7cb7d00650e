import { describe, expect, it } from "vitest";
import { oldPricesNotice } from "../../tools/prices/age.ts";
import { SOURCE } from "../../tools/prices/source.ts";

const after = (days: number): number => Date.parse(SOURCE.released) + days * 86_400_000;

describe("the notice about old prices", () => {
  it("is given from the 121st day on", () => {
    expect(oldPricesNotice(after(120), {})).toBeNull();
    expect(oldPricesNotice(after(121), {})).toContain("121 days old");
  });

  it("is not given in CI", () => {
    expect(oldPricesNotice(after(1000), { CI: "true" })).toBeNull();
  });
});
