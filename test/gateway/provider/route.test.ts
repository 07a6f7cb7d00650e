import { describe, expect, it } from "vitest";
import { ROUTE_PREFIXES, readSentTarget, readTarget, type Target } from "../../../src/shared/http/target.ts";
import type { DialectRoute } from "../../../src/gateway/provider/provider.ts";
import { checkMethod, methodsOf } from "../../../src/gateway/provider/method.ts";
import { findRoute, isBase } from "../../../src/gateway/provider/route.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { targetUrl } from "../../../src/gateway/upstream/url.ts";
import {
  accepted,
  anthropicProvider,
  openaiProvider,
  providers,
  reasonOf,
  statusOf,
} from "../../support/in-workerd/values.ts";

const OPENAI = openaiProvider();
const ANTHROPIC = anthropicProvider();
const BOTH = providers(OPENAI, ANTHROPIC);
const NO_HEADERS = new Headers();

/** A request as the runtime passes it: `url` consists of the scheme, the Host header and the target as sent. */
function requestTo(target: string, host = "gateway.example"): Request {
  const request = new Request("https://gateway.example/", { headers: { host } });
  return Object.defineProperty(request, "url", { value: `https://${host}${target}` });
}

const read = (target: string, host?: string): Target | Refusal => readSentTarget(requestTo(target, host));
const pathOf = (target: string, host?: string): string => accepted(read(target, host)).path;

/** The route of a target: `<provider> <kind> <upstream path>`, a refusal's code, or null if there is none. */
function routeOf(
  target: string,
  headers: Record<string, string> = {},
  configured = BOTH,
  host?: string,
): string | null {
  const parsed = read(target, host);
  if (parsed instanceof Refusal) return parsed.code;
  const route = findRoute(parsed.path, new Headers(headers), configured);
  return route && `${route.provider.name} ${route.route.kind} ${route.upstreamPath}`;
}

const OPENAI_ROUTES = [
  ["intercept", "/chat/completions"],
  ["intercept", "/responses"],
  ["passthrough", "/responses/input_tokens"],
  ["passthrough", "/responses/resp_1"],
  ["passthrough", "/responses/resp_1/input_items"],
  ["passthrough", "/responses/resp_1/cancel"],
  ["passthrough", "/models"],
  ["passthrough", "/models/gpt-4o"],
  ["passthrough", "/models/ft:gpt-4o:org::id"],
  ["passthrough", "/conversations"],
  ["passthrough", "/conversations/conv_1/items"],
  ["intercept", "/embeddings"],
  ["intercept", "/images/generations"],
  ["intercept", "/images/edits"],
  ["intercept", "/audio/transcriptions"],
  ["intercept", "/audio/speech"],
  ["intercept", "/completions"],
  ["intercept", "/responses/compact"],
  ["intercept", "/rerank"],
  ["intercept", "/images/variations"],
  ["intercept", "/audio/translations"],
  ["passthrough", "/images/gen_1"],
  ["passthrough", "/audio/voices"],
  ["passthrough", "/files"],
  ["passthrough", "/files/file-1/content"],
  ["passthrough", "/batches"],
  ["passthrough", "/batches/batch_1/cancel"],
  ["intercept", "/moderations"],
] as const;

const ANTHROPIC_ROUTES = [
  ["intercept", "/v1/messages"],
  ["passthrough", "/v1/messages/count_tokens"],
  ["passthrough", "/v1/messages/batches"],
  ["passthrough", "/v1/messages/batches/msgbatch_1/results"],
  ["passthrough", "/v1/models"],
  ["passthrough", "/v1/models/claude-opus-4-6"],
  ["passthrough", "/v1/files"],
  ["passthrough", "/v1/files/file_1"],
  ["passthrough", "/api/event_logging/batch"],
  ["passthrough", "/api/hello"],
] as const;

const ANTHROPIC_HEADERS = { "anthropic-version": "2023-06-01" };

