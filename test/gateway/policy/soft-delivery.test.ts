/** Charges of rules in mode `soft`: gathered for a second, delivered together, and again where an object does not take them. */
import { describe, expect, it } from "vitest";
import type { Claim, Settlement } from "../../../src/events/budget-service.ts";
import type { Account } from "../../../src/gateway/policy/budgets/accounts.ts";
import type { CallContext, ObjectDeps } from "../../../src/gateway/policy/budgets/call.ts";
import { ONE_CALL } from "../../../src/gateway/policy/budgets/estimate.ts";
import type { BudgetObjects } from "../../../src/gateway/policy/budgets/object-client.ts";
import { settleGroup } from "../../../src/gateway/policy/budgets/settle.ts";
import { SoftAccounts } from "../../../src/gateway/policy/budgets/soft-accounts.ts";

const claimOf = (account: string): Claim => ({
  account,
  start: 0,
  since: 0,
  resetsAt: 1000,
  keepMs: 0,
  limit: 9,
  isHard: true,
  warnAt: [],
  amount: 1,
});
const accountOf = (name: string): Account =>
  ({
    rule: { measure: "requests", mode: "soft", kind: "budget" },
    subject: { kind: "all", source: null, id: name },
    object: "object",
    claim: claimOf(name),
  }) as unknown as Account;

/** Timers that end when the test says so, and deliveries of which the first `failures` fail. */
function harness(failures = 0) {
  const waits: number[] = [];
  const timers: (() => void)[] = [];
  const delivered: (readonly Settlement[])[] = [];
  const undelivered: (readonly Settlement[])[] = [];
  let left = failures;
  const objects = {
    deliver: async (_: string, settlements: readonly Settlement[]) => {
      delivered.push(settlements);
      return (left -= 1) >= 0 ? null : { states: [], news: [] };
    },
  } as unknown as BudgetObjects;
  const context = (id: string): CallContext => ({
    id,
    after: (ms, run) => {
      waits.push(ms);
      timers.push(run);
      return () => undefined;
    },
    waitUntil: () => undefined,
    notice: () => undefined,
    undelivered: (_object, _account, settlements) => void undelivered.push(settlements),
  });
  const deps = { objects, soft: new SoftAccounts(objects, () => 0) } as unknown as ObjectDeps;
  const used = { amounts: ONE_CALL, isEstimate: false };
  const settle = (id: string, accounts: readonly Account[]): Promise<void> =>
    settleGroup({ object: "object", strict: [], soft: accounts }, used, context(id), deps);
  const endTimers = async (): Promise<void> => {
    for (const end of timers.splice(0)) end();
    // The tries that follow have their own timers.
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  return { settle, endTimers, waits, delivered, undelivered };
}

const idsOf = (lists: readonly (readonly Settlement[])[]): readonly string[] =>
  lists.flatMap((list) => list.map(({ id }) => id));
const range = (count: number): readonly string[] => Array.from({ length: count }, (_, n) => `call-${n}`);

describe("the delivery of soft charges", () => {
  it.each([
    ["calls", 300, 1, [128, 128, 44]],
    ["charges", 200, 8, [64, 64, 64, 8]],
  ])("has a bounded number of %s", async (_, calls, each, sizes) => {
    const { settle, endTimers, delivered, waits } = harness();
    const accounts = Array.from({ length: each }, (__, n) => accountOf(`rule-${n}`));
    const all = range(calls).map((id) => settle(id, accounts));
    await endTimers();
    await Promise.all(all);
    expect(waits).toEqual(sizes.map(() => 1000));
    expect(delivered.map(({ length }) => length)).toEqual(sizes);
    expect(idsOf(delivered)).toEqual(range(calls));
  });

  it("is tried again after 1, 2 and 4 seconds, with the same charges", async () => {
    const { settle, endTimers, delivered, undelivered, waits } = harness(3);
    const settled = settle("call-0", [accountOf("rule")]);
    for (let turn = 0; turn < 4; turn += 1) await endTimers();
    await settled;
    expect(waits).toEqual([1000, 1000, 2000, 4000]);
    expect(idsOf(delivered)).toEqual(["call-0", "call-0", "call-0", "call-0"]);
    expect(undelivered).toEqual([]);
  });

  it("that no object takes hands all of its charges to events", async () => {
    const { settle, endTimers, delivered, undelivered } = harness(4);
    const all = range(5).map((id) => settle(id, [accountOf("rule")]));
    for (let turn = 0; turn < 4; turn += 1) await endTimers();
    await Promise.all(all);
    expect(delivered).toHaveLength(4);
    expect(idsOf(undelivered)).toEqual(range(5));
  });
});
