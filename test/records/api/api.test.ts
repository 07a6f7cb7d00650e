/** The records Worker's API app: routing, methods, headers, and the report of refusals. */
import { beforeEach, describe, expect, it } from "vitest";
import { createApi } from "../../../src/records/api/api.ts";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import { proveCheckpoint, proveEvent } from "../../../src/records/ledger/seal/proof.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { ROUTE_PREFIXES } from "../../../src/shared/http/target.ts";
import { fetchApi, fetchOk, part } from "../../support/in-workerd/api-client.ts";
import { database, insert, interception, T0, wrapLedger } from "../../support/in-workerd/api-rows.ts";
import { D1_FAILURES } from "../../support/in-workerd/d1-failures.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { admitTokens } from "../../support/in-workerd/api-client.ts";

beforeEach(async () => {
  await emptyLedger();
  await insert("interceptions", [interception(T0, { client_session_id: "s" })]);
});

/** The paths of GET endpoints, without those of seals.test.ts, which need a sealed event. */
const PATHS = ENDPOINTS.filter(
  ({ isOfGateway, path }) => !isOfGateway && !/^\/(?:proof|checkpoint)/.test(path),
).map(({ path }) => path.replace("{session_id}", "s"));
const NO_TOKEN = { headers: {} };

describe("routes of the API", () => {
  it("serves the same under both prefixes", async () => {
    for (const path of PATHS) {
      const [first, second] = await Promise.all(ROUTE_PREFIXES.map((prefix) => fetchOk(path, { prefix })));
      expect(second).toEqual(first);
    }
    expect(part(await fetchOk("/sessions"), "sessions", 0, "id")).toBe("s");
  });

  it.each([
    "/sessions/",
    "/sessions/a/b",
    "/usage/",
    "/usage/x",
    "/openapi.json/x",
    "/openapiXjson",
    "/sessions/%ff",
    "/sessions/%c0%af",
    "/%73essions",
    "/Sessions",
    "/sessions-of-mine",
    "/openai/v1/chat/completions",
    "/openai/sessions",
    "/",
    "",
    "/*",
    "/{session_id}",
    "/:session_id",
  ])("refuses an unknown path below a prefix only after authorization: %s", async (path) => {
    for (const prefix of ROUTE_PREFIXES) {
      expect((await fetchApi(path, { prefix })).refusal?.code).toBe("not_found");
      expect((await fetchApi(path, { prefix, ...NO_TOKEN })).refusal?.code).toBe("admin_only");
    }
  });

  it.each([
    "/",
    "/sessions",
    "/usage",
    "/v1/messages",
    "/api/v2/ai-gatewaysessions",
    "/x/api/v2/ai-gateway/sessions",
  ])("refuses a path outside the prefixes, with and without the admin token: %s", async (path) => {
    for (const options of [{}, NO_TOKEN]) {
      const { status, refusal, json } = await fetchApi(path, { prefix: "", ...options });
      expect([status, refusal?.code, Object.keys(json as object)]).toEqual([404, "not_found", ["message"]]);
    }
  });

  // The attack: an escape or a doubled slash makes another path look like the API's, or the reverse.
  it.each([
    "//sessions",
    "/x%2fsessions",
    "/sessions/a%2eb",
    "/sessions/a%2Fb",
    "/sessions/%5c",
    "/sessions/%00",
  ])("refuses an ambiguous path before it is routed: %s", async (path) => {
    const { status, refusal } = await fetchApi(path);
    expect([status, refusal?.code]).toEqual([404, "bad_path"]);
  });

  it("refuses a URL over 16 KiB", async () => {
    const { status, refusal } = await fetchApi(`/usage?model=${"m".repeat(16_384)}`);
    expect([status, refusal?.code]).toEqual([414, "url_too_long"]);
  });

  // The attack: the Host header moves the real path into the query, or a query in front of the real path.
  it("routes by the path behind the Host header", async () => {
    const refusals: string[] = [];
    const reads: string[] = [];
    const app = createApi({
      gateway: null,
      database,
      admit: admitTokens(await sha256Hex("t")),
      seals: { isOn: false, proveEvent, proveCheckpoint },
      now: () => T0,
      newId: () => "id",
      onRead: (_, { target }) => void reads.push(target),
      onRefusal: (_, __, { code }) => refusals.push(code),
    });
    const send = async (host: string, path: string): Promise<number> => {
      const headers = { host, authorization: "Bearer t" };
      return (await app.fetch(new Request(`https://${host}${path}`, { headers }))).status;
    };
    expect(await send("x", "/api/v2/ai-gateway/usage")).toBe(200);
    expect(await send("x/api/v2/ai-gateway/usage?", "/v1/messages")).toBe(404);
    expect(await send("x/v1/messages?", "/api/v2/ai-gateway/usage")).toBe(200);
    expect(refusals).toEqual(["not_found"]);
    expect(reads).toEqual(["/usage", "/usage"]);
  });

  it("refuses POST /explain, which the gateway serves", async () => {
    const { status, refusal } = await fetchApi("/explain", { method: "POST", body: "{}" });
    expect([status, refusal?.code]).toEqual([404, "not_found"]);
    expect(refusal?.data.detail).toBe("the gateway serves /explain");
    const refused = await fetchApi("/explain", { method: "POST", body: "{}", ...NO_TOKEN });
    expect(refused.refusal?.code).toBe("admin_only");
  });
});

