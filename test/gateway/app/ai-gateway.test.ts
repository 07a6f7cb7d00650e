/** Cloudflare AI Gateway between the gateway and the provider. */
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { BODY, chatResponse, CLIENT_KEY, json, only, OWN_KEY, post } from "../../support/in-workerd/calls.ts";
import {
  AI_GATEWAY_URL,
  CANARIES,
  ID,
  openGateway,
  type Provider,
} from "../../support/in-workerd/gateway-harness.ts";

const TOKEN = "cf-aig-CANARY-token-0123456789abcdef";
const BASE = { type: "openai", base_url: AI_GATEWAY_URL };
const SECRETS = { AIG_TOKEN: TOKEN };

const open = (settings: Record<string, unknown>, provider: Provider = () => chatResponse()) =>
  openGateway({ provider, vars: { ...SECRETS, PROVIDERS: { aig: { ...BASE, ...settings } } } });

const CHAT = "/aig/v1/chat/completions";
const KEYS = { keys: ["CENTRAL_KEY"] };
const WITH_TOKEN = { ai_gateway: { token: "AIG_TOKEN" } };

const GOVERNED_OWN_KEY = { ...OWN_KEY, "x-coder-ai-governance-token": CANARIES.clientKey };

/** The headers of the first request that the upstream received. */
async function sentTo(settings: Record<string, unknown>, init: RequestInit): Promise<Headers> {
  const gateway = await open(settings);
  const { response } = await gateway.exchange(CHAT, init);
  expect(response.status).toBe(200);
  return gateway.sent[0]?.headers ?? new Headers();
}

/** Those that only the gateway may set. */
const own = (headers: Headers): Record<string, string> =>
  Object.fromEntries([...headers].filter(([name]) => /^(?:cf|x-ai-bridge)-/.test(name)));

describe("a request to AI Gateway", () => {
  it("has the provider's key, the token and the caller", async () => {
    const headers = await sentTo({ ...KEYS, ...WITH_TOKEN }, post(BODY, CLIENT_KEY));
    expect(headers.get("authorization")).toBe(`Bearer ${CANARIES.centralKey}`);
    expect(headers.get("cf-aig-authorization")).toBe(`Bearer ${TOKEN}`);
    expect(JSON.parse(headers.get("cf-aig-metadata") ?? "")).toEqual({
      initiator: "ci-bot",
      actor: "ci-bot",
      attribution: "authenticated",
      client: "Unknown",
      interception_id: ID,
    });
  });

  it("has the token alone where the provider has no keys: AI Gateway stores them", async () => {
    const headers = await sentTo(WITH_TOKEN, post(BODY, CLIENT_KEY));
    expect(headers.has("authorization")).toBe(false);
    expect(headers.get("cf-aig-authorization")).toBe(`Bearer ${TOKEN}`);
  });

  // A client could otherwise choose the cache, the log, the cost or the account, or name another person.
  it.each([
    ["AI Gateway", { ...KEYS, ai_gateway: {} }, ["cf-aig-metadata"]],
    ["another upstream", KEYS, []],
    ["actor headers", { ...KEYS, send_actor_headers: true }, NAMED],
  ])("has no header of the client's that steers %s", async (_, settings, expected) => {
    const headers = await sentTo(
      settings,
      post(BODY, { ...CLIENT_KEY, ...Object.fromEntries(INJECTED.map((name) => [name, "injected"])) }),
    );
    expect(Object.keys(own(headers)).toSorted()).toEqual(expected);
    expect(JSON.stringify([...headers])).not.toContain("injected");
  });

  it.each<readonly [string, Record<string, string>, Record<string, unknown>]>([
    ["a caller that no source verifies", OWN_KEY, WITH_TOKEN],
    ["an own key beside stored keys", GOVERNED_OWN_KEY, WITH_TOKEN],
    ["an own key beside keys of the gateway", GOVERNED_OWN_KEY, { ...KEYS, ...WITH_TOKEN }],
  ])("is refused to %s, for which a token would open the stored keys", async (_, headers, settings) => {
    const gateway = await open(settings);
    const { response } = await gateway.exchange(CHAT, post(BODY, headers));
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
      401,
      "byok_not_accepted",
    ]);
    expect(gateway.sent).toEqual([]);
  });

  it.each([
    ["a caller that no source verifies", OWN_KEY],
    ["a verified caller", GOVERNED_OWN_KEY],
  ])("has the own key of %s where AI Gateway requires no token", async (_, headers) => {
    const sent = await sentTo({ ai_gateway: {} }, post(BODY, headers));
    expect(sent.get("authorization")).toBe(`Bearer ${CANARIES.ownKey}`);
  });
});

const LOG_ID = "01KDZ0V5N8Q2T3R4S5V6W7X8Y9";

function logged(response: Response, cache: string, logId = LOG_ID): Response {
  response.headers.set("cf-aig-log-id", logId);
  response.headers.set("cf-aig-cache-status", cache);
  return response;
}
const attemptsOf = (events: readonly InterceptorEvent[]) =>
  events.flatMap((event) => (event.record_type === "upstream_attempt" ? [event] : []));

