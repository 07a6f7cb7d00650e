/**
 * Random schedules of a budget object against the oracle (`budget-oracle.ts`): reservations, settlements, releases, renewals,
 * late and repeated messages, batches of them, expired leases, changes of limits, clocks that jump, and restarts of the object
 * between any two steps and in a batch. Runs in Node and in workerd.
 */
import type { AccountState, BatchItem, BatchResult, Claim, Period } from "../../src/events/budget-service.ts";
import { periodOf } from "../../src/gateway/policy/budgets/period.ts";
import type { Measure, RulePeriod } from "../../src/gateway/policy/budgets/rule.ts";
import type { AccountDatabase } from "../../src/records/objects/account-tables.ts";
import { BudgetAccounts } from "../../src/records/objects/budget-accounts.ts";
import { runBatch, type Step } from "./budget-batches.ts";
import { Oracle } from "./budget-oracle.ts";
import { seededRandom } from "./rechunk.ts";

type Random = () => number;

const below = (random: Random, limit: number): number => Math.floor(random() * limit);
const pick = <T>(random: Random, all: readonly T[]): T => all[below(random, all.length)] as T;

/** Moments around which time goes on: changes of daylight saving, ends of months and of a year, and an ordinary day. */
const MOMENTS = [
  "2026-03-29T00:58:00Z",
  "2026-10-25T00:55:00Z",
  "2026-11-30T22:59:30Z",
  "2026-12-31T23:59:00Z",
  "2026-03-08T06:59:00Z",
  "2026-06-10T12:00:00Z",
].map((text) => Date.parse(text));

const PERIODS: readonly RulePeriod[] = [
  { kind: "calendar", unit: "day", timeZone: "Europe/Berlin" },
  { kind: "calendar", unit: "week", timeZone: "UTC" },
  { kind: "calendar", unit: "month", timeZone: "America/New_York" },
  { kind: "window", ms: 60_000 },
  { kind: "window", ms: 3_600_000 },
];

type Rule = {
  readonly account: string;
  readonly period: RulePeriod;
  readonly measure: Measure;
  readonly limit: number;
  readonly isHard: boolean;
};

function randomRules(random: Random): readonly Rule[] {
  return Array.from({ length: 1 + below(random, 3) }, (_, at) => {
    const measure = pick(random, ["dollars", "tokens", "requests", "concurrent"] as const);
    return {
      account: `budget:${at}`,
      period: pick(random, PERIODS),
      measure,
      limit: below(random, 12),
      isHard: random() < 0.8,
    };
  });
}

const periodAt = ({ account, period, measure }: Rule, at: number): Period => ({
  account,
  ...periodOf(period, measure, at),
});

const stateText = (state: AccountState | undefined): string =>
  `${state?.spent} spent, ${state?.reserved} reserved of ${state?.limit}`;

const failed =
  (what: string) =>
  (result: BatchResult): string | null =>
    result === null ? `${what} has failed` : null;

/** An item by its own method. */
function callOne(accounts: BudgetAccounts, item: BatchItem): BatchResult {
  const nothing = { refusedBy: null, states: [], news: [] };
  switch (item.kind) {
    case "reserve":
      return accounts.reserve(item.reservation);
    case "settle":
      return { ...nothing, ...accounts.settle(item.settlements) };
    case "release":
      accounts.release(item.id);
      return nothing;
    case "renew":
      accounts.renew(item.id, item.leaseMs);
      return nothing;
  }
}

const STEPS = 24;
const LEASE_MS = 900_000;

