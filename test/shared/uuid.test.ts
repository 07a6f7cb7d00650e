import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../src/shared/digest.ts";
import { canonicalId, isUuid, uuidV7 } from "../../src/shared/uuid.ts";
import { OWNER } from "../support/in-workerd/values.ts";
import { toHex } from "../../src/shared/hex.ts";

const V4 = "01234567-89ab-4cde-8f01-23456789abcd";

describe("a UUID's text", () => {
  it.each([OWNER, OWNER.toUpperCase(), "00000000-0000-0000-0000-000000000000", V4])("%s is one", (text) => {
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
  ])("%j is none", (text) => {
    expect(isUuid(text)).toBe(false);
  });

  it("is canonical in lower case; another id stays as it is", () => {
    expect(canonicalId(OWNER.toUpperCase())).toBe(OWNER);
    expect(canonicalId("CI-Bot")).toBe("CI-Bot");
    expect(canonicalId(` ${OWNER.toUpperCase()}`)).toBe(` ${OWNER.toUpperCase()}`);
  });
});

describe("a new id, of version 7", () => {
  it("is RFC 9562's own example", () => {
    // §A.6: 2022-02-22T14:22:22.00-05:00, random bits 0xCC3 and 0x18C4DC0C0C07398F.
    const id = uuidV7(0x017f22e279b0, "00000000-0000-4cc3-98c4-dc0c0c07398f");
    expect(id).toBe("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  });

  it("has version 7, the variant of RFC 9562, and the plain form, whatever the random bits", () => {
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
  ])("of %i begins with %s", (now, begin) => {
    expect(uuidV7(now, V4)).toBe(`${begin}-7cde-8f01-23456789abcd`);
  });

  it("sorts by time", () => {
    const times = [0, 1, 255, 256, 65_535, 65_536, 2 ** 32, 2 ** 40, Date.UTC(2026, 10, 23), 2 ** 47];
    const ids = times.map((now) => uuidV7(now, crypto.randomUUID()));
    expect(ids.toSorted()).toEqual(ids);
  });

  it("of one millisecond is another each time", () => {
    const ids = Array.from({ length: 1000 }, () => uuidV7(5, crypto.randomUUID()));
    expect(new Set(ids).size).toBe(1000);
  });
});

describe("hex and digests", () => {
  it("every byte has two digits", () => {
    expect(toHex(Uint8Array.of(0, 1, 15, 16, 127, 128, 255))).toBe("00010f107f80ff");
    expect(toHex(new Uint8Array())).toBe("");
  });

  it("SHA-256 is of the text's UTF-8 bytes", async () => {
    // FIPS 180-2, and printf %s grüße | sha256sum.
    expect(await sha256Hex("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(await sha256Hex("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(await sha256Hex("grüße")).toBe("8285d1ad84c6b6e475d3b50dbf90389c8c7a07a278d9ae46d5698cbe872e3834");
  });
});
