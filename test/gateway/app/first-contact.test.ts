/** The first contact with a gateway: opened in a browser, or called with a wrong base URL. */
import { describe, expect, it } from "vitest";
import { REFUSALS, type RefusalCode } from "../../../src/shared/refusal.ts";
import { ROUTE_PREFIXES } from "../../../src/shared/http/target.ts";
import {
  BODY,
  CENTRAL_CHAT,
  chatResponse,
  CLIENT_KEY,
  json,
  only,
  OWN_KEY,
  post,
} from "../../support/in-workerd/calls.ts";
import { CANARIES, openGateway, PROVIDERS, type Gateway } from "../../support/in-workerd/gateway-harness.ts";

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

const page = async (accept: string | null, method = "GET") => {
  const gateway = await openGateway();
  const exchange = await gateway.exchange("/", { method, headers: accept === null ? {} : { accept } });
  expect([exchange.events, gateway.sent]).toEqual([[], []]);
  return exchange;
};

describe("GET /", () => {
  it.each([
    [BROWSER, "text/html; charset=utf-8"],
    ["*/*", "text/plain; charset=utf-8"],
    [null, "text/plain; charset=utf-8"],
  ])("says what this is to a client that accepts %s, without a credential", async (accept, type) => {
    const { response, text } = await page(accept);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, type]);
    expect(text).toContain("AI Edge Interceptor");
    expect(text).toContain("A client needs a base URL");
    expect(response.headers.get("vary")).toBe("accept");
  });

  // The attack: an unknown caller looks for a version with a known flaw, or for providers whose keys are worth stealing.
  it("names no version and no provider", async () => {
    for (const accept of [BROWSER, "*/*"]) {
      const { text, response } = await page(accept);
      const all = `${text}${[...response.headers].join("\n")}`;
      expect(all).not.toMatch(/\d+\.\d+|hono|cloudflare|workerd|openai|anthropic/i);
      for (const [name, { base_url }] of Object.entries(PROVIDERS)) {
        expect(all).not.toContain(base_url);
        expect(all).not.toContain(`/${name}`);
      }
    }
  });

  it("allows a browser to load, run and frame nothing", async () => {
    const { response, text } = await page(BROWSER);
    expect(response.headers.get("content-security-policy")).toBe(
      "default-src 'none'; frame-ancestors 'none'",
    );
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("referrer-policy")).toBe("no-referrer");
    expect(text.match(/<[^>]*>/g)).toEqual(["<!doctype html>", "<title>", "</title>", "<pre>"]);
  });

  it.each([BROWSER, "*/*"])("has the same headers for HEAD and no body (%s)", async (accept) => {
    const [get, head] = [await page(accept), await page(accept, "HEAD")];
    expect([...head.response.headers]).toEqual([...get.response.headers]);
    expect([head.response.status, head.text]).toEqual([200, ""]);
  });

  it("is not served for a path that only resembles the root", async () => {
    const gateway = await openGateway();
    for (const path of ["/%2f", "//", "/index.html"])
      expect((await gateway.exchange(path)).response.status).toBe(404);
  });
});

type Body = { readonly error: { readonly message: string; readonly code?: string; readonly type: string } };

const ANTHROPIC = { "anthropic-version": "2023-06-01" };

