/** Charges calls at their end, in the objects of their accounts, and reports what became known with that. */
import type { AccountState, Claim, News, Settlement } from "../../../events/budget-service.ts";
import type { Account } from "./accounts.ts";
import { BACKOFF_MS, wait } from "./backoff.ts";
import type { BudgetNotice, CallContext, Group, ObjectDeps, Used } from "./call.ts";
import { NOTHING } from "./estimate.ts";
import { GATHER_MS } from "./soft-accounts.ts";

/** Reports what an object has to report. */
export function notify(
  news: readonly News[],
  states: readonly AccountState[],
  accounts: readonly Account[],
  { notice }: CallContext,
): void {
  for (const one of news) {
    const account = accounts.find(({ claim }) => claim.account === one.account);
    const state = states.find(({ account: name }) => name === one.account);
    if (!account || !state || account.rule.kind === "rate_limit") continue;
    const reached = one.reached.map((percent): BudgetNotice => ({
      kind: "threshold",
      percent,
      account,
      state,
    }));
    notice(one.isExceeded ? [...reached, { kind: "exceeded", account, state }] : reached);
  }
}

export async function settleGroup(
  { object, strict, soft }: Group,
  used: Used,
  context: CallContext,
  deps: ObjectDeps,
): Promise<void> {
  const { objects } = deps;
  const [first] = strict;
  if (first) {
    const settlements = settlementsOf(strict, used, context, true);
    const result = await objects.settle(object, settlements, context);
    if (result === null) context.undelivered(object, first, settlements);
    else notify(result.news, result.states, strict, context);
    context.notice(overruns(strict, settlements, result?.states ?? []));
  }
  if (soft.length === 0) return;
  const settlements = settlementsOf(soft, used, context);
  await Promise.all(
    settlements.map((settlement) => settleSoft({ object, accounts: soft, settlement }, context, deps)),
  );
}

/** A usage that is known later is charged under an id of its own, beside the call, which keeps its lost attempts. */
export function settlementsOf(
  accounts: readonly Account[],
  used: Used,
  { id }: Pick<CallContext, "id">,
  isReserved = false,
): readonly Settlement[] {
  const { as, lost, ...last } = used;
  if (as === undefined) return [settlementOf(id, accounts, used, isReserved)];
  const settlement = settlementOf(as, accounts, last, isReserved);
  if (!isReserved && lost === undefined) return [settlement];
  // It also ends the reservation.
  const call = settlementOf(id, accounts, { amounts: lost ?? NOTHING, isEstimate: false });
  return [call, settlement];
}

/** The first of a second delivers the charges of all. */
async function settleSoft(
  {
    object,
    accounts,
    settlement,
  }: { readonly object: string; readonly accounts: readonly Account[]; readonly settlement: Settlement },
  context: CallContext,
  { objects, soft }: ObjectDeps,
): Promise<void> {
  const list = soft.add(object, settlement);
  const [first] = accounts;
  if (list === null || !first) return;
  await wait(GATHER_MS, context);
  soft.close(object, list);
  let result = await objects.deliver(object, list);
  for (const ms of BACKOFF_MS) {
    if (result !== null) break;
    await wait(ms, context);
    result = await objects.deliver(object, list);
  }
  if (result === null) {
    context.undelivered(object, first, list);
    return;
  }
  soft.learn(object, result.states);
  notify(result.news, result.states, accounts, context);
}

/** An estimate of a call that was reserved is at most its reservation; lost attempts are added to that. */
export function settlementOf(
  id: string,
  accounts: readonly Account[],
  { amounts, isEstimate, hasTokens = false, lost = NOTHING }: Used,
  isReserved = false,
): Settlement {
  const charges = accounts.map(({ rule, claim }): Claim => {
    if (rule.measure === "concurrent") return { ...claim, amount: 0 };
    const amount = amounts[rule.measure] ?? claim.amount;
    const isBounded =
      isEstimate && isReserved && rule.kind === "budget" && !(hasTokens && rule.measure === "tokens");
    const last = isBounded ? Math.min(amount, claim.amount) : amount;
    return { ...claim, amount: last + (lost[rule.measure] ?? 0) };
  });
  return { id, isEstimate, charges };
}

/** The charges beyond what was reserved. */
function overruns(
  accounts: readonly Account[],
  settlements: readonly Settlement[],
  states: readonly AccountState[],
): readonly BudgetNotice[] {
  return accounts.flatMap((account, at): readonly BudgetNotice[] => {
    const charged = settlements.reduce((sum, { charges }) => sum + (charges[at]?.amount ?? 0), 0);
    const { claim, rule } = account;
    if (rule.kind === "rate_limit" || charged <= claim.amount) return [];
    const { limit, resetsAt } = claim;
    const unknown = { account: claim.account, spent: charged, reserved: 0, limit, resetsAt };
    const state = states.find((one) => one.account === claim.account) ?? unknown;
    return [{ kind: "overrun", charged, account, state }];
  });
}