describe("methods", () => {
  it.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])(
    "refuses %s on a GET endpoint",
    async (method) => {
      for (const path of PATHS) {
        const { status, headers, refusal } = await fetchApi(path, { method });
        expect([status, refusal?.code]).toEqual([405, "method_not_allowed"]);
        expect(headers.get("allow")).toBe("GET, HEAD");
      }
    },
  );

  it.each(["GET", "HEAD", "PUT", "DELETE"])("refuses %s on an endpoint with a body", async (method) => {
    const { headers, refusal } = await fetchApi("/explain", { method });
    expect(refusal?.code).toBe("method_not_allowed");
    expect(headers.get("allow")).toBe("POST");
  });

  it("responds to HEAD as to GET, without a body", async () => {
    for (const path of [...PATHS, "/usage?limit=0", "/no-such", "/usage?format=csv"]) {
      const head = await fetchApi(path, { method: "HEAD" });
      const get = await fetchApi(path);
      expect([head.status, head.text]).toEqual([get.status, ""]);
      expect([...head.headers]).toEqual([...get.headers]);
    }
    expect((await fetchApi("/usage?limit=0", { method: "HEAD" })).status).toBe(400);
  });
});

/** One request per kind of response. */
const EACH_RESPONSE: readonly (readonly [status: number, path: string, options: object])[] = [
  [200, "/usage", {}],
  [200, "/usage?format=csv", {}],
  [200, "/openapi.json", {}],
  [400, "/usage?limit=0", {}],
  [401, "/usage", NO_TOKEN],
  [404, "/no-such", {}],
  [404, "/no-such", { prefix: "" }],
  [404, "//usage", {}],
  [405, "/usage", { method: "DELETE" }],
  [
    500,
    "/usage",
    {
      now: () => {
        throw new TypeError("CANARY");
      },
    },
  ],
  [503, "/usage", { database: null }],
];

