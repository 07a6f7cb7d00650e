import { describe, expect, it } from "vitest";
import { isCached, readProviderHeaders } from "../../../src/gateway/upstream/provider-headers.ts";

const read = (headers: Record<string, string>) => readProviderHeaders(new Headers(headers), null);

describe("the provider's id of the request", () => {
  it.each([
    ["OpenAI", "x-request-id", "req_011CSHoEeqs5C35K2UUqR7Fy"],
    ["Anthropic", "request-id", "req_011CSHoEeqs5C35K2UUqR7Fy"],
    ["Azure API Management", "apim-request-id", "5b3a1c9e-1f2d-4c3b-9a8b-7c6d5e4f3a2b"],
    ["Azure", "x-ms-request-id", "5b3a1c9e-1f2d-4c3b-9a8b-7c6d5e4f3a2b"],
    ["Bedrock", "x-amzn-RequestId", "5b3a1c9e-1f2d-4c3b-9a8b-7c6d5e4f3a2b"],
    ["a server that writes names in capitals", "X-REQUEST-ID", "r-1"],
  ])("is that of %s: %s", (_, name, id) => {
    expect(read({ [name]: id })).toEqual({ requestId: id, ray: null, encoding: null, aiGateway: null });
  });

  it("is the first one that the response has", () => {
    expect(
      read({ "x-ms-request-id": "third", "request-id": "second", "x-request-id": "first" }).requestId,
    ).toBe("first");
    expect(read({ "x-ms-request-id": "third", "request-id": "second" }).requestId).toBe("second");
  });

  it("is truncated at 128 characters", () => {
    expect(read({ "x-request-id": "r".repeat(128) }).requestId).toBe("r".repeat(128));
    expect(read({ "x-request-id": "r".repeat(5000) }).requestId).toBe("r".repeat(128));
  });

  it.each([[""], ["   "], ["req\u00e9"], ["a\tb"], ["\u00ff"]])(
    "is not a value that is empty or not printable ASCII (%j): the next header is read",
    (value) => {
      expect(read({ "x-request-id": value }).requestId).toBeNull();
      expect(read({ "x-request-id": value, "request-id": "req_2" }).requestId).toBe("req_2");
    },
  );

  it("is null where the response has none, or only one with another meaning", () => {
    expect(read({ "content-type": "application/json", "x-client-request-id": "mine" })).toEqual({
      requestId: null,
      ray: null,
      encoding: null,
      aiGateway: null,
    });
  });

  it("has the values of a repeated header, joined", () => {
    const headers = new Headers({ "x-request-id": "one" });
    headers.append("x-request-id", "two");
    expect(readProviderHeaders(headers, null).requestId).toBe("one, two");
  });
});

describe("the provider's cf-ray", () => {
  it.each([
    ["cf-ray", "8a1b2c3d4e5f6071-FRA", "8a1b2c3d4e5f6071-FRA"],
    ["CF-RAY", "8a1b2c3d4e5f6071", "8a1b2c3d4e5f6071"],
    ["cf-ray", "r".repeat(500), "r".repeat(64)],
    ["cf-ray", "r\u00e9", null],
    ["cf-ray", "", null],
  ])("%s: %s is recorded as %j", (name, value, ray) => {
    expect(read({ [name]: value }).ray).toBe(ray);
  });
});

describe("the content encoding of a response that was requested without one", () => {
  it.each([
    ["gzip", "gzip"],
    ["br", "br"],
    ["GZIP", "gzip"],
    ["zstd", "zstd"],
    ["gzip, br", "gzip, br"],
    ["identity", null],
    ["Identity", null],
    [" ", null],
    ["e".repeat(100), "e".repeat(32)],
  ])("%s is recorded as %j", (value, encoding) => {
    expect(read({ "content-encoding": value }).encoding).toBe(encoding);
  });
});

const readFrom = (headers: Record<string, string>, isAiGateway = true) =>
  readProviderHeaders(new Headers(headers), null, isAiGateway);

describe("the headers of AI Gateway", () => {
  const HEADERS = { "cf-aig-log-id": "01KDZ0V5N8Q2T3R4S5V6W7X8Y9", "cf-aig-cache-status": "HIT" };

  it("are the id of the log's entry, and whether the cache had the response", () => {
    const found = readFrom(HEADERS);
    expect(found.aiGateway).toEqual({ logId: "01KDZ0V5N8Q2T3R4S5V6W7X8Y9", cache: "HIT" });
    expect(isCached(found)).toBe(true);
  });

  // Any provider could otherwise make its calls cost nothing.
  it("count from AI Gateway alone", () => {
    const found = readFrom(HEADERS, false);
    expect([found.aiGateway, isCached(found)]).toEqual([null, false]);
  });

  it.each(["MISS", "BYPASS", "", "HIT, HIT", "\u00e9"])("do not name a cached response with %j", (status) => {
    expect(isCached(readFrom({ "cf-aig-cache-status": status }))).toBe(false);
  });

  it("are truncated, and null where they are absent or not printable", () => {
    expect(readFrom({ "cf-aig-log-id": "l".repeat(500) }).aiGateway?.logId).toBe("l".repeat(64));
    expect(readFrom({ "cf-aig-log-id": "l\u00e9" }).aiGateway).toEqual({ logId: null, cache: null });
  });
});