describe.each(["", ...ROUTE_PREFIXES])("the routes under %j", (prefix) => {
  it.each(OPENAI_ROUTES)("finds openai %s %s by the provider's name and at the root", (kind, path) => {
    expect(routeOf(`${prefix}/openai/v1${path}`)).toBe(`openai ${kind} ${path}`);
    expect(routeOf(`${prefix}/v1${path}`)).toBe(`openai ${kind} ${path}`);
  });

  it.each(ANTHROPIC_ROUTES)("finds anthropic %s %s by the provider's name and at the root", (kind, path) => {
    expect(routeOf(`${prefix}/anthropic${path}`)).toBe(`anthropic ${kind} ${path}`);
    expect(routeOf(`${prefix}${path}`, ANTHROPIC_HEADERS)).toBe(`anthropic ${kind} ${path}`);
  });

  it("finds each provider of a dialect by its name, and the first at the root", () => {
    const many = providers(
      openaiProvider({ name: "groq" }),
      anthropicProvider({ name: "claude" }),
      OPENAI,
      ANTHROPIC,
    );
    expect(routeOf(`${prefix}/v1/chat/completions`, {}, many)).toBe("groq intercept /chat/completions");
    expect(routeOf(`${prefix}/v1/messages`, {}, many)).toBe("claude intercept /v1/messages");
    expect(routeOf(`${prefix}/openai/v1/chat/completions`, {}, many)).toBe(
      "openai intercept /chat/completions",
    );
  });
});

describe("a root path that both dialects have", () => {
  it.each([
    ["no distinguishing header", {}, "openai"],
    ["anthropic-version", ANTHROPIC_HEADERS, "anthropic"],
    ["x-api-key", { "x-api-key": "sk-ant" }, "anthropic"],
    ["Authorization alone", { authorization: "Bearer x" }, "openai"],
  ])("routes by the headers: %s", (_, headers, name) => {
    const swapped = providers(ANTHROPIC, OPENAI);
    for (const path of ["/v1/models", "/v1/models/x", "/v1/files"]) {
      expect(routeOf(path, headers)?.split(" ")[0]).toBe(name);
      expect(routeOf(path, headers, swapped)?.split(" ")[0]).toBe(name);
    }
  });

  it("routes to the only provider regardless of the headers", () => {
    expect(routeOf("/v1/models", ANTHROPIC_HEADERS, providers(OPENAI))).toBe("openai passthrough /models");
    expect(routeOf("/v1/models", {}, providers(ANTHROPIC))).toBe("anthropic passthrough /v1/models");
  });

  it("ignores the other dialect's headers for a path of one dialect", () => {
    expect(routeOf("/v1/chat/completions", ANTHROPIC_HEADERS)).toBe("openai intercept /chat/completions");
    expect(routeOf("/v1/messages")).toBe("anthropic intercept /v1/messages");
  });
});

/** The dialect's routes that no row of the table covers. */
function missing(rows: readonly (readonly [string, string])[], routes: readonly DialectRoute[]): string[] {
  const paths = routes.map(({ path }) => path);
  return paths.filter(
    (path) => !rows.some(([, row]) => row === path || row.startsWith(path.replace(/\*$/, ""))),
  );
}

function intercepted(routes: readonly DialectRoute[]): string[] {
  return routes.filter(({ kind }) => kind === "intercept").map(({ path }) => path);
}

describe("the tables above", () => {
  it("cover every route of the dialects", () => {
    expect(missing(OPENAI_ROUTES, OPENAI.dialect.routes)).toEqual([]);
    expect(missing(ANTHROPIC_ROUTES, ANTHROPIC.dialect.routes)).toEqual([]);
  });

  it("have exactly the dialects' intercepted routes", () => {
    expect(intercepted(OPENAI.dialect.routes)).toEqual([
      "/chat/completions",
      "/responses",
      "/completions",
      "/responses/compact",
      "/embeddings",
      "/moderations",
      "/rerank",
      "/images/generations",
      "/images/edits",
      "/images/variations",
      "/audio/speech",
      "/audio/transcriptions",
      "/audio/translations",
    ]);
    expect(intercepted(ANTHROPIC.dialect.routes)).toEqual(["/v1/messages"]);
  });
});

