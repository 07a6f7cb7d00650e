/**
 * Random schedules of a budget object against the oracle (`budget-oracle.ts`): reservations, settlements, releases, renewals,
 * late and repeated messages, expired leases, changes of limits, clocks that jump, and restarts of the object between any two
 * steps. Runs in Node and in workerd.
 */
import type { AccountState, Claim, Period, ReserveResult } from "../../src/events/budget-service.ts";
import { periodOf } from "../../src/gateway/policy/budgets/period.ts";
import type { Measure, RulePeriod } from "../../src/gateway/policy/budgets/rule.ts";
import type { AccountDatabase } from "../../src/records/objects/account-tables.ts";
import { BudgetAccounts } from "../../src/records/objects/budget-accounts.ts";
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

const STEPS = 24;
const LEASE_MS = 900_000;

/** `sql`: an empty database, which is opened again as a restarted object opens its own. @returns what went wrong; null where all agree. */
export function runSchedule(seed: number, sql: AccountDatabase): string | null {
  const random = seededRandom(seed);
  const rules = randomRules(random);
  const oracle = new Oracle();
  let now = pick(random, MOMENTS) + below(random, 120_000);
  const open = (): BudgetAccounts => new BudgetAccounts(sql, () => now);
  let accounts = open();
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
  const compare = (at: string, states: readonly AccountState[], of: readonly Claim[]): string | null => {
    for (const [index, claim] of of.entries()) {
      const state = states[index];
      const want = `${oracle.spent(claim)} spent, ${oracle.reserved(claim)} reserved of ${oracle.limit(claim)}`;
      const got = `${state?.spent} spent, ${state?.reserved} reserved of ${state?.limit}`;
      if (want !== got) return `${at}: ${claim.account} has ${got}, and should have ${want}`;
    }
    return null;
  };
  const reserve = (id: string): string | null => {
    const reservation = { id, leaseMs: LEASE_MS, claims: claimsOf(id) };
    oracle.expire(now);
    const isNew = !oracle.released.has(id) && oracle.calls.every((call) => call.id !== id);
    const expected = oracle.reserve(reservation, now);
    const isAdmitted = isNew && expected === null;
    const result: ReserveResult = accounts.reserve(reservation);
    if (result.refusedBy !== expected)
      return `reserve ${id}: refused by ${String(result.refusedBy)}, and should be by ${String(expected)}`;
    return (
      compare(`reserve ${id}`, result.states, reservation.claims) ??
      (isAdmitted ? withinLimits(reservation.claims) : null)
    );
  };
  /** Where a call is admitted, what was spent and all that is reserved fit into each hard limit. */
  const withinLimits = (of: readonly Claim[]): string | null => {
    const over = of.find(
      (claim) => claim.isHard && oracle.spent(claim) + oracle.reserved(claim) > oracle.limit(claim),
    );
    return over ? `${over.account} is beyond its limit` : null;
  };
  const settle = (id: string): string | null => {
    const isEstimate = random() < 0.3;
    const isOver = random() < 0.1;
    const charges = claimsOf(id).map((claim) => ({
      ...claim,
      amount: isOver ? claim.amount + 3 : below(random, claim.amount + 1),
    }));
    const settlement = { id, isEstimate, charges, ...(random() < 0.1 ? { onlyReplaces: true } : {}) };
    oracle.settle(settlement);
    const result = accounts.settle([settlement]);
    if (random() < 0.3) {
      // Its response was lost, and it is sent again.
      oracle.settle(settlement);
      accounts.settle([settlement]);
    }
    return compare(`settle ${id}`, result.states, charges);
  };
  const anyCall = (): string =>
    known.length > 0 && random() < 0.7 ? pick(random, known) : `call-${known.length}`;

  for (let step = 0; step < STEPS; step += 1) {
    const action = random();
    let problem: string | null = null;
    if (action < 0.4) problem = reserve(random() < 0.85 ? `call-${known.length}` : anyCall());
    else if (action < 0.65) problem = settle(anyCall());
    else if (action < 0.75) {
      const id = anyCall();
      oracle.release(id);
      accounts.release(id);
    } else if (action < 0.82) {
      const id = anyCall();
      oracle.renew(id, now + LEASE_MS);
      accounts.renew(id, LEASE_MS);
    } else if (action < 0.88) {
      const rule = pick(random, rules);
      const limit = random() < 0.3 ? null : below(random, 12);
      if (limit === null) oracle.overrides.delete(rule.account);
      else oracle.overrides.set(rule.account, limit);
      accounts.change({ kind: "override", account: rule.account, limit });
    } else if (action < 0.92) {
      const rule = pick(random, rules);
      const period = periodAt(rule, now);
      const change = { kind: "top_up" as const, period, id: `top-${step}`, amount: below(random, 5) };
      oracle.topUps.push({ account: rule.account, start: period.start, amount: change.amount });
      accounts.change(change);
      accounts.change(change);
    } else if (action < 0.96) {
      oracle.expire(now);
      accounts.expire();
    }
    if (problem !== null) return `step ${step}: ${problem}`;
    // Mostly forward; a clock of another machine can be behind.
    now +=
      random() < 0.9 ? below(random, pick(random, [50, 5_000, 120_000, 1_800_000])) : -below(random, 2_000);
    if (random() < 0.2) accounts = open();
  }
  const claimed = rules.map((rule): Claim => {
    const { limit, isHard } = rule;
    return { ...periodAt(rule, now), limit, isHard, warnAt: [], amount: 0 };
  });
  oracle.expire(now);
  accounts.expire();
  return compare("at the end", accounts.read(claimed), claimed);
}
