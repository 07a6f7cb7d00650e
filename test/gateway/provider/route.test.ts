import { describe, expect, it } from "vitest";
import { ROUTE_PREFIXES, readTarget, type Target } from "../../../src/shared/http/target.ts";
import type { DialectRoute } from "../../../src/gateway/provider/provider.ts";
import { checkMethod, findRoute, isBase, methodsOf } from "../../../src/gateway/provider/route.ts";
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

/** A request as a runtime hands it on: `url` is scheme, Host and target, just as they were sent. */
function sent(target: string, host = "gateway.example"): Request {
  const request = new Request("https://gateway.example/", { headers: { host } });
  return Object.defineProperty(request, "url", { value: `https://${host}${target}` });
}

const read = (target: string, host?: string): Target | Refusal => readTarget(sent(target, host));
const pathOf = (target: string, host?: string): string => accepted(read(target, host)).path;

/** Where a target leads: `<provider> <kind> <upstream path>`, a refusal's reason, or null for no route. */
function leadsTo(
  target: string,
  headers: Record<string, string> = {},
  configured = BOTH,
  host?: string,
): string | null {
  const where = read(target, host);
  if (where instanceof Refusal) return where.code;
  const route = findRoute(where.path, new Headers(headers), configured);
  return route && `${route.provider.name} ${route.route.kind} ${route.upstreamPath}`;
}

const OPENAI_ROUTES = [
  ["intercept", "/chat/completions"],
  ["intercept", "/responses"],
  ["passthrough", "/responses/resp_1"],
  ["passthrough", "/responses/resp_1/input_items"],
  ["passthrough", "/responses/resp_1/cancel"],
  ["passthrough", "/models"],
  ["passthrough", "/models/gpt-4o"],
  ["passthrough", "/models/ft:gpt-4o:org::id"],
  ["passthrough", "/conversations"],
  ["passthrough", "/conversations/conv_1/items"],
  ["passthrough", "/embeddings"],
  ["passthrough", "/images/generations"],
  ["passthrough", "/images/edits"],
  ["passthrough", "/audio/transcriptions"],
  ["passthrough", "/audio/speech"],
  ["passthrough", "/files"],
  ["passthrough", "/files/file-1/content"],
  ["passthrough", "/batches"],
  ["passthrough", "/batches/batch_1/cancel"],
  ["passthrough", "/moderations"],
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

const TELLS_ANTHROPIC = { "anthropic-version": "2023-06-01" };

describe.each(["", ...ROUTE_PREFIXES])("the routes under %j", (prefix) => {
  it.each(OPENAI_ROUTES)("openai %s %s by the provider's name and at the root", (kind, path) => {
    expect(leadsTo(`${prefix}/openai/v1${path}`)).toBe(`openai ${kind} ${path}`);
    expect(leadsTo(`${prefix}/v1${path}`)).toBe(`openai ${kind} ${path}`);
  });

  it.each(ANTHROPIC_ROUTES)("anthropic %s %s by the provider's name and at the root", (kind, path) => {
    expect(leadsTo(`${prefix}/anthropic${path}`)).toBe(`anthropic ${kind} ${path}`);
    expect(leadsTo(`${prefix}${path}`, TELLS_ANTHROPIC)).toBe(`anthropic ${kind} ${path}`);
  });

  it("a second provider of a type is reached by its name, and the root is the first one's", () => {
    const many = providers(
      openaiProvider({ name: "groq" }),
      anthropicProvider({ name: "claude" }),
      OPENAI,
      ANTHROPIC,
    );
    expect(leadsTo(`${prefix}/v1/chat/completions`, {}, many)).toBe("groq intercept /chat/completions");
    expect(leadsTo(`${prefix}/v1/messages`, {}, many)).toBe("claude intercept /v1/messages");
    expect(leadsTo(`${prefix}/openai/v1/chat/completions`, {}, many)).toBe(
      "openai intercept /chat/completions",
    );
  });
});

describe("a root path that both dialects have", () => {
  it.each([
    ["no header tells", {}, "openai"],
    ["anthropic-version", TELLS_ANTHROPIC, "anthropic"],
    ["x-api-key", { "x-api-key": "sk-ant" }, "anthropic"],
    ["Authorization alone", { authorization: "Bearer x" }, "openai"],
  ])("goes to the provider that the headers tell: %s", (_, headers, name) => {
    const swapped = providers(ANTHROPIC, OPENAI);
    for (const path of ["/v1/models", "/v1/models/x", "/v1/files"]) {
      expect(leadsTo(path, headers)?.split(" ")[0]).toBe(name);
      expect(leadsTo(path, headers, swapped)?.split(" ")[0]).toBe(name);
    }
  });

  it("goes to the only provider there is, whatever the headers tell", () => {
    expect(leadsTo("/v1/models", TELLS_ANTHROPIC, providers(OPENAI))).toBe("openai passthrough /models");
    expect(leadsTo("/v1/models", {}, providers(ANTHROPIC))).toBe("anthropic passthrough /v1/models");
  });

  it("a path of one dialect alone is not moved by the other's headers", () => {
    expect(leadsTo("/v1/chat/completions", TELLS_ANTHROPIC)).toBe("openai intercept /chat/completions");
    expect(leadsTo("/v1/messages")).toBe("anthropic intercept /v1/messages");
  });
});

/** The dialect's routes that no row of a table stands for. */
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
  it("name every route of the dialects", () => {
    expect(missing(OPENAI_ROUTES, OPENAI.dialect.routes)).toEqual([]);
    expect(missing(ANTHROPIC_ROUTES, ANTHROPIC.dialect.routes)).toEqual([]);
  });

  it("name no intercepted route that the dialects have not, nor the other way round", () => {
    expect(intercepted(OPENAI.dialect.routes)).toEqual(["/chat/completions", "/responses"]);
    expect(intercepted(ANTHROPIC.dialect.routes)).toEqual(["/v1/messages"]);
  });
});

