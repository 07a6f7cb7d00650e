/** The entrypoint that the records Worker is bound to: the gateway's own API routes, and nothing else of the gateway. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { RecordsService } from "../../src/events/records-service.ts";
import { OwnRoutes } from "../../src/gateway/index.ts";
import { GATHER_MS } from "../../src/gateway/sinks/batch-events.ts";
import { GROUP_MS } from "../../src/gateway/sinks/refusal-counts.ts";
import { API_ROUTES } from "../../src/shared/api-routes.ts";
import { sha256Hex } from "../../src/shared/digest.ts";
import { Refusal } from "../../src/shared/refusal.ts";

const BASE = "/api/v2/ai-gateway";
const KEY = "aei_client-0123456789-abcdefghijklmnop";

afterEach(() => {
  vi.restoreAllMocks();
});

type Called = { readonly forwarded: string[]; readonly authorized: unknown[] };

/** A records Worker that admits any caller. */
function openRecords(called: Called): RecordsService {
  return {
    fetch: async (request) => {
      called.forwarded.push(request.url);
      return Response.json({ results: [] });
    },
    store: () => Promise.resolve(),
    spendOf: () => Promise.resolve(null),
    authorize: async (headers, scope) => {
      called.authorized.push([headers.session?.host, headers.session?.cookie, scope]);
      return { by: "console:ada" };
    },
  };
}

const real = setTimeout;

/** One request to the entrypoint, with the network watched. */
async function call(path: string, init: RequestInit = {}, vars: Record<string, unknown> = {}) {
  const called: Called = { forwarded: [], authorized: [] };
  // Batches and the counts of refusals are written at once.
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((fire: () => void, ms?: number) =>
    real(fire, ms === GATHER_MS || ms === GROUP_MS ? 0 : ms)) as typeof setTimeout);
  const fetched = vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("no network"));
  const lines = vi.spyOn(console, "log").mockImplementation(() => undefined);
  const env = {
    PROVIDERS: { openai: { type: "openai", base_url: "https://api.openai.example/v1" } },
    IDENTITY: [{ source: "keys" }],
    CLIENT_KEYS: JSON.stringify([{ sha256: await sha256Hex(KEY), actor: "ada", kind: "user" }]),
    RECORDS: openRecords(called),
    ...vars,
  };
  const context = createExecutionContext();
  const request = new Request(`https://console.example${path}`, init as never) as unknown as Request;
  const response = await new OwnRoutes(context, env).fetch(request);
  const text = await response.text();
  await waitOnExecutionContext(context);
  const logged = lines.mock.calls.map(String).join("\n");
  return { response, text, ...called, logged, fetched: fetched.mock.calls.length };
}

const HEADERS = { host: "console.example", cookie: "__Host-console=session" };
const CLIENT = { authorization: `Bearer ${KEY}` };

describe("the gateway's entrypoint for the records Worker", () => {
  it("authorizes by the records Worker, with the host and the cookie of the request, also where FORWARD_API is false", async () => {
    for (const vars of [{}, { FORWARD_API: false }]) {
      const { response, authorized } = await call(
        `${BASE}/explain`,
        {
          method: "POST",
          headers: HEADERS,
          body: JSON.stringify({ method: "GET", path: "/openai/v1/models", headers: {} }),
        },
        vars,
      );
      expect(response.status).toBe(200);
      expect(authorized).toEqual([["console.example", HEADERS.cookie, "read"]]);
    }
  });

  // The attack: the binding carries a request to a provider, or to the records Worker, which would send it back.
  it.each([
    "/openai/v1/models",
    "/v1/models",
    "/api/v2/ai-gateway/openai/v1/models",
    "/healthz",
    "/",
    "/console",
    "/console/api/session",
    `${BASE}/budgets/changes/x`,
    `${BASE}/me/spend`,
    ...API_ROUTES.filter((route) => !["budgets", "explain"].includes(route)).map(
      (route) => `${BASE}/${route}`,
    ),
  ])("responds to %s with 404, and fetches and forwards nothing", async (path) => {
    const { response, forwarded, authorized, fetched } = await call(path, { headers: CLIENT });
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([404, "not_found"]);
    expect(response.headers.has("x-interception-id")).toBe(true);
    expect([forwarded, authorized, fetched]).toEqual([[], [], 0]);
  });

  it("responds with 503 where the gateway has no binding to the records Worker", async () => {
    const { response } = await call(`${BASE}/budgets`, { headers: HEADERS }, { RECORDS: undefined });
    expect(response.headers.get("x-interceptor-error")).toBe("records_unavailable");
  });

  // The console shows the message of the API's error form only.
  it("responds with 500 in the API's error form where the gateway's configuration is invalid", async () => {
    const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const { response, text } = await call(`${BASE}/budgets`, {}, { PROVIDERS: { x: { type: "none" } } });
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([500, "misconfigured"]);
    expect(response.headers.has("x-interception-id")).toBe(true);
    expect(JSON.parse(text)).toEqual({ message: new Refusal("misconfigured").message });
    errors.mockRestore();
  });
});
