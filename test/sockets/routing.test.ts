/* oxlint-disable vitest/expect-expect -- expectForwarded, expectRefusal and similar helpers are assertions */
/** Part D of the catalogue: the destination of a request, and the inputs that try to change it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ROUTE_PREFIXES } from "../../src/shared/http/target.ts";
import { anthropic } from "../../src/gateway/provider/anthropic/dialect.ts";
import type { Dialect, DialectRoute } from "../../src/gateway/provider/provider.ts";
import { methodsOf as methodsOfRoute } from "../../src/gateway/provider/method.ts";
import * as respond from "../support/response-steps.ts";
import { DIALECTS, isAtRoot, samplePath } from "../support/dialects.ts";
import { startFakeUpstream, type FakeUpstream } from "../support/fake-upstream.ts";
import { openRaw } from "../support/raw-client.ts";
import { utf8, type HeaderPair } from "../support/wire.ts";
import {
  bearer,
  BODY,
  CODER_AGENTS_UA,
  expectForwarded,
  expectRefusal,
  KEYS,
  openCaseHarness,
  OWN,
  ownerHeader,
  PROMPT,
  type Exchange,
  type CaseHarness,
} from "./case-harness.ts";

let harness: CaseHarness;
beforeAll(async () => void (harness = await openCaseHarness()));
beforeEach(() => harness.reset());
afterEach(() => harness.check());
afterAll(() => harness.close());

const KEY = bearer(KEYS.user);
const CHAT = "/openai/v1/chat/completions";

const get = (target: string, ...headers: HeaderPair[]): Promise<Exchange> =>
  harness.send({ target, headers: [KEY, ...headers] });
const post = (target: string, body = BODY, ...headers: HeaderPair[]): Promise<Exchange> =>
  harness.send({ target, headers: [KEY, ...headers], body });

/** Checks that the request was forwarded, and to this path of the provider. */
function expectTarget(exchange: Exchange, target: string): void {
  expect(expectForwarded(exchange).target).toBe(target);
}

/** Checks for a 4xx, from the gateway or from workerd, without a fetch. */
function expectClientError({ response, forwarded }: Exchange): void {
  expect(forwarded).toEqual([]);
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(response.status).toBeLessThan(500);
}

/** Checks for a 400 or 404, from the gateway or from workerd, without a fetch. */
function expectNotFound({ response, forwarded, request }: Exchange): void {
  expect([request.target, forwarded, response.status === 400 ? 404 : response.status]).toEqual([
    request.target,
    [],
    404,
  ]);
}

