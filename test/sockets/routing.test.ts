/* oxlint-disable vitest/expect-expect -- expectForwarded, expectRefusal and their like are assertions */
/** Part D of the catalogue: where a request goes, and everything that would have it go elsewhere. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ROUTE_PREFIXES } from "../../src/shared/http/target.ts";
import { anthropic } from "../../src/gateway/provider/anthropic/dialect.ts";
import type { Dialect, DialectRoute } from "../../src/gateway/provider/provider.ts";
import { methodsOf as methodsOfRoute } from "../../src/gateway/provider/route.ts";
import * as respond from "../support/response-steps.ts";
import { DIALECTS } from "../support/dialects.ts";
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

/** The provider's path that was asked for; the caller's key was good. */
function expectTarget(exchange: Exchange, target: string): void {
  expect(expectForwarded(exchange).target).toBe(target);
}

/** 4xx, by us or by workerd, and nothing fetched. */
function expectFault({ response: got, forwarded }: Exchange): void {
  expect(forwarded).toEqual([]);
  expect(got.status).toBeGreaterThanOrEqual(400);
  expect(got.status).toBeLessThan(500);
}

/** 400 or 404, by us or by workerd, and nothing fetched. */
function expectNowhere({ response: got, forwarded, request: sent }: Exchange): void {
  expect([sent.target, forwarded, got.status === 400 ? 404 : got.status]).toEqual([sent.target, [], 404]);
}

describe("paths that lead nowhere", () => {
  it.each([
    "/",
    "/v1",
    "/v1/",
    "/openai",
    "/openai/",
    "/openai/v1",
    "/openai/v1/",
    "/openai/chat/completions",
    "/openai/v2/chat/completions",
    "/openai/v1/completions",
    "/openai/v1/messages",
    "/openai/v1/chat",
    "/openai/v1/chat/completions/",
    "/openai/v1/chat/completions/x",
    "/openai/v1/embeddings/x",
    "/openai/v1/images",
    "/openai/v1/images/",
    "/openai/v1/modelsx",
    "/openai/v1/admin/api_keys",
    "/openai/v1/organization/usage",
    "/openai/v1/fine_tuning/jobs",
    "/openai/v1/assistants",
    "/anthropic/messages",
    "/anthropic/v1/chat/completions",
    "/anthropic/v1/organizations/me",
    "/anthropic/v1/messages/",
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
  ])("D1 an unknown route (%s): 404, nothing fetched", async (target) => {
    for (const exchange of [await post(target), await get(target)]) {
      expect([exchange.response.status, exchange.forwarded]).toEqual([404, []]);
      expect(exchange.response.values("x-interceptor-error")).toEqual(["not_found"]);
    }
  });

  it.each(ROUTE_PREFIXES)(
    "D1 the records under %s are the admin's alone, and no provider's",
    async (prefix) => {
      const paths = [
        ["/sessions", 401],
        ["/sessions/x/../y", 404],
        ["/interceptions/v1/models", 401],
        ["/usage?group_by=model", 401],
      ] as const;
      for (const [path, status] of paths) {
        for (const exchange of [await post(prefix + path), await get(prefix + path)])
          expect([exchange.response.status, exchange.forwarded]).toEqual([status, []]);
      }
      const { response: refused } = await get(`${prefix}/sessions`);
      expect([refused.status, refused.values("x-interceptor-error")]).toEqual([401, ["admin_only"]]);
    },
  );

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
  ])("D2 %s: 400 or 404, nothing fetched", async (target) => {
    expectNowhere(await post(target));
    expectNowhere(await get(target));
  });

  it.each([
    ["/openai/v1/models/@evil.example", "/central-openai/v1/models/@evil.example"],
    ["/openai/v1/models/:8443", "/central-openai/v1/models/:8443"],
    ["/openai/v1/models/.evil", "/central-openai/v1/models/.evil"],
    ["/openai/v1/files/https:", "/central-openai/v1/files/https:"],
  ])("D2 below a route that takes an id, %s is an id: the destination stays", async (target, wanted) => {
    expectTarget(await get(target), wanted);
  });

  const CLIMBS = [
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

  it.each(CLIMBS)("D3 %s: 400 or 404, nothing fetched", async (target) => {
    expectNowhere(await get(target));
    expectNowhere(await post(target));
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
  ])("D3 another spelling of /healthz (%s) is not it", async (target) => {
    expectNowhere(await get(target));
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
    "/openai//v1/models",
    "//openai/v1/models",
    "/openai/v1//models",
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
  ])("D4 another spelling (%s): 404, nothing fetched", async (target) => {
    for (const exchange of [await get(utf8(target)), await post(utf8(target))])
      expect([exchange.response.status, exchange.forwarded]).toEqual([404, []]);
  });
});

