import { describe, expect, it } from "vitest";
import {
  canonicalId,
  firstUuidAt,
  isRfcVariant,
  isUuid,
  isVersion4,
  uuidPrefix,
  uuidTime,
  uuidV7,
} from "../../src/shared/uuid.ts";
import { OWNER } from "../support/in-workerd/values.ts";

const V4 = "01234567-89ab-4cde-8f01-23456789abcd";

describe("isUuid", () => {
  it.each([OWNER, OWNER.toUpperCase(), "00000000-0000-0000-0000-000000000000", V4])("accepts %s", (text) => {
    expect(isUuid(text)).toBe(true);
  });

  it.each([
    "",
    ` ${OWNER}`,
    `${OWNER}\n`,
    `{${OWNER}}`,
    OWNER.replaceAll("-", ""),
    OWNER.slice(1),
    `${OWNER}0`,
    OWNER.replace("7", "g"),
    OWNER.replace("-", "_"),
    "7f3c2a10-1234-4abc-9def-00000000000\u0661",
    "7f3c2a1012-34-4abc-9def-000000000001",
  ])("rejects %j", (text) => {
    expect(isUuid(text)).toBe(false);
  });
});

describe("canonicalId", () => {
  it("returns a UUID in lower case, and any other id unchanged", () => {
    expect(canonicalId(OWNER.toUpperCase())).toBe(OWNER);
    expect(canonicalId("CI-Bot")).toBe("CI-Bot");
    expect(canonicalId(` ${OWNER.toUpperCase()}`)).toBe(` ${OWNER.toUpperCase()}`);
  });
});

describe("uuidV7", () => {
  it("makes the example of RFC 9562", () => {
    // §A.6: 2022-02-22T14:22:22.00-05:00, random bits 0xCC3 and 0x18C4DC0C0C07398F.
    const id = uuidV7(0x017f22e279b0, "00000000-0000-4cc3-98c4-dc0c0c07398f");
    expect(id).toBe("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  });

  it("has version 7, the variant of RFC 9562 and the plain form, with any random bits", () => {
    for (let times = 0; times < 1000; times += 1) {
      expect(uuidV7(Date.now(), crypto.randomUUID())).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      );
    }
  });

  it.each([
    [0, "00000000-0000"],
    [1, "00000000-0001"],
    [0xffff, "00000000-ffff"],
    [0x10000, "00000001-0000"],
    [Date.UTC(2026, 10, 23, 12), "01a20846-fe00"],
    [2 ** 48 - 1, "ffffffff-ffff"],
  ])("of %i begins with %s", (now, prefix) => {
    expect(uuidV7(now, V4)).toBe(`${prefix}-7cde-8f01-23456789abcd`);
  });

  it("sorts by time", () => {
    const times = [0, 1, 255, 256, 65_535, 65_536, 2 ** 32, 2 ** 40, Date.UTC(2026, 10, 23), 2 ** 47];
    const ids = times.map((now) => uuidV7(now, crypto.randomUUID()));
    expect(ids.toSorted()).toEqual(ids);
  });

  it("differs for each id of one millisecond", () => {
    const ids = Array.from({ length: 1000 }, () => uuidV7(5, crypto.randomUUID()));
    expect(new Set(ids).size).toBe(1000);
  });
});

describe("the time in a UUID", () => {
  const TIMES = [0, 1, 255, 65_536, 2 ** 32, Date.UTC(2026, 10, 23, 12), 2 ** 48 - 1];

  it.each(TIMES)("is read back: %i", (now) => {
    expect(uuidTime(uuidV7(now, V4))).toBe(now);
    expect(uuidV7(now, V4).startsWith(uuidPrefix(now))).toBe(true);
  });

  it("bounds the ids of a millisecond", () => {
    const ids = Array.from({ length: 100 }, () => uuidV7(5, crypto.randomUUID()));
    for (const id of ids) {
      expect(firstUuidAt(5) < id && id < firstUuidAt(6)).toBe(true);
      expect(uuidPrefix(5) < id && id < uuidPrefix(6)).toBe(true);
      expect(uuidV7(4, crypto.randomUUID()) < firstUuidAt(5)).toBe(true);
    }
    expect(isUuid(firstUuidAt(5))).toBe(true);
  });
});

describe("a UUID's version and variant", () => {
  it("are read from their digits", () => {
    expect([isVersion4(V4), isVersion4(uuidV7(0, V4))]).toEqual([true, false]);
    const withVariant = (digit: string): string => `${V4.slice(0, 19)}${digit}${V4.slice(20)}`;
    const digits = Array.from("0123456789abcdefABCDEF");
    expect(digits.filter((digit) => isRfcVariant(withVariant(digit)))).toEqual(Array.from("89abAB"));
  });
});
