/* oxlint-disable vitest/expect-expect -- helpers such as expectForwarded and expectRefusal assert */
/** Part E of the catalogue: which request and response headers are forwarded, over real sockets. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { rejectEncodedBody } from "../../src/gateway/app/request-body.ts";
import * as respond from "../support/response-steps.ts";
import type { UpstreamRequest } from "../support/fake-upstream.ts";
import { utf8, type HeaderPair } from "../support/wire.ts";
import { validatesHeads } from "../support/workerd-build.ts";
import {
  bearer,
  BODY,
  CENTRAL,
  CODER_AGENTS_UA,
  expectForwarded,
  expectRefusal,
  KEYS,
  newOwner,
  openCaseHarness,
  OWN,
  ownerHeader,
  UUID_V7,
  withoutHanging,
  type Exchange,
  type CaseHarness,
} from "./case-harness.ts";

let harness: CaseHarness;
beforeAll(async () => void (harness = await openCaseHarness()));
beforeEach(() => harness.reset());
afterEach(() => harness.check());
afterAll(() => harness.close());

const CHAT = "/openai/v1/chat/completions";
const OWN_CHAT = "/own-openai/v1/chat/completions";

/** The request that the provider receives for a call with these headers. */
async function forward(headers: readonly HeaderPair[], target = CHAT): Promise<UpstreamRequest> {
  return expectForwarded(
    await harness.send({ target, headers: [bearer(KEYS.user), ...headers], body: BODY }),
  );
}

/** The exchange for a provider response with these headers. */
async function respondWithHeaders(
  headers: readonly HeaderPair[],
  status = 200,
  target = CHAT,
): Promise<Exchange> {
  harness.respondWith(respond.json(status, { ok: true }, headers), '{"ok":true}');
  return harness.send({ target, headers: [bearer(KEYS.user)], body: BODY });
}

const names = (headers: readonly HeaderPair[]): string[] => headers.map(([name]) => name.toLowerCase());

/** The only headers of a minimal call. */
const ALWAYS = ["accept-encoding", "authorization", "content-length", "host", "via", "x-real-ip"];

