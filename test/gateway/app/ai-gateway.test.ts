/** Cloudflare AI Gateway between the gateway and the provider. */
import { describe, expect, it } from "vitest";
import { BODY, chatResponse, CLIENT_KEY, OWN_KEY, post } from "../../support/in-workerd/calls.ts";
import { CANARIES, ID, openGateway, type Provider } from "../../support/in-workerd/gateway-harness.ts";

const TOKEN = "cf-aig-CANARY-token-0123456789abcdef";
const BASE = { type: "openai", base_url: "https://gateway.ai.cloudflare.com/v1/acc/gw/openai" };
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
  await gateway.exchange(CHAT, init);
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
