/** Calls from web pages: preflight requests, and what a page may read of a response. */
import { describe, expect, it } from "vitest";
import { ROUTE_PREFIXES } from "../../../src/shared/http/target.ts";
import { BODY, CHAT, chatResponse, CLIENT_KEY, OWN_KEY, post } from "../../support/in-workerd/calls.ts";
import {
  CANARIES,
  openGateway,
  type Gateway,
  type Provider,
} from "../../support/in-workerd/gateway-harness.ts";

const APP = "https://app.example";
const CORS = { origins: [APP, "http://localhost:3000"], max_age_s: 60 };

const openWithCors = (provider?: Provider): Promise<Gateway> =>
  openGateway({ vars: { CORS }, ...(provider && { provider }) });

const preflight = (headers: Record<string, string> = {}): RequestInit => ({
  method: "OPTIONS",
  headers: { origin: APP, "access-control-request-method": "POST", ...headers },
});

const corsHeaders = ({ headers }: Response): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-") || name === "vary"));

describe("a preflight request of a listed origin", () => {
  it.each(["", ...ROUTE_PREFIXES])("gets 204 without a credential and an event, under %j", async (prefix) => {
    const gateway = await openWithCors();
    for (const [path, methods] of [
      [CHAT, "POST"],
      ["/v1/messages", "POST"],
      ["/openai/v1//chat/completions", "POST"],
      ["/anthropic/v1/models", "GET, HEAD, DELETE"],
      ["/openai/v1/files/file-1", "GET, HEAD, POST, PUT, PATCH, DELETE"],
    ] as const) {
      const init = preflight({ "access-control-request-headers": "authorization, x-stainless-os" });
      const { response, events, text } = await gateway.exchange(prefix + path, init);
      expect([response.status, text, events]).toEqual([204, "", []]);
      expect(corsHeaders(response)).toMatchObject({
        "access-control-allow-origin": APP,
        "access-control-allow-methods": methods,
        "access-control-allow-headers": "authorization, x-stainless-os",
        "access-control-max-age": "60",
        vary: "origin",
      });
      expect(response.headers.has("access-control-allow-credentials")).toBe(false);
    }
    expect(gateway.sent).toEqual([]);
  });

  it.each([
    ["Authorization,X-Stainless-Lang , content-type", "authorization, x-stainless-lang, content-type"],
    ["x-ok, bad name, also(bad), é, , x-two", "x-ok, x-two"],
    ["*", null],
    ["", null],
    [",,,", null],
    ["x".repeat(129), null],
    [
      Array.from({ length: 200 }, (_, at) => `x-${at}`).join(),
      Array.from({ length: 64 }, (_, at) => `x-${at}`).join(", "),
    ],
  ])("gets back only names of headers: %.60s", async (sent, allowed) => {
    const init = preflight({ "access-control-request-headers": sent });
    const { response } = await (await openWithCors()).exchange(CHAT, init);
    expect(response.headers.get("access-control-allow-headers")).toBe(allowed);
  });
});

describe("a preflight request that is refused", () => {
  it.each([
    ["https://evil.example"],
    ["https://app.example.evil.example"],
    ["https://sub.app.example"],
    ["http://app.example"],
    ["https://app.example:8443"],
    ["https://APP.example"],
    ["null"],
    ["*"],
    [`${APP}, ${APP}`],
    [`${APP}/`],
  ])("is one of the origin %s", async (origin) => {
    const { response, events } = await (await openWithCors()).exchange(CHAT, preflight({ origin }));
    expect([response.status, corsHeaders(response)]).toEqual([405, { vary: "origin" }]);
    expect(events).toHaveLength(1);
  });

  it("is one without an origin, or of another kind", async () => {
    const gateway = await openWithCors();
    for (const headers of [{ origin: APP }, { "access-control-request-method": "POST" }] as Record<
      string,
      string
    >[])
      expect((await gateway.exchange(CHAT, { method: "OPTIONS", headers })).response.status).toBe(405);
  });

  it.each(["/nothing", "/openai/v1/fine_tuning/jobs", "/openai", "/", "/healthz"])(
    "is one of %s, which is no route",
    async (path) => {
      const { response } = await (await openWithCors()).exchange(path, preflight());
      expect([response.status, response.headers.has("access-control-allow-methods")]).toEqual([404, false]);
    },
  );

  // The attack: a page of a listed origin reads the records with a token that the operator's browser holds.
  it("is one of the records API", async () => {
    for (const path of ["/api/v2/ai-gateway/sessions", "/api/v2/aibridge/explain"]) {
      const { response } = await (await openWithCors()).exchange(path, preflight());
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(corsHeaders(response)).toEqual({});
    }
  });

  it("is every one without the table CORS", async () => {
    const { response } = await (await openGateway()).exchange(CHAT, preflight());
    expect([response.status, corsHeaders(response)]).toEqual([405, {}]);
  });
});