const runningModel = (routes: readonly DialectRoute[], runs: "named" | "hidden"): string[] =>
  routes.flatMap((route) => (route.kind === "passthrough" && route.runsModel === runs ? [route.path] : []));

describe("D14 the passthroughs that run a model, to which the allow-list of models applies", () => {
  it("are these with the model in the body", () => {
    expect(runningModel(OPENAI.dialect.routes, "named")).toEqual([
      "/responses/input_tokens",
      "/responses/*",
      "/images/*",
      "/audio/*",
    ]);
    expect(runningModel(ANTHROPIC.dialect.routes, "named")).toEqual(["/v1/messages/count_tokens"]);
  });

  it("are batches, without the model in the body", () => {
    expect(runningModel(OPENAI.dialect.routes, "hidden")).toEqual(["/batches"]);
    expect(runningModel(ANTHROPIC.dialect.routes, "hidden")).toEqual(["/v1/messages/batches"]);
  });
});

describe("D1 paths without a route", () => {
  it.each([
    "/",
    "/v1",
    "/v1/",
    "/v2/chat/completions",
    "/unknown/v1/chat/completions",
    "/openai",
    "/openai/",
    "/openai/v1",
    "/openai/v1/messages",
    "/openai/v1/chat/completions/x",
    "/openai/v1/chat",
    "/openai/v1/modelsx",
    "/openai/v1/embeddings/x",
    "/openai/v1/images",
    "/openai/v1/images/",
    "/openai/v1/fine_tuning/jobs",
    "/openai/v1/assistants",
    "/openai/v1/organization/admin_api_keys",
    "/anthropic/v1/messages/x",
    "/anthropic/v1/messages/count_tokens/x",
    "/anthropic/v1/chat/completions",
    "/anthropic/v1/organizations/me",
    "/anthropic/v1/complete",
    "/openai/openai/v1/models",
    "/anthropic/openai/v1/models",
    "/openai/anthropic/v1/messages",
    "/anthropic/anthropic/anthropic/v1/messages",
    "/anthropic/anthropic",
    "/anthropic/anthropicx/v1/messages",
    "/api/v2/ai-gateway",
    "/api/v2/ai-gateway/",
    "/api/v2/ai-gatewayx/openai/v1/models",
    "/api/v2/openai/v1/models",
    "/api/v2/ai-gateway/api/v2/ai-gateway/openai/v1/models",
    "/constructor/v1/models",
    "/__proto__/v1/models",
  ])("finds no route for %s", (target) => {
    expect(routeOf(target)).toBeNull();
  });

  it("finds no route of another dialect", () => {
    expect(routeOf("/v1/messages", {}, providers(OPENAI))).toBeNull();
    expect(routeOf("/v1/chat/completions", {}, providers(ANTHROPIC))).toBeNull();
    expect(routeOf("/v1/models", {}, providers())).toBeNull();
  });
});