/** `sql`: an empty database, which is opened again as a restarted object opens its own. @returns what went wrong; null where all agree. */
export function runSchedule(seed: number, sql: AccountDatabase): string | null {
  const random = seededRandom(seed);
  const rules = randomRules(random);
  const oracle = new Oracle();
  let now = pick(random, MOMENTS) + below(random, 120_000);
  const open = (database: AccountDatabase): BudgetAccounts => new BudgetAccounts(database, () => now);
  let accounts = open(sql);
  const claims = new Map<string, readonly Claim[]>();
  const known: string[] = [];

  const claimsOf = (id: string): readonly Claim[] => {
    const earlier = claims.get(id);
    if (earlier) return earlier;
    const made = rules.map((rule): Claim => {
      const amount = rule.measure === "requests" || rule.measure === "concurrent" ? 1 : below(random, 6);
      return { ...periodAt(rule, now), limit: rule.limit, isHard: rule.isHard, warnAt: [50, 100], amount };
    });
    claims.set(id, made);
    known.push(id);
    return made;
  };
  const run = (step: Step): string | null => {
    const check = step.expect();
    return check(callOne(accounts, step.item));
  };
  const wanted = (claim: Claim): string =>
    `${oracle.spent(claim)} spent, ${oracle.reserved(claim)} reserved of ${oracle.limit(claim)}`;
  /** Keeps the oracle's present states, to be compared with the object's result. */
  const comparison = (of: readonly Claim[]) => {
    const wants = of.map(wanted);
    return (at: string, states: readonly AccountState[]): string | null => {
      const index = wants.findIndex((want, n) => want !== stateText(states[n]));
      if (index === -1) return null;
      return `${at}: ${of[index]?.account} has ${stateText(states[index])}, and should have ${wants[index]}`;
    };
  };
  const reserve = (id: string): Step => {
    const reservation = { id, leaseMs: LEASE_MS, claims: claimsOf(id) };
    return {
      item: { kind: "reserve", reservation },
      expect: () => {
        oracle.expire(now);
        const isNew = !oracle.released.has(id) && oracle.calls.every((call) => call.id !== id);
        const expected = oracle.reserve(reservation, now);
        const beyond = isNew && expected === null ? beyondLimit(reservation.claims) : null;
        const compare = comparison(reservation.claims);
        return (result) => {
          if (result?.refusedBy !== expected)
            return `reserve ${id}: refused by ${String(result?.refusedBy)}, and should be by ${String(expected)}`;
          return compare(`reserve ${id}`, result.states) ?? beyond;
        };
      },
    };
  };
  /** Where a call is admitted, what was spent and all that is reserved fit into each hard limit. */
  const beyondLimit = (of: readonly Claim[]): string | null => {
    const over = of.find(
      (claim) => claim.isHard && oracle.spent(claim) + oracle.reserved(claim) > oracle.limit(claim),
    );
    return over ? `${over.account} is beyond its limit` : null;
  };
  const settle = (id: string): Step => {
    const isEstimate = random() < 0.3;
    const isOver = random() < 0.1;
    const charges = claimsOf(id).map((claim) => ({
      ...claim,
      amount: isOver ? claim.amount + 3 : below(random, claim.amount + 1),
    }));
    const settlement = { id, isEstimate, charges, ...(random() < 0.1 ? { onlyReplaces: true } : {}) };
    return {
      item: { kind: "settle", settlements: [settlement] },
      expect: () => {
        oracle.settle(settlement);
        const compare = comparison(charges);
        return (result) => compare(`settle ${id}`, result?.states ?? []);
      },
    };
  };
  const release = (id: string): Step => ({
    item: { kind: "release", id },
    expect: () => {
      oracle.release(id);
      return failed(`release ${id}`);
    },
  });
  const renew = (id: string): Step => ({
    item: { kind: "renew", id, leaseMs: LEASE_MS },
    expect: () => {
      oracle.renew(id, now + LEASE_MS);
      return failed(`renew ${id}`);
    },
  });
  const anyCall = (): string =>
    known.length > 0 && random() < 0.7 ? pick(random, known) : `call-${known.length}`;
  const anyStep = (): Step => {
    const action = random();
    if (action < 0.5) return reserve(random() < 0.85 ? `call-${known.length}` : anyCall());
    if (action < 0.8) return settle(anyCall());
    return action < 0.92 ? release(anyCall()) : renew(anyCall());
  };

  for (let step = 0; step < STEPS; step += 1) {
    const action = random();
    let problem: string | null = null;
    if (action < 0.25) {
      const steps = Array.from({ length: 1 + below(random, 8) }, anyStep);
      problem = runBatch(steps, { random, sql, open });
      accounts = open(sql);
    } else if (action < 0.82) {
      const one = anyStep();
      // Its response can be lost, and it is sent again.
      problem = run(one) ?? (random() < 0.15 ? run(one) : null);
    } else if (action < 0.88) {
      const rule = pick(random, rules);
      const limit = random() < 0.3 ? null : below(random, 12);
      if (limit === null) oracle.overrides.delete(rule.account);
      else oracle.overrides.set(rule.account, limit);
      accounts.change({ kind: "override", account: rule.account, limit });
    } else if (action < 0.92) {
      const rule = pick(random, rules);
      const period = periodAt(rule, now);
      const request = { id: `top-${step}`, requestId: `request-${step}` };
      const change = { kind: "top_up" as const, period, ...request, amount: below(random, 5) };
      oracle.topUps.push({ account: rule.account, start: period.start, amount: change.amount });
      const first = accounts.change(change);
      const again = accounts.change({ ...change, amount: change.amount + 1, requestId: "another" });
      if (first?.requestId !== change.requestId || again?.requestId !== change.requestId)
        return `step ${step}: a top-up is booked for another request`;
    } else if (action < 0.96) {
      oracle.expire(now);
      accounts.expire();
    }
    if (problem !== null) return `step ${step}: ${problem}`;
    // Mostly forward; a clock of another machine can be behind.
    now +=
      random() < 0.9 ? below(random, pick(random, [50, 5_000, 120_000, 1_800_000])) : -below(random, 2_000);
    if (random() < 0.2) accounts = open(sql);
  }
  const claimed = rules.map((rule): Claim => {
    const { limit, isHard } = rule;
    return { ...periodAt(rule, now), limit, isHard, warnAt: [], amount: 0 };
  });
  oracle.expire(now);
  accounts.expire();
  return comparison(claimed)("at the end", accounts.read(claimed));
}
