import { beforeEach, describe, expect, it } from "vitest";
import { createQueryLedger } from "../../../src/records/api/kit/query-ledger.ts";
import { spendOf } from "../../../src/records/api/spend-of.ts";
import { fetchApi, fetchOk, items, NOW } from "../../support/in-workerd/api-client.ts";
import { ALICE, BOB, database, insert, interception, T0, used } from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

beforeEach(emptyLedger);

const DAY = 86_400_000;
const cost = (micros: number | null) => ({
  ...used(),
  cost_micros: micros,
  cost_source: micros === null ? "unpriced" : "computed",
});

/** Alice: 30 micro-dollars for m1 on two days, and 5 for m2. Bob: 100 for m2, and one call without a price. */
async function fill(): Promise<void> {
  const bobs = { initiator_id: BOB, attribution: "asserted" };
  await insert("interceptions", [
    interception(T0 - DAY, { ...cost(10), model: "m1" }),
    interception(T0, { ...cost(20), model: "m1" }),
    interception(T0 + 1, { ...cost(5), model: "m2" }),
    interception(T0 + 2, { ...cost(100), ...bobs, model: "m2" }),
    interception(T0 + 3, { ...cost(null), ...bobs, model: "m3" }),
  ]);
}

type Group = {
  readonly key: string | null;
  readonly second: { readonly key: string | null } | null;
  readonly cost_micros: number;
  readonly unpriced: number;
};

async function groups(query: string): Promise<readonly (readonly unknown[])[]> {
  const results = items(await fetchOk(`/spend?${query}`), "results") as readonly Group[];
  return results.map(({ key, second, cost_micros, unpriced }) => [
    key,
    ...(second ? [second.key] : []),
    cost_micros,
    unpriced,
  ]);
}

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);

describe("GET /spend", () => {
  beforeEach(fill);

  it("has the dearest first, with what is not priced beside it", async () => {
    expect(await groups("group_by=initiator")).toEqual([
      [BOB, 100, 1],
      [ALICE, 35, 0],
    ]);
  });

  it("groups by two keys", async () => {
    expect(await groups("group_by=initiator&then_by=model")).toEqual([
      [BOB, "m2", 100, 0],
      [ALICE, "m1", 30, 0],
      [ALICE, "m2", 5, 0],
      [BOB, "m3", 0, 1],
    ]);
    expect(await groups("group_by=model&then_by=day")).toEqual([
      ["m2", day(T0), 105, 0],
      ["m1", day(T0), 20, 0],
      ["m1", day(T0 - DAY), 10, 0],
      ["m3", day(T0), 0, 1],
    ]);
  });

  it.each([
    ["group_by=model&then_by=model", "then_by"],
    ["group_by=model&columns=focus", "columns"],
    ["group_by=price", "group_by"],
  ])("refuses %s", async (query, param) => {
    const { status, text } = await fetchApi(`/spend?${query}`);
    expect(status).toBe(400);
    expect(text).toContain(param);
  });

  it("has pages", async () => {
    const { json, headers } = await fetchApi("/spend?group_by=initiator&then_by=model&limit=3");
    expect(json).toMatchObject({ count: 4, results_are_capped: true });
    const next = /<([^>]+)>; rel="next"/.exec(headers.get("link") ?? "")?.[1] ?? "";
    expect(new URL(next, "https://a.example").searchParams.get("offset")).toBe("3");
    expect(await groups("group_by=initiator&then_by=model&limit=3&offset=3")).toEqual([[BOB, "m3", 0, 1]]);
  });

  it("is served as CSV, in dollars", async () => {
    const headers = { authorization: "Bearer admin-token-0123456789", accept: "text/csv" };
    const { text } = await fetchApi("/spend?group_by=initiator&then_by=model", { headers });
    const [head, first] = text.split("\r\n");
    expect(head).toMatch(
      /^initiator,initiator_name,initiator_source,model,cost_usd,cost_micros,unpriced,requests/,
    );
    expect(first).toMatch(new RegExp(`^${BOB},,coder,m2,0\\.000100,100,0,1,`));
  });

  it("is served in the columns of FOCUS, of which none that the specification requires is missing", async () => {
    const headers = { authorization: "Bearer admin-token-0123456789", accept: "text/csv" };
    const { text } = await fetchApi("/spend?group_by=initiator&then_by=day&columns=focus", { headers });
    const [head = "", ...lines] = text.trimEnd().split("\r\n");
    const columns = head.split(",");
    for (const column of MANDATORY) expect(columns).toContain(column);
    for (const column of columns) expect(column).toMatch(/^(?:[A-Z][A-Za-z]+|x_[A-Z][A-Za-z]+)$/);
    const charges = lines.map((line) =>
      Object.fromEntries(line.split(",").map((cell, at) => [columns[at], cell])),
    );
    expect(charges[0]).toMatchObject({
      BilledCost: "0.000100",
      ChargePeriodStart: `${day(T0)}T00:00:00Z`,
      ChargePeriodEnd: `${day(T0 + DAY)}T00:00:00Z`,
      BillingPeriodStart: `${day(T0).slice(0, 7)}-01T00:00:00Z`,
      SubAccountId: BOB,
      x_Initiator: BOB,
      x_Attribution: "asserted",
      x_UnpricedRequests: "1",
    });
    const total = charges.reduce(
      (sum, { EffectiveCost }) => sum + Math.round(Number(EffectiveCost) * 1e6),
      0,
    );
    expect(total).toBe(135);
  });
});

/** https://focus.finops.org/focus-specification/v1-2/: the columns that must be present in every data set. */
const MANDATORY = [
  "BilledCost",
  "BillingAccountId",
  "BillingAccountName",
  "BillingCurrency",
  "BillingPeriodEnd",
  "BillingPeriodStart",
  "ChargeCategory",
  "ChargeClass",
  "ChargeDescription",
  "ChargePeriodEnd",
  "ChargePeriodStart",
  "ContractedCost",
  "EffectiveCost",
  "InvoiceIssuerName",
  "ListCost",
  "PricingQuantity",
  "PricingUnit",
  "ProviderName",
  "PublisherName",
  "ServiceCategory",
  "ServiceName",
];

describe("the spend of one principal", () => {
  it("is that of its source alone", async () => {
    await fill();
    const query = createQueryLedger(database);
    const of = (source: string, id: string) =>
      spendOf(query, { source, id }, { from: T0 - 10 * DAY, now: NOW });
    expect(await of("coder", BOB)).toMatchObject({ requests: 2, cost_micros: 100, unpriced: 1 });
    expect(await of("keys", ALICE)).toMatchObject({ requests: 3, cost_micros: 35, unpriced: 0 });
    expect(await of("keys", BOB)).toMatchObject({ requests: 0, cost_micros: 0 });
    expect(
      await spendOf(createQueryLedger(null), { source: "keys", id: ALICE }, { from: 0, now: NOW }),
    ).toBeNull();
  });
});
