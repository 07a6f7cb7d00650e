import { createSecretFinder } from "../../../src/shared/secret-finder.ts";
import { describe, expect, it } from "vitest";
import { toClientHeaders, type ClientHeaderOptions } from "../../../src/gateway/upstream/response-headers.ts";

type Pairs = readonly (readonly [name: string, value: string])[];

const OPTIONS = {
  interceptionId: "id-1",
  isModified: false,
  isCentral: true,
  keepsCache: false,
  secrets: null,
};
/** The headers that each response gets. */
const OWN: Readonly<Record<string, string>> = {
  "cache-control": "private, no-store",
  "content-security-policy": "sandbox; default-src 'none'",
  "x-content-type-options": "nosniff",
};

/** All headers that the client receives. */
function receivedAll(pairs: Pairs, options: Partial<ClientHeaderOptions> = {}): [string, string][] {
  const headers = new Headers(pairs as [string, string][]);
  toClientHeaders(headers, { ...OPTIONS, ...options });
  return [...headers];
}

/** The headers that the client receives, without those that each response gets. */
const received = (pairs: Pairs, options: Partial<ClientHeaderOptions> = {}): [string, string][] =>
  receivedAll(pairs, options).filter(([name, value]) => OWN[name] !== value);

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
      expect(received([[name, "x"]], { isModified: true })).toEqual([ID]);
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
        { isModified: true },
      ),
    ).toEqual([["content-type", "text/event-stream"], ID]);
  });
});

describe("Finding M8: the policy of the gateway's origin", () => {
  // The attack (M8): a provider, or a network in front of it, sets policy on the gateway's origin.
  it.each([
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Credentials",
    "Access-Control-Expose-Headers",
    "Access-Control-Something-New",
    "Strict-Transport-Security",
    "Alt-Svc",
    "NEL",
    "Report-To",
    "Reporting-Endpoints",
    "Clear-Site-Data",
    "Refresh",
    "Service-Worker-Allowed",
    "Set-Cookie",
    "Set-Login",
    "Link",
    "X-Frame-Options",
    "Content-Security-Policy",
    "Content-Security-Policy-Report-Only",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "Permissions-Policy",
    "Referrer-Policy",
    "Origin-Agent-Cluster",
    "Origin-Trial",
    "Timing-Allow-Origin",
    "Public-Key-Pins",
    "Expect-CT",
    "Accept-CH",
    "Speculation-Rules",
    "SourceMap",
    "X-Accel-Redirect",
    "X-Sendfile",
  ])("drops %s", (name) => {
    expect(received([[name, "x"]])).toEqual([["x-interception-id", "id-1"]]);
  });

  it.each([
    "text/html",
    "image/svg+xml",
    "application/pdf",
    "text/plain",
    "audio/mpeg",
    "application/xml",
    "",
  ])("is a sandbox for the type %j, and no type is guessed", (type) => {
    const all = Object.fromEntries(
      receivedAll([
        ...(type === "" ? [] : ([["content-type", type]] as const)),
        ["content-security-policy", "script-src *"],
        ["x-content-type-options", "sniff"],
      ]),
    );
    expect(all).toMatchObject(OWN);
  });

  it.each(["application/json", "text/event-stream; charset=utf-8", "application/problem+json"])(
    "is nothing but nosniff for the type %j",
    (type) => {
      const all = Object.fromEntries(receivedAll([["content-type", type]]));
      expect(all["x-content-type-options"]).toBe("nosniff");
      expect(all["content-security-policy"]).toBeUndefined();
    },
  );

  const ACCOUNT: Pairs = [
    ["anthropic-organization-id", "org-1"],
    ["openai-organization", "acme"],
    ["openai-project", "proj_1"],
  ];
  // The attack (M8): every caller learns whose account the central key is of.
  it("does not name the account of a central key", () => {
    expect(received(ACCOUNT)).toEqual([["x-interception-id", "id-1"]]);
  });

  it("names the account of the caller's own key", () => {
    expect(received(ACCOUNT, { isCentral: false })).toEqual([...ACCOUNT, ["x-interception-id", "id-1"]]);
  });
});

describe("Finding N8: caching of a response", () => {
  const CACHED: Pairs = [
    ["age", "5"],
    ["cache-control", "public, max-age=3600"],
    ["cdn-cache-control", "max-age=60"],
    ["cloudflare-cdn-cache-control", "max-age=60"],
    ["expires", "Thu, 01 Dec 2033 16:00:00 GMT"],
    ["surrogate-control", "max-age=60"],
  ];
  // The attack (N8): a shared cache in front of the gateway gives one caller's file to another.
  it("is private, no-store, also where the provider permits more", () => {
    expect(received(CACHED)).toEqual([["x-interception-id", "id-1"]]);
    expect(receivedAll(CACHED)).toContainEqual(["cache-control", "private, no-store"]);
  });

  it('is the provider\'s with response_cache = "keep"', () => {
    expect(received(CACHED, { keepsCache: true })).toEqual([...CACHED, ["x-interception-id", "id-1"]]);
  });
});

describe("a configured secret in a header", () => {
  const KEY = "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56";
  const secrets = createSecretFinder([
    { name: "OPENAI_KEY", value: KEY },
    { name: "SHORT_KEY", value: "hunter42" },
  ]);
  // The attack (H3): a provider that echoes the request's headers.
  it.each([
    ["x-debug-authorization", `Bearer ${KEY}`, "OPENAI_KEY"],
    ["x-request-id", `req-${KEY.slice(10, 28)}`, "OPENAI_KEY"],
    ["content-type", `text/plain; boundary=${KEY}`, "OPENAI_KEY"],
    ["x-echo", "key=hunter42", "SHORT_KEY"],
  ])("removes %s and names the secret", (name, value, secret) => {
    const headers = new Headers({ [name]: value, "x-kept": "1" });
    expect(toClientHeaders(headers, { ...OPTIONS, secrets })).toBe(secret);
    expect(headers.has(name)).toBe(false);
    expect(headers.get("x-kept")).toBe("1");
  });

  it("leaves other headers as they are", () => {
    const headers = new Headers({ "x-kept": "sk-proj-another-key" });
    expect(toClientHeaders(headers, { ...OPTIONS, secrets })).toBeNull();
    expect(headers.get("x-kept")).toBe("sk-proj-another-key");
  });
});