/** Base URLs as users write them, each with the path that an SDK appends; and the route that was meant. */
const VARIANTS: readonly (readonly [sent: string, canonical: string])[] = [
  ["/openai/v1//chat/completions", "/openai/v1/chat/completions"],
  ["/openai//v1/chat/completions", "/openai/v1/chat/completions"],
  ["/openai/v1/chat/completions/", "/openai/v1/chat/completions"],
  ["/openai/v1//responses/", "/openai/v1/responses"],
  ["/openai/v1/v1/chat/completions", "/openai/v1/chat/completions"],
  ["/openai/v1//v1/responses", "/openai/v1/responses"],
  ["/openai/chat/completions", "/openai/v1/chat/completions"],
  ["/openai//chat/completions", "/openai/v1/chat/completions"],
  ["/openai/models", "/openai/v1/models"],
  ["/openai/models/gpt-4o", "/openai/v1/models/gpt-4o"],
  ["/openai/v1/models/", "/openai/v1/models"],
  ["/openai/v1/v1/files/file-1/content", "/openai/v1/files/file-1/content"],
  ["/openai/v1/models/a/b/", "/openai/v1/models/a/b"],
  ["/anthropic/v1/v1/messages", "/anthropic/v1/messages"],
  ["/anthropic//v1/messages", "/anthropic/v1/messages"],
  ["/anthropic/v1//v1/messages", "/anthropic/v1/messages"],
  ["/anthropic/messages", "/anthropic/v1/messages"],
  ["/anthropic/messages/count_tokens", "/anthropic/v1/messages/count_tokens"],
  ["/anthropic/v1/messages/", "/anthropic/v1/messages"],
  // Base URLs of clients for Microsoft Foundry and Amazon Bedrock.
  ["/anthropic/anthropic/v1/messages", "/anthropic/v1/messages"],
  ["/anthropic/anthropic/v1/messages/count_tokens", "/anthropic/v1/messages/count_tokens"],
  ["/anthropic//anthropic/v1/messages", "/anthropic/v1/messages"],
  ["/anthropic/v1/api/hello", "/anthropic/api/hello"],
  ["/anthropic//api/hello", "/anthropic/api/hello"],
  ["/anthropic/api/hello/", "/anthropic/api/hello"],
  ["/anthropic/v1/api/event_logging/batch", "/anthropic/api/event_logging/batch"],
  ["/v1/v1/messages", "/v1/messages"],
  ["/v1//messages", "/v1/messages"],
  ["/v1/messages/", "/v1/messages"],
  ["/messages", "/v1/messages"],
  ["/chat/completions", "/v1/chat/completions"],
  ["/chat/completions/", "/v1/chat/completions"],
  ["/v1/v1/responses", "/v1/responses"],
  ["/v1/api/hello", "/api/hello"],
  ["/api/hello/", "/api/hello"],
];

/** The route that a target leads to, and its upstream URL. */
const destinationOf = (target: string, headers: Record<string, string> = {}): unknown => {
  const route = findRoute(accepted(read(target)).path, new Headers(headers), BOTH);
  return route && [route.provider.name, route.route, route.upstreamPath, targetUrl(route, "")];
};

