/** Through the interceptor to the emulated Cloudflare AI Gateway, in front of both emulated APIs. */
import { afterAll, describe, expect, it } from "vitest";
import { startEmulator, type SeenRequest } from "../../tools/emulator/server.ts";
import { CLIENT_KEY, interceptorOptions, startCheckedInterceptor } from "./exchange.ts";

const TOKEN = "cf-token-0123456789abcdefgh";
const seen: SeenRequest[] = [];
const emulator = await startEmulator({ port: 0, eventMs: 0, onRequest: (request) => seen.push(request) });
afterAll(() => emulator.close());

const behind = (type: string, path: string, more: object = {}) => ({
  type,
  base_url: `${emulator.url}/v1/account/cached/${path}`,
  keys: ["CENTRAL_KEY"],
  ai_gateway: { token: "AIG_TOKEN" },
  ...more,
});
const options = interceptorOptions(
  emulator.url,
  {},
  {
    "aig-openai": behind("openai", "openai"),
    "aig-compat": behind("openai", "compat"),
    "aig-anthropic": behind("anthropic", "anthropic"),
    stored: behind("openai", "openai", { keys: [] }),
    rejected: behind("openai", "openai", { ai_gateway: { token: "BAD_TOKEN" } }),
  },
);
const secrets = { ...options.secrets, AIG_TOKEN: TOKEN, BAD_TOKEN: "cf-rejected-0123456789abcd" };
const interceptor = await startCheckedInterceptor({ ...options, secrets });

const call = (path: string, stream = false): Promise<Response> =>
  fetch(`${interceptor.url}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "anthropic-version": "2023-06-01",
      authorization: `Bearer ${CLIENT_KEY}`,
      "cf-aig-cache-key": "injected",
      "cf-aig-metadata": '{"initiator":"injected"}',
    },
    body: JSON.stringify({ model: "m", max_tokens: 9, stream, messages: [{ role: "user", content: path }] }),
  });

const CHAT = "/v1/chat/completions";

describe("AI Gateway behind the interceptor", () => {
  it.each([
    ["openai", `/aig-openai${CHAT}`, "/v1/account/cached/openai/chat/completions"],
    ["its compatible API", `/aig-compat${CHAT}`, "/v1/account/cached/compat/chat/completions"],
    ["anthropic", "/aig-anthropic/v1/messages", "/v1/account/cached/anthropic/v1/messages"],
    ["a key that it stores", `/stored${CHAT}`, "/v1/account/cached/openai/chat/completions"],
  ])("gets the token and the caller on the way to %s", async (_, path, upstreamPath) => {
    const response = await call(path, true);
    expect(response.status).toBe(200);
    expect(await response.text()).toContain(" said:");
    const id = response.headers.get("x-interception-id") ?? "";
    const { headers, path: sentPath } = seen.at(-1) ?? {};
    expect(sentPath).toBe(upstreamPath);
    expect(headers).toMatchObject({ "cf-aig-authorization": `Bearer ${TOKEN}` });
    expect(JSON.parse(String(headers?.["cf-aig-metadata"]))).toMatchObject({
      initiator: "tester",
      interception_id: id,
    });
    expect(headers).not.toHaveProperty("cf-aig-cache-key");
    expect((await interceptor.recorded(id)).end).toMatchObject({ outcome: "completed", usage: "final" });
  });

  it("costs nothing where its cache has the response", async () => {
    const path = `/aig-openai${CHAT}`;
    const found: unknown[] = [];
    for (let n = 0; n < 2; n += 1) {
      const response = await call(path);
      await response.arrayBuffer();
      const { end } = await interceptor.recorded(response.headers.get("x-interception-id") ?? "");
      found.push([response.headers.get("cf-aig-cache-status"), end.cost_micros, end.cost_source]);
    }
    // The emulated model has no price.
    expect(found).toEqual([
      ["MISS", null, "unpriced"],
      ["HIT", 0, "reported"],
    ]);
  });

  it("rejects a token, and the client learns that the credential is the interceptor's", async () => {
    const response = await call(`/rejected${CHAT}`);
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
      502,
      "upstream_key_rejected",
    ]);
    expect(await response.text()).not.toContain("2009");
    const id = response.headers.get("x-interception-id") ?? "";
    expect((await interceptor.recorded(id)).end).toMatchObject({ error: "upstream_key_rejected" });
  });
});