describe("paths and queries that are the provider's business", () => {
  it.each([
    "/models/ft:gpt-4o-mini:org::AbC123",
    "/files/file-1/content",
    "/files/a%20b",
    "/files/a%3Fb%23c",
    "/responses/resp_1/input_items",
    "/conversations/conv_1/items/msg_1",
    "/batches/batch_1/cancel",
    "/audio/speech",
    "/images/edits",
    "/models/!$&'()*+,=~",
  ])("D12 what stands below a route goes on as it was written: %s", async (path) => {
    expectTarget(await get(`/openai/v1${path}`), `/central-openai/v1${path}`);
  });

  it.each([
    "?",
    "?limit=20&after=a%2Fb",
    "?a=%zz&b=%00&c=%2f..%2f&d=+&&e&=f",
    "?q=//evil.example/..//x\\y",
    "?a?b/c:d@e;f",
    "?beta=true",
  ])("D8 a query goes on as it was written: %s", async (query) => {
    expectTarget(await get(`/openai/v1/models${query}`), `/central-openai/v1/models${query}`);
  });

  it("D5 an absolute-form target counts by its path only", async () => {
    for (const origin of ["http://evil.example", "https://evil.example:8443", "http://u:p@evil.example"])
      expectTarget(await get(`${origin}/openai/v1/models?limit=1`), "/central-openai/v1/models?limit=1");
    expectNowhere(await get("http://openai/v1/modelsx"));
    expectNowhere(await get("http://evil.example/../openai/v1/models"));
    expectNowhere(await get("http://evil.example//openai/v1/models"));
  });

  it("D5 an absolute-form target and another Host: the target's path counts", async () => {
    const target = "http://x/openai/v1/models";
    for (const host of ["x/openai", "x", "y", "x/anthropic", "/openai/v1"]) {
      const exchange = await get(target, ["Host", host]);
      if (exchange.forwarded.length > 0) expectTarget(exchange, "/central-openai/v1/models");
      else expectNowhere(exchange);
    }
  });

  it.each(["evil.example", "*", "openai/v1/models", "?/openai/v1/models", "#/openai/v1/models", ""])(
    "D5 a target of another form (%j) leads nowhere",
    async (target) => {
      expectFault(await get(target));
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

  it.each(HOSTS)("D6 %j moves nothing: by the real path, or 4xx", async (host) => {
    // The attack: `request.url` is put together of the Host and the target, so that `Host: x/own-openai/v1?` turns
    // the path that was asked for into a query.
    const exchange = await get("/openai/v1/models", ["Host", host]);
    if (exchange.response.status === 200) expectTarget(exchange, "/central-openai/v1/models");
    else expectFault(exchange);
  });

  it.each(HOSTS)("D6 %j makes no healthy answer of a call", async (host) => {
    expectFault(await post("/v1/unknown", BODY, ["Host", host]));
    const healthz = await get("/healthz", ["Host", host]);
    expect(healthz.forwarded).toEqual([]);
    expect(healthz.response.status).toBeLessThan(500);
  });

  it("D6 two of them: by the real path, or 4xx", async () => {
    const exchange = await get("/openai/v1/models", ["Host", "a"], ["Host", "x/anthropic/v1?"]);
    if (exchange.response.status === 200) expectTarget(exchange, "/central-openai/v1/models");
    else expectNowhere(exchange);
  });
});

describe("methods", () => {
  /** Known to workerd, and of no use to a model API. */
  const OTHERS = ["OPTIONS", "TRACE", "PROPFIND", "MKCOL", "COPY", "LOCK", "PURGE", "REPORT"];

  it.each([...OTHERS, "GET", "PUT", "PATCH", "DELETE", "HEAD"])(
    "D7 %s is not for an intercepted route: 405, not forwarded",
    async (method) => {
      for (const target of [CHAT, "/anthropic/v1/messages", "/v1/responses"]) {
        const { response: got, forwarded } = await harness.send({ method, target, headers: [KEY] });
        expect([got.status, got.values("allow"), forwarded]).toEqual([405, ["POST"], []]);
      }
    },
  );

  it.each(OTHERS)(
    "D7 %s is not for a passthrough: 405, which says what is, not forwarded",
    async (method) => {
      for (const target of ["/openai/v1/models", "/anthropic/v1/files/x"]) {
        const { response: got, forwarded } = await harness.send({ method, target, headers: [KEY] });
        expect([got.status, forwarded]).toEqual([405, []]);
        expect(got.values("allow").join().split(/, */)).toEqual(
          expect.arrayContaining(["GET", "POST", "DELETE"]),
        );
      }
    },
  );

  it.each(["FOO", "get", "POSTX", "M-SEARCH"])(
    "D7 %s is unknown to workerd, which answers 501 itself: not forwarded",
    async (method) => {
      const { response: got, forwarded } = await harness.send({ method, target: CHAT, headers: [KEY] });
      expect([got.status, forwarded]).toEqual([501, []]);
    },
  );

  it("D7 CONNECT never gets to the Worker's fetch: not forwarded", async () => {
    // workerd looks for a connect() handler, finds none, says so and answers 500. Cloudflare's edge takes no CONNECT.
    harness.expectLine(/connect(?:\(\) function| event)/);
    for (const target of ["evil.example:443", CHAT]) {
      const { response: got, forwarded } = await harness.send({ method: "CONNECT", target, headers: [KEY] });
      expect([got.status >= 400, forwarded]).toEqual([true, []]);
    }
  });

  it.each(["GET", "HEAD", "DELETE"])(
    "D7 %s with an empty body declared is forwarded without one",
    async (method) => {
      const headers = [KEY, ["Content-Length", "0"]] as const;
      const exchange = await harness.send({ method, target: "/openai/v1/files/file-1", headers });
      expectTarget(exchange, "/central-openai/v1/files/file-1");
    },
  );

  it.each(["GET", "HEAD"])("D7 %s with a body: the caller's fault, or forwarded", async (method) => {
    for (const body of [{ body: "{}" }, { chunks: ["{}"] }]) {
      const request = { method, target: "/openai/v1/models", headers: [KEY], ...body };
      expect((await harness.send(request)).response.status).toBeLessThan(500);
    }
  });

  it("D7 the body of a request that is refused is not taken for the next one", async () => {
    // The attack: a second request, key and all, in the body of one that is answered before its body is read.
    const inner = `GET /openai/v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEYS.user}\r\n\r\n`;
    for (const target of [CHAT, "/nowhere", "/openai/v1/models/%2e%2e"]) {
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
    "D16 an upgrade to %s: 426, with a key and without, nothing fetched",
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

describe("what else would name a destination", () => {
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

  it("D8 fields of the query and of the body have no effect on the destination", async () => {
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
  ] as const)("D9 %s has no effect on the destination", async (name, value) => {
    const exchange = await get("/openai/v1/models", [name, value]);
    expectTarget(exchange, "/central-openai/v1/models");
    expect(exchange.forwarded[0]?.method).toBe("GET");
  });
});

describe("a provider that redirects", () => {
  let second: FakeUpstream;
  beforeAll(async () => void (second = await startFakeUpstream()));
  afterAll(() => second.close());

  const PLACES: readonly (readonly [string, () => string])[] = [
    ["another host", () => `${second.url}/v1/chat/completions`],
    ["another host, without a scheme", () => `//127.0.0.1:${second.port}/v1`],
    ["itself", () => "/v1/elsewhere"],
  ];
  const STATUSES = [301, 302, 303, 307, 308];
  const CASES = STATUSES.flatMap((status) => PLACES.map(([where, place]) => [status, where, place] as const));

  it.each(CASES)(
    "D10 %i to %s: 502, no second fetch, and the address is not handed on",
    async (status, _, place) => {
      // The attack: an upstream that has been taken over collects keys for another host. A followed redirect would drop
      // Authorization across origins, and send X-Api-Key along.
      for (const [target, headers] of [
        [CHAT, [KEY]],
        ["/anthropic/v1/messages", [KEY]],
        ["/own-anthropic/v1/messages", [["X-Api-Key", OWN.anthropic]]],
        ["/openai/v1/embeddings", [KEY]],
      ] as const) {
        harness.respondWith(respond.json(status, { moved: true }, [["Location", place()]]), null);
        const { response: got, forwarded } = await harness.send({ target, headers, body: BODY });
        expect([got.status, got.values("x-interceptor-error")]).toEqual([502, ["upstream_redirected"]]);
        expect(got.values("location")).toEqual([]);
        expect(forwarded).toHaveLength(1);
      }
      // Three were interceptions, and each ended as the provider's error.
      const outcomes = (await harness.events("interception_end")).map((end) => [end.outcome, end.status]);
      expect(outcomes).toEqual([1, 2, 3].map(() => ["upstream_error", 502]));
      expect([second.requests.length, second.openConnections()]).toEqual([0, 0]);
    },
  );
});

describe("odd bytes in the path", () => {
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
  ])("D13 %j: 4xx, nothing fetched", async (target) => {
    expectFault(await get(target));
  });

  it("D13 a URL of 17 KB: 414, in the path and in the query, nothing fetched", async () => {
    for (const target of [
      `/openai/v1/models/${"m".repeat(17_408)}`,
      `/openai/v1/models?q=${"m".repeat(17_408)}`,
    ])
      expectRefusal(await get(target), 414, "url_too_long");
    expectForwarded(await get(`/openai/v1/models?q=${"m".repeat(15_000)}`));
  });
});

describe("the error's dialect", () => {
  it.each([
    ["an OpenAI body", JSON.stringify({ model: 5, messages: [] }), "field_invalid"],
    ["no JSON", "prompt=hello", "body_invalid"],
  ])("D15 is the route's, whatever the body is: %s", async (_, body, reason) => {
    for (const prefix of ["", ...ROUTE_PREFIXES]) {
      for (const target of [`${prefix}/anthropic/v1/messages`, `${prefix}/v1/messages`]) {
        const { response: got } = await post(target, body);
        const told = { type: "error", error: { type: "invalid_request_error" } };
        expect([got.status, got.values("x-interceptor-error")]).toEqual([400, [reason]]);
        expect(JSON.parse(got.text())).toMatchObject(told);
      }
      for (const target of [`${prefix}/openai/v1/responses`, `${prefix}/v1/chat/completions`]) {
        const { response: got } = await post(target, body, ["anthropic-version", "2023-06-01"]);
        expect(JSON.parse(got.text())).toMatchObject({
          error: { type: "invalid_request_error", code: reason },
        });
      }
    }
  });
});

/** One of the routes of the dialects that there are, with a path that it takes. */
type Registered = { readonly dialect: Dialect; readonly route: DialectRoute; readonly path: string };

const ROUTES: readonly Registered[] = DIALECTS.flatMap((dialect) =>
  dialect.routes.flatMap((route) => {
    const paths = route.path.endsWith("/*")
      ? [route.path.replace("*", "one"), route.path.replace("*", "one/two")]
      : [route.path, ...(route.kind === "passthrough" && route.below ? [`${route.path}/one`] : [])];
    return paths.map((path) => ({ dialect, route, path }));
  }),
);
const NAMED = ROUTES.map((one) => [`${one.dialect.type} ${one.path}`, one] as const);

/** Every way to write the route: under its provider's name and on the root, under each prefix. */
function targetsOf({ dialect, path }: Registered): string[] {
  return ["", ...ROUTE_PREFIXES].flatMap((prefix) => [
    `${prefix}/${dialect.type}${dialect.mount}${path}`,
    `${prefix}${dialect.mount}${path}`,
  ]);
}

/** Tells the dialect where a root path is of both; harmless elsewhere. */
const telling = ({ dialect }: Registered): HeaderPair[] =>
  dialect === anthropic ? [["anthropic-version", "2023-06-01"]] : [];
const upstreamTarget = ({ dialect, path }: Registered): string =>
  `/central-${dialect.type}${dialect.mount}${path}`;
const methodsOf = ({ route }: Registered): readonly string[] => methodsOfRoute(route);

describe("every registered route", () => {
  it("D12 there are routes to enumerate, of both dialects and both kinds", () => {
    const kinds = new Set(ROUTES.map(({ dialect, route }) => `${dialect.type} ${route.kind}`));
    expect([...kinds].toSorted()).toEqual([
      "anthropic intercept",
      "anthropic passthrough",
      "openai intercept",
      "openai passthrough",
    ]);
  });

  it.each(NAMED)(
    "D12 %s: 401 and nothing fetched without a key, with a wrong one, with a provider's",
    async (_, one) => {
      const { type } = one.dialect;
      for (const target of targetsOf(one)) {
        for (const method of methodsOf(one)) {
          const ask = (...headers: HeaderPair[]): Promise<Exchange> => {
            const bare = method === "GET" || method === "HEAD" || method === "DELETE";
            return harness.send({
              method,
              target,
              headers: [...telling(one), ...headers],
              ...(!bare && { body: BODY }),
            });
          };
          for (const [reason, exchange] of [
            ["credential_missing", await ask()],
            ["invalid_credential", await ask(bearer("aei_wrong-key-wrong-key-wrong-key-wrong-key-000"))],
            ["byok_not_accepted", await ask(bearer(type === "openai" ? OWN.openai : OWN.anthropic))],
          ] as const) {
            if (method !== "HEAD") expectRefusal(exchange, 401, reason, type as "openai" | "anthropic");
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

  it.each(NAMED)("D12 %s: with a good key, forwarded to exactly base_url and path", async (_, one) => {
    for (const target of targetsOf(one)) {
      for (const method of methodsOf(one)) {
        const bare = method === "GET" || method === "HEAD" || method === "DELETE";
        const headers = [...telling(one), KEY];
        const exchange = await harness.send({
          method,
          target: `${target}?q=1`,
          headers,
          ...(!bare && { body: BODY }),
        });
        const { method: sentMethod, target: sentTarget } = expectForwarded(exchange);
        expect([sentMethod, sentTarget]).toEqual([method, `${upstreamTarget(one)}?q=1`]);
      }
    }
    const type = one.route.kind === "intercept" ? "interception_start" : "passthrough";
    const recorded = (await harness.events(type)).map(({ route, provider }) => [provider, route]);
    expect(new Set(recorded.map(String))).toEqual(new Set([`${one.dialect.type},${one.route.path}`]));
    expect(recorded).toHaveLength(targetsOf(one).length * methodsOf(one).length);
  });

  it("D12 a root path of both dialects goes by the headers, else to OpenAI", async () => {
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

  it("D12 the probes of a base answer without a key and fetch nothing", async () => {
    for (const target of ["/", "/openai", "/anthropic/", "/api/v2/aibridge", "/api/v2/ai-gateway/openai"]) {
      const { response: got, forwarded } = await harness.send({ method: "HEAD", target });
      expect([target, got.status, forwarded]).toEqual([target, 200, []]);
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
        },
        anthropic: {
          type: "anthropic",
          base_url: `${harness.upstream.url}/central-anthropic`,
          keys: ["ANTHROPIC_KEY"],
          models: ["claude-haiku-4-5"],
        },
      },
      vars: { OWNER_ASSERTION: { on_invalid: "reject" } },
    }),
  );

  it.each(NAMED)("D12 %s: an owner header that does not count is refused", async (_, one) => {
    for (const target of targetsOf(one)) {
      for (const method of methodsOf(one)) {
        const bare = method === "GET" || method === "HEAD" || method === "DELETE";
        const headers = [...telling(one), KEY, CODER_AGENTS_UA, ownerHeader("no-owner")];
        const { response: got, forwarded } = await harness.send({
          method,
          target,
          headers,
          ...(!bare && { body: BODY }),
        });
        expect([target, method, got.status, forwarded]).toEqual([target, method, 400, []]);
      }
    }
  });

  const INTERCEPTED = NAMED.filter(([, { route }]) => route.kind === "intercept");

  it.each(INTERCEPTED)("D12 %s: a model that is not on the list is refused", async (_, one) => {
    const body = JSON.stringify({ model: "gpt-5-pro", messages: [{ role: "user", content: PROMPT }] });
    for (const target of targetsOf(one)) {
      const exchange = await post(target, body);
      expectRefusal(exchange, 403, "model_not_allowed", one.dialect.type as "openai" | "anthropic");
    }
    const ends = (await harness.events("interception_end")).map(({ outcome, status }) => [outcome, status]);
    expect(ends).toEqual(targetsOf(one).map(() => ["refused", 403]));
  });

  const BIG = { model: "claude-opus-4-5" };
  const FILE = { input_file_id: "file-1", endpoint: "/v1/chat/completions", completion_window: "24h" };

  it.each<readonly [string, object | string]>([
    ["/openai/v1/embeddings", { model: "text-embedding-3-large", input: PROMPT }],
    ["/openai/v1/moderations", { model: "omni-moderation-latest", input: PROMPT }],
    ["/openai/v1/images/generations", { model: "gpt-image-1", prompt: PROMPT }],
    ["/openai/v1/audio/speech", { model: "tts-1-hd", input: PROMPT, voice: "alloy" }],
    [
      "/openai/v1/audio/transcriptions",
      '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper\r\n--b--',
    ],
    ["/openai/v1/responses/compact", { model: "gpt-5-pro", input: PROMPT }],
    ["/openai/v1/embeddings", '{"model":"gpt-4o","model":"text-embedding-3-large"}'],
    ["/openai/v1/batches", FILE],
    // A batch runs what stands in its file or its requests, whatever it says of a model itself.
    ["/openai/v1/batches", { ...FILE, model: "gpt-4o" }],
    ["/anthropic/v1/messages/count_tokens", { ...BIG, messages: [] }],
    ["/anthropic/v1/messages/batches", { requests: [{ custom_id: "1", params: BIG }] }],
    [
      "/anthropic/v1/messages/batches",
      { model: "claude-haiku-4-5", requests: [{ custom_id: "1", params: BIG }] },
    ],
  ])("D12 a list of models is not walked around by %s (%j)", async (target, body) => {
    // The attack: a key that may ask for one small model only runs any other, by the thousand, as a batch: a passthrough
    // names its models too. `models` says "the only models that may be asked for", and `[]` "denies all".
    const { response: got, forwarded } = await post(
      target,
      typeof body === "string" ? body : JSON.stringify(body),
    );
    expect([got.status, got.values("x-interceptor-error"), forwarded]).toEqual([
      403,
      ["model_not_allowed"],
      [],
    ]);
  });

  it("D12 a passthrough that is judged is not taken compressed: what is judged is what the provider reads", async () => {
    // The attack: bytes that are one JSON as they stand, and another once they are inflated.
    const body = JSON.stringify({ model: "gpt-4o", input: PROMPT });
    for (const encoding of ["gzip", "deflate", "br", "x-made-up"])
      expectFault(await post("/openai/v1/embeddings", body, ["Content-Encoding", encoding]));
  });

  it("D12 a passthrough that asks for a model on the list is forwarded, to the byte", async () => {
    const body = '{ "input" : "x", "model":"gpt-4o" }';
    expect(expectForwarded(await post("/openai/v1/embeddings", body)).text()).toBe(body);
    expectForwarded(await get("/openai/v1/models"));
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
  ])("D14 %j is not gpt-4o: 403, nothing fetched", async (model) => {
    expectRefusal(await post(CHAT, JSON.stringify({ model, messages: [] })), 403, "model_not_allowed");
    const start = await harness.event("interception_start");
    expect(start.model).toBe(model);
  });

  it.each(["{}", '{"model":null}', '{"messages":[]}'])("D14 no model (%s) is not gpt-4o", async (body) => {
    expectRefusal(await post(CHAT, body), 403, "model_not_allowed");
  });

  it.each([
    '{"model":"gpt-4o","messages":[]}',
    '{ "messages" : [ ] , "model"\t:\r\n"gpt-4o" }',
    String.raw`{"mod\u0065l":"gpt-4\u006f","messages":[]}`,
    '{"metadata":{"model":"gpt-5-pro"},"model":"gpt-4o"}',
    String.raw`{"messages":[{"role":"user","content":"\",\"model\":\"gpt-5-pro\""}],"model":"gpt-4o"}`,
  ])("D14 what is judged is what is forwarded, to the byte: %s", async (body) => {
    const forwarded = expectForwarded(await post(CHAT, body));
    expect(forwarded.text()).toBe(body);
  });

  it.each([
    '{"model":"gpt-4o","model":"gpt-5-pro"}',
    '{"model":"gpt-5-pro","messages":[],"model":"gpt-4o"}',
    String.raw`{"model":"gpt-4o","mod\u0065l":"gpt-5-pro"}`,
    String.raw`{"\u006dodel":"gpt-5-pro","model":"gpt-4o"}`,
  ])("D14 a model that is named twice (%s) is refused: readers differ in which counts", async (body) => {
    const { response: got, forwarded } = await post(CHAT, body);
    expect([got.status, got.values("x-interceptor-error"), forwarded]).toEqual([400, ["field_repeated"], []]);
  });
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
    "D11 %s stops after one hop: 508, one interception, no provider reached",
    async (target) => {
      const { response: got, forwarded } = await post(target);
      expect([got.status, forwarded]).toEqual([508, []]);
      const end = await harness.event("interception_end");
      expect([end.outcome, end.status]).toEqual(["upstream_error", 508]);
      expect((await harness.events("refusal")).map(({ reason }) => reason)).toEqual(["loop"]);
    },
  );

  it("D11 a passthrough stops likewise", async () => {
    const { response: got, forwarded } = await get("/self/v1/models");
    expect([got.status, forwarded]).toEqual([508, []]);
    expect((await harness.event("passthrough")).status).toBe(508);
    expect(await harness.events("refusal")).toHaveLength(1);
  });

  it("D11 a caller cannot have the mark removed by naming it in Connection, or by a Via of its own", async () => {
    for (const headers of [
      [["Connection", "keep-alive, Via"]],
      [["Via", "1.1 corporate-proxy"]],
      [
        ["Connection", "via"],
        ["Via", "1.0 fred, 1.1 p.example"],
      ],
    ] as const) {
      const { response: got, forwarded } = await post("/self/v1/chat/completions", BODY, ...headers);
      expect([got.status, forwarded]).toEqual([508, []]);
    }
    expect(await harness.events("refusal")).toHaveLength(3);
  });

  it("D11 another proxy's Via is no loop", async () => {
    expectForwarded(await post(CHAT, BODY, ["Via", "1.1 corporate-proxy"]));
  });
});