describe("a path that a wrong base URL makes", () => {
  it.each(["", ...ROUTE_PREFIXES, ...ROUTE_PREFIXES.map((prefix) => `${prefix}/`)])(
    "leads to the canonical route and upstream URL, under %j",
    (prefix) => {
      for (const [sent, canonical] of VARIANTS) {
        expect(destinationOf(canonical)).not.toBeNull();
        expect([sent, destinationOf(prefix + sent)]).toEqual([sent, destinationOf(canonical)]);
      }
    },
  );

  it("leads to it where the base URL is the host with a slash", () => {
    for (const [sent, canonical] of VARIANTS.filter(([path]) => !path.includes("//")))
      expect(destinationOf(`/${sent}`)).toEqual(destinationOf(canonical));
  });

  it("leads to the dialect that the headers choose, where several have the route", () => {
    for (const path of ["/models", "/v1/models/", "/v1//models", "/v1/v1/models", "//v1/models"]) {
      expect(routeOf(path)).toBe("openai passthrough /models");
      expect(routeOf(path, ANTHROPIC_HEADERS)).toBe("anthropic passthrough /v1/models");
    }
  });

  it("never leads below another provider than the one that it names", () => {
    const odd = providers(openaiProvider({ name: "images" }), ANTHROPIC, OPENAI);
    expect(routeOf("/images/generations", {}, odd)).toBeNull();
    expect(routeOf("/images/chat/completions", {}, odd)).toBe("images intercept /chat/completions");
    expect(routeOf("/v1/openai/v1/chat/completions")).toBeNull();
  });

  it("is no route of Coder's own API under the prefixes", () => {
    for (const prefix of ROUTE_PREFIXES) {
      expect(routeOf(`${prefix}/models`)).toBeNull();
      expect(routeOf(`${prefix}/models/gpt-4o`)).toBeNull();
      expect(routeOf(`${prefix}//models`)).toBeNull();
      expect(routeOf(`${prefix}/v1/models/`)).toBe("openai passthrough /models");
    }
  });

  it.each([
    "///v1/messages",
    "/openai///v1/chat/completions",
    "/openai/v1///chat/completions",
    "/openai/v1/v1/v1/chat/completions",
    "/openai/v1/chat//completions",
    "/openai/v1/chat/completions//",
    "/openai/v1/chat/completions/chat/completions",
    // The attack, or a client's bug: an empty id would turn one file's path into that of the list.
    "/openai/v1/files//content",
    "/openai/v1/files//",
    "/openai/v1/responses//cancel",
    "/openai/v1/models//evil.example",
    "/anthropic/v1/messages//batches",
    "/openai/v1//openai/v1/models",
    "//evil.example",
    "//evil.example/v1/models",
    "/openai//evil.example",
    "/openai/v1;x/v1/messages",
    "/openai/v1//models;x",
    "/anthropic/v1/v1/models/x;y",
  ])("is not corrected where more is wrong with it: %s", (target) => {
    expect(routeOf(target)).toBeNull();
  });

  it.each(["/openai/v1//../admin", "/openai//v1/models/%2e%2e", "/openai/v1//%2fx", "//openai\\v1/models"])(
    "D2 D3 is rejected where it could be read in two ways: %s",
    (target) => {
      expect(reasonOf(read(target))).toBe("bad_path");
    },
  );

  it("is refused by everything but the providers' routes", () => {
    expect(reasonOf(readTarget(requestTo("/api/v2/ai-gateway//sessions")))).toBe("bad_path");
    expect(reasonOf(readTarget(requestTo("//healthz")))).toBe("bad_path");
  });
});

describe("D2-D4 paths that attack the routing", () => {
  it.each([
    "/\\evil.example",
    "/openai/v1/models/\\evil",
    "/openai/v1/../../admin",
    "/openai/v1/./models",
    "/openai/v1/models/..",
    "/openai/v1/models/../../secret",
    "/openai/v1/models/%2e%2e/secret",
    "/openai/v1/models/%2E%2E%2Fsecret",
    "/openai/v1/models/..%2fsecret",
    "/openai/v1/models/.%2e/x",
    "/openai/v1/models/%252e%252e",
    "/openai/v1/models/%5c..%5c",
    "/openai/v1/models/..\\..\\",
    "/openai/v1/models/a%00b",
    "/openai/v1/models/a%0d%0ab",
    "/openai/v1/models/a%0Ab",
    "/openai/v1/models/%1f",
    "/openai/v1/models/%7F",
    "/openai/v1/models/%zz",
    "/openai/v1/models/%",
    "/openai/v1/models/%4",
    "/openai/v1/models/a b",
    "/openai/v1/models/ünï",
    "/openai/v1/models/\u0000",
    "/openai/v1/models/\u2028",
  ])("D2 D3 D13 rejects %j as bad_path, 404", (target) => {
    const refusal = read(target);
    expect(reasonOf(refusal)).toBe("bad_path");
    expect(statusOf(refusal)).toBe(404);
  });

  it.each([
    "/@evil.example",
    "/.evil.example",
    "/:8443/v1/models",
    "/%6fpenai/v1/models",
    "/openai/%761/models",
    "/openai/v1/%6dodels",
    "/OpenAI/v1/models",
    "/openai/V1/models",
    "/openai/v1/Models",
    "/openai/v1/models;x",
    "/openai/v1/models/x;y=1",
    "/openai;x/v1/models",
    "/openai/v1/models/%e2%80%a8",
    "/openai/v1/models/%C0%AF",
    "/openai/v1/chat/completions%3f",
    "/openai/v1/chat/completions%20",
  ])("D2 D4 finds no route for %s", (target) => {
    expect(routeOf(target)).toBeNull();
  });

  it("keeps the path below a passthrough unmodified, including harmless escapes", () => {
    const path = "/models/a:b@c!$&'()*+,=-._~%3A%40%2b";
    expect(routeOf(`/openai/v1${path}`)).toBe(`openai passthrough ${path}`);
  });

  it("keeps the provider's host for every path", () => {
    for (const path of [
      "/openai/v1/models/@evil.example",
      "/openai/v1/models/:8443",
      "/openai/v1/models/.evil",
    ]) {
      const target = accepted(read(path));
      const route = findRoute(target.path, NO_HEADERS, BOTH);
      const url = new URL(route ? targetUrl(route, target.search) : "https://nowhere.example");
      expect(url.origin).toBe("https://api.openai.example");
    }
  });
});

