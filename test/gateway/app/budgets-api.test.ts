/** `GET /budgets`, `POST /budgets/changes` and `GET /me/spend`. */
import { describe, expect, it } from "vitest";
import type { RecordsService } from "../../../src/events/records-service.ts";
import { chat, chatBody, openWithBudgets } from "../../support/in-workerd/budget-gateway.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { only, typesOf } from "../../support/in-workerd/calls.ts";
import type { Gateway } from "../../support/in-workerd/gateway-harness.ts";
import { alice, ALICE_ID, bob } from "../../support/in-workerd/object-store.ts";

const BASE = "/api/v2/ai-gateway";
const ADMIN = { authorization: "Bearer admin-token-0123456789" };
const SPEND = {
  requests: 2,
  input_tokens: 200,
  output_tokens: 200,
  cache_read_input_tokens: 0,
  cache_write_input_tokens: 0,
  cost_micros: 2500,
  unpriced: 0,
};

/** A records Worker whose ledger has Alice and Bob. */
function records() {
  const requests: Request[] = [];
  const service: RecordsService = {
    fetch: async (request) => {
      requests.push(request);
      const results = [
        { key: ALICE_ID, source: "keys", name: "Alice" },
        { key: "bob", source: "keys", name: null },
      ];
      return Response.json({ results });
    },
    store: () => Promise.resolve(),
    spendOf: (source, id) => Promise.resolve(source === "keys" && id === ALICE_ID ? SPEND : null),
    authorize: ({ authorization }) =>
      Promise.resolve(authorization === ADMIN.authorization ? null : { code: "admin_only", data: {} }),
  };
  return { service, requests };
}

const open = async (budgets: Record<string, unknown>) => {
  const { service, requests } = records();
  const gateway = await openWithBudgets({ budgets, vars: { RECORDS: service } });
  return { gateway, requests };
};

async function call(gateway: Gateway, path: string, headers: Record<string, string> = ADMIN, body?: object) {
  gateway.clock.at += 1;
  const init = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
  const { response, text, events } = await gateway.exchange(`${BASE}${path}`, init);
  return { status: response.status, json: JSON.parse(text) as Record<string, unknown>, events, response };
}

describe("GET /budgets", () => {
  it("has the accounts of those that the ledger knows, as they are now", async () => {
    const { gateway, requests } = await open({
      people: { dollars: 1 },
      everyone: { per: "all", requests: 9 },
    });
    await chat(gateway);
    const { json } = await call(gateway, "/budgets");
    expect(json).toMatchObject({
      count: 3,
      results: [
        {
          budget: "people",
          measure: "dollars",
          subject_id: ALICE_ID,
          subject_name: "Alice",
          limit: 1_000_000,
          spent: 1250,
          reserved: 0,
          resets_at: "2026-12-01T00:00:00.000Z",
        },
        { budget: "people", subject_id: "bob", spent: 0 },
        { budget: "everyone", subject_kind: "all", spent: 1, limit: 9 },
      ],
    });
    // The month's calls, by the admin's own authority.
    const query = new URL(requests[0]?.url ?? "").searchParams;
    expect([query.get("group_by"), query.get("started_after")]).toEqual([
      "initiator",
      "2026-11-01T00:00:00.000Z",
    ]);
    expect(requests[0]?.headers.get("authorization")).toBe(ADMIN.authorization);
  });

  it("is for the admin alone", async () => {
    const { gateway } = await open({ people: { dollars: 1 } });
    expect((await call(gateway, "/budgets", alice)).status).toBe(401);
    expect((await call(gateway, "/budgets/changes", alice, { budget: "people" })).status).toBe(401);
  });

  it.each([
    ["?budget=none", 400],
    ["?limit=0", 400],
    ["?limit=1&limit=2", 400],
    ["?x=1", 400],
    ["?budget=people&subject_source=keys&subject_id=bob", 200],
  ])("%s: %i", async (query, status) => {
    const { gateway } = await open({ people: { dollars: 1 } });
    expect((await call(gateway, `/budgets${query}`)).status).toBe(status);
  });
});

