import { describe, expect, it } from "vitest";
import { contentEncoding, declaredLength } from "../../src/shared/http/body-headers.ts";

describe("declaredLength", () => {
  it.each([
    ["0", 0],
    ["17", 17],
    ["999999999999999", 999_999_999_999_999],
  ])("reads Content-Length %s", (value, length) => {
    expect(declaredLength(new Headers({ "content-length": value }))).toBe(length);
  });

  it.each(["", "-1", "+1", "1.5", "0x10", "1e3", "1, 1", "1 1", "9999999999999999", "ten"])(
    "returns null for Content-Length %j",
    (value) => {
      expect(declaredLength(new Headers({ "content-length": value }))).toBeNull();
    },
  );

  it("returns null without Content-Length, and next to Transfer-Encoding (RFC 9112 §6.3)", () => {
    expect(declaredLength(new Headers())).toBeNull();
    expect(declaredLength(new Headers({ "content-length": "5", "transfer-encoding": "chunked" }))).toBeNull();
  });
});

describe("contentEncoding", () => {
  it.each([
    [undefined, "plain"],
    ["", "plain"],
    ["identity", "plain"],
    ["Identity", "plain"],
    ["gzip", "decoded"],
    ["br", "decoded"],
    // The runtime does not decode these.
    ["GZIP", "encoded"],
    ["x-gzip", "encoded"],
    ["deflate", "encoded"],
    ["zstd", "encoded"],
    ["gzip, br", "encoded"],
    ["identity, gzip", "encoded"],
  ])("of %j is %s", (value, encoding) => {
    const headers = new Headers(value === undefined ? {} : { "content-encoding": value });
    expect(contentEncoding(headers)).toBe(encoding);
  });
});
