import { describe, expect, it } from "vitest";
import { toClientHeaders } from "../../../src/gateway/upstream/response-headers.ts";

type Pairs = readonly (readonly [name: string, value: string])[];

/** The headers that the client receives. */
function received(pairs: Pairs, isModified = false): [string, string][] {
  const headers = new Headers(pairs as [string, string][]);
  toClientHeaders(headers, "id-1", isModified);
  return [...headers];
}

describe("the headers that the client receives", () => {
  const ID: [string, string] = ["x-interception-id", "id-1"];

  it.each([
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
  ])("E2 drops the hop-by-hop field %s", (name) => {
    expect(received([[name, "x"]])).toEqual([ID]);
  });

  it("E2 drops the fields that the provider's Connection lists", () => {
    expect(
      received([
        ["connection", "X-Hop, close"],
        ["x-hop", "1"],
        ["x-kept", "2"],
      ]),
    ).toEqual([ID, ["x-kept", "2"]]);
  });

  // The attack: a provider, or a proxy in front of it, puts text into `Connection` that is not a field name. Deleting such
  // a name threw, and the client got 500 instead of a response that had arrived and been paid for.
  it.each([
    ["close,", false],
    [",", false],
    ["x hop", false],
    ["x-hop;q=1", false],
    ['"x-hop"', false],
    [", x-hop", true],
    ["x-hop,,close", true],
    ["x hop, x-hop", true],
  ])("E2 ignores invalid names in the provider's Connection (%j)", (connection, listsHop) => {
    const kept: Pairs = [ID, ["x-kept", "2"]];
    const upstream: Pairs = [
      ["connection", connection],
      ["x-hop", "1"],
      ["x-kept", "2"],
    ];
    expect(received(upstream)).toEqual(listsHop ? kept : [["x-hop", "1"], ...kept]);
  });

  it("E6 drops the provider's cookies", () => {
    expect(
      received([
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
        ["set-cookie2", "c=3"],
      ]),
    ).toEqual([ID]);
  });

  it("E7 keeps the headers that SDKs use for retries and tracing", () => {
    const kept: Pairs = [
      ["anthropic-ratelimit-requests-remaining", "99"],
      ["anthropic-ratelimit-tokens-reset", "2026-11-23T12:00:00Z"],
      ["cache-control", "no-cache"],
      ["content-type", "text/event-stream; charset=utf-8"],
      ["openai-processing-ms", "51"],
      ["request-id", "req_1"],
      ["retry-after", "5"],
      ["retry-after-ms", "5000"],
      ["x-ratelimit-limit-requests", "500"],
      ["x-ratelimit-remaining-tokens", "1000"],
      ["x-request-id", "req_2"],
      ["x-should-retry", "true"],
    ];
    expect(received(kept).filter(([name]) => name !== ID[0])).toEqual(kept);
  });

  it("E10 replaces the provider's x-interception-id", () => {
    expect(received([["x-interception-id", "forged"]])).toEqual([ID]);
  });

  it("drops the provider's x-interceptor-error, which marks the gateway's own refusals", () => {
    expect(received([["x-interceptor-error", "invalid_credential"]])).toEqual([ID]);
  });

  it("drops the provider's x-coder-ai-gateway-error, which makes a delegating Coder treat a 401 as the gateway's", () => {
    expect(received([["x-coder-ai-gateway-error", "gateway_key_mismatch"]])).toEqual([ID]);
  });

  // A client that verifies the digest would reject a stream without its usage event as corrupt.
  it.each(["Content-MD5", "Digest", "Content-Digest", "Repr-Digest"])(
    "drops %s, which describes the provider's bytes, if the body is modified, and only then",
    (name) => {
      expect(received([[name, "x"]], true)).toEqual([ID]);
      expect(received([[name, "x"]])).toContainEqual([name.toLowerCase(), "x"]);
    },
  );

  it("keeps content-length and content-encoding if the body is unmodified", () => {
    const pairs: Pairs = [
      ["content-encoding", "gzip"],
      ["content-length", "12"],
    ];
    expect(received(pairs)).toEqual([...pairs, ID]);
  });

  it("F11 drops content-length and content-encoding if the body was decoded or an event was removed", () => {
    expect(
      received(
        [
          ["content-encoding", "gzip"],
          ["content-length", "12"],
          ["content-type", "text/event-stream"],
        ],
        true,
      ),
    ).toEqual([["content-type", "text/event-stream"], ID]);
  });
});
