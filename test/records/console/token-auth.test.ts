import { beforeEach, describe, expect, it } from "vitest";
import { adminTokens } from "../../../src/records/config/console.ts";
import { authorizeToken } from "../../../src/records/console/token-auth.ts";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { fetchApi, TOKEN } from "../../support/in-workerd/api-client.ts";
import { insert, interception, T0 } from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

const authorizeHeaders = (headers: Headers, adminTokenSha256: string | null) =>
  authorizeToken(
    {
      authorization: headers.get("authorization"),
      coderSessionToken: headers.get("coder-session-token"),
    },
    adminTokens(adminTokenSha256),
  );

beforeEach(async () => {
  await emptyLedger();
  await insert("interceptions", [interception(T0, { client_session_id: "s" })]);
});

const ALL_PATHS = ENDPOINTS.map(({ path }) => path.replace(/\{\w+\}/, "s"));
/** The paths of GET endpoints. */
const PATHS = ENDPOINTS.filter(
  ({ isOfGateway, path }) => !isOfGateway && !/^\/(?:proof|checkpoint)/.test(path),
).map(({ path }) => path.replace("{session_id}", "s"));

describe("authorization of API requests", () => {
  it.each([
    ["a bearer token", { authorization: `Bearer ${TOKEN}` }],
    ["a bearer token in any case, with surrounding spaces", { authorization: `  bEaReR   ${TOKEN} ` }],
    ["Coder's own header", { "coder-session-token": TOKEN }],
    ["both headers with the same token", { authorization: `Bearer ${TOKEN}`, "coder-session-token": TOKEN }],
  ])("accepts the admin token: %s", async (_, headers) => {
    for (const path of PATHS) expect((await fetchApi(path, { headers })).status).toBe(200);
    const digest = await sha256Hex(TOKEN);
    expect(await authorizeHeaders(new Headers(headers), digest)).toEqual({
      by: `token:${digest.slice(0, 16)}`,
      scopes: ["read", "content", "admin"],
    });
  });

  // A leaked token stays in use where its replacement breaks each reader that does not have the new one yet.
  it("Finding L7: accepts either token where two hashes are configured, and no other", async () => {
    const both = `${await sha256Hex("old-token-0123456789")} ${await sha256Hex(TOKEN)}`;
    const authorize = (token: string) =>
      authorizeHeaders(new Headers({ authorization: `Bearer ${token}` }), both);
    // The id of the token that was sent, so that a read is recorded under it.
    for (const token of [TOKEN, "old-token-0123456789"])
      expect(await authorize(token)).toMatchObject({ by: `token:${(await sha256Hex(token)).slice(0, 16)}` });
    expect(await authorize("another-token-12345678")).toMatchObject({ code: "admin_only" });
    expect(await authorize("")).toMatchObject({ code: "admin_only" });
  });

  it.each<[string, Record<string, string>]>([
    ["no token", {}],
    ["another token", { authorization: "Bearer another-token-12345678" }],
    ["an empty bearer", { authorization: "Bearer " }],
    ["only spaces", { authorization: "Bearer    ", "coder-session-token": "   " }],
    ["an empty session token", { "coder-session-token": "" }],
    ["a prefix of the token", { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
    ["the token with one more character", { authorization: `Bearer ${TOKEN}0` }],
    ["the token in another case", { authorization: `Bearer ${TOKEN.toUpperCase()}` }],
    ["a space within the token", { authorization: `Bearer ${TOKEN.slice(0, 5)} ${TOKEN.slice(5)}` }],
    ["the bare token", { authorization: TOKEN }],
    ["basic authentication", { authorization: `Basic ${btoa(`admin:${TOKEN}`)}` }],
    ["the token twice in one header", { authorization: `Bearer ${TOKEN}, Bearer ${TOKEN}` }],
    ["a wrong session token", { authorization: `Bearer ${TOKEN}`, "coder-session-token": "other" }],
    ["a wrong bearer", { authorization: "Bearer other", "coder-session-token": TOKEN }],
    ["basic and the right session token", { authorization: "Basic YTpi", "coder-session-token": TOKEN }],
    ["an empty header and the right session token", { authorization: "", "coder-session-token": TOKEN }],
    ["the token in a client's headers", { "x-api-key": TOKEN, "x-coder-ai-governance-token": TOKEN }],
    ["the token in a cookie", { cookie: `coder_session_token=${TOKEN}` }],
  ])("rejects every other request: %s", async (_, headers) => {
    for (const path of ALL_PATHS) {
      const { status, json, refusal } = await fetchApi(path, { headers });
      expect(status).toBe(401);
      expect(refusal?.code).toBe("admin_only");
      expect(Object.keys(json as object)).toEqual(["message"]);
    }
  });

  // The attack: a reader of the configuration (a dump, a log) presents the value that stands in it.
  it("rejects the token's hash", async () => {
    const headers = { authorization: `Bearer ${await sha256Hex(TOKEN)}` };
    expect((await fetchApi("/usage", { headers })).status).toBe(401);
  });

  it("rejects every request when no token is configured, including one without a token", async () => {
    for (const headers of [{}, { authorization: "Bearer " }, { authorization: "Bearer null" }]) {
      const { status, refusal } = await fetchApi("/usage", { headers, adminTokenSha256: null });
      expect(status).toBe(401);
      expect(refusal?.data.detail).toBe("ADMIN_TOKEN is not set");
    }
  });

  it.each(["", "00", "zz".repeat(32), "0".repeat(63), "0".repeat(66)])(
    "rejects every request when the configured hash is malformed (%j)",
    async (adminTokenSha256) => {
      expect((await fetchApi("/usage", { adminTokenSha256 })).status).toBe(401);
    },
  );

  it("rejects an empty token even if its hash is configured", async () => {
    const adminTokenSha256 = await sha256Hex("");
    for (const headers of [{}, { authorization: "Bearer " }, { "coder-session-token": "" }])
      expect((await fetchApi("/usage", { headers, adminTokenSha256 })).status).toBe(401);
  });

  it("gives an unauthorized caller the same response for every path, filter, session, method and ledger", async () => {
    const options = { headers: { authorization: "Bearer other" } };
    const responses = await Promise.all([
      fetchApi("/usage", options),
      fetchApi("/usage?limit=0", options),
      fetchApi("/usage?no_such=1", options),
      fetchApi("/sessions/none", options),
      fetchApi("/sessions/s", options),
      fetchApi("/sessions/%ff", options),
      fetchApi("/usage/no/such", options),
      fetchApi("/no-such", options),
      fetchApi("", options),
      fetchApi("/usage", { ...options, method: "DELETE" }),
      fetchApi("/explain", { ...options, method: "POST", body: "{" }),
      fetchApi("/usage", { ...options, database: null }),
    ]);
    const visible = responses.map(({ status, text, headers }) => [status, text, ...headers].join());
    expect(new Set(visible).size).toBe(1);
  });
});