describe("D5 D6 the Host header", () => {
  it.each([
    "x/openai/v1?",
    "x/openai/v1/chat/completions?",
    "gateway.example/v1#",
    "user@evil/x?",
    "x\\y",
    "a?b",
  ])("D6 does not change the path: %j", (host) => {
    expect(pathOf("/anthropic/v1/messages", host)).toBe("/anthropic/v1/messages");
    expect(routeOf("/nothing", {}, BOTH, host)).toBeNull();
    expect(accepted(read("/openai/v1/models?limit=1", host)).search).toBe("?limit=1");
  });

  it.each(["gateway.example", "gateway.example:8443", "127.0.0.1:8787", "[::1]:8787"])(
    "D5 is removed from the URL: %s",
    (host) => {
      expect(read("/openai/v1/models?a=b", host)).toEqual({ path: "/openai/v1/models", search: "?a=b" });
    },
  );

  it("D5 uses only the path of an absolute-form target", () => {
    // The runtime passes this for `GET https://evil.example/openai/v1/models` with another Host header.
    const request = new Request("https://evil.example/openai/v1/models", {
      headers: { host: "gateway.example" },
    });
    expect(readTarget(request)).toEqual({ path: "/openai/v1/models", search: "" });
  });

  it("treats an empty path as the root", () => {
    expect(pathOf("")).toBe("/");
    expect(pathOf("?x=1")).toBe("/");
  });
});

describe("the query", () => {
  it.each(["?", "?a=1&a=2", "?x=%2e%2e%2f", "?url=https://evil.example/", "?a=b?c=d", "?beta=true"])(
    "D8 forwards %s unmodified and does not change the route",
    (search) => {
      const target = accepted(read(`/openai/v1/models${search}`));
      expect(target).toEqual({ path: "/openai/v1/models", search });
      const route = findRoute(target.path, NO_HEADERS, BOTH);
      expect(route && targetUrl(route, target.search)).toBe(`https://api.openai.example/v1/models${search}`);
    },
  );

  it.each(["?api_base=https://evil.example", "?base_url=https://evil.example", "?host=evil.example"])(
    "D8 ignores %s for the destination",
    (search) => {
      expect(routeOf(`/openai/v1/chat/completions${search}`)).toBe("openai intercept /chat/completions");
    },
  );

  it("removes a fragment", () => {
    expect(read("/openai/v1/models?a=1#frag")).toEqual({ path: "/openai/v1/models", search: "?a=1" });
    expect(read("/openai/v1/models#frag?a=1")).toEqual({ path: "/openai/v1/models", search: "" });
  });
});

