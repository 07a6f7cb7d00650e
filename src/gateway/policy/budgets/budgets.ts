/**
 * Budgets and rate limits of a call: reserves the most that it may cost before the provider is called, and charges what it has cost
 * at its end.
 */
import type { AccountState, ReserveResult } from "../../../events/budget-service.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { accountsOf, byObject, type Account, type AccountRequest } from "./accounts.ts";
import type { BudgetDeps, CallContext, Group, Used } from "./call.ts";
import { NOTHING } from "./estimate.ts";
import type { BudgetObjects } from "./object-client.ts";
import { refusalFor, unavailable } from "./refusals.ts";
import { notify, settleGroup, settlementOf } from "./settle.ts";

/** How long an object waits for a call that is not renewed, and how often a call renews. */
export const LEASE_MS = 15 * 60_000;
const RENEW_MS = 5 * 60_000;

/** A call that may be made. */
export type HeldCall = {
  readonly accounts: readonly Account[];
  /** Charges the call, once. An estimate is at most what was reserved. */
  readonly settle: (used: Used) => Promise<void>;
  /** The call is not made. */
  readonly release: () => Promise<void>;
};

/** Reserves for a call. @returns null where no rule is about it. */
export async function hold(
  request: AccountRequest,
  context: CallContext,
  deps: BudgetDeps,
): Promise<HeldCall | Refusal | null> {
  const accounts = await accountsOf(deps.rules, request, deps.nameObject);
  if (accounts instanceof Refusal) return accounts;
  const { objects } = deps;
  if (accounts.length === 0 || objects === null) return null;
  const groups = byObject(accounts).map(([object, all]): Group => ({
    object,
    strict: all.filter(({ rule }) => rule.mode === "strict"),
    soft: all.filter(({ rule }) => rule.mode === "soft"),
  }));

  for (const { object, soft } of groups) {
    for (const account of soft) {
      const spent = account.rule.isHard ? deps.soft.spent(account) : null;
      if (spent !== null) return refused(account, spent, context, deps);
    }
    if (soft.length > 0) context.waitUntil(deps.soft.refresh(object, soft));
  }

  const reserved: string[] = [];
  const releaseAll = async (): Promise<void> => {
    await Promise.all(
      groups.map(async ({ object, strict }) => {
        if (!reserved.includes(object) || (await objects.release(object, context.id, context))) return;
        const [first] = strict;
        const nothing = { amounts: NOTHING, isEstimate: false };
        if (first) context.undelivered(object, first, [settlementOf(context.id, strict, nothing)]);
      }),
    );
  };
  for (const { object, strict } of groups) {
    if (strict.length === 0) continue;
    reserved.push(object);
    const claims = strict.map(({ claim }) => claim);
    const result = await objects.reserve(object, { id: context.id, leaseMs: LEASE_MS, claims }, context);
    const refusal = result === null ? unavailable(strict) : decide(result, strict, context, deps);
    if (refusal === null) continue;
    context.waitUntil(releaseAll());
    return refusal;
  }
  const stop = renewing(reserved, context, objects);
  return {
    accounts,
    settle: async (used) => {
      stop();
      await Promise.all(groups.map((group) => settleGroup(group, used, context, { ...deps, objects })));
    },
    release: async () => {
      stop();
      await releaseAll();
    },
  };
}

function decide(
  { refusedBy, states, news }: ReserveResult,
  accounts: readonly Account[],
  context: CallContext,
  deps: BudgetDeps,
): Refusal | null {
  notify(news, states, accounts, context);
  const account = accounts.find(({ claim }) => claim.account === refusedBy);
  const state = states.find((one) => one.account === refusedBy);
  return account && state ? refused(account, state, context, deps) : null;
}

function refused(
  account: Account,
  state: AccountState,
  { notice }: CallContext,
  { now, soft }: BudgetDeps,
): Refusal {
  // A client that is refused by a rate limit repeats its request many times.
  if (account.rule.kind === "rate_limit" && soft.isFirstInMinute(account))
    notice([{ kind: "rate_limited", account, state }]);
  return refusalFor(account, state, now());
}

/** Renews the reservations until it is stopped. */
function renewing(reserved: readonly string[], context: CallContext, objects: BudgetObjects): () => void {
  if (reserved.length === 0) return () => undefined;
  const { id, after, waitUntil } = context;
  let cancel = after(RENEW_MS, renew);
  function renew(): void {
    const renewal = { id, leaseMs: LEASE_MS };
    waitUntil(Promise.all(reserved.map((object) => objects.renew(object, renewal, context))));
    cancel = after(RENEW_MS, renew);
  }
  return () => cancel();
}
