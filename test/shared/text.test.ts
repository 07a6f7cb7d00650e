import { describe, expect, it } from "vitest";
import { byteLength, truncate, truncateBytes } from "../../src/shared/text.ts";
import { utf8 } from "../support/in-workerd/values.ts";

describe("truncate", () => {
  it.each([
    ["", 0, ""],
    ["abc", 3, "abc"],
    ["abc", 2, "ab"],
    ["abc", 0, ""],
    ["🗼", 2, "🗼"],
    ["🗼", 1, ""],
    ["a🗼b", 2, "a"],
    ["a🗼b", 3, "a🗼"],
    // A lone low surrogate is not the first half of a pair.
    ["a\udc00b", 2, "a\udc00"],
  ])("returns of %j at most %i UTF-16 units: %j", (text, max, truncated) => {
    expect(truncate(text, max)).toBe(truncated);
  });
});

describe("H2 truncateBytes", () => {
  it.each([
    ["", 5, ""],
    ["abc", 5, "abc"],
    ["abcde", 5, "abcde"],
    ["abcdef", 5, "abcde"],
    ["abcdé", 5, "abcd"],
    ["abcdé", 6, "abcdé"],
    ["東京", 3, "東"],
    ["東京", 5, "東"],
    ["東京", 2, ""],
    ["🗼🗼", 4, "🗼"],
    ["🗼🗼", 7, "🗼"],
    ["a🗼", 4, "a"],
    ["x\ud800y", 4, "x\ud800"],
    ["x\ud800y", 3, "x"],
  ])("returns of %j at most %i bytes: %j", (text, max, truncated) => {
    expect(truncateBytes(text, max)).toBe(truncated);
  });

  it("returns the longest beginning of the text that fits, between characters", () => {
    const text = "aé東🗼\ud800".repeat(20);
    for (let max = 0; max <= utf8(text).length + 3; max += 1) {
      const truncated = truncateBytes(text, max);
      expect(text.startsWith(truncated)).toBe(true);
      expect(utf8(truncated).length).toBeLessThanOrEqual(max);
      const next = String.fromCodePoint(text.codePointAt(truncated.length) ?? 0x41);
      expect(truncated === text || utf8(truncated + next).length > max).toBe(true);
    }
  });
});

describe("byteLength", () => {
  it.each([
    ["", 0],
    ["abc", 3],
    ["é", 2],
    ["東", 3],
    ["🗼", 4],
    ["\ud800", 3],
  ])("of %j is %i", (text, length) => {
    expect(byteLength(text)).toBe(length);
  });
});
