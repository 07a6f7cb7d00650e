/** The gateway's own routes on the records Worker's host: which requests reach the gateway, and what a failure becomes. */
import { describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import type { Reader } from "../../../src/records/console/reader.ts";
import type { Scope } from "../../../src/shared/scopes.ts";
import { fetchApi, TOKEN, type FetchOptions } from "../../support/in-workerd/api-client.ts";

const GATEWAY_ID = "00000000-0000-7000-8000-00000000000a";
const JSON_BODY = { method: "POST", body: '{"a":1}' };

/** A gateway that keeps what it gets. */
function keepingGateway() {
  const requests: Request[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    requests.push(request);
    const headers = { "x-interception-id": GATEWAY_ID, "x-interceptor-error": "field_invalid" };
    return Response.json({ message: "of the gateway" }, { status: 400, headers });
  };
  return { requests, gateway: { fetch } };
}

const ROUTES: readonly (readonly [path: string, options: FetchOptions])[] = [
  ["/budgets?limit=3", {}],
  ["/budgets/changes", JSON_BODY],
  ["/spend/corrections", JSON_BODY],
  ["/explain", JSON_BODY],
];

/** The routes that change something. */
const CHANGES: ReadonlySet<string> = new Set(["/budgets/changes", "/spend/corrections"]);

const readerWith = (...scopes: Scope[]): FetchOptions => ({
  admit: () => Promise.resolve({ by: "console:test", scopes } satisfies Reader),
});

describe("a route of the gateway, with the binding GATEWAY", () => {
  it.each(ROUTES)(
    "is forwarded unchanged, and the response keeps its status and id: %s",
    async (path, options) => {
      const { requests, gateway } = keepingGateway();
      const headers = {
        authorization: `Bearer ${TOKEN}`,
        host: "console.example",
        cookie: "__Host-console=x",
        origin: "https://console.example",
        "sec-fetch-site": "same-origin",
        "x-csrf-token": "csrf",
        "cf-access-jwt-assertion": "jwt",
      };
      const response = await fetchApi(path, { ...options, headers, gateway });
      expect([response.status, response.json]).toEqual([400, { message: "of the gateway" }]);
      expect(response.headers.get("x-interception-id")).toBe(GATEWAY_ID);
      expect(response.headers.get("x-interceptor-error")).toBe("field_invalid");
      expect(response.headers.get("cache-control")).toBe("no-store");
      // The gateway records its own refusal.
      expect(response.refusal).toBeNull();
      const [request] = requests;
      expect(request?.url).toBe(`https://interceptor.example/api/v2/ai-gateway${path}`);
      expect(request?.method).toBe(options.method ?? "GET");
      expect(Object.fromEntries(request?.headers ?? [])).toMatchObject(headers);
      expect(await request?.text()).toBe(options.body ?? "");
    },
  );

  it("is not forwarded for a caller whom the records Worker refuses", async () => {
    const { requests, gateway } = keepingGateway();
    for (const [path, options] of ROUTES)
      expect((await fetchApi(path, { ...options, headers: {}, gateway })).refusal?.code).toBe("admin_only");
    for (const path of ["/budgets/changes", "/spend/corrections"]) {
      const { refusal } = await fetchApi(path, { ...JSON_BODY, ...readerWith("read"), gateway });
      expect([path, refusal?.code]).toEqual([path, "scope_missing"]);
    }
    expect(requests).toEqual([]);
  });

  // The gateway accepts no HEAD for its own routes.
  it("is refused with 405 for HEAD, and not forwarded", async () => {
    const { requests, gateway } = keepingGateway();
    for (const [path, { method = "GET" }] of ROUTES) {
      const { status, headers } = await fetchApi(path, { method: "HEAD", gateway });
      expect([path, status, headers.get("allow")]).toEqual([path, 405, method]);
    }
    expect(requests).toEqual([]);
  });

  // The attack: a path of the records Worker, or of a provider, comes back to it through the gateway, for ever.
  it("is the only one that is forwarded", async () => {
    const { requests, gateway } = keepingGateway();
    const others = ENDPOINTS.filter(({ path }) => !ROUTES.some(([route]) => route.split("?")[0] === path));
    for (const { path } of others) await fetchApi(path.replace(/\{\w+\}/, "s"), { gateway });
    for (const path of ["/me/spend", "/budgets/", "/budgets/x", "/openai/v1/models", "/explain/x"])
      expect([path, (await fetchApi(path, { gateway })).status]).toEqual([path, 404]);
    expect((await fetchApi("/budgets", { ...JSON_BODY, gateway })).status).toBe(405);
    expect(requests).toEqual([]);
  });

  it.each<readonly [string, () => Promise<Response>]>([
    [
      "the call fails, as with a version without the entrypoint",
      () => Promise.reject(new TypeError("no entrypoint")),
    ],
    [
      "the platform responds in its place",
      () => Promise.resolve(new Response("error code: 1101", { status: 500 })),
    ],
  ])("is refused with 503 where %s", async (_, fetch) => {
    for (const [path, options] of ROUTES) {
      const { status, headers, text, refusal } = await fetchApi(path, { ...options, gateway: { fetch } });
      expect([status, refusal?.code]).toEqual([503, "gateway_unavailable"]);
      // The connection may have failed after the change.
      expect([path, headers.get("retry-after")]).toEqual([path, CHANGES.has(path) ? null : "10"]);
      expect(text.includes("may have been")).toBe(CHANGES.has(path));
      expect(text.includes("with the same change_id")).toBe(path === "/budgets/changes");
      expect(text).not.toMatch(/1101|entrypoint/);
    }
  });
});

it("a route of the gateway is not found without the binding", async () => {
  for (const [path, options] of ROUTES)
    expect((await fetchApi(path, options)).refusal?.data.detail).toContain("the gateway serves");
});