describe("paths without a route", () => {
  it.each([
    "/v1",
    "/v1/",
    "/openai",
    "/openai/",
    "/openai/v1",
    "/openai/v1/",
    "/openai/v2/chat/completions",
    "/openai/v1/completion",
    "/openai/v1/messages",
    "/openai/v1/chat",
    "/openai/v1/chat/completions/x",
    "/openai/v1/embeddings/x",
    "/openai/v1/images",
    "/openai/v1/images/",
    "/openai/v1/modelsx",
    "/openai/v1/admin/api_keys",
    "/openai/v1/organization/usage",
    "/openai/v1/fine_tuning/jobs",
    "/openai/v1/assistants",
    "/anthropic/v1/chat/completions",
    "/anthropic/v1/organizations/me",
    "/anthropic/v1/messages/count_tokens/x",
    "/unknown/v1/chat/completions",
    "/openai/openai/v1/chat/completions",
    "/openai/anthropic/v1/messages",
    "/api/v2/ai-gateway",
    "/api/v2/ai-gateway/",
    "/api/v2/ai-gateway/session",
    "/api/v2/ai-gateway/v1/sessions",
    "/sessions",
    "/api/v2/ai-gateway/api/v2/ai-gateway/openai/v1/models",
    "/api/v2/aibridge/healthz",
    "/api/v2/users/me",
    "/healthz/",
    "/healthz/x",
    "/favicon.ico",
    "/.env",
    "/cdn-cgi/trace",
    "/constructor/v1/models",
    "/__proto__/v1/models",
  ])("D1 refuses an unknown route (%s) with 404 and fetches nothing", async (target) => {
    for (const exchange of [await post(target), await get(target)]) {
      expect([exchange.response.status, exchange.forwarded]).toEqual([404, []]);
      expect(exchange.response.values("x-interceptor-error")).toEqual(["not_found"]);
    }
  });

  it.each([
    ["/api/v2/ai-gateway/models", "v1_missing"],
    ["/openai/v1/v1/v1/chat/completions", "v1_doubled"],
    ["/api/v2/aibridge/anthropic/v1/v1/v1/messages", "v1_doubled"],
  ])("D1 names the mistake in the base URL (%s: %s), and fetches nothing", async (target, code) => {
    for (const { response, forwarded } of [await post(target), await get(target)]) {
      expect([response.status, forwarded]).toEqual([404, []]);
      expect(response.values("x-interceptor-error")).toEqual([code]);
    }
  });

  it.each(ROUTE_PREFIXES)("D1 forwards no path of the records API under %s to a provider", async (prefix) => {
    // Without a records Worker the gateway refuses these paths; ledger.test.ts covers the admin token.
    const paths = [
      ["/sessions", 503, "records_unavailable"],
      ["/sessions/x/../y", 404, "bad_path"],
      ["/interceptions/v1/models", 503, "records_unavailable"],
      ["/usage?group_by=model", 503, "records_unavailable"],
    ] as const;
    for (const [path, status, code] of paths) {
      for (const { response, forwarded } of [await post(prefix + path), await get(prefix + path)]) {
        expect([response.status, forwarded]).toEqual([status, []]);
        expect(response.values("x-interceptor-error")).toEqual([code]);
      }
    }
  });

  it.each([
    "//evil.example",
    "//evil.example/openai/v1/models",
    "/\\evil.example",
    "/@evil.example",
    "/.evil",
    "/:8443",
    "/openai//evil.example/v1/models",
    "/openai/v1//evil.example",
    "/openai/v1/\\evil.example",
    "/openai/v1/@evil.example",
    "/openai/v1/.evil",
    "/openai/v1/:8443/models",
    "/openai@evil.example/v1/models",
    "/openai:8443/v1/models",
    "/openai.evil.example/v1/models",
    "/openai/@evil.example/v1/models",
    "/openai/v1@evil.example/models",
    "/openai/v1.evil.example/models",
    "/openai/v1:8443/models",
    "/openai/v1/models//evil.example",
    "/openai/v1/models/\\evil.example",
    "/openai/v1/models\\..\\..\\admin",
    "/anthropic/v1/messages//evil.example",
    "/anthropic@evil.example/v1/messages",
  ])("D2 refuses %s with 400 or 404 and fetches nothing", async (target) => {
    expectNotFound(await post(target));
    expectNotFound(await get(target));
  });

  it.each([
    ["/openai/v1/models/@evil.example", "/central-openai/v1/models/@evil.example"],
    ["/openai/v1/models/:8443", "/central-openai/v1/models/:8443"],
    ["/openai/v1/models/.evil", "/central-openai/v1/models/.evil"],
    ["/openai/v1/files/https:", "/central-openai/v1/files/https:"],
  ])(
    "D2 treats %s as an id below a route that takes ids, and keeps the destination",
    async (target, wanted) => {
      expectTarget(await get(target), wanted);
    },
  );

  const TRAVERSALS = [
    "/openai/v1/../../admin",
    "/openai/v1/models/../../admin",
    "/openai/v1/models/..",
    "/openai/v1/models/.",
    "/openai/v1/./models",
    "/openai/../anthropic/v1/models",
    "/openai/v1/models/%2e%2e/%2e%2e/admin",
    "/openai/v1/models/.%2e/admin",
    "/openai/v1/models/%2E./admin",
    "/openai/v1/models/..%2fadmin",
    "/openai/v1/models/%2e%2e%2fadmin",
    "/openai/v1/models/a%2Fb",
    "/openai/v1/models/%252e%252e/admin",
    "/openai/v1/models/%252fadmin",
    "/openai/v1/models/..\\admin",
    "/openai/v1/models/..%5cadmin",
    "/openai\\..\\admin",
    "/%2e%2e/openai/v1/models",
    "/openai/%2e%2e/own-openai/v1/models",
    "/../openai/v1/models",
    "/openai/v1/models/..;/admin",
    "/openai/v1/models/%c0%ae%c0%ae/admin",
    "/openai/v1/models/%u002e%u002e/admin",
  ];

  it.each(TRAVERSALS)("D3 refuses %s with 400 or 404 and fetches nothing", async (target) => {
    expectNotFound(await get(target));
    expectNotFound(await post(target));
  });

  it.each([
    "/openai/../healthz",
    "/x/../healthz",
    "/./healthz",
    "/%2e/healthz",
    "/%2e%2e/healthz",
    "/openai/v1/%2e%2e/%2e%2e/healthz",
    "/%68ealthz",
    "/healthz%00",
    "//healthz",
    "/\\healthz",
    "/HEALTHZ",
  ])("D3 refuses another spelling of /healthz (%s)", async (target) => {
    expectNotFound(await get(target));
  });

  it.each([
    "/%6fpenai/v1/models",
    "/openai/%76%31/models",
    "/openai/v1/%6dodels",
    "/openai/v1/chat%2fcompletions",
    "/OpenAI/v1/models",
    "/OPENAI/v1/models",
    "/openai/V1/models",
    "/openai/v1/Models",
    "/openai/v1/chat/Completions",
    "/openai/v1/models//",
    "/openai/v1/chat//completions",
    "/openai;x/v1/models",
    "/openai/v1;x=1/models",
    "/openai/v1/models;x",
    "/openai/v1/chat/completions;x=1",
    "/openai/v1/models/a;b",
    "/openai/v1/models%20",
    "/openai/v1/models%09",
    "/openai/v1/chat/completions%3f",
    "/openai/v1/chat/completions%23",
    "/API/v2/ai-gateway/openai/v1/models",
    "/api/v2/ai%2dgateway/openai/v1/models",
    "/api/v2//ai-gateway/openai/v1/models",
    "/opena\u00ef/v1/models",
  ])("D4 refuses another spelling of a route (%s) with 404 and fetches nothing", async (target) => {
    for (const exchange of [await get(utf8(target)), await post(utf8(target))])
      expect([exchange.response.status, exchange.forwarded]).toEqual([404, []]);
  });
});

describe("paths that a wrong base URL makes", () => {
  it.each([
    ["/openai/v1/models/", "/central-openai/v1/models"],
    ["/openai//v1/models", "/central-openai/v1/models"],
    ["//openai/v1/models", "/central-openai/v1/models"],
    ["/openai/v1//models", "/central-openai/v1/models"],
    ["/openai/v1/v1/models", "/central-openai/v1/models"],
    ["/openai/models", "/central-openai/v1/models"],
    ["http://evil.example//openai/v1/models", "/central-openai/v1/models"],
  ])("D5 serves %s at the route that was meant", async (target, upstreamPath) => {
    expectTarget(await get(target), upstreamPath);
  });
});

