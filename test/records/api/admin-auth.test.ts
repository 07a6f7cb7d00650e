import { beforeEach, describe, expect, it } from "vitest";
import { createApi } from "../../../src/records/api/api.ts";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { ROUTE_PREFIXES } from "../../../src/shared/http/target.ts";
import { ask, good, part, TOKEN } from "../../support/in-workerd/api-client.ts";
import { emptyLedger, insert, interception, T0, throughLedger } from "../../support/in-workerd/api-rows.ts";

beforeEach(async () => {
  await emptyLedger();
  await insert("interceptions", [interception(T0, { client_session_id: "s" })]);
});

const EVERY = ENDPOINTS.map(({ path }) => path.replace("{session_id}", "s"));
/** Those that are asked by GET. */
const PATHS = ENDPOINTS.filter(({ body }) => !body).map(({ path }) => path.replace("{session_id}", "s"));

describe("who may ask the API", () => {
  it.each([
    ["a bearer token", { authorization: `Bearer ${TOKEN}` }],
    ["in any case, with blanks around", { authorization: `  bEaReR   ${TOKEN} ` }],
    ["Coder's own header", { "coder-session-token": TOKEN }],
    ["both, the same", { authorization: `Bearer ${TOKEN}`, "coder-session-token": TOKEN }],
  ])("the admin: %s", async (_, headers) => {
    for (const path of PATHS) expect((await ask(path, { headers })).status).toBe(200);
  });

  it.each<[string, Record<string, string>]>([
    ["nothing", {}],
    ["another token", { authorization: "Bearer another-token-12345678" }],
    ["an empty bearer", { authorization: "Bearer " }],
    ["only blanks", { authorization: "Bearer    ", "coder-session-token": "   " }],
    ["an empty session token", { "coder-session-token": "" }],
    ["a prefix of it", { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
    ["one more character", { authorization: `Bearer ${TOKEN}0` }],
    ["another case", { authorization: `Bearer ${TOKEN.toUpperCase()}` }],
    ["a blank within", { authorization: `Bearer ${TOKEN.slice(0, 5)} ${TOKEN.slice(5)}` }],
    ["the bare token", { authorization: TOKEN }],
    ["basic", { authorization: `Basic ${btoa(`admin:${TOKEN}`)}` }],
    ["twice in one field", { authorization: `Bearer ${TOKEN}, Bearer ${TOKEN}` }],
    ["a good one beside a bad one", { authorization: `Bearer ${TOKEN}`, "coder-session-token": "other" }],
    ["a bad one beside a good one", { authorization: "Bearer other", "coder-session-token": TOKEN }],
    ["basic beside a good one", { authorization: "Basic YTpi", "coder-session-token": TOKEN }],
    ["empty beside a good one", { authorization: "", "coder-session-token": TOKEN }],
    ["a client's headers", { "x-api-key": TOKEN, "x-coder-ai-governance-token": TOKEN }],
    ["a cookie", { cookie: `coder_session_token=${TOKEN}` }],
  ])("nobody else: %s", async (_, headers) => {
    for (const path of EVERY) {
      const { status, json, refusal } = await ask(path, { headers });
      expect(status).toBe(401);
      expect(refusal?.code).toBe("admin_only");
      expect(Object.keys(json as object)).toEqual(["message"]);
    }
  });

  // The attack: whoever reads the configuration (a dump, a log) presents what stands there.
  it("the token's hash is no token", async () => {
    const headers = { authorization: `Bearer ${await sha256Hex(TOKEN)}` };
    expect((await ask("/usage", { headers })).status).toBe(401);
  });

  it("where no token is set, nobody: not even who presents nothing", async () => {
    for (const headers of [{}, { authorization: "Bearer " }, { authorization: "Bearer null" }]) {
      const { status, refusal } = await ask("/usage", { headers, adminTokenSha256: null });
      expect(status).toBe(401);
      expect(refusal?.data.detail).toBe("ADMIN_TOKEN is not set");
    }
  });

  it.each(["", "00", "zz".repeat(32)])("a hash that is none (%j) admits nobody", async (adminTokenSha256) => {
    expect((await ask("/usage", { adminTokenSha256 })).status).toBe(401);
  });

  it("the empty text's hash does not admit an empty token", async () => {
    const adminTokenSha256 = await sha256Hex("");
    for (const headers of [{}, { authorization: "Bearer " }, { "coder-session-token": "" }])
      expect((await ask("/usage", { headers, adminTokenSha256 })).status).toBe(401);
  });

  it("a stranger learns neither of filters nor of sessions nor of methods nor of the database", async () => {
    const asking = { headers: { authorization: "Bearer other" } };
    const told = await Promise.all([
      ask("/usage", asking),
      ask("/usage?limit=0", asking),
      ask("/usage?no_such=1", asking),
      ask("/sessions/none", asking),
      ask("/sessions/s", asking),
      ask("/usage/no/such", asking),
      ask("/usage", { ...asking, method: "DELETE" }),
      ask("/explain", { ...asking, method: "POST", body: "{" }),
      ask("/usage", { ...asking, database: null }),
    ]);
    expect(new Set(told.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
  });
});

describe("what the API takes", () => {
  const api = createApi({ database: null, adminTokenSha256: null, now: () => T0 });

  it("the endpoints' names under both prefixes, and whatever is below them", () => {
    for (const prefix of ROUTE_PREFIXES) {
      for (const name of EVERY.map((path) => path.split("/")[1])) {
        expect(api.hasPath(`${prefix}/${name}`)).toBe(true);
        expect(api.hasPath(`${prefix}/${name}/x/y`)).toBe(true);
      }
    }
  });

  it.each([
    "/sessions",
    "/usage",
    "/v1/messages",
    "/api/v2/ai-gateway",
    "/api/v2/ai-gateway/",
    "/api/v2/ai-gateway/openai/v1/chat/completions",
    "/api/v2/ai-gateway/sessions-of-mine/v1/messages",
    "/api/v2/ai-gateway/Sessions",
    "/api/v2/ai-gateway/%73essions",
    "/api/v2/ai-gateway/openai/sessions",
    "/api/v2/ai-gatewaysessions",
    "/x/api/v2/ai-gateway/sessions",
  ])("no provider's route: %s", (path) => {
    expect(api.hasPath(path)).toBe(false);
  });

  it("the same under either prefix", async () => {
    const [first, second] = await Promise.all(
      ROUTE_PREFIXES.map((prefix) => good("/interceptions", { prefix })),
    );
    expect(part(first, "count")).toBe(1);
    expect(second).toEqual(first);
  });

  it.each(["/sessions/", "/sessions/a/b", "/usage/", "/usage/x", "/openapi.json/x", "/sessions/%ff"])(
    "404 for what is not there: %s",
    async (path) => {
      expect((await ask(path)).refusal?.code).toBe("not_found");
    },
  );

  it.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])("405 for %s", async (method) => {
    expect((await ask("/usage", { method })).refusal?.code).toBe("method_not_allowed");
  });

  it.each(["GET", "HEAD", "PUT", "DELETE"])(
    "405 for %s where what is asked stands in a body",
    async (method) => {
      expect((await ask("/explain", { method })).refusal?.code).toBe("method_not_allowed");
    },
  );

  it("a HEAD is answered like a GET, without the body", async () => {
    for (const path of PATHS) {
      const head = await ask(path, { method: "HEAD" });
      const get = await ask(path);
      expect(head.status).toBe(200);
      expect(head.text).toBe("");
      expect([...head.headers]).toEqual([...get.headers]);
    }
    expect((await ask("/usage?limit=0", { method: "HEAD" })).status).toBe(400);
  });

  it("no answer is kept by a cache, nor run by a browser", async () => {
    for (const path of [...PATHS, "/usage?format=csv"]) {
      const { headers } = await ask(path);
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
  });
});

describe("a ledger that cannot be read", () => {
  const asking = PATHS.filter((path) => path !== "/openapi.json");

  it("none at all: 503, but for the document", async () => {
    for (const path of asking)
      expect((await ask(path, { database: null })).refusal?.code).toBe("ledger_unavailable");
    expect((await ask("/openapi.json", { database: null })).status).toBe(200);
  });

  it("a failing one: 503, and nothing of SQL in the answer", async () => {
    const failure = new Error("D1_ERROR: no such table: interceptions: SQLITE_ERROR");
    for (const path of asking) {
      const { status, text, refusal } = await ask(path, { database: throughLedger({ failure }) });
      expect(status).toBe(503);
      expect(text).not.toMatch(/sql|d1|table|select/i);
      expect(refusal?.data.detail).toContain("no such table");
    }
  });

  it("one without its tables: the same", async () => {
    const without = throughLedger({ change: (sql) => sql.replaceAll("interceptions", "no_such_table") });
    const { status, text, refusal } = await ask("/sessions", { database: without });
    expect([status, refusal?.code]).toEqual([503, "ledger_unavailable"]);
    expect(text).not.toContain("no_such_table");
  });

  it("a bad filter is said all the same", async () => {
    expect((await ask("/usage?limit=0", { database: null })).status).toBe(400);
  });
});
