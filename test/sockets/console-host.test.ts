/**
 * The console on a host of its own, as in a deployment: the records Worker serves that host, and forwards the routes that only
 * the gateway can serve over its binding to the gateway.
 */
import { createHash } from "node:crypto";
import { request, type IncomingHttpHeaders } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../support/deadline.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import * as respond from "../support/response-steps.ts";
import { startTwoHosts, type TwoHosts } from "../support/two-hosts.ts";

const ADMIN_TOKEN = "aei_admin-of-the-test-0123456789";
const READER_TOKEN = "aei_reader-of-the-test-0123456789";
const CLIENT_KEY = "aei_client-of-the-test-0123456789-abcdef";
const BASE = "/api/v2/ai-gateway";
const ADA = { budget: "people", subject_source: "keys", subject_id: "ada" };
const sha256 = (value: string): string => createHash("sha256").update(value).digest("hex");

const upstream = await startFakeUpstream();
let hosts: TwoHosts;
let admin: Session;
let reader: Session;

beforeAll(async () => {
  hosts = await startTwoHosts({
    gateway: {
      PROVIDERS: { openai: { type: "openai", base_url: `${upstream.url}/v1`, keys: ["PROVIDER_KEY"] } },
      PROVIDER_KEY: "sk-of-the-provider-0123456789",
      IDENTITY: [{ source: "keys" }],
      CLIENT_KEYS: JSON.stringify([{ sha256: sha256(CLIENT_KEY), actor: "ada", kind: "user" }]),
      BUDGETS: { people: { dollars: 5 } },
      // The binding does not depend on the gateway's host.
      FORWARD_API: false,
    },
    records: { ADMIN_TOKEN: sha256(ADMIN_TOKEN) },
    console: { tokens: { reports: { sha256: sha256(READER_TOKEN), scopes: ["read"] } } },
  });
  admin = await signIn(ADMIN_TOKEN);
  reader = await signIn(READER_TOKEN);
});
afterAll(async () => {
  await hosts.workers.close();
  await upstream.close();
});

type Headers = Readonly<Record<string, string>>;
type Reply = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };
type Options = {
  readonly method?: string;
  readonly headers?: Headers;
  readonly body?: unknown;
  readonly host?: string;
};

/** One request, by default to the console's host. `fetch` would not send these headers of a browser. */
function send(path: string, { method = "GET", headers = {}, body, host }: Options = {}): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const sent = request(
    {
      host: "127.0.0.1",
      port: hosts.workers.port,
      path,
      method,
      headers: { ...headers, host: host ?? hosts.consoleHost },
    },
    (response) => {
      text(response).then(
        (read) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: read }),
        reject,
      );
    },
  );
  sent.on("error", reject);
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}

const jsonOf = ({ text: body }: Reply): Record<string, unknown> =>
  JSON.parse(body) as Record<string, unknown>;
const outcomeOf = ({ status, headers }: Reply): readonly unknown[] => [
  status,
  headers["x-interceptor-error"],
];

type Session = { readonly cookie: string; readonly write: Headers };

const page = (): Headers => ({
  origin: `http://${hosts.consoleHost}`,
  "sec-fetch-site": "same-origin",
  "content-type": "application/json",
});

async function signIn(token: string): Promise<Session> {
  const reply = await send("/console/api/session", { method: "POST", headers: page(), body: { token } });
  const cookie = reply.headers["set-cookie"]?.[0]?.split(";", 1)[0] ?? "";
  return { cookie, write: { ...page(), cookie, "x-csrf-token": String(jsonOf(reply)["csrf_token"]) } };
}

/** A change that must not happen has an amount of its own. */
const change = (headers: Headers, body: object = { ...ADA, top_up: 1000 }, path = "/budgets/changes") =>
  send(`${BASE}${path}`, { method: "POST", headers, body });

const limitOf = async (): Promise<unknown> => {
  const query = new URLSearchParams(ADA);
  const reply = await send(`${BASE}/budgets?${query}`, { headers: { cookie: admin.cookie } });
  return (jsonOf(reply)["results"] as readonly { readonly limit: number }[])[0]?.limit;
};

describe("the console on a host of its own", () => {
  it("lists and changes budgets and explains requests with a session, and the event names the session", async () => {
    expect(await limitOf()).toBe(5_000_000);
    const changed = await change(admin.write, { ...ADA, top_up: 1 });
    expect([changed.status, jsonOf(changed)["limit"]]).toEqual([200, 6_000_000]);
    expect(await limitOf()).toBe(6_000_000);
    const described = { method: "GET", path: "/openai/v1/models", headers: {} };
    const explained = await change(reader.write, described, "/explain");
    expect([explained.status, jsonOf(explained)]).toEqual([
      200,
      expect.objectContaining({ destination: "provider" }),
    ]);
    await until(
      () => hosts.workers.events.some(({ record_type: type }) => type === "budget_change"),
      () => "the change's event",
    );
    expect(hosts.workers.events).toContainEqual(
      expect.objectContaining({ record_type: "budget_change", changed_by: "console:admin" }),
    );
  });

  it("serves the same routes to an admin token, under both prefixes", async () => {
    const authorization = `Bearer ${ADMIN_TOKEN}`;
    for (const prefix of [BASE, "/api/v2/aibridge"]) {
      const reply = await send(`${prefix}/budgets`, { headers: { authorization } });
      expect([prefix, reply.status]).toEqual([prefix, 200]);
    }
  });

  it("lists the subjects of the ledger, which the gateway reads from the records Worker", async () => {
    const usage = { prompt_tokens: 10, completion_tokens: 4, total_tokens: 14 };
    const completion = { id: "chatcmpl-1", object: "chat.completion", model: "gpt-4o", choices: [], usage };
    upstream.respondWith(respond.json(200, completion));
    const called = await send("/openai/v1/chat/completions", {
      method: "POST",
      headers: { authorization: `Bearer ${CLIENT_KEY}`, "content-type": "application/json" },
      body: { model: "gpt-4o", max_completion_tokens: 4, messages: [{ role: "user", content: "hi" }] },
      host: hosts.gatewayHost,
    });
    expect(called.status).toBe(200);
    const listed = await until(
      async () => {
        const reply = await send(`${BASE}/budgets`, { headers: { cookie: admin.cookie } });
        return jsonOf(reply)["count"] === 1 ? jsonOf(reply)["results"] : undefined;
      },
      () => "the caller's account",
    );
    expect(listed).toEqual([expect.objectContaining({ budget: "people", subject_id: "ada" })]);
  });

  it("keeps the gateway's id, headers and refusals", async () => {
    const refused = await change(admin.write, { ...ADA, budget: "others", top_up: 1 });
    expect(outcomeOf(refused)).toEqual([400, "field_invalid"]);
    await until(
      () =>
        hosts.workers.events.some(({ interception_id: id }) => id === refused.headers["x-interception-id"]),
      () => "the refusal's event, with the id of the response",
    );
    expect(refused.headers).toMatchObject({
      "cache-control": "no-store",
      "content-security-policy": expect.stringContaining("sandbox") as string,
    });
    const large = await change(admin.write, { ...ADA, top_up: 1, change_id: "x".repeat(20_000) });
    expect(outcomeOf(large)).toEqual([413, "body_too_large"]);
  });
});