describe("paths and queries that pass through", () => {
  it.each([
    "/models/ft:gpt-4o-mini:org::AbC123",
    "/files/file-1/content",
    "/files/a%20b",
    "/files/a%3Fb%23c",
    "/responses/resp_1/input_items",
    "/conversations/conv_1/items/msg_1",
    "/batches/batch_1/cancel",
    "/audio/voices",
    "/images/gen_1",
    "/models/!$&'()*+,=~",
  ])("D12 forwards the path below a route unmodified: %s", async (path) => {
    expectTarget(await get(`/openai/v1${path}`), `/central-openai/v1${path}`);
  });

  it.each([
    "?",
    "?limit=20&after=a%2Fb",
    "?a=%zz&b=%00&c=%2f..%2f&d=+&&e&=f",
    "?q=//evil.example/..//x\\y",
    "?a?b/c:d@e;f",
    "?beta=true",
  ])("D8 forwards a query unmodified: %s", async (query) => {
    expectTarget(await get(`/openai/v1/models${query}`), `/central-openai/v1/models${query}`);
  });

  it("D5 uses only the path of an absolute-form target", async () => {
    for (const origin of ["http://evil.example", "https://evil.example:8443", "http://u:p@evil.example"])
      expectTarget(await get(`${origin}/openai/v1/models?limit=1`), "/central-openai/v1/models?limit=1");
    expectNotFound(await get("http://openai/v1/modelsx"));
    expectNotFound(await get("http://evil.example/../openai/v1/models"));
  });

  it("D5 uses the target's path when an absolute-form target and Host differ", async () => {
    const target = "http://x/openai/v1/models";
    for (const host of ["x/openai", "x", "y", "x/anthropic", "/openai/v1"]) {
      const exchange = await get(target, ["Host", host]);
      if (exchange.forwarded.length > 0) expectTarget(exchange, "/central-openai/v1/models");
      else expectNotFound(exchange);
    }
  });

  // workerd makes it the URL of `/` before the Worker sees it.
  it("D5 takes a target that is only a host for the root, and fetches nothing", async () => {
    const { response, forwarded } = await get("evil.example");
    expect([response.status, forwarded]).toEqual([200, []]);
    expect(response.body.toString()).not.toContain("evil");
  });

  it.each(["*", "openai/v1/models", "?/openai/v1/models", "#/openai/v1/models", ""])(
    "D5 refuses a target of another form (%j)",
    async (target) => {
      expectClientError(await get(target));
    },
  );
});

describe("the Host header", () => {
  const HOSTS = [
    "evil.example",
    "x/own-openai/v1?",
    "x/anthropic/v1?",
    "x/openai",
    "x/openai/v1/models",
    "x/healthz",
    "x/healthz?",
    "x/healthz#",
    "x#",
    "x?y=",
    "x\\y",
    "user:pass@evil.example",
    "x/../..",
    "x%2fhealthz",
    "a b",
    "[",
    "[::1",
    "x:99999",
    "x:y",
    "%00",
    "\xff",
    "",
  ];

  it.each(HOSTS)("D6 routes by the request line's path, or responds 4xx, for Host %j", async (host) => {
    // The attack: `request.url` joins Host and target, so that `Host: x/own-openai/v1?` turns the requested path into
    // a query.
    const exchange = await get("/openai/v1/models", ["Host", host]);
    if (exchange.response.status === 200) expectTarget(exchange, "/central-openai/v1/models");
    else expectClientError(exchange);
  });

  it.each(HOSTS)("D6 does not respond to a model call with the health check for Host %j", async (host) => {
    expectClientError(await post("/v1/unknown", BODY, ["Host", host]));
    const healthz = await get("/healthz", ["Host", host]);
    expect(healthz.forwarded).toEqual([]);
    expect(healthz.response.status).toBeLessThan(500);
  });

  it("D6 routes by the request line's path, or responds 4xx, for two Host headers", async () => {
    const exchange = await get("/openai/v1/models", ["Host", "a"], ["Host", "x/anthropic/v1?"]);
    if (exchange.response.status === 200) expectTarget(exchange, "/central-openai/v1/models");
    else expectNotFound(exchange);
  });
});