/** A provider that has a policy of its own about web pages. */
const limited: Provider = () => {
  const { body, headers } = chatResponse();
  const all = new Headers(headers);
  for (const [name, value] of Object.entries({
    "x-ratelimit-remaining-tokens": "9",
    "anthropic-ratelimit-requests-limit": "4",
    vary: "Accept-Encoding",
    "access-control-allow-origin": "*",
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "set-cookie",
    "access-control-max-age": "86400",
  }))
    all.set(name, value);
  return new Response(body, { headers: all });
};

describe("the response to a page", () => {
  it("can be read by a listed origin, with the headers that clients read", async () => {
    const { response } = await (
      await openWithCors(limited)
    ).exchange(CHAT, post(BODY, { ...OWN_KEY, origin: APP }));
    expect(response.status).toBe(200);
    expect(corsHeaders(response)).toEqual({
      "access-control-allow-origin": APP,
      "access-control-expose-headers":
        "x-interception-id, x-interceptor-error, x-should-retry, retry-after, retry-after-ms, request-id, x-request-id, anthropic-ratelimit-requests-limit, x-ratelimit-remaining-tokens",
      vary: "Accept-Encoding, origin",
    });
  });

  it("can be read where it is a refusal, so that the page sees the reason", async () => {
    const gateway = await openWithCors();
    for (const path of [CHAT, "/nothing"]) {
      const { response } = await gateway.exchange(path, post(BODY, { origin: APP }));
      expect(response.headers.get("access-control-allow-origin")).toBe(APP);
      expect(response.headers.get("access-control-expose-headers")).toContain("x-interceptor-error");
    }
  });

  // The attack: a provider lets every page read its responses, and the gateway would pass that on for its own origin.
  it.each([
    ["another origin", { origin: "https://evil.example" }, { vary: "Accept-Encoding, origin" }],
    ["no page", {}, { vary: "Accept-Encoding, origin" }],
  ])("has no access-control header of the provider for %s", async (_, headers, expected) => {
    const { response } = await (
      await openWithCors(limited)
    ).exchange(CHAT, post(BODY, { ...OWN_KEY, ...headers }));
    expect([response.status, corsHeaders(response)]).toEqual([200, expected]);
  });

  it("has none without the table CORS either, on a passthrough too", async () => {
    const gateway = await openGateway({ provider: limited });
    for (const [path, init] of [
      [CHAT, post(BODY, { ...OWN_KEY, origin: APP })],
      ["/openai/v1/models", { headers: { ...OWN_KEY, origin: APP } }],
    ] as const)
      expect(corsHeaders((await gateway.exchange(path, init)).response)).toEqual({ vary: "Accept-Encoding" });
  });

  it("is the same in every other respect", async () => {
    const plain = await (await openGateway({ provider: chatResponse })).exchange(CHAT, post(BODY));
    const page = await (
      await openWithCors(chatResponse)
    ).exchange(CHAT, post(BODY, { ...OWN_KEY, origin: APP }));
    expect([page.response.status, page.text]).toEqual([plain.response.status, plain.text]);
    expect(page.events).toHaveLength(plain.events.length);
  });

  it("is served for a client key that the page sends", async () => {
    const gateway = await openWithCors(chatResponse);
    await gateway.exchange("/central/v1/chat/completions", post(BODY, { ...CLIENT_KEY, origin: APP }));
    expect(gateway.sent[0]?.headers.get("authorization")).toBe(`Bearer ${CANARIES.centralKey}`);
  });
});
