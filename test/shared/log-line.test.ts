import { describe, expect, it } from "vitest";
import { escapeUnsafe, truncatePrinted } from "../../src/shared/log-line.ts";
import { between, forSeeds, seededRandom } from "../support/rechunk.ts";

const printedLength = (text: string): number => escapeUnsafe(JSON.stringify(text)).length - 2;

describe("escapeUnsafe", () => {
  it.each([
    ["\u007f", "\\u007f"],
    ["\u0085", "\\u0085"],
    ["\u009b31m", "\\u009b31m"],
    ["\u200b", "\\u200b"],
    ["\u202e", "\\u202e"],
    ["\u2028\u2029", "\\u2028\\u2029"],
    ["\u2066", "\\u2066"],
    ["\ufeff", "\\ufeff"],
    ["\u00ad", "\\u00ad"],
    // The attack: a mark that turns the direction of text, and tags, which hide a text that a model still reads.
    ["\u061c", "\\u061c"],
    ["\u2060\u2064\u206f", "\\u2060\\u2064\\u206f"],
    ["\u{e0041}", "\\udb40\\udc41"],
    ["a\u{e0001}\u{e007f}b", "a\\udb40\\udc01\\udb40\\udc7fb"],
    ["\u{e0100}", "\\udb40\\udd00"],
  ])("Finding L5: escapes %j", (text, escaped) => {
    const json = escapeUnsafe(JSON.stringify(text));
    expect(json).toBe(`"${escaped}"`);
    expect(JSON.parse(json)).toBe(text);
  });

  it("returns other JSON unchanged", () => {
    const json = JSON.stringify({ text: "Grüße 東京 🗼 \u0001 \n" });
    expect(escapeUnsafe(json)).toBe(json);
  });
});

describe("truncatePrinted", () => {
  it.each([
    ["abc", 3, "abc"],
    ["abcd", 3, "abc"],
    ["\n\n\n", 4, "\n\n"],
    ["\u0001\u0001", 11, "\u0001"],
    ["\u2028\u2028", 12, "\u2028\u2028"],
    ["a🗼b", 2, "a"],
    ["a🗼b", 3, "a🗼"],
    ["\ud800\ud800", 6, "\ud800"],
    ["", 0, ""],
  ])("returns of %j a beginning that prints as at most %i characters: %j", (text, max, truncated) => {
    expect(truncatePrinted(text, max)).toBe(truncated);
  });

  it("returns the longest beginning that fits, between characters", () => {
    const units = ["x", '"', "\n", "\u0001", "\u2028", "\ud800", "🗼", "é"];
    forSeeds(300, (seed) => {
      const random = seededRandom(seed);
      const chars = Array.from({ length: between(random, 0, 40) }, () => units[between(random, 0, 7)] ?? "");
      const text = chars.join("");
      const max = between(random, 0, 60);
      const truncated = truncatePrinted(text, max);
      expect(text.startsWith(truncated)).toBe(true);
      expect(printedLength(truncated)).toBeLessThanOrEqual(max);
      const next = String.fromCodePoint(text.codePointAt(truncated.length) ?? 0x41);
      expect(truncated === text || printedLength(truncated) + printedLength(next) > max).toBe(true);
    });
  });
});