describe("the console's host refuses", () => {
  // The attack: a page of another site, or of the gateway's host, has the browser of an administrator send a change.
  it("a change without the session's CSRF token or from another page", async () => {
    const foreign = { origin: `http://${hosts.gatewayHost}`, "sec-fetch-site": "same-site" };
    const { "x-csrf-token": _, ...withoutToken } = admin.write;
    const { origin: __, ...withoutOrigin } = admin.write;
    const forged: readonly (readonly [string, Headers])[] = [
      ["no token", withoutToken],
      ["a changed token", { ...admin.write, "x-csrf-token": "A".repeat(43) }],
      [
        "the token of another session",
        { ...admin.write, "x-csrf-token": reader.write["x-csrf-token"] ?? "" },
      ],
      ["no origin", withoutOrigin],
      ["a form", { ...admin.write, "content-type": "text/plain" }],
    ];
    for (const [what, headers] of forged)
      expect([what, ...outcomeOf(await change(headers))]).toEqual([what, 403, "csrf_rejected"]);
    // Of another origin, a session does not count at all.
    for (const headers of [foreign, { ...foreign, origin: "null" }])
      expect(outcomeOf(await change({ ...admin.write, ...headers }))).toEqual([401, "admin_only"]);
    expect(await limitOf()).toBe(6_000_000);
  });

  // The attack: a reader raises a budget.
  it("a change without the scope", async () => {
    expect(outcomeOf(await change(reader.write))).toEqual([403, "scope_missing"]);
    const corrections = { cause: "x", corrections: [] };
    expect(outcomeOf(await change(reader.write, corrections, "/spend/corrections"))).toEqual([
      403,
      "scope_missing",
    ]);
    const headers = { authorization: `Bearer ${READER_TOKEN}` };
    expect(outcomeOf(await change(headers))).toEqual([403, "scope_missing"]);
    expect(await limitOf()).toBe(6_000_000);
  });

  // The attack: a script in a provider's response, on the gateway's host, uses the session of the one who is signed in.
  it("the session on the gateway's host", async () => {
    const host = hosts.gatewayHost;
    for (const path of ["/budgets", "/usage"])
      expect((await send(`${BASE}${path}`, { headers: { cookie: admin.cookie }, host })).status).toBe(404);
    const headers = { ...admin.write, origin: `http://${host}` };
    expect((await send(`${BASE}/budgets/changes`, { method: "POST", headers, body: ADA, host })).status).toBe(
      404,
    );
  });

  // The attack: the binding carries a request to a provider, past the checks of the gateway's host.
  it("every path of a provider, the caller's own spend, and a path below a forwarded one", async () => {
    upstream.clear();
    const bearer = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const client = { authorization: `Bearer ${CLIENT_KEY}`, "content-type": "application/json" };
    const paths = [
      ["/openai/v1/models", client],
      ["/openai/v1/models", bearer],
      ["/v1/models", client],
      [`${BASE}/openai/v1/models`, bearer],
      [`${BASE}/me/spend`, bearer],
      [`${BASE}/budgets/x`, bearer],
      [`${BASE}/budgets/`, bearer],
      [`${BASE}/budgets%2Fchanges`, bearer],
      [`${BASE}//budgets`, bearer],
      [`${BASE}/budgets/../openai/v1/models`, bearer],
    ] as const;
    for (const [path, headers] of paths)
      expect([path, (await send(path, { headers })).status]).toEqual([path, 404]);
    // Only the holder of a client key has a spend of its own, and the console's host takes no client key.
    expect((await send(`${BASE}/me/spend`, { headers: client })).status).toBe(401);
    expect((await send("/healthz")).status).toBe(404);
    expect(upstream.requests).toEqual([]);
  });

  it("another method than the route's, and a caller without credentials", async () => {
    const reply = await send(`${BASE}/budgets`, { method: "POST", headers: admin.write, body: ADA });
    expect([...outcomeOf(reply), reply.headers.allow]).toEqual([405, "method_not_allowed", "GET, HEAD"]);
    for (const path of ["/budgets", "/budgets/changes", "/explain"])
      expect([path, ...outcomeOf(await send(`${BASE}${path}`))]).toEqual([path, 401, "admin_only"]);
  });
});