describe("methods", () => {
  /** Methods that workerd knows and no model API uses. */
  const UNUSED_METHODS = ["OPTIONS", "TRACE", "PROPFIND", "MKCOL", "COPY", "LOCK", "PURGE", "REPORT"];

  it.each([...UNUSED_METHODS, "GET", "PUT", "PATCH", "DELETE", "HEAD"])(
    "D7 refuses %s on an intercepted route with 405",
    async (method) => {
      for (const target of [CHAT, "/anthropic/v1/messages", "/v1/responses"]) {
        const { response, forwarded } = await harness.send({ method, target, headers: [KEY] });
        expect([response.status, response.values("allow"), forwarded]).toEqual([405, ["POST"], []]);
      }
    },
  );

  it.each(UNUSED_METHODS)(
    "D7 refuses %s on a passthrough with 405 and lists the accepted methods in Allow",
    async (method) => {
      for (const target of ["/openai/v1/files", "/anthropic/v1/files/x"]) {
        const { response, forwarded } = await harness.send({ method, target, headers: [KEY] });
        expect([response.status, forwarded]).toEqual([405, []]);
        expect(response.values("allow").join().split(/, */)).toEqual(
          expect.arrayContaining(["GET", "POST", "DELETE"]),
        );
      }
    },
  );

  it.each(["FOO", "get", "POSTX", "M-SEARCH"])(
    "D7 does not forward %s, to which workerd itself responds 501",
    async (method) => {
      const { response, forwarded } = await harness.send({ method, target: CHAT, headers: [KEY] });
      expect([response.status, forwarded]).toEqual([501, []]);
    },
  );

  it("D7 does not forward CONNECT, which never reaches the Worker's fetch", async () => {
    // workerd finds no connect() handler, logs that and responds 500. Cloudflare's edge accepts no CONNECT.
    harness.expectLine(/connect(?:\(\) function| event)/);
    for (const target of ["evil.example:443", CHAT]) {
      const { response, forwarded } = await harness.send({ method: "CONNECT", target, headers: [KEY] });
      expect([response.status >= 400, forwarded]).toEqual([true, []]);
    }
  });

  it.each(["GET", "HEAD", "DELETE"])(
    "D7 forwards %s with Content-Length: 0 without a body",
    async (method) => {
      const headers = [KEY, ["Content-Length", "0"]] as const;
      const exchange = await harness.send({ method, target: "/openai/v1/files/file-1", headers });
      expectTarget(exchange, "/central-openai/v1/files/file-1");
    },
  );

  it.each(["GET", "HEAD"])("D7 forwards %s with a body, or responds 4xx", async (method) => {
    for (const body of [{ body: "{}" }, { chunks: ["{}"] }]) {
      const request = { method, target: "/openai/v1/models", headers: [KEY], ...body };
      expect((await harness.send(request)).response.status).toBeLessThan(500);
    }
  });

  it("D7 does not parse the body of a refused request as the next request", async () => {
    // The attack: a second request, with its key, in the body of a request that is refused before its body is read.
    const inner = `GET /openai/v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEYS.user}\r\n\r\n`;
    for (const target of [CHAT, "/unknown", "/openai/v1/models/%2e%2e"]) {
      const connection = await openRaw(harness.interceptor.port);
      connection.send({ target, body: inner });
      connection.send({ target: "/healthz" });
      expect((await connection.readResponse()).status).toBeGreaterThanOrEqual(401);
      expect((await connection.readResponse()).text()).toBe("ok\n");
      connection.destroy();
    }
    expect(await harness.events("passthrough")).toEqual([]);
  });

  it.each(["websocket", "WebSocket", "h2c, websocket"])(
    "D16 refuses an upgrade to %s with 426, with and without a key, and fetches nothing",
    async (upgrade) => {
      const headers: HeaderPair[] = [
        ["Connection", "Upgrade"],
        ["Upgrade", upgrade],
        ["Sec-WebSocket-Version", "13"],
        ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
      ];
      for (const target of ["/openai/v1/responses", "/v1/responses", "/own-openai/v1/responses"]) {
        expectRefusal(await get(target, ...headers), 426, "websocket_unsupported");
        expectRefusal(await harness.send({ target, headers }), 426, "websocket_unsupported");
      }
    },
  );
});

describe("other inputs that name a destination", () => {
  const EVIL = "http://127.0.0.1:9/evil";
  const FIELDS = [
    "api_base",
    "base_url",
    "baseURL",
    "url",
    "endpoint",
    "host",
    "proxy",
    "custom_host",
    "provider",
  ];

  it("D8 ignores destination fields in the query and in the body", async () => {
    const query = `?${FIELDS.map((name) => `${name}=${encodeURIComponent(EVIL)}`).join("&")}`;
    const fields = Object.fromEntries(FIELDS.map((name) => [name, EVIL]));
    const body = JSON.stringify({ model: "gpt-4o", messages: [], ...fields });
    expectTarget(await post(CHAT + query, body), `/central-openai/v1/chat/completions${query}`);
    expectTarget(await post("/anthropic/v1/messages", body), "/central-anthropic/v1/messages");
  });

  it.each([
    ["X-Forwarded-Host", "evil.example"],
    ["X-Forwarded-Proto", "https"],
    ["X-Forwarded-Prefix", "/own-openai"],
    ["Forwarded", "for=1.2.3.4;host=evil.example;proto=https"],
    ["X-Original-URL", "/own-openai/v1/models"],
    ["X-Rewrite-URL", "/own-openai/v1/models"],
    ["X-Portkey-Custom-Host", EVIL],
    ["X-Portkey-Provider", "anthropic"],
    ["X-Portkey-Config", JSON.stringify({ provider: "openai", custom_host: EVIL })],
    ["Helicone-Target-URL", EVIL],
    ["CF-Worker", "evil.example"],
    ["X-Host", "evil.example"],
    ["X-HTTP-Method-Override", "DELETE"],
  ] as const)("D9 ignores %s when it selects the destination", async (name, value) => {
    const exchange = await get("/openai/v1/models", [name, value]);
    expectTarget(exchange, "/central-openai/v1/models");
    expect(exchange.forwarded[0]?.method).toBe("GET");
  });
});