describe("request headers", () => {
  it("E4 sends six headers for a call with only a key, and not one of them is from the client", async () => {
    const request = await forward([]);
    expect(names(request.headers).toSorted()).toEqual(ALWAYS);
    expect(request.values("accept-encoding")).toEqual(["identity"]);
    expect(request.values("via")).toEqual(["1.1 ai-edge-interceptor"]);
    expect(request.values("x-real-ip")).toEqual(["192.0.2.1"]);
    expect(request.values("content-length")).toEqual([String(BODY.length)]);
  });

  const REMOVED: readonly (readonly [id: string, name: string, value: string])[] = [
    ["E1", "Keep-Alive", "timeout=5"],
    ["E1", "TE", "trailers"],
    ["E1", "Trailer", "X-Checksum"],
    ["E1", "Upgrade", "h2c"],
    ["E1", "Proxy-Authorization", "Basic dTpw"],
    ["E1", "Proxy-Authenticate", "Basic"],
    ["E1", "Proxy-Connection", "keep-alive"],
    ["E1", "Keep_Alive", "timeout=5"],
    ["E1", "Proxy_Authorization", "Basic dTpw"],
    ["E3", "X-Forwarded-For", "203.0.113.7"],
    ["E3", "X-Forwarded-Host", "evil.example"],
    ["E3", "X-Forwarded-Proto", "https"],
    ["E3", "X-Forwarded-Port", "443"],
    ["E3", "x_forwarded_for", "203.0.113.7"],
    ["E3", "X-Forwarded_For", "203.0.113.7"],
    ["E3", "Forwarded", "for=203.0.113.7"],
    ["E3", "CF-Connecting-IP", "203.0.113.7"],
    ["E3", "CF-Connecting-IPv6", "2001:db8::7"],
    ["E3", "CF-IPCountry", "XX"],
    ["E3", "CF-Ray", "0000000000000000-XXX"],
    ["E3", "CF-Visitor", '{"scheme":"https"}'],
    ["E3", "CF-Worker", "example.com"],
    ["E3", "CF-EW-Via", "15"],
    ["E3", "Cloudflare-Workers-Version-Key", "anything"],
    ["E3", "Cloudflare-Workers-Version-Overrides", 'gateway="dc8dcd28-271b-4367-9840-6c244f84cb40"'],
    ["E3", "cloudflare_workers_version_overrides", 'gateway="dc8dcd28-271b-4367-9840-6c244f84cb40"'],
    ["E3", "Exposed-Credential-Check", "4"],
    ["E3", "Malicious-Uploads-Detection", "1"],
    ["E3", "CF-Access-Jwt-Assertion", "a.b.c"],
    ["E3", "CF-Access-Client-Secret", "an-access-secret"],
    ["E3", "cf_connecting_ip", "203.0.113.7"],
    ["E3", "X-Real-IP", "203.0.113.7"],
    ["E3", "x_real_ip", "203.0.113.7"],
    ["E3", "True-Client-IP", "203.0.113.7"],
    ["E3", "CDN-Loop", "cloudflare; loops=5"],
    ["E3", "Via", "1.1 corporate-proxy"],
    ["E3", "Expect", "100-continue"],
    ["E3", "Cookie", "session=abc"],
    ["E3", "Cookie2", "$Version=1"],
    ["E3", "X-Interception-Id", "01a00000-0000-7000-8000-000000000000"],
    ["E3", "X-Coder-Owner-Id", "no-owner"],
    ["E3", "X-Coder-Chat-Id", "2f1d6f6e-6a51-4b39-9d4e-1c2b3a4f5e60"],
    ["E3", "X-Coder-Subchat-Id", "2f1d6f6e-6a51-4b39-9d4e-1c2b3a4f5e61"],
    ["E3", "X-Coder-Workspace-Id", "2f1d6f6e-6a51-4b39-9d4e-1c2b3a4f5e62"],
    ["E3", "X-Coder-Signature", "v1=00"],
    ["E3", "X-Coder-Signature-Timestamp", "1790000000"],
    ["E3", "X-Coder-AI-Governance-Request-Id", "r1"],
    ["E3", "X-Coder-AI-Gateway-Key", "a-delegation-secret"],
    ["E3", "X-Coder-Anything-Else", "anything"],
    ["E3", "X_Coder_Chat_Id", "anything"],
    ["E4", "Api-Key", "some-azure-key-0001"],
    ["E4", "api_key", "some-azure-key-0001"],
    ["E4", "X_Api_Key", "some-api-key-00001"],
    ["E4", "X-Api_Key", "some-api-key-00001"],
    ["E4", "Coder-Session-Token", "aBcDeFgHiJ-kLmNoPqRsTuVwXyZaBcDeF"],
  ];

  it.each(REMOVED)("%s removes %s", async (_, name, value) => {
    for (const target of [CHAT, "/anthropic/v1/messages", "/openai/v1/embeddings"]) {
      const request = await forward([[name, value]], target);
      const expected = target.startsWith("/anthropic") ? ALWAYS.with(1, "x-api-key").toSorted() : ALWAYS;
      expect(names(request.headers).toSorted()).toEqual(expected);
    }
  });

  it("E1 removes the headers that Connection lists", async () => {
    const request = await forward([
      ["Connection", "keep-alive, X-Stainless-Hop-One ,x-stainless-hop-two"],
      ["X-Stainless-Hop-One", "1"],
      ["X-STAINLESS-HOP-TWO", "2"],
      ["X-Stainless-Stays", "3"],
    ]);
    expect(names(request.headers).toSorted()).toEqual([...ALWAYS, "x-stainless-stays"].toSorted());
  });

  it("E1 removes the headers that two Connection headers list", async () => {
    const request = await forward([
      ["Connection", "x-hop-one"],
      ["X-Hop-One", "1"],
      ["connection", "X-Hop-Two"],
      ["X-Hop-Two", "2"],
    ]);
    expect(names(request.headers).toSorted()).toEqual(ALWAYS);
  });

  it("E1 keeps the gateway's key, Via and Content-Length although Connection lists them", async () => {
    // The attack: the client lists headers in Connection to remove the provider credential or the loop mark (Via).
    const listed = "authorization, x-api-key, via, accept-encoding, content-length, host";
    const openai = await forward([["Connection", listed]]);
    expect(openai.values("authorization")).toEqual([`Bearer ${CENTRAL.openai}`]);
    expect(names(openai.headers).toSorted()).toEqual(ALWAYS);
    const anthropic = await forward([["Connection", listed]], "/anthropic/v1/messages");
    expect(anthropic.values("x-api-key")).toEqual([CENTRAL.anthropic]);
  });

  it("E3 removes all of them except credentials when each is sent twice", async () => {
    const all = REMOVED.filter(([id, name]) => id !== "E4" && name !== "Upgrade" && name !== "Expect");
    const request = await forward([...all, ...all].map(([, name, value]): HeaderPair => [name, value]));
    expect(names(request.headers).toSorted()).toEqual(ALWAYS);
  });

  it.each([
    ["a client key", CHAT, [bearer(KEYS.user)], ["authorization", `Bearer ${CENTRAL.openai}`]],
    [
      "a client key in X-Api-Key",
      CHAT,
      [["X-Api-Key", KEYS.user]],
      ["authorization", `Bearer ${CENTRAL.openai}`],
    ],
    ["a client key", "/anthropic/v1/messages", [bearer(KEYS.user)], ["x-api-key", CENTRAL.anthropic]],
    ["its own key", OWN_CHAT, [bearer(OWN.openai)], ["authorization", `Bearer ${OWN.openai}`]],
    [
      "its own key in X-Api-Key",
      OWN_CHAT,
      [["X-Api-Key", OWN.openai]],
      ["authorization", `Bearer ${OWN.openai}`],
    ],
    [
      "its own OAuth token",
      "/own-anthropic/v1/messages",
      [bearer(OWN.anthropic)],
      ["authorization", `Bearer ${OWN.anthropic}`],
    ],
    [
      "its own key in X-Api-Key",
      "/own-anthropic/v1/messages",
      [["X-Api-Key", OWN.anthropic]],
      ["x-api-key", OWN.anthropic],
    ],
    [
      "both",
      OWN_CHAT,
      [
        ["X-Coder-AI-Governance-Token", KEYS.user],
        ["Authorization", `bearer  ${OWN.openai}`],
        ["X-Api-Key", "another-key-000001"],
      ],
      ["authorization", `Bearer ${OWN.openai}`],
    ],
  ] as const)(
    "E4 forwards one credential from a client with %s on %s",
    async (_, target, headers, [name, value]) => {
      const request = expectForwarded(await harness.send({ target, headers, body: BODY }));
      expect(names(request.headers).toSorted()).toEqual([...ALWAYS.toSpliced(1, 1), name].toSorted());
      expect(request.values(name)).toEqual([value]);
    },
  );

  const VERBATIM: readonly HeaderPair[] = [
    ["x-stainless-arch", "x64"],
    ["x-stainless-retry-count", "0"],
    ["x-stainless-timeout", "600"],
    ["x-stainless-new", "  inner   blanks \t kept, \"quotes\" 'too' \\ and=all;of it"],
    ["x-stainless-empty", ""],
    ["x-stainless-long", "v".repeat(16_384)],
    ["x-stainless-utf8", utf8("grüße, 東京 😀")],
    ["x-client-request-id", "client-chosen"],
    ["user-agent", "codex_exec/0.169.0 (Debian 13.0.0; x86_64)"],
    ["accept", "text/event-stream"],
    ["content-type", "application/json; charset=utf-8"],
    ["X-StAiNlEsS-CaSe", "VaLuE"],
  ];
  const OF_OPENAI: readonly HeaderPair[] = [
    ["openai-beta", "responses=experimental"],
    ["session_id", "kept-with-its-underscore"],
    ["originator", "codex_exec"],
  ];
  const OF_ANTHROPIC: readonly HeaderPair[] = [
    ["anthropic-version", "2023-06-01"],
    [
      "anthropic-beta",
      "claude-code-20250219,interleaved-thinking-2025-05-14, fine-grained-tool-streaming-2025-05-14",
    ],
    ["anthropic-dangerous-direct-browser-access", "true"],
    ["x-app", "cli"],
  ];
  const MESSAGES = "/anthropic/v1/messages";

  it.each([
    ...VERBATIM.map((pair) => [...pair, [CHAT, MESSAGES, "/openai/v1/embeddings"]] as const),
    ...OF_OPENAI.map((pair) => [...pair, [CHAT, "/openai/v1/embeddings"]] as const),
    ...OF_ANTHROPIC.map((pair) => [...pair, [MESSAGES]] as const),
  ])("E5 forwards %s unmodified", async (name, value, targets) => {
    for (const target of targets)
      expect((await forward([[name, value]], target)).values(name)).toEqual([value.trim()]);
  });

  it.each([
    "openai-organization",
    "openai-project",
    "x-request-id",
    "x-unknown-thing",
    "accept-language",
    "sec-fetch-mode",
    "traceparent",
    "range",
    "x-portkey-custom-host",
    "x-user-email",
  ])("E5 forwards no %s, which is not on the list", async (name) => {
    for (const target of [CHAT, MESSAGES, "/openai/v1/embeddings", "/anthropic/v1/messages/count_tokens"])
      expect((await forward([[name, "anything"]], target)).values(name)).toEqual([]);
  });

  it("E5 forwards all of them together and adds nothing", async () => {
    const all = [...VERBATIM, ...OF_OPENAI];
    const request = await forward(all);
    expect(names(request.headers).toSorted()).toEqual([...ALWAYS, ...names(all)].toSorted());
  });

  it("E5 forwards both values of a repeated header in order", async () => {
    const betas: HeaderPair[] = ["a-2025-01-01", "b-2025-01-01"].map((beta) => ["anthropic-beta", beta]);
    const request = await forward(betas, "/anthropic/v1/messages");
    expect(request.values("anthropic-beta").join(", ")).toBe("a-2025-01-01, b-2025-01-01");
  });

  it("E5 forwards header bytes that are not UTF-8 unmodified", async () => {
    expect((await forward([["x-stainless-latin-1", "caf\xe9"]])).values("x-stainless-latin-1")).toEqual([
      "caf\xe9",
    ]);
  });
});