describe("headers of responses", () => {
  it.each(EACH_RESPONSE)("forbids caching and content sniffing: %i %s", async (status, path, options) => {
    const response = await fetchApi(path, options);
    expect(response.status).toBe(status);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it.each(EACH_RESPONSE)(
    "sets one new id per request, and the refusal's code: %i %s",
    async (_, path, options) => {
      const made: string[] = [];
      const reported: string[] = [];
      const response = await fetchApi(path, {
        ...options,
        newId: () => {
          made.push(crypto.randomUUID());
          return made.at(-1) ?? "";
        },
        onRefusal: (id) => reported.push(id),
      });
      expect(made.length).toBe(1);
      expect(response.headers.get("x-interception-id")).toBe(made[0]);
      expect(response.headers.get("x-interceptor-error")).toBe(response.refusal?.code ?? null);
      expect(reported).toEqual(response.refusal ? made : []);
    },
  );
});

describe("refusals", () => {
  it("reports each refusal with its request, and with no token or value in it", async () => {
    const requests: string[] = [];
    const onRefusal = (_: string, { method, url }: Request): void => void requests.push(`${method} ${url}`);
    const unauthorized = await fetchApi("/usage", { headers: { authorization: "Bearer CANARY" }, onRefusal });
    const invalid = await fetchApi("/sessions?limit=CANARY", { prefix: "/api/v2/aibridge", onRefusal });
    expect(requests).toEqual([
      "GET https://interceptor.example/api/v2/ai-gateway/usage",
      "GET https://interceptor.example/api/v2/aibridge/sessions?limit=CANARY",
    ]);
    expect(part(invalid.json, "validations", 0, "field")).toBe("limit");
    for (const { text, refusal } of [unauthorized, invalid])
      expect(`${text} ${JSON.stringify(refusal)}`).not.toContain("CANARY");
  });

  it("turns an unexpected error into 500 without its message", async () => {
    const { status, text, refusal } = await fetchApi("/usage", {
      now: () => {
        throw new TypeError("CANARY");
      },
    });
    expect([status, refusal?.code, refusal?.data.detail]).toEqual([500, "internal", "TypeError"]);
    expect(text).not.toContain("CANARY");
  });
});

describe("an unavailable ledger", () => {
  const ledgerPaths = PATHS.filter((path) => path !== "/openapi.json");

  it("gives 503 where no ledger is bound, except for the document", async () => {
    for (const path of ledgerPaths)
      expect((await fetchApi(path, { database: null })).refusal?.code).toBe("ledger_unavailable");
    expect((await fetchApi("/openapi.json", { database: null })).status).toBe(200);
  });

  it("gives 503 without SQL in the response when the database fails", async () => {
    const failure = new Error("D1_ERROR: no such table: interceptions: SQLITE_ERROR");
    for (const path of ledgerPaths) {
      const { status, text, refusal } = await fetchApi(path, { database: wrapLedger({ failure }) });
      expect(status).toBe(503);
      expect(text).not.toMatch(/sql|d1|table|select/i);
      expect(refusal?.data.detail).toContain("no such table");
    }
  });

  it("gives 503 without a table's name when the tables are missing", async () => {
    const withoutTables = wrapLedger({ change: (sql) => sql.replaceAll("interceptions", "no_such_table") });
    const { status, text, refusal } = await fetchApi("/sessions", { database: withoutTables });
    expect([status, refusal?.code]).toEqual([503, "ledger_unavailable"]);
    expect(text).not.toContain("no_such_table");
  });

  it.each(D1_FAILURES)("gives 503 with Retry-After on every path for %j", async (message) => {
    const failure = new Error(`D1_ERROR: ${message}`);
    const throwsFailure = (): never => {
      throw failure;
    };
    for (const path of ledgerPaths) {
      const inQuery = await fetchApi(path, { database: wrapLedger({ failure }) });
      // An error that no handler caught.
      const escaped = await fetchApi(path, { now: throwsFailure });
      for (const { status, headers, refusal, text } of [inQuery, escaped]) {
        expect([status, refusal?.code]).toEqual([503, "ledger_unavailable"]);
        expect(headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
        expect(text).not.toContain("D1");
      }
    }
  });

  it("gives 503 with Retry-After where no ledger is bound; no other refusal has it", async () => {
    expect((await fetchApi("/usage", { database: null })).headers.get("retry-after")).toBe("10");
    for (const path of ["/usage?limit=0", "/nothing"])
      expect((await fetchApi(path)).headers.get("retry-after")).toBeNull();
  });

  it("still rejects an invalid filter", async () => {
    expect((await fetchApi("/usage?limit=0", { database: null })).status).toBe(400);
  });
});