describe("a 404", () => {
  it.each<[string, RefusalCode, "openai" | "anthropic", Record<string, string>?]>([
    ["/openai/v1/v1/v1/chat/completions", "v1_doubled", "openai"],
    ["/v1/v1/v1/v1/responses", "v1_doubled", "openai"],
    ["/anthropic/v1/v1/v1/messages", "v1_doubled", "anthropic"],
    ["/api/v2/ai-gateway/anthropic/v1/v1/v1/messages", "v1_doubled", "anthropic"],
    ["/api/v2/ai-gateway/models", "v1_missing", "openai"],
    ["/api/v2/aibridge/models", "v1_missing", "anthropic", ANTHROPIC],
    ["/openai/v1/files//content", "bad_path", "openai"],
    ["/anthropic/v1/messages///", "bad_path", "anthropic"],
    ["/no-such-provider/v1/chat/completions", "not_found", "openai"],
    ["/no-such-provider/v1/messages", "not_found", "anthropic"],
    ["/anthropic/v1/chat/completions", "not_found", "anthropic"],
    ["/openai/v1/v1/no-such-route", "not_found", "openai"],
    ["/openai/v1", "not_found", "openai"],
    ["/nothing", "not_found", "openai"],
    ["/v1/", "not_found", "openai"],
  ])("for %s says %s in the form of %s", async (path, code, dialect, headers = {}) => {
    const { response, text } = await (
      await openGateway()
    ).exchange(path, { method: "POST", body: "{}", headers: { ...OWN_KEY, ...headers } });
    const { error } = JSON.parse(text) as Body;
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([404, code]);
    expect(error.message).toBe(REFUSALS[code][1]);
    // Only OpenAI's form has a code.
    expect([error.type, error.code]).toEqual(["not_found_error", dialect === "openai" ? code : undefined]);
  });

  it("says what the base URL should be", () => {
    expect(REFUSALS.not_found[1]).toContain("The base URL ends in /PROVIDER/v1 for OpenAI clients");
    expect(REFUSALS.v1_doubled[1]).toContain("Remove /v1 from the base URL");
    expect(REFUSALS.v1_missing[1]).toContain("Add /v1 to the end of the base URL");
    expect(REFUSALS.bad_path[1]).toContain("The base URL must not end in a slash");
  });

  it("is not the response to a base URL whose mistake is known: the client gets its model's response", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    for (const path of [
      "/openai/v1//chat/completions",
      "/openai/chat/completions/",
      "/v1/v1/chat/completions",
    ]) {
      const { response, events } = await gateway.exchange(path, post(BODY));
      expect(response.status).toBe(200);
      expect(only(events, "interception_start")).toMatchObject({
        provider: "openai",
        route: "/chat/completions",
      });
    }
    const urls = new Set(gateway.sent.map(({ url }) => url));
    expect([...urls]).toEqual(["https://api.openai.example/v1/chat/completions"]);
  });

  it.each(["GET", "HEAD", "PUT", "OPTIONS"])(
    "has the methods of the canonical route: %s is refused",
    async (method) => {
      const gateway = await openGateway();
      for (const path of ["/openai/v1//chat/completions", "/openai/chat/completions"]) {
        const { response } = await gateway.exchange(path, { method, headers: OWN_KEY });
        expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
      }
    },
  );

  // The attack: a link to the gateway whose path is a message, which an application displays as an error of the gateway.
  it("repeats nothing that the client sent", async () => {
    const gateway = await openGateway();
    for (const path of ["/CANARY", "/openai/CANARY", "/openai/v1/v1/v1/models/CANARY", "/openai/CANARY/x"])
      expect((await gateway.exchange(path, { headers: OWN_KEY })).text).not.toContain("CANARY");
  });
});

describe("HEAD of the probe that Claude Code sends when it starts, without a credential", () => {
  it.each(
    ["", ...ROUTE_PREFIXES].flatMap((prefix) =>
      [
        "/api/hello",
        "/anthropic/api/hello",
        "/anthropic/v1/api/hello",
        "/anthropic//api/hello",
        "/v1/api/hello",
      ].flatMap((path) => [prefix + path, `${prefix}${path}/`]),
    ),
  )("%s gets 200, no event is recorded and nothing is fetched", async (path) => {
    const gateway = await openGateway();
    const { response, text, events } = await gateway.exchange(path, { method: "HEAD" });
    expect([response.status, text, events, gateway.sent]).toEqual([200, "", [], []]);
  });

  it("is a GET that is not: it needs a credential", async () => {
    for (const path of ["/anthropic/api/hello", "/anthropic/v1/api/hello"])
      expect((await (await openGateway()).exchange(path)).response.status).toBe(401);
  });
});

const rejecting = (keys: readonly string[]): Promise<Gateway> =>
  openGateway({
    vars: {
      PROVIDERS: { central: { ...PROVIDERS.central, keys } },
      SECOND_KEY: CANARIES.centralKey,
    },
    provider: () =>
      json(`{"error":{"message":"Incorrect API key: ${CANARIES.centralKey}"}}`, { status: 401 }),
  });

describe("a provider's response that quotes the central key", () => {
  it.each([
    ["final where it is the only key", ["CENTRAL_KEY"], "false"],
    ["not final where a retry may get another key", ["CENTRAL_KEY", "SECOND_KEY"], null],
  ] as const)("is %s", async (_, keys, expected) => {
    const { response } = await (await rejecting(keys)).exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    expect([response.status, response.headers.get("x-should-retry")]).toEqual([502, expected]);
  });
});