describe("F3 a Content-Encoding", () => {
  // The attack (ReDoS): `^\s*…\s*$` backtracks over a header of spaces that HTTP does not trim (vertical tabs,
  // no-break spaces). Its time grows with the square of their number, to seconds of CPU for 100 KB.
  const SHAPES: readonly [string, (size: number) => string][] = [
    ["letters", (size) => "g".repeat(size)],
    ["vertical tabs, then a letter", (size) => `${"\v".repeat(size - 1)}x`],
    ["no-break spaces, then a letter", (size) => `${"\u00a0".repeat(size - 1)}x`],
    ["spaces between identity and a letter", (size) => `identity${" ".repeat(size - 9)}x`],
  ];

  it.each(SHAPES)("F3 rejects one of a mebibyte of %s without hanging", (_, shape) => {
    const headers = { get: () => shape(2 ** 20) } as Pick<Headers, "get"> as Headers;
    const refusal = withoutHanging(() => rejectEncodedBody(headers), "");
    expect(refusal?.code).toBe("body_encoded");
  });

  it.for(SHAPES)("F3 rejects one of 100 KB of %s with 415", async ([description, shape], { skip }) => {
    const value = utf8(shape(102_400));
    skip(!validatesHeads && value.length > 200_000, "this build rejects headers of that size");
    const startedAt = performance.now();
    const headers: HeaderPair[] = [bearer(KEYS.user), ["Content-Encoding", value]];
    expectRefusal(await harness.send({ target: CHAT, headers, body: BODY }), 415, "body_encoded");
    console.log(
      `F3 100 KB of ${description}: a complete request in ${(performance.now() - startedAt).toFixed(1)} ms`,
    );
  });
});

