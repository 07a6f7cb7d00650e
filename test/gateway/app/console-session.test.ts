/** The console's session at the gateway: only the records Worker reads it, and no provider ever gets it. */
import { describe, expect, it } from "vitest";
import type { RecordsService } from "../../../src/events/records-service.ts";
import type { AdminHeaders } from "../../../src/shared/admin-headers.ts";
import { CHAT_PATH, chatBody, openWithBudgets } from "../../support/in-workerd/budget-gateway.ts";
import { ID } from "../../support/in-workerd/gateway-harness.ts";
import { ALICE_ID, alice } from "../../support/in-workerd/object-store.ts";

const BASE = "/api/v2/ai-gateway";
/** The records Worker names its responses, too. */
const OF_RECORDS = { "x-interception-id": ID };
const COOKIE = "__Host-console=session-of-the-console-0123456789";
const PAGE = {
  cookie: COOKIE,
  origin: "https://ai.example",
  "sec-fetch-site": "same-origin",
  "x-csrf-token": "csrf",
  "content-type": "application/json",
};

type Call = { readonly headers: AdminHeaders; readonly scope: string | undefined };

/** A records Worker that takes the session for an admin's. */
async function open() {
  const authorized: Call[] = [];
  const forwarded: Request[] = [];
  const records: RecordsService = {
    fetch: (request) => {
      forwarded.push(request);
      return Promise.resolve(
        Response.json(
          { results: [{ key: ALICE_ID, source: "keys", name: "Alice" }] },
          { headers: OF_RECORDS },
        ),
      );
    },
    store: () => Promise.resolve(),
    spendOf: () => Promise.resolve(null),
    authorize: (headers, scope) => {
      authorized.push({ headers, scope });
      return Promise.resolve(
        headers.session?.cookie === COOKIE ? { by: "console:ada" } : { code: "admin_only", data: {} },
      );
    },
  };
  const gateway = await openWithBudgets({ budgets: { people: { dollars: 1 } }, vars: { RECORDS: records } });
  return { gateway, authorized, forwarded };
}

describe("the console's session at the gateway", () => {
  it("authorizes the gateway's own routes by the records Worker, each with its scope", async () => {
    const { gateway, authorized } = await open();
    const change = { budget: "people", subject_source: "keys", subject_id: ALICE_ID, top_up: 1 };
    const routes = [
      ["GET", "/budgets", undefined, "read"],
      ["POST", "/explain", { method: "GET", path: "/openai/v1/models", headers: {} }, "read"],
      ["POST", "/budgets/changes", change, "admin"],
    ] as const;
    for (const [method, path, body, scope] of routes) {
      gateway.clock.at += 1;
      const sent = { method, headers: PAGE, ...(body && { body: JSON.stringify(body) }) };
      const { response } = await gateway.exchange(`${BASE}${path}`, sent);
      expect([path, response.status]).toEqual([path, 200]);
      expect(authorized.at(-1)).toMatchObject({
        scope,
        headers: {
          authorization: null,
          session: {
            method,
            cookie: COOKIE,
            csrfToken: "csrf",
            origin: PAGE.origin,
            secFetchSite: "same-origin",
            contentType: "application/json",
          },
        },
      });
    }
  });

  it("names the session in the event of a change", async () => {
    const { gateway } = await open();
    const body = { budget: "people", subject_source: "keys", subject_id: ALICE_ID, set_limit: 2 };
    const { events } = await gateway.exchange(`${BASE}/budgets/changes`, {
      method: "POST",
      headers: PAGE,
      body: JSON.stringify(body),
    });
    expect(events).toEqual([
      expect.objectContaining({ record_type: "budget_change", changed_by: "console:ada" }),
    ]);
  });

  it("goes to the records Worker with the console's own paths, unmodified", async () => {
    const { gateway, forwarded } = await open();
    for (const path of ["/console", "/console/sessions/x?y=z", "/console/api/session"])
      await gateway.exchange(path, { headers: PAGE });
    expect(forwarded.map(({ url, headers }) => [new URL(url).pathname, headers.get("cookie")])).toEqual([
      ["/console", COOKIE],
      ["/console/sessions/x", COOKIE],
      ["/console/api/session", COOKIE],
    ]);
  });

  // The attack: a page that can make the browser call the gateway spends on the account of the one who is signed in.
  it("is no credential for a provider's routes", async () => {
    const { gateway } = await open();
    for (const headers of [PAGE, { ...PAGE, authorization: `Bearer ${COOKIE.split("=")[1] ?? ""}` }]) {
      const { response } = await gateway.exchange(CHAT_PATH, {
        method: "POST",
        headers,
        body: chatBody(),
      });
      expect(response.status).toBe(401);
    }
    const { response } = await gateway.exchange(`${BASE}/me/spend`, { headers: PAGE });
    expect(response.status).toBe(401);
    expect(gateway.sent).toEqual([]);
  });

  // The attack: a provider, or a reader of its logs, opens the records with the cookie.
  it("never reaches a provider, with its CSRF token, beside a valid credential", async () => {
    const { gateway } = await open();
    await gateway.exchange(CHAT_PATH, {
      method: "POST",
      headers: { ...PAGE, ...alice },
      body: chatBody(),
    });
    expect(gateway.sent).toHaveLength(1);
    const headers = [...(gateway.sent[0]?.headers ?? [])];
    expect(headers.filter(([name]) => /cookie|csrf|origin|sec-fetch/.test(name))).toEqual([]);
    expect(JSON.stringify(headers)).not.toContain("session-of-the-console");
  });
});