const running = (routes: readonly DialectRoute[], runs: "named" | "hidden"): string[] =>
  routes.flatMap((route) => (route.kind === "passthrough" && route.runsModel === runs ? [route.path] : []));

describe("D14 which passthroughs have a model do something, so that a list of models holds for them", () => {
  it("those whose body names it", () => {
    expect(running(OPENAI.dialect.routes, "named")).toEqual([
      "/responses/*",
      "/embeddings",
      "/images/*",
      "/audio/*",
      "/moderations",
    ]);
    expect(running(ANTHROPIC.dialect.routes, "named")).toEqual(["/v1/messages/count_tokens"]);
  });

  it("those whose body hides it: batches", () => {
    expect(running(OPENAI.dialect.routes, "hidden")).toEqual(["/batches"]);
    expect(running(ANTHROPIC.dialect.routes, "hidden")).toEqual(["/v1/messages/batches"]);
  });
});

describe("D1 what is no route", () => {
  it.each([
    "/",
    "/v1",
    "/v1/",
    "/v2/chat/completions",
    "/chat/completions",
    "/nobody/v1/chat/completions",
    "/openai",
    "/openai/",
    "/openai/v1",
    "/openai/chat/completions",
    "/openai/v1/messages",
    "/openai/v1/v1/chat/completions",
    "/openai/v1/chat/completions/",
    "/openai/v1/chat/completions/x",
    "/openai/v1/chat",
    "/openai/v1/responses/",
    "/openai/v1/models/",
    "/openai/v1/modelsx",
    "/openai/v1/embeddings/x",
    "/openai/v1/images",
    "/openai/v1/images/",
    "/openai/v1/fine_tuning/jobs",
    "/openai/v1/assistants",
    "/openai/v1/organization/admin_api_keys",
    "/anthropic/messages",
    "/anthropic/v1/messages/",
    "/anthropic/v1/messages/x",
    "/anthropic/v1/messages/count_tokens/x",
    "/anthropic/v1/chat/completions",
    "/anthropic/v1/organizations/me",
    "/anthropic/v1/complete",
    "/openai/openai/v1/models",
    "/anthropic/openai/v1/models",
    "/api/v2/ai-gateway",
    "/api/v2/ai-gateway/",
    "/api/v2/ai-gatewayx/openai/v1/models",
    "/api/v2/openai/v1/models",
    "/api/v2/ai-gateway/api/v2/ai-gateway/openai/v1/models",
    "/constructor/v1/models",
    "/__proto__/v1/models",
  ])("%s leads nowhere", (target) => {
    expect(leadsTo(target)).toBeNull();
  });

  it("one provider's routes are not the other's", () => {
    expect(leadsTo("/v1/messages", {}, providers(OPENAI))).toBeNull();
    expect(leadsTo("/v1/chat/completions", {}, providers(ANTHROPIC))).toBeNull();
    expect(leadsTo("/v1/models", {}, providers())).toBeNull();
  });
});