describe("with forward_coder_headers", () => {
  beforeAll(() =>
    harness.configure({
      providers: {
        coder: {
          type: "anthropic",
          base_url: `${harness.upstream.url}/central-anthropic`,
          keys: ["ANTHROPIC_KEY"],
          forward_coder_headers: true,
        },
      },
    }),
  );
  afterAll(() => harness.configure());

  const IDS = ["X-Coder-Owner-Id", "X-Coder-Chat-Id", "X-Coder-Subchat-Id", "X-Coder-Workspace-Id"];

  it("E5 forwards Coder's ids unmodified", async () => {
    harness.allowHeader(/^x-coder-(?:owner|chat|subchat|workspace)-id$/);
    const headers = IDS.map((name): HeaderPair => [name, newOwner()]);
    const request = await forward([CODER_AGENTS_UA, ...headers], "/coder/v1/messages");
    for (const [name, value] of headers) expect(request.values(name)).toEqual([value]);
  });

  it("E3 does not forward them to a provider without the option", async () => {
    const request = await forward([CODER_AGENTS_UA, ownerHeader(newOwner())], "/anthropic/v1/messages");
    expect(names(request.headers).filter((name) => name.includes("coder"))).toEqual([]);
  });

  it.each([
    "X-Coder-AI-Governance-Request-Id",
    "X-Coder-AI-Gateway-Key",
    "X-Coder-AI-Gateway-Delegated-Key-ID",
    "X-Coder-Signature",
    "X-Coder-Signature-Timestamp",
    "X-Coder-Session-Token",
    "X_Coder_AI_Governance_Token",
    "X-Coder-AI_Governance-Token",
    "X-Coder_Signature",
    "X_Coder_Owner_Id",
  ])("E4 removes %s even there, as it does all tokens and signatures", async (name) => {
    // Mixed spellings: a server that maps names the CGI way reads X-Coder-AI_Governance-Token as the real header.
    const request = await forward([[name, "a-token-or-signature-01"]], "/coder/v1/messages");
    expect(names(request.headers).filter((header) => header.includes("coder"))).toEqual([]);
  });

  it("E4 removes X-Coder-AI-Governance-Token even there", async () => {
    const headers: HeaderPair[] = [
      ["X-Coder-AI-Governance-Token", KEYS.user],
      ["X-Api-Key", OWN.anthropic],
    ];
    const request = expectForwarded(
      await harness.send({ target: "/coder/v1/messages", headers, body: BODY }),
    );
    expect(names(request.headers).filter((header) => header.includes("coder"))).toEqual([]);
  });
});

