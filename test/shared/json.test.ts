import { describe, expect, it } from "vitest";
import { asObject, parseJson, parseObject } from "../../src/shared/json.ts";

describe("asObject", () => {
  it("returns an object unchanged", () => {
    const value = { a: 1 };
    expect(asObject(value)).toBe(value);
  });

  it.each([[null], [undefined], [[]], [[{}]], ["{}"], [7], [true]])("returns null for %j", (value) => {
    expect(asObject(value)).toBeNull();
  });
});

describe("parseJson", () => {
  it.each([
    ['{"a":[1,null]}', { a: [1, null] }],
    ["null", null],
    [' "text" ', "text"],
    ["0", 0],
  ])("reads %j", (text, value) => {
    expect(parseJson(text)).toEqual(value);
  });

  it.each(["", "{", "undefined", "NaN", "'a'", "{a:1}", "[1,]", "\ufeff{}"])(
    "returns undefined for %j, without throwing",
    (text) => {
      expect(parseJson(text)).toBeUndefined();
    },
  );
});

describe("parseObject", () => {
  it("reads an object", () => {
    expect(parseObject('{"a":1}')).toEqual({ a: 1 });
  });

  it.each(["[]", "null", '"{}"', "7", "{", ""])("returns null for %j", (text) => {
    expect(parseObject(text)).toBeNull();
  });

  it("keeps __proto__ as a plain key", () => {
    const object = parseObject('{"__proto__":{"a":1}}');
    expect(Object.keys(object ?? {})).toEqual(["__proto__"]);
    expect(object?.["a"]).toBeUndefined();
  });
});