describe("D13 long URLs", () => {
  it("D13 rejects 17 KB with 414, and accepts 16 KB", () => {
    const prefix = "https://gateway.example/openai/v1/models?q=".length;
    const target = (length: number): string => `/openai/v1/models?q=${"x".repeat(length - prefix)}`;
    expect(reasonOf(read(target(17_408)))).toBe("url_too_long");
    expect(statusOf(read(target(16_385)))).toBe(414);
    expect(pathOf(target(16_384))).toBe("/openai/v1/models");
  });

  it("D3 finds no route for 16 KB below a passthrough with an invalid last character", () => {
    expect(routeOf(`/openai/v1/models/${"a/".repeat(8000)};`)).toBeNull();
    expect(routeOf(`/openai/v1/models/${"a".repeat(16_000)};`)).toBeNull();
  });
});

describe("the upstream URL", () => {
  it.each([
    ["/openai/v1/chat/completions", "https://api.openai.example/v1/chat/completions"],
    ["/openai/v1/models/gpt-4o?x=1", "https://api.openai.example/v1/models/gpt-4o?x=1"],
    ["/v1/messages?beta=true", "https://api.anthropic.example/v1/messages?beta=true"],
    ["/api/v2/aibridge/anthropic/api/hello", "https://api.anthropic.example/api/hello"],
  ])("of %s is %s", (target, url) => {
    const { path, search } = accepted(read(target));
    const route = findRoute(path, NO_HEADERS, BOTH);
    expect(route && targetUrl(route, search)).toBe(url);
  });

  it("keeps the path of the base URL", () => {
    const azure = openaiProvider({ name: "azure", baseUrl: "https://x.example/openai/v1" });
    const route = findRoute("/azure/v1/responses", NO_HEADERS, providers(azure));
    expect(route && targetUrl(route, "")).toBe("https://x.example/openai/v1/responses");
  });
});

describe("isBase", () => {
  it.each([
    "/",
    "/openai",
    "/openai/",
    "/anthropic",
    "/openai/v1",
    "/v1",
    // Of any name, so that no caller learns which providers there are.
    "/unknown",
    "/unknown/v1",
    ...ROUTE_PREFIXES,
    ...ROUTE_PREFIXES.map((p) => `${p}/anthropic`),
  ])("is true for %s", (path) => {
    expect(isBase(path)).toBe(true);
  });

  it.each([
    "/openai/v1/models",
    "/openai/v1/v1",
    "/openai/x",
    "/api",
    "/api/v2",
    "/models",
    "/api/v2/ai-gatewayx",
    "/__proto__",
  ])("is false for %s", (path) => {
    expect(isBase(path)).toBe(false);
  });
});

const methodRefusal = (
  route: DialectRoute,
  method: string,
  headers: Record<string, string> = {},
): string | null =>
  reasonOf(checkMethod(route, new Request("https://gateway.example/", { method, headers })));

describe("methods", () => {
  const intercept = OPENAI.dialect.routes.find(({ kind }) => kind === "intercept");
  const passthrough = OPENAI.dialect.routes.find(({ kind }) => kind === "passthrough");
  if (!intercept || !passthrough) throw new Error("the dialect has routes of both kinds");
  it("D7 accepts only POST on an intercepted route", () => {
    expect(methodRefusal(intercept, "POST")).toBeNull();
    for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]) {
      expect(methodRefusal(intercept, method)).toBe("method_not_allowed");
    }
  });

  it("D7 accepts only the management methods on a passthrough", () => {
    for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]) {
      expect(methodRefusal(passthrough, method)).toBeNull();
    }
    for (const method of ["OPTIONS", "TRACE", "PROPFIND"]) {
      expect(methodRefusal(passthrough, method)).toBe("method_not_allowed");
    }
  });

  it("D7 lists exactly the accepted methods", () => {
    expect(methodsOf(intercept)).toEqual(["POST"]);
    expect(methodsOf(passthrough)).toEqual(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
  });

  it("D7 rejects another method with 405", () => {
    expect(statusOf(checkMethod(intercept, new Request("https://gateway.example/")))).toBe(405);
  });

  it.each(["websocket", "WebSocket", "h2c, websocket"])(
    "D16 rejects an upgrade to %s with E426 on every route",
    (upgrade) => {
      for (const route of [intercept, passthrough]) {
        expect(methodRefusal(route, "GET", { upgrade, connection: "upgrade" })).toBe("websocket_unsupported");
      }
      const request = new Request("https://gateway.example/", { headers: { upgrade } });
      expect(statusOf(checkMethod(intercept, request))).toBe(426);
    },
  );

  it("ignores another upgrade", () => {
    expect(methodRefusal(intercept, "POST", { upgrade: "h2c" })).toBeNull();
  });
});