/** The headers that each of these responses has. */
const RETURNED = [
  "cache-control",
  "content-length",
  "content-type",
  "x-content-type-options",
  "x-interception-id",
];

describe("response headers", () => {
  const HOP_BY_HOP: readonly HeaderPair[] = [
    ["Keep-Alive", "timeout=5"],
    ["Proxy-Authenticate", "Basic"],
    ["Proxy-Authorization", "Basic dTpw"],
    ["Proxy-Connection", "keep-alive"],
    ["TE", "trailers"],
    ["Trailer", "X-Checksum"],
    ["Upgrade", "h2c"],
  ];

  it.each(HOP_BY_HOP)("E2 removes %s", async (name, value) => {
    for (const target of [CHAT, "/openai/v1/embeddings"]) {
      const { response } = await respondWithHeaders([[name, value]], 200, target);
      expect(names(response.headers).toSorted()).toEqual(RETURNED);
    }
  });

  it("E2 removes the headers that Connection lists", async () => {
    const { response } = await respondWithHeaders([
      ["Connection", "keep-alive, X-Hop-One ,x-hop-two"],
      ["X-Hop-One", "1"],
      ["X-HOP-TWO", "2"],
      ["X-Stainless-Stays", "3"],
    ]);
    expect(names(response.headers).toSorted()).toEqual([...RETURNED, "x-stainless-stays"]);
  });

  // The attack: a provider lists an invalid header name there, and the client gets 500 instead of the paid response.
  it.each(["x hop", "X-Hop;q=1", "x-hop x-stays", '"X-Stainless-Stays"'])(
    "E2 returns the response although Connection lists an invalid header name (%s)",
    async (value) => {
      const { response } = await respondWithHeaders([
        ["Connection", value],
        ["X-Stainless-Stays", "3"],
      ]);
      expect([
        response.status,
        response.values("x-stainless-stays"),
        response.values("x-interceptor-error"),
      ]).toEqual([200, ["3"], []]);
    },
  );

  it("E2 keeps x-interception-id although Connection lists it", async () => {
    const { response } = await respondWithHeaders([["Connection", "x-interception-id, x-interceptor-error"]]);
    expect(response.values("x-interception-id")[0]).toMatch(UUID_V7);
  });

  it.each([
    [200, 200],
    // The gateway's own response to a central key that the provider rejects.
    [401, 502],
    [404, 404],
    [429, 429],
    [500, 500],
  ])("E6 removes cookies with status %i", async (status, received) => {
    const { response } = await respondWithHeaders(
      [
        ["Set-Cookie", "__cf_bm=abc; path=/; HttpOnly"],
        ["set-cookie", "_cfuvid=def; path=/"],
        ["Set-Cookie2", "a=b"],
      ],
      status,
    );
    expect([response.status, ...response.values("set-cookie"), ...response.values("set-cookie2")]).toEqual([
      received,
    ]);
  });

  const KEPT: readonly HeaderPair[] = [
    ["request-id", "req_011CSHoEeqs5C35K2UUqR7Fy"],
    ["x-request-id", "req_abc"],
    ["retry-after", "17"],
    ["retry-after-ms", "17250"],
    ["x-should-retry", "false"],
    ["x-ratelimit-limit-requests", "10000"],
    ["x-ratelimit-remaining-tokens", "149984"],
    ["x-ratelimit-reset-requests", "6ms"],
    ["anthropic-ratelimit-requests-limit", "4000"],
    ["anthropic-ratelimit-unified-status", "allowed"],
    ["anthropic-ratelimit-tokens-reset", "2026-11-23T12:00:00Z"],
    ["openai-processing-ms", "412"],
    ["openai-version", "2020-10-01"],
    ["cf-ray", "9a0b1c2d3e4f5061-FRA"],
    ["server", "cloudflare"],
    ["x-unknown", '  inner   blanks, "quotes" and=all;of it'],
    ["via", "1.1 upstream-proxy"],
    ["vary", "Origin"],
    ["www-authenticate", 'Bearer realm="api"'],
  ];

  it.each(KEPT)("E7 returns %s unmodified", async (name, value) => {
    for (const [status, target] of [
      [200, CHAT],
      [429, CHAT],
      [529, "/anthropic/v1/messages"],
      [200, "/openai/v1/files"],
    ] as const) {
      const { response } = await respondWithHeaders([[name, value]], status, target);
      expect([response.status, response.values(name)]).toEqual([status, [value.trim()]]);
    }
  });

  it("E7 returns all of them together, adds nothing, and keeps repeated headers separate", async () => {
    const twice: HeaderPair[] = [
      ["X-Twice", "a"],
      ["X-Twice", "b"],
    ];
    const { response } = await respondWithHeaders([...KEPT, ...twice]);
    expect(names(response.headers).toSorted()).toEqual(
      [...RETURNED, ...names(KEPT), "x-twice", "x-twice"].toSorted(),
    );
    expect(response.values("x-twice")).toEqual(["a", "b"]);
  });

  it.each<HeaderPair>([
    ["anthropic-organization-id", "0f6b2a44-1111-4222-8333-944455556666"],
    ["openai-organization", "org-abc"],
    ["openai-project", "proj_abc"],
    ["strict-transport-security", "max-age=31536000"],
    ["cache-control", "public, max-age=31536000"],
    ["access-control-allow-origin", "*"],
  ])("Finding M8: of a central key's account and of policy nothing is returned: %s", async (name, value) => {
    for (const [status, target] of [
      [200, CHAT],
      [429, CHAT],
      [200, "/openai/v1/files"],
    ] as const) {
      const { response } = await respondWithHeaders([[name, value]], status, target);
      expect(response.status).toBe(status);
      expect(response.values(name)).not.toContain(value);
    }
  });
});

