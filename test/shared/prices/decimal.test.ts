import { describe, expect, it } from "vitest";
import { toMicros } from "../../../src/shared/prices/decimal.ts";

describe("dollars as whole micro-dollars", () => {
  it.each([
    ["0", 0],
    ["1", 1_000_000],
    ["0.000001", 1],
    ["0.0000010", 1],
    ["0.0000011", 2],
    ["12.345678", 12_345_678],
    ["1e-7", 1],
    ["2.5e-3", 2500],
    ["1e3", 1_000_000_000],
    ["0.000000000000000000000000000001", 1],
    ["0e99", 0],
    ["", null],
    ["-1", null],
    ["1,5", null],
    ["0x10", null],
    ["1e99", null],
    ["9999999999", null],
  ])("%j is %j", (text, micros) => {
    expect(toMicros(text)).toBe(micros);
  });
});
