import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../src/shared/digest.ts";
import { fromHex, toHex } from "../../src/shared/hex.ts";

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

describe("toHex", () => {
  it("returns two lower-case digits per byte", () => {
    expect(toHex(Uint8Array.of(0, 1, 15, 16, 127, 128, 255))).toBe("00010f107f80ff");
    expect(toHex(new Uint8Array())).toBe("");
  });
});

describe("fromHex", () => {
  it("inverts toHex, in either case", () => {
    expect(fromHex(toHex(ALL_BYTES))).toEqual(ALL_BYTES);
    expect(fromHex(toHex(ALL_BYTES).toUpperCase())).toEqual(ALL_BYTES);
    expect(fromHex("")).toEqual(new Uint8Array());
  });

  it.each(["0", "0g", "0x00", " 00", "00 ", "00\n", "0\u0660", "00,00"])("throws for %j", (text) => {
    expect(() => fromHex(text)).toThrow(RangeError);
  });
});

describe("sha256Hex", () => {
  it("hashes the text's UTF-8 bytes", async () => {
    // FIPS 180-2, and printf %s grüße | sha256sum.
    expect(await sha256Hex("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(await sha256Hex("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(await sha256Hex("grüße")).toBe("8285d1ad84c6b6e475d3b50dbf90389c8c7a07a278d9ae46d5698cbe872e3834");
  });

  it("hashes bytes, and only those of a view", async () => {
    const bytes = new TextEncoder().encode("xabcx").subarray(1, 4);
    expect(await sha256Hex(bytes)).toBe(await sha256Hex("abc"));
  });
});