describe("a provider that redirects", () => {
  let second: FakeUpstream;
  beforeAll(async () => void (second = await startFakeUpstream()));
  afterAll(() => second.close());

  const LOCATIONS: readonly (readonly [string, () => string])[] = [
    ["another host", () => `${second.url}/v1/chat/completions`],
    ["another host, without a scheme", () => `//127.0.0.1:${second.port}/v1`],
    ["itself", () => "/v1/elsewhere"],
  ];
  const STATUSES = [301, 302, 303, 307, 308];
  const CASES = STATUSES.flatMap((status) =>
    LOCATIONS.map(([where, location]) => [status, where, location] as const),
  );

  it.each(CASES)(
    "D10 responds 502 to a %i to %s, without a second fetch and without the address",
    async (status, _, location) => {
      // The attack: a compromised upstream collects keys for another host. A followed redirect would drop Authorization
      // across origins, but still send X-Api-Key.
      for (const [target, headers] of [
        [CHAT, [KEY]],
        ["/anthropic/v1/messages", [KEY]],
        ["/own-anthropic/v1/messages", [["X-Api-Key", OWN.anthropic]]],
        ["/openai/v1/conversations", [KEY]],
      ] as const) {
        harness.respondWith(respond.json(status, { moved: true }, [["Location", location()]]), null);
        const { response, forwarded } = await harness.send({ target, headers, body: BODY });
        expect([response.status, response.values("x-interceptor-error")]).toEqual([
          502,
          ["upstream_redirected"],
        ]);
        expect(response.values("location")).toEqual([]);
        expect(forwarded).toHaveLength(1);
      }
      // Three of the requests are interceptions, and each ends with outcome upstream_error.
      const outcomes = (await harness.events("interception_end")).map((end) => [end.outcome, end.status]);
      expect(outcomes).toEqual([1, 2, 3].map(() => ["upstream_error", 502]));
      expect([second.requests.length, second.openConnections()]).toEqual([0, 0]);
    },
  );
});

describe("unusual bytes in the path", () => {
  it.each([
    "/openai/v1/models/%00",
    "/openai/v1/models/a%00b",
    "/openai/v1/models/%0d%0aX-Forged:%201",
    "/openai/v1/models/%1b",
    "/openai/v1/models/%7f",
    "/openai/v1/models/%zz",
    "/openai/v1/models/%",
    "/openai/v1/models/%2",
    "/openai/v1/models/a%",
    "/openai/v1/models/%ff",
    "/openai/v1/models/\u00e9",
    "/openai/v1/models/\x01",
    "/openai/v1/models/\t",
    '/openai/v1/models/"',
    "/openai/v1/models/<script>",
    "/openai/v1/models/{x}",
    "/openai/v1/models/^`|",
    "/%00",
    "/%zz",
  ])("D13 refuses %j with 4xx and fetches nothing", async (target) => {
    expectClientError(await get(target));
  });

  it("D13 refuses a URL of 17 KB with 414, in the path and in the query, and fetches nothing", async () => {
    for (const target of [
      `/openai/v1/models/${"m".repeat(17_408)}`,
      `/openai/v1/models?q=${"m".repeat(17_408)}`,
    ])
      expectRefusal(await get(target), 414, "url_too_long");
    expectForwarded(await get(`/openai/v1/models?q=${"m".repeat(15_000)}`));
  });
});

describe("the dialect of an error", () => {
  it.each([
    ["an OpenAI body", JSON.stringify({ model: 5, messages: [] }), "field_invalid"],
    ["a body that is not JSON", "prompt=hello", "body_invalid"],
  ])("D15 uses the route's dialect for %s", async (_, body, reason) => {
    for (const prefix of ["", ...ROUTE_PREFIXES]) {
      for (const target of [`${prefix}/anthropic/v1/messages`, `${prefix}/v1/messages`]) {
        const { response } = await post(target, body);
        const expected = { type: "error", error: { type: "invalid_request_error" } };
        expect([response.status, response.values("x-interceptor-error")]).toEqual([400, [reason]]);
        expect(JSON.parse(response.text())).toMatchObject(expected);
      }
      for (const target of [`${prefix}/openai/v1/responses`, `${prefix}/v1/chat/completions`]) {
        const { response } = await post(target, body, ["anthropic-version", "2023-06-01"]);
        expect(JSON.parse(response.text())).toMatchObject({
          error: { type: "invalid_request_error", code: reason },
        });
      }
    }
  });
});

/** A route of one of the dialects, with a path that it matches. */
type Registered = { readonly dialect: Dialect; readonly route: DialectRoute; readonly path: string };

const ROUTES: readonly Registered[] = DIALECTS.flatMap((dialect) =>
  dialect.routes.flatMap((route) => {
    const sample = samplePath(route.path);
    const paths = sample.endsWith("/*")
      ? [sample.replace("*", "one"), sample.replace("*", "one/two")]
      : [sample, ...(route.kind === "passthrough" && route.below ? [`${sample}/one`] : [])];
    return paths.map((path) => ({ dialect, route, path }));
  }),
);
const NAMED_ROUTES = ROUTES.map((entry) => [`${entry.dialect.type} ${entry.path}`, entry] as const);

/** All paths of the route: under the provider's name and on the root, under each prefix. */
function targetsOf({ dialect, path }: Registered): string[] {
  return ["", ...ROUTE_PREFIXES].flatMap((prefix) => [
    ...[dialect.mount, ...(dialect.aliases ?? [])].map((base) => `${prefix}/${dialect.type}${base}${path}`),
    ...(isAtRoot(dialect) ? [`${prefix}${dialect.mount}${path}`] : []),
  ]);
}

/** Selects the dialect of a root path that both have. These headers have no effect elsewhere. */
const dialectHeaders = ({ dialect }: Registered): HeaderPair[] =>
  dialect === anthropic ? [["anthropic-version", "2023-06-01"]] : [];
const upstreamTarget = ({ dialect, path }: Registered): string =>
  `/central-${dialect.type}${dialect.mount}${path}`;