describe("POST /budgets/changes", () => {
  const subject = { budget: "people", subject_source: "keys", subject_id: ALICE_ID };

  it("raises a person's limit, and takes that back, each as an event", async () => {
    const { gateway } = await open({ people: { requests: 1 } });
    await chat(gateway);
    expect((await chat(gateway)).code).toBe("budget_exceeded");
    const { json, events } = await call(gateway, "/budgets/changes", ADMIN, { ...subject, set_limit: 2 });
    expect(json).toMatchObject({ limit: 2, spent: 1 });
    expect(only(events, "budget_change")).toMatchObject({
      rule: "budget:people",
      subject_id: ALICE_ID,
      change: "override",
      amount: 2,
      changed_by: expect.stringMatching(/^token:[0-9a-f]{16}$/) as string,
    });
    expect((await chat(gateway)).status).toBe(200);
    expect((await chat(gateway)).code).toBe("budget_exceeded");
    await call(gateway, "/budgets/changes", ADMIN, { ...subject, set_limit: null });
    const { json: now } = await call(
      gateway,
      `/budgets?budget=people&subject_source=keys&subject_id=${ALICE_ID}`,
    );
    expect(now).toMatchObject({ results: [{ limit: 1, spent: 2 }] });
  });

  it("tops a person's budget up for the period", async () => {
    const { gateway } = await open({ people: { dollars: 0 } });
    const { json } = await call(gateway, "/budgets/changes", ADMIN, { ...subject, top_up: 1.5 });
    expect(json).toMatchObject({ limit: 1_500_000, spent: 0 });
    expect((await chat(gateway, chatBody(',"max_tokens":4'))).status).toBe(200);
    expect((await chat(gateway, chatBody(',"max_tokens":4'), bob)).code).toBe("budget_exceeded");
  });

  it("counts a top-up once that is sent again with its change_id", async () => {
    const { gateway } = await open({ people: { dollars: 0 } });
    const topUp = async (change_id: string) => {
      gateway.clock.at += 1;
      const body = { ...subject, top_up: 1, change_id };
      const { json, events } = await call(gateway, "/budgets/changes", ADMIN, body);
      const change = only(events, "budget_change");
      return { limit: (json as { limit: number }).limit, event: eventId(change), change };
    };
    const first = await topUp("ticket-7");
    expect(first.limit).toBe(1_000_000);
    // The event again, in case that the first one was lost: it is the same in all of its fields.
    expect(await topUp("ticket-7")).toEqual(first);
    const other = await topUp("ticket-8");
    expect(other.limit).toBe(2_000_000);
    expect(other.event).not.toBe(first.event);
  });

  it("refuses a change_id that was used for another amount", async () => {
    const { gateway } = await open({ people: { dollars: 0 } });
    await call(gateway, "/budgets/changes", ADMIN, { ...subject, top_up: 1, change_id: "ticket-7" });
    gateway.clock.at += 1;
    const changed = { ...subject, top_up: 5, change_id: "ticket-7" };
    const { status, json, events } = await call(gateway, "/budgets/changes", ADMIN, changed);
    expect([status, typesOf(events)]).toEqual([400, ["refusal"]]);
    expect(JSON.stringify(json)).toContain("change_id");
  });

  it.each([
    [{}, "budget"],
    [{ ...subject, budget: "none", set_limit: 1 }, "budget"],
    [{ ...subject, set_limit: 1, top_up: 1 }, "set_limit"],
    [subject, "set_limit"],
    [{ ...subject, set_limit: -1 }, "set_limit"],
    [{ ...subject, set_limit: "1" }, "set_limit"],
    [{ ...subject, top_up: null }, "top_up"],
    [{ budget: "people", subject_id: ALICE_ID, set_limit: 1 }, "subject_source"],
    [{ budget: "people", subject_source: "keys", set_limit: 1 }, "subject_id"],
    [{ ...subject, set_limit: 1, x: 1 }, "body"],
    [{ ...subject, top_up: 1, change_id: "" }, "change_id"],
    [{ ...subject, top_up: 1, change_id: "a b" }, "change_id"],
    [{ ...subject, top_up: 1, change_id: 7 }, "change_id"],
  ])("refuses %o", async (body, param) => {
    const { gateway } = await open({ people: { dollars: 1 } });
    const { status, json } = await call(gateway, "/budgets/changes", ADMIN, body);
    expect(status).toBe(400);
    expect(JSON.stringify(json)).toContain(param);
  });
});

describe("GET /me/spend", () => {
  it("has the caller's own account and spend", async () => {
    const { gateway } = await open({ people: { dollars: 1 }, clients: { per: "client", requests: 5 } });
    await chat(gateway);
    const { json } = await call(gateway, "/me/spend", alice);
    expect(json).toMatchObject({
      id: ALICE_ID,
      source: "keys",
      started_after: "2026-11-01T00:00:00.000Z",
      spend: SPEND,
      budgets: [{ budget: "people", spent: 1250, limit: 1_000_000 }],
    });
  });

  it.each([
    ["no credential", {}],
    ["a credential that nothing verifies", { authorization: "Bearer sk-someone-0123456789abcdef" }],
    ["the admin token", ADMIN],
  ])("is refused with %s", async (_, headers) => {
    const { gateway } = await open({ people: { dollars: 1 } });
    expect((await call(gateway, "/me/spend", headers)).status).toBe(401);
  });
});
