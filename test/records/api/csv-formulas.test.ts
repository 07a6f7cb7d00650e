import { describe, expect, it } from "vitest";
import { toCsvLines } from "../../../src/shared/csv.ts";

describe("Finding N9: a CSV cell that begins a formula", () => {
  // The attack (N9): blanks and invisible characters before a formula, which spreadsheets skip.
  it.each([
    "=1+1",
    " =1+1",
    "   +1",
    "\u00a0=1+1",
    "\u200b=1+1",
    "\u2066=1+1",
    "\ufeff-1",
    "\u3000@x",
    "\u2060\u061c =x",
    " \uff1d1",
  ])("is text: %j", (cell) => {
    expect(toCsvLines([[cell]])).toBe(`'${cell}\r\n`);
  });

  it.each(["a=1", " a", "gpt-4o", "\u200ba", "1+1", ""])("is not in %j", (cell) => {
    expect(toCsvLines([[cell]])).toBe(`${cell}\r\n`);
  });
});