describe("D2-D4 paths that try to lead elsewhere", () => {
  it.each([
    "//evil.example",
    "/\\evil.example",
    "//evil.example/v1/models",
    "/openai//evil.example",
    "/openai/v1//chat/completions",
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
  ])("D2 D3 D13 %j is refused as a bad path, 404", (target) => {
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
    "/openai/v1/models/a/b/",
    "/openai/v1/chat/completions%3f",
    "/openai/v1/chat/completions%20",
  ])("D2 D4 %s leads nowhere", (target) => {
    expect(leadsTo(target)).toBeNull();
  });

  it("what stands below a passthrough goes on as it came, its harmless escapes too", () => {
    const path = "/models/a:b@c!$&'()*+,=-._~%20%3A";
    expect(leadsTo(`/openai/v1${path}`)).toBe(`openai passthrough ${path}`);
  });

  it("a path that leads somewhere keeps the provider's own host", () => {
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

describe("D5 D6 the Host header does not lead", () => {
  it.each([
    "x/openai/v1?",
    "x/openai/v1/chat/completions?",
    "gateway.example/v1#",
    "user@evil/x?",
    "x\\y",
    "a?b",
  ])("D6 with Host %j the path is the one that was asked for", (host) => {
    expect(pathOf("/anthropic/v1/messages", host)).toBe("/anthropic/v1/messages");
    expect(leadsTo("/nothing", {}, BOTH, host)).toBeNull();
    expect(accepted(read("/openai/v1/models?limit=1", host)).search).toBe("?limit=1");
  });

  it.each(["gateway.example", "gateway.example:8443", "127.0.0.1:8787", "[::1]:8787"])(
    "D5 with Host %s the path follows the origin",
    (host) => {
      expect(read("/openai/v1/models?a=b", host)).toEqual({ path: "/openai/v1/models", search: "?a=b" });
    },
  );

  it("D5 an absolute-form target counts by its path only", () => {
    // What the runtime makes of `GET https://evil.example/openai/v1/models` with another Host.
    const request = new Request("https://evil.example/openai/v1/models", {
      headers: { host: "gateway.example" },
    });
    expect(readTarget(request)).toEqual({ path: "/openai/v1/models", search: "" });
  });

  it("an empty path is the root", () => {
    expect(pathOf("")).toBe("/");
    expect(pathOf("?x=1")).toBe("/");
  });
});

describe("the query", () => {
  it.each(["?", "?a=1&a=2", "?x=%2e%2e%2f", "?url=https://evil.example/", "?a=b?c=d", "?beta=true"])(
    "D8 %s goes on to the provider verbatim and moves nothing",
    (search) => {
      const target = accepted(read(`/openai/v1/models${search}`));
      expect(target).toEqual({ path: "/openai/v1/models", search });
      const route = findRoute(target.path, NO_HEADERS, BOTH);
      expect(route && targetUrl(route, target.search)).toBe(`https://api.openai.example/v1/models${search}`);
    },
  );

  it.each(["?api_base=https://evil.example", "?base_url=https://evil.example", "?host=evil.example"])(
    "D8 %s has no effect on the destination",
    (search) => {
      expect(leadsTo(`/openai/v1/chat/completions${search}`)).toBe("openai intercept /chat/completions");
    },
  );

  it("a fragment is not sent", () => {
    expect(read("/openai/v1/models?a=1#frag")).toEqual({ path: "/openai/v1/models", search: "?a=1" });
    expect(read("/openai/v1/models#frag?a=1")).toEqual({ path: "/openai/v1/models", search: "" });
  });
});

describe("D13 long URLs", () => {
  it("D13 17 KB are refused, 414, and 16 KB are not", () => {
    const prefix = "https://gateway.example/openai/v1/models?q=".length;
    const target = (length: number): string => `/openai/v1/models?q=${"x".repeat(length - prefix)}`;
    expect(reasonOf(read(target(17_408)))).toBe("url_too_long");
    expect(statusOf(read(target(16_385)))).toBe(414);
    expect(pathOf(target(16_384))).toBe("/openai/v1/models");
  });

  it("D3 16 KB of one segment behind a passthrough, with a bad last character, leads nowhere", () => {
    expect(leadsTo(`/openai/v1/models/${"a/".repeat(8000)};`)).toBeNull();
    expect(leadsTo(`/openai/v1/models/${"a".repeat(16_000)};`)).toBeNull();
  });
});

describe("where a request goes", () => {
  it.each([
    ["/openai/v1/chat/completions", "https://api.openai.example/v1/chat/completions"],
    ["/openai/v1/models/gpt-4o?x=1", "https://api.openai.example/v1/models/gpt-4o?x=1"],
    ["/v1/messages?beta=true", "https://api.anthropic.example/v1/messages?beta=true"],
    ["/api/v2/aibridge/anthropic/api/hello", "https://api.anthropic.example/api/hello"],
  ])("%s → %s", (sentTo, url) => {
    const { path, search } = accepted(read(sentTo));
    const route = findRoute(path, NO_HEADERS, BOTH);
    expect(route && targetUrl(route, search)).toBe(url);
  });

  it("a base URL with a path of its own keeps it", () => {
    const azure = openaiProvider({ name: "azure", baseUrl: "https://x.example/openai/v1" });
    const route = findRoute("/azure/v1/responses", NO_HEADERS, providers(azure));
    expect(route && targetUrl(route, "")).toBe("https://x.example/openai/v1/responses");
  });
});

describe("what HEAD / asks of a base URL", () => {
  it.each([
    "/",
    "/openai",
    "/openai/",
    "/anthropic",
    ...ROUTE_PREFIXES,
    ...ROUTE_PREFIXES.map((p) => `${p}/anthropic`),
  ])("%s is a base URL", (path) => {
    expect(isBase(path, BOTH)).toBe(true);
  });

  it.each([
    "/nobody",
    "/openai/v1/models",
    "/openai/x",
    "/api",
    "/api/v2",
    "/api/v2/ai-gatewayx",
    "/__proto__",
  ])("%s is none", (path) => {
    expect(isBase(path, BOTH)).toBe(false);
  });
});

const check = (route: DialectRoute, method: string, headers: Record<string, string> = {}): string | null =>
  reasonOf(checkMethod(route, new Request("https://gateway.example/", { method, headers })));

describe("methods", () => {
  const intercept = OPENAI.dialect.routes.find(({ kind }) => kind === "intercept");
  const passthrough = OPENAI.dialect.routes.find(({ kind }) => kind === "passthrough");
  if (!intercept || !passthrough) throw new Error("the dialect has routes of both kinds");
  it("D7 an intercepted route takes POST alone", () => {
    expect(check(intercept, "POST")).toBeNull();
    for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]) {
      expect(check(intercept, method)).toBe("method_not_allowed");
    }
  });

  it("D7 a passthrough reads and manages, and takes nothing else", () => {
    for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]) {
      expect(check(passthrough, method)).toBeNull();
    }
    for (const method of ["OPTIONS", "TRACE", "PROPFIND"]) {
      expect(check(passthrough, method)).toBe("method_not_allowed");
    }
  });

  it("D7 what a route takes are the methods it can be told of", () => {
    expect(methodsOf(intercept)).toEqual(["POST"]);
    expect(methodsOf(passthrough)).toEqual(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);
  });

  it("D7 is a 405", () => {
    expect(statusOf(checkMethod(intercept, new Request("https://gateway.example/")))).toBe(405);
  });

  it.each(["websocket", "WebSocket", "h2c, websocket"])(
    "D16 an upgrade to %s is E426 on every route",
    (upgrade) => {
      for (const route of [intercept, passthrough]) {
        expect(check(route, "GET", { upgrade, connection: "upgrade" })).toBe("websocket_unsupported");
      }
      const request = new Request("https://gateway.example/", { headers: { upgrade } });
      expect(statusOf(checkMethod(intercept, request))).toBe(426);
    },
  );

  it("another upgrade is just a header", () => {
    expect(check(intercept, "POST", { upgrade: "h2c" })).toBeNull();
  });
});