describe("a response of AI Gateway", () => {
  it("is recorded with the id of its entry in the logs, which the client gets too", async () => {
    const gateway = await open(KEYS_BEHIND, () => logged(chatResponse(), "MISS"));
    const { response, events } = await gateway.exchange(CHAT, post(BODY, CLIENT_KEY));
    expect(attemptsOf(events)).toMatchObject([
      {
        interception_id: ID,
        position: 0,
        reason: "used",
        status: 200,
        cost_micros: null,
        ai_gateway_log_id: LOG_ID,
        ai_gateway_cache: "MISS",
      },
    ]);
    expect(only(events, "interception_end").cost_micros).toBeGreaterThan(0);
    expect(response.headers.get("cf-aig-log-id")).toBe(LOG_ID);
    expect(response.headers.get("cf-aig-cache-status")).toBe("MISS");
  });

  it("has the id of each attempt, if there are several", async () => {
    let count = 0;
    const gateway = await open({ ...KEYS_BEHIND, retries: { attempts: 2, wait_ms: 0 } }, () => {
      count += 1;
      const error = json('{"error":{"message":"no"}}', { status: count === 1 ? 429 : 200 });
      return logged(count === 1 ? error : chatResponse(), "MISS", `log-${count}`);
    });
    const { events } = await gateway.exchange(CHAT, post(BODY, CLIENT_KEY));
    expect(attemptsOf(events).map(({ ai_gateway_log_id: id }) => id)).toEqual(["log-1", "log-2"]);
  });

  it("from its cache costs nothing, and has the usage that it states", async () => {
    const gateway = await open(KEYS_BEHIND, () => logged(chatResponse(), "HIT"));
    const { events } = await gateway.exchange(CHAT, post(BODY, CLIENT_KEY));
    const end = only(events, "interception_end");
    expect(end).toMatchObject({
      cost_micros: 0,
      cost_source: "reported",
      price_version: null,
      usage: "final",
    });
    expect(end.output_tokens).toBeGreaterThan(0);
    expect(attemptsOf(events)).toMatchObject([{ cost_micros: 0, ai_gateway_cache: "HIT" }]);
  });

  it("of a passthrough is recorded with the id too", async () => {
    const gateway = await open(KEYS_BEHIND, () => logged(json('{"data":[]}'), "MISS"));
    const { events } = await gateway.exchange("/aig/v1/models", { headers: CLIENT_KEY });
    expect(attemptsOf(events)).toMatchObject([{ interception_id: ID, ai_gateway_log_id: LOG_ID }]);
  });

  it("has no attempt without such an id, and none from another upstream that sends one", async () => {
    const without = await open(KEYS_BEHIND);
    expect(attemptsOf((await without.exchange(CHAT, post(BODY, CLIENT_KEY))).events)).toEqual([]);
    const other = await open(KEYS, () => logged(chatResponse(), "HIT"));
    const { events } = await other.exchange(CHAT, post(BODY, CLIENT_KEY));
    expect(attemptsOf(events)).toEqual([]);
    expect(only(events, "interception_end").cost_micros).toBeGreaterThan(0);
  });

  // A token that expired would otherwise put every key of the provider aside.
  it.each([
    `{"success":false,"result":[],"messages":[],"error":[{"code":2009,"message":"Unauthorized"}]}`,
    `{"name":"AiGatewayError","internalCode":2009,"message":"Unauthorized"}`,
  ])("that rejects the token rejects no key: %s", async (body) => {
    const secondKey = "sk-second-0123456789abcdef";
    const gateway = await openGateway({
      provider: () => json(body, { status: 401 }),
      vars: {
        ...SECRETS,
        SECOND_KEY: secondKey,
        PROVIDERS: { aig: { ...BASE, ...WITH_TOKEN, keys: ["CENTRAL_KEY", "SECOND_KEY"] } },
      },
    });
    const { response } = await gateway.exchange(CHAT, post(BODY, CLIENT_KEY));
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
      502,
      "upstream_key_rejected",
    ]);
    expect(gateway.operatorErrors.filter(({ event }) => event === "provider_key_rejected")).toEqual([]);
  });

  it("never shows the token", async () => {
    const gateway = await open({ ...KEYS, ...WITH_TOKEN }, () =>
      json(`{"error":"${TOKEN}"}`, { status: 400 }),
    );
    const { response, text } = await gateway.exchange(CHAT, post(BODY, CLIENT_KEY));
    expect(response.status).toBe(502);
    expect(text).not.toContain(TOKEN);
  });
});

const KEYS_BEHIND = { ...KEYS, ai_gateway: {} };
const NAMED = ["x-ai-bridge-actor-id", "x-ai-bridge-actor-metadata-username"];
const INJECTED = [
  ...NAMED,
  "x-ai-bridge-actor-metadata-email",
  "cf-aig-authorization",
  "cf-aig-metadata",
  "cf-aig-skip-cache",
  "cf-aig-cache-key",
  "cf-aig-cache-ttl",
  "cf-aig-custom-cost",
  "cf-aig-collect-log",
  "cf-aig-collect-log-payload",
  "cf-aig-event-id",
  "cf-aig-max-attempts",
  "cf-aig-gateway-id",
  "cf-aig-byok-alias",
];