// The attack: a call that no rule of the gateway knows as one, at a server that reads its path as that of a model call.
describe("Finding S5: a path below a route that some server reads as a model call's", () => {
  it.each([
    "/responses/%20",
    "/responses/%09",
    "/responses/+",
    "/responses/.",
    "/responses/...",
    "/responses/%2e",
    "/responses/;",
    "/responses/%3b",
    "/responses/;x=1",
    "/responses/%2f",
    "/responses/%5c",
    "/responses/%23",
    "/responses/%3f",
    "/responses/~",
    "/responses/compact%20",
    "/responses/compact.",
    "/responses/compact/%20",
    "/responses/Compact",
    "/responses/COMPACT",
    "/responses/comp%61ct",
    "/responses/compact.json",
    "/responses/compact%3bx",
    "/responses/compact,x",
    "/responses/compact%2F",
    "/images/Generations",
    "/images/generations.json",
    "/images/%67enerations",
    "/images/edits%20",
    "/audio/Speech",
    "/audio/transcriptions+",
    "/batches/%20",
    "/batches/+",
  ])("has no route: %s", (path) => {
    expect(routeOf(`/openai/v1${path}`) ?? "bad_path").toBe("bad_path");
    expect(routeOf(`/v1${path}`) ?? "bad_path").toBe("bad_path");
  });

  it.each(["/v1/messages/batches/%20", "/v1/messages/batches/+", "/v1/messages/batches/~"])(
    "has no route: %s of Anthropic",
    (path) => {
      expect(routeOf(`/anthropic${path}`)).toBeNull();
    },
  );

  it.each([
    "/responses/resp_1",
    "/responses/resp_1/cancel",
    "/responses/input_tokens",
    "/models/ft:gpt-4o:org::id",
    "/models/ft%3Agpt-4o%3Aorg%3A%3Aid",
    "/models/gpt-3.5-turbo",
    "/files/file-1/content",
  ])("concerns no path of an SDK: %s", (path) => {
    expect(routeOf(`/openai/v1${path}`)).toBe(`openai passthrough ${path}`);
  });
});

// The attack: an SDK sends OpenAI's key in X-Api-Key, and the root path leads it to Anthropic.
describe("Finding L2: a key at a root path that both dialects have", () => {
  it.each([
    ["an OpenAI key in X-Api-Key", { "x-api-key": "sk-proj-abc" }, "openai"],
    ["an Anthropic key in X-Api-Key", { "x-api-key": "sk-ant-api03-abc" }, "anthropic"],
    ["an Anthropic login in Authorization", { authorization: "Bearer sk-ant-oat01-abc" }, "anthropic"],
    [
      "both, of which Authorization counts",
      { authorization: "bearer sk-abc", "x-api-key": "sk-ant-a" },
      "openai",
    ],
    ["a key of no known form in X-Api-Key", { "x-api-key": "aei_abc" }, "anthropic"],
    ["a dialect's own header", { "anthropic-version": "2023-06-01", "x-api-key": "sk-abc" }, "anthropic"],
  ])("goes to its own provider: %s", (_, headers: Record<string, string>, name) => {
    for (const path of ["/v1/models", "/v1/files"])
      expect(findRoute(path, new Headers(headers), BOTH)?.provider.name).toBe(name);
  });
});