/** Without HEAD of a probe, to which the gateway responds itself. */
const methodsOf = ({ route }: Registered): readonly string[] =>
  methodsOfRoute(route).filter((method) => route.isProbe !== true || method !== "HEAD");

describe("every registered route", () => {
  it("D12 enumerates routes of all dialects and both kinds", () => {
    const kinds = new Set(ROUTES.map(({ dialect, route }) => `${dialect.type} ${route.kind}`));
    expect([...kinds].toSorted()).toEqual([
      "anthropic intercept",
      "anthropic passthrough",
      "azure intercept",
      "azure passthrough",
      "openai intercept",
      "openai passthrough",
    ]);
  });

  it.each(NAMED_ROUTES)(
    "D12 %s: refuses a missing key, an invalid key and a provider key with 401 and fetches nothing",
    async (_, entry) => {
      const { type } = entry.dialect;
      for (const target of targetsOf(entry)) {
        for (const method of methodsOf(entry)) {
          const send = (...headers: HeaderPair[]): Promise<Exchange> => {
            const bodiless = method === "GET" || method === "HEAD" || method === "DELETE";
            return harness.send({
              method,
              target,
              headers: [...dialectHeaders(entry), ...headers],
              ...(!bodiless && { body: BODY }),
            });
          };
          for (const [reason, exchange] of [
            ["credential_missing", await send()],
            ["invalid_credential", await send(bearer("aei_wrong-key-wrong-key-wrong-key-wrong-key-000"))],
            ["byok_not_accepted", await send(bearer(type === "anthropic" ? OWN.anthropic : OWN.openai))],
          ] as const) {
            if (method !== "HEAD")
              expectRefusal(exchange, 401, reason, type === "anthropic" ? type : "openai");
            expect([target, method, exchange.response.status, exchange.forwarded]).toEqual([
              target,
              method,
              401,
              [],
            ]);
          }
        }
      }
    },
  );

  it.each(NAMED_ROUTES)(
    "D12 %s: forwards a request with a valid key to exactly base_url and path",
    async (_, entry) => {
      for (const target of targetsOf(entry)) {
        for (const method of methodsOf(entry)) {
          const bodiless = method === "GET" || method === "HEAD" || method === "DELETE";
          const headers = [...dialectHeaders(entry), KEY];
          const exchange = await harness.send({
            method,
            target: `${target}?q=1`,
            headers,
            ...(!bodiless && { body: BODY }),
          });
          const { method: sentMethod, target: sentTarget } = expectForwarded(exchange);
          expect([sentMethod, sentTarget]).toEqual([method, `${upstreamTarget(entry)}?q=1`]);
        }
      }
      const recorded = [
        ...(await harness.events("interception_start")),
        ...(await harness.events("passthrough")),
      ].map(({ route, provider }) => [provider, route]);
      expect(new Set(recorded.map(String))).toEqual(new Set([`${entry.dialect.type},${entry.route.path}`]));
      expect(recorded).toHaveLength(targetsOf(entry).length * methodsOf(entry).length);
    },
  );

  it("D12 selects the dialect of a shared root path by the headers, and OpenAI without them", async () => {
    expectTarget(await get("/v1/models"), "/central-openai/v1/models");
    expectTarget(
      await get("/v1/models", ["anthropic-version", "2023-06-01"]),
      "/central-anthropic/v1/models",
    );
    const byKey = await harness.send({ target: "/v1/models", headers: [["X-Api-Key", KEYS.user]] });
    expectTarget(byKey, "/central-anthropic/v1/models");
    expectTarget(
      await post("/v1/responses", BODY, ["anthropic-version", "2023-06-01"]),
      "/central-openai/v1/responses",
    );
    expectTarget(await post("/v1/messages"), "/central-anthropic/v1/messages");
  });

  it("D12 responds to probes of a base URL without a key and fetches nothing", async () => {
    const probes = ["/api/hello", "/anthropic/api/hello", "/api/v2/aibridge/anthropic/api/hello"];
    const bases = ["/", "/openai", "/anthropic/", "/api/v2/aibridge", "/api/v2/ai-gateway/openai"];
    for (const target of [...bases, ...probes]) {
      const { response, forwarded } = await harness.send({ method: "HEAD", target });
      expect([target, response.status, forwarded]).toEqual([target, 200, []]);
    }
  });
});

