import { describe, expect, it } from "vitest";
import type { Explanation } from "../../../src/events/explanation.ts";
import type { RecordsService } from "../../../src/events/records-service.ts";
import { chat, CHAT_PATH, openWithBudgets } from "../../support/in-workerd/budget-gateway.ts";
import type { Gateway } from "../../support/in-workerd/gateway-harness.ts";
import { alice, ALICE_ID, asserted, claimed } from "../../support/in-workerd/object-store.ts";

const RECORDS: RecordsService = {
  fetch: () => Promise.reject(new Error("nothing is read here")),
  store: () => Promise.resolve(),
  spendOf: () => Promise.resolve(null),
  authorize: () => Promise.resolve(null),
};

const open = (budgets: Record<string, unknown>) => openWithBudgets({ budgets, vars: { RECORDS } });

async function explain(
  gateway: Gateway,
  headers: Record<string, string>,
  more: object = {},
  path = CHAT_PATH,
) {
  const body = JSON.stringify({ path, headers, ...more });
  const { text } = await gateway.exchange("/api/v2/ai-gateway/explain", { method: "POST", body });
  return JSON.parse(text) as Explanation;
}

describe("explain", () => {
  it("says which budgets apply, whose account, what is left and what would be reserved, and reserves nothing", async () => {
    const gateway = await open({ people: { dollars: 1 }, claude: { requests: 5, providers: ["claude"] } });
    await chat(gateway);
    const usage = { model: "gpt-4o", body_bytes: 400, output_limit: 1000 };
    for (let n = 0; n < 2; n += 1) {
      const { budgets, refusal } = await explain(gateway, asserted, usage);
      expect(refusal).toBeNull();
      expect(budgets).toEqual([
        {
          rule: "budget:people",
          subject_kind: "principal",
          subject_source: "keys",
          subject_id: ALICE_ID,
          measure: "dollars",
          // 200 tokens of 2.5 micro-dollars, and 1,000 of 10.
          would_reserve: 10_500,
          spent: 1250,
          reserved: 0,
          limit: 1_000_000,
          resets_at: "2026-12-01T00:00:00.000Z",
        },
      ]);
    }
  });

  it("says which budget would refuse the request", async () => {
    const gateway = await open({ people: { dollars: 0.001 } });
    const { refusal } = await explain(gateway, alice, { model: "gpt-4o", body_bytes: 400 });
    expect(refusal).toMatchObject({ reason: "budget_exceeded", status: 403, detail: "budget:people" });
    expect(refusal?.message).toContain('Budget "people"');
    const { refusal: unpriced } = await explain(gateway, alice, { model: "my-llama", body_bytes: 400 });
    expect(unpriced).toMatchObject({ reason: "budget_unpriced" });
  });

  it("does not know what a request reserves whose model is not described", async () => {
    const gateway = await open({ people: { dollars: 1 }, calls: { requests: 3 } });
    const { budgets } = await explain(gateway, alice);
    expect(budgets?.map(({ rule, would_reserve }) => [rule, would_reserve])).toEqual([
      ["budget:people", null],
      ["budget:calls", 1],
    ]);
  });

  it("knows the workspace, as of a real request", async () => {
    const gateway = await open({ workspaces: { per: "workspace", requests: 5 } });
    const workspace = "3f2a6c1e-8d47-4b5a-9c10-2e6f7a8b9c0d";
    const { budgets } = await explain(gateway, { ...asserted, "x-coder-workspace-id": workspace });
    expect(budgets).toMatchObject([{ subject_kind: "workspace", subject_id: workspace }]);
  });

  it("charges the actor where the owner is only claimed", async () => {
    const gateway = await open({ people: { requests: 1, own_keys: true } });
    const { budgets } = await explain(gateway, claimed, {}, "/own/v1/chat/completions");
    expect(budgets).toMatchObject([{ subject_source: "byok" }]);
  });

  it.each([
    ["model", 5],
    ["body_bytes", -1],
    ["output_limit", "1"],
  ])("refuses %s %s", async (name, value) => {
    const gateway = await open({ people: { requests: 1 } });
    const body = JSON.stringify({ path: CHAT_PATH, headers: alice, model: "m", [name]: value });
    const { response, text } = await gateway.exchange("/api/v2/ai-gateway/explain", { method: "POST", body });
    expect(response.status).toBe(400);
    expect(text).toContain(name);
  });
});