describe("the interception id", () => {
  const base = { headers: [bearer(KEYS.user)], body: BODY };
  type Case = readonly [title: string, status: number, refused: boolean, send: () => Promise<Exchange>];
  const CASES: readonly Case[] = [
    ["an interception", 200, false, () => harness.send({ ...base, target: CHAT })],
    ["a passthrough", 200, false, () => harness.send({ ...base, target: "/openai/v1/embeddings" })],
    [
      "HEAD of a passthrough",
      200,
      false,
      () => harness.send({ method: "HEAD", target: "/openai/v1/models", headers: base.headers }),
    ],
    ["a provider error", 429, false, () => respondWithHeaders([], 429)],
    ["a health check", 200, false, () => harness.send({ target: "/healthz" })],
    ["HEAD of a health check", 200, false, () => harness.send({ method: "HEAD", target: "/healthz" })],
    ["the probe of a base URL", 200, false, () => harness.send({ method: "HEAD", target: "/" })],
    ["the page at the root", 200, false, () => harness.send({ target: "/" })],
    ["an unknown route", 404, true, () => harness.send({ ...base, target: "/nowhere" })],
    ["an invalid path", 404, true, () => harness.send({ ...base, target: "/openai/v1/models/%2e%2e" })],
    ["a URL too long", 414, true, () => harness.send({ ...base, target: `${CHAT}?${"q".repeat(17_000)}` })],
    ["a wrong method", 405, true, () => harness.send({ ...base, method: "PUT", target: CHAT })],
    ["HEAD of a refusal", 401, true, () => harness.send({ method: "HEAD", target: "/openai/v1/models" })],
    [
      "an upgrade",
      426,
      true,
      () => harness.send({ target: "/openai/v1/responses", headers: [["Upgrade", "websocket"]] }),
    ],
    ["no credential", 401, true, () => harness.send({ target: CHAT, body: BODY })],
    ["an invalid body", 400, true, () => harness.send({ ...base, target: CHAT, body: "{" })],
    [
      "a body in two codings",
      415,
      true,
      () =>
        harness.send({ ...base, target: CHAT, headers: [...base.headers, ["Content-Encoding", "gzip, br"]] }),
    ],
    [
      "a loop",
      508,
      true,
      () =>
        harness.send({
          ...base,
          target: CHAT,
          headers: [...base.headers, ["Via", "1.1 ai-edge-interceptor"]],
        }),
    ],
    ["a redirect", 502, true, () => respondWithHeaders([["Location", "/x"]], 302)],
  ];

  it.each(CASES)(
    "E10 is on the response to %s (%i), with the reason if that is a refusal",
    async (_, status, refused, send) => {
      const { response } = await send();
      expect(response.status).toBe(status);
      const ids = response.values("x-interception-id");
      expect(ids).toEqual([expect.stringMatching(UUID_V7)]);
      expect(response.values("x-interceptor-error")).toHaveLength(refused ? 1 : 0);
      const recorded = await Promise.all(
        (["interception_start", "passthrough", "refusal"] as const).map((type) => harness.events(type)),
      );
      for (const { interception_id } of recorded.flat()) expect([interception_id]).toEqual(ids);
    },
  );

  it("E10 is unique for each request", async () => {
    const ids = new Set<string>();
    for (let at = 0; at < 50; at += 1)
      for (const id of (await harness.send({ target: "/healthz" })).response.values("x-interception-id"))
        ids.add(id);
    expect(ids.size).toBe(50);
  });

  it("E10 replaces the values that the client and the provider send", async () => {
    harness.respondWith(
      respond.json(200, { ok: true }, [
        ["X-Interception-Id", "from-the-provider"],
        ["X-Interceptor-Error", "credential_missing"],
      ]),
      '{"ok":true}',
    );
    const headers: HeaderPair[] = [
      bearer(KEYS.user),
      ["X-Interception-Id", "from-the-client"],
      ["X-Interceptor-Error", "loop"],
    ];
    const { response } = await harness.send({ target: CHAT, headers, body: BODY });
    expect(response.values("x-interception-id")).toEqual([expect.stringMatching(UUID_V7)]);
    expect(response.values("x-interceptor-error")).toEqual([]);
  });
});