describe("with rules for owners and models", () => {
  beforeAll(() =>
    harness.configure({
      providers: {
        openai: {
          type: "openai",
          base_url: `${harness.upstream.url}/central-openai/v1`,
          keys: ["OPENAI_KEY"],
          models: ["gpt-4o"],
          objects: { write: "on", delete: "on" },
        },
        anthropic: {
          type: "anthropic",
          base_url: `${harness.upstream.url}/central-anthropic`,
          keys: ["ANTHROPIC_KEY"],
          models: ["claude-haiku-4-5"],
          objects: { write: "on", delete: "on" },
        },
        azure: {
          type: "azure",
          base_url: `${harness.upstream.url}/central-azure/openai`,
          keys: ["AZURE_KEY"],
          models: ["gpt-4o"],
          objects: { write: "on", delete: "on" },
        },
      },
      vars: { OWNER_ASSERTION: { on_invalid: "reject" } },
    }),
  );

  it.each(NAMED_ROUTES)("D12 %s: refuses an invalid owner header", async (_, entry) => {
    for (const target of targetsOf(entry)) {
      for (const method of methodsOf(entry)) {
        const bodiless = method === "GET" || method === "HEAD" || method === "DELETE";
        const headers = [...dialectHeaders(entry), KEY, CODER_AGENTS_UA, ownerHeader("no-owner")];
        const { response, forwarded } = await harness.send({
          method,
          target,
          headers,
          ...(!bodiless && { body: BODY }),
        });
        expect([target, method, response.status, forwarded]).toEqual([target, method, 400, []]);
      }
    }
  });

  const INTERCEPTED = NAMED_ROUTES.filter(([, { route }]) => route.kind === "intercept");

  it.each(INTERCEPTED)("D12 %s: refuses an unlisted model", async (_, entry) => {
    const body = JSON.stringify({ model: "gpt-5-pro", messages: [{ role: "user", content: PROMPT }] });
    for (const target of targetsOf(entry)) {
      const exchange = await post(target, body);
      const { type } = entry.dialect;
      expectRefusal(exchange, 403, "model_not_allowed", type === "anthropic" ? type : "openai");
    }
    const ends = (await harness.events("interception_end")).map(({ outcome, status }) => [outcome, status]);
    expect(ends).toEqual(targetsOf(entry).map(() => ["refused", 403]));
  });

  const BIG = { model: "claude-opus-4-5" };
  const FILE = { input_file_id: "file-1", endpoint: "/v1/chat/completions", completion_window: "24h" };

  it.each<readonly [string, object | string]>([
    ["/openai/v1/embeddings", { model: "text-embedding-3-large", input: PROMPT }],
    ["/openai/v1/moderations", { model: "omni-moderation-latest", input: PROMPT }],
    ["/openai/v1/images/generations", { model: "gpt-image-1", prompt: PROMPT }],
    ["/openai/v1/audio/speech", { model: "tts-1-hd", input: PROMPT, voice: "alloy" }],
    ["/openai/v1/responses/compact", { model: "gpt-5-pro", input: PROMPT }],
    ["/openai/v1/batches", FILE],
    // A batch runs the models of its file or its requests, regardless of its own model field.
    ["/openai/v1/batches", { ...FILE, model: "gpt-4o" }],
    ["/anthropic/v1/messages/count_tokens", { ...BIG, messages: [] }],
    ["/anthropic/v1/messages/batches", { requests: [{ custom_id: "1", params: BIG }] }],
    [
      "/anthropic/v1/messages/batches",
      { model: "claude-haiku-4-5", requests: [{ custom_id: "1", params: BIG }] },
    ],
  ])("D12 applies the model list to %s (%j)", async (target, body) => {
    // The attack: a key that may use only one small model runs any other model, by the thousand, as a batch. A
    // passthrough names its models too. `models` lists the only models that clients may request, and `[]` denies all.
    const { response, forwarded } = await post(
      target,
      typeof body === "string" ? body : JSON.stringify(body),
    );
    expect([response.status, response.values("x-interceptor-error"), forwarded]).toEqual([
      403,
      ["model_not_allowed"],
      [],
    ]);
  });

  it.each([
    [
      "/openai/v1/audio/transcriptions",
      '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper\r\n--b--',
    ],
    ["/openai/v1/embeddings", '{"model":"gpt-4o","model":"text-embedding-3-large"}'],
  ])("D12 refuses a body that names no model beyond doubt: %s (%j)", async (target, body) => {
    const { response, forwarded } = await post(target, body);
    expect([response.status, forwarded]).toEqual([400, []]);
  });

  // The attack: the path and the body name two models, of which the gateway checks one and the provider runs the other.
  it.each([
    ["gpt-5-pro", { model: "gpt-4o" }],
    ["gpt-5-pro", {}],
    ["gpt-4o", { model: "gpt-5-pro" }],
    ["gpt-4o", { models: ["gpt-5-pro"] }],
    ["GPT-4o", { model: "gpt-4o" }],
    ["gpt-4o%20x", { model: "gpt-4o" }],
  ])(
    "D12 refuses the deployment %s with the body %j, of which one is not listed",
    async (deployment, body) => {
      const target = `/azure/openai/deployments/${deployment}/chat/completions?api-version=2024-10-21`;
      const exchange = await post(target, JSON.stringify({ ...body, messages: [] }));
      expectRefusal(exchange, 403, "model_not_allowed");
    },
  );

  // The attack: a name that the gateway compares and the provider's server reads as another one.
  it.each([
    "gpt-4o/",
    "gpt-4o/..",
    "gpt-4o/../gpt-5-pro",
    "gpt-4o%2f..%2fgpt-5-pro",
    "gpt-4o%5c..%5cgpt-5-pro",
    "gpt%2d4o",
    "%67pt-4o",
    "gpt-4o%2520",
    "gpt-4o%20",
    "gpt-4o.",
    "gpt-4o;x=1",
    "..",
    "",
  ])("D12 has no route for the deployment %j", async (deployment) => {
    const target = `/azure/openai/deployments/${deployment}/chat/completions`;
    expectNotFound(await post(target, JSON.stringify({ model: "gpt-4o", messages: [] })));
  });

  it("D12 forwards a call of a listed deployment byte for byte, with its query, whether the body names it or not", async () => {
    for (const body of [
      '{ "model":"gpt-4o", "messages":[] }',
      '{"messages" : []}',
      '{"model":"","messages":[]}',
    ]) {
      const exchange = await post(
        "/azure/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        body,
      );
      const sent = expectForwarded(exchange);
      expect([sent.target, sent.text()]).toEqual([
        "/central-azure/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        body,
      ]);
    }
    const starts = await harness.events("interception_start");
    expect(starts.map(({ model, route }) => [model, route])).toEqual(
      starts.map(() => ["gpt-4o", "/deployments/{deployment}/chat/completions"]),
    );
    expect(starts).toHaveLength(3);
  });

  it("D12 refuses a compressed passthrough body when a model list applies", async () => {
    // The attack: bytes that are one JSON text as sent, and another after decompression. The gateway must check the
    // bytes that the provider reads.
    const body = JSON.stringify({ model: "gpt-4o", input: PROMPT });
    for (const encoding of ["gzip", "deflate", "br", "x-made-up"])
      expectClientError(await post("/openai/v1/embeddings", body, ["Content-Encoding", encoding]));
  });

  it("D12 forwards a passthrough for a listed model byte for byte", async () => {
    const body = '{ "input" : "x", "model":"gpt-4o" }';
    expect(expectForwarded(await post("/openai/v1/embeddings", body)).text()).toBe(body);
    expectForwarded(await post("/openai/v1/responses/resp_1/cancel", ""));
  });

  it.each([
    " gpt-4o",
    "gpt-4o ",
    "gpt-4o\n",
    "GPT-4o",
    "gpt-4O",
    "gpt-4о",
    "ｇpt-4o",
    "gpt‑4o",
    "gpt-4o\u0000",
    "gpt-4o\u200b",
    "gpt-4o,gpt-5-pro",
    "openai/gpt-4o",
    "gpt-4o-2024-08-06",
    "gpt-4",
    "",
    "constructor",
  ])("D14 refuses the model %j with 403 when only gpt-4o is listed", async (model) => {
    expectRefusal(await post(CHAT, JSON.stringify({ model, messages: [] })), 403, "model_not_allowed");
    const start = await harness.event("interception_start");
    expect(start.model).toBe(model);
  });

  it.each(["{}", '{"model":null}', '{"messages":[]}'])(
    "D14 refuses a body without a model (%s) with 403",
    async (body) => {
      expectRefusal(await post(CHAT, body), 403, "model_not_allowed");
    },
  );

  it.each([
    '{"model":"gpt-4o","messages":[]}',
    '{ "messages" : [ ] , "model"\t:\r\n"gpt-4o" }',
    String.raw`{"mod\u0065l":"gpt-4\u006f","messages":[]}`,
    '{"metadata":{"model":"gpt-5-pro"},"model":"gpt-4o"}',
    String.raw`{"messages":[{"role":"user","content":"\",\"model\":\"gpt-5-pro\""}],"model":"gpt-4o"}`,
  ])("D14 forwards the checked body byte for byte: %s", async (body) => {
    const forwarded = expectForwarded(await post(CHAT, body));
    expect(forwarded.text()).toBe(body);
  });

  it.each([
    '{"model":"gpt-4o","model":"gpt-5-pro"}',
    '{"model":"gpt-5-pro","messages":[],"model":"gpt-4o"}',
    String.raw`{"model":"gpt-4o","mod\u0065l":"gpt-5-pro"}`,
    String.raw`{"\u006dodel":"gpt-5-pro","model":"gpt-4o"}`,
  ])(
    "D14 refuses a repeated model field (%s), because JSON parsers differ in which one they use",
    async (body) => {
      const { response, forwarded } = await post(CHAT, body);
      expect([response.status, response.values("x-interceptor-error"), forwarded]).toEqual([
        400,
        ["field_repeated"],
        [],
      ]);
    },
  );
});

describe("a provider that is the interceptor itself", () => {
  beforeAll(() => {
    const at = (path: string) => `${harness.interceptor.url}${path}`;
    return harness.configure({
      providers: {
        self: { type: "openai", base_url: at("/self/v1"), keys: ["OPENAI_KEY"] },
        other: { type: "openai", base_url: at("/openai/v1"), keys: ["OPENAI_KEY"] },
        messages: { type: "anthropic", base_url: at("/api/v2/aibridge/messages"), keys: ["ANTHROPIC_KEY"] },
      },
    });
  });

  it.each(["/self/v1/chat/completions", "/other/v1/chat/completions", "/messages/v1/messages"])(
    "D11 stops %s after one hop with 508 and one interception, and reaches no provider",
    async (target) => {
      const { response, forwarded } = await post(target);
      expect([response.status, forwarded]).toEqual([508, []]);
      const end = await harness.event("interception_end");
      expect([end.outcome, end.status]).toEqual(["upstream_error", 508]);
      expect((await harness.events("refusal")).map(({ reason }) => reason)).toEqual(["loop"]);
    },
  );

  it("D11 stops a passthrough after one hop with 508", async () => {
    const { response, forwarded } = await get("/self/v1/models");
    expect([response.status, forwarded]).toEqual([508, []]);
    expect((await harness.event("passthrough")).status).toBe(508);
    expect(await harness.events("refusal")).toHaveLength(1);
  });

  it("D11 detects the loop when the client names Via in Connection or sends its own Via", async () => {
    for (const headers of [
      [["Connection", "keep-alive, Via"]],
      [["Via", "1.1 corporate-proxy"]],
      [
        ["Connection", "via"],
        ["Via", "1.0 fred, 1.1 p.example"],
      ],
    ] as const) {
      const { response, forwarded } = await post("/self/v1/chat/completions", BODY, ...headers);
      expect([response.status, forwarded]).toEqual([508, []]);
    }
    expect(await harness.events("refusal")).toHaveLength(3);
  });

  it("D11 forwards a request with another proxy's Via", async () => {
    expectForwarded(await post(CHAT, BODY, ["Via", "1.1 corporate-proxy"]));
  });
});
