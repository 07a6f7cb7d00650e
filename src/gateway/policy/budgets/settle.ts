/** Charges calls at their end, in the objects of their accounts, and reports what became known with that. */
import type { AccountState, Charge, News, Settlement } from "../../../events/budget-service.ts";
import type { After } from "../../../shared/deadline.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { accountsOf, byObject, type Account, type AccountRequest } from "./accounts.ts";
import type { BudgetDeps } from "./budgets.ts";
import { NOTHING, type Amounts } from "./estimate.ts";
import type { BudgetObjects } from "./object-client.ts";
import { GATHER_MS } from "./soft-accounts.ts";

/** A fact that became known with a call, and is an event. */
export type BudgetNotice = {
  readonly account: Account;
  readonly state: AccountState;
} & (
  | { readonly kind: "threshold"; readonly percent: number }
  | { readonly kind: "exceeded" }
  | { readonly kind: "rate_limited" }
  | { readonly kind: "overrun"; readonly charged: number }
);

/** The context of the request. */
export type CallContext = {
  /** The interception's id. */
  readonly id: string;
  readonly after: After;
  readonly waitUntil: (work: Promise<unknown>) => void;
  readonly notice: (notices: readonly BudgetNotice[]) => void;
  /** Takes charges that could not be delivered. */
  readonly undelivered: (object: string, account: Account, settlements: readonly Settlement[]) => void;
};

/** The usage of a call: figures of the provider, or estimates. */
export type Used = {
  readonly amounts: Amounts;
  readonly isEstimate: boolean;
  /** The tokens are the provider's own figures, although the cost is an estimate. */
  readonly hasTokens?: boolean;
  /** Only replaces an estimate. */
  readonly onlyReplaces?: boolean;
  /** The id under which it is charged, in place of the interception's: that of a response whose usage is known later. */
  readonly as?: string;
};

/** Charges a call for which nothing was reserved. */
export async function charge(
  request: AccountRequest,
  used: Used,
  context: CallContext,
  deps: BudgetDeps,
): Promise<void> {
  const accounts = await accountsOf(deps.rules, request, deps.nameObject);
  const { objects } = deps;
  if (accounts instanceof Refusal || objects === null) return;
  for (const [object, all] of byObject(accounts)) {
    const charged = all.filter(({ rule }) => rule.kind === "budget");
    const [first] = charged;
    if (!first) continue;
    const settlement = settlementOf(context.id, charged, used);
    const result = await objects.settle(object, [settlement]);
    if (result === null) context.undelivered(object, first, [settlement]);
    else notify(result.news, result.states, charged, context);
  }
}

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

/** The accounts of one object. */
export type Group = {
  readonly object: string;
  readonly strict: readonly Account[];
  readonly soft: readonly Account[];
};

export async function settleGroup(
  { object, strict, soft }: Group,
  used: Used,
  context: CallContext,
  deps: BudgetDeps & { readonly objects: BudgetObjects },
): Promise<void> {
  const { objects } = deps;
  const [first] = strict;
  if (first) {
    const settlement = settlementOf(used.as ?? context.id, strict, used, true);
    const nothing = { ...used, amounts: NOTHING, isEstimate: false };
    const settlements =
      used.as === undefined ? [settlement] : [settlementOf(context.id, strict, nothing), settlement];
    const result = await objects.settle(object, settlements);
    if (result === null) context.undelivered(object, first, settlements);
    else notify(result.news, result.states, strict, context);
    context.notice(overruns(strict, settlement, result?.states ?? []));
  }
  const settlement = settlementOf(used.as ?? context.id, soft, used);
  if (soft.length > 0) await settleSoft({ object, accounts: soft, settlement }, context, deps);
}

/** The first of a second delivers the charges of all. */
async function settleSoft(
  {
    object,
    accounts,
    settlement,
  }: { readonly object: string; readonly accounts: readonly Account[]; readonly settlement: Settlement },
  context: CallContext,
  { objects, soft }: BudgetDeps & { readonly objects: BudgetObjects },
): Promise<void> {
  const list = soft.add(object, settlement);
  const [first] = accounts;
  if (list === null || !first) return;
  await new Promise<void>((resolve) => void context.after(GATHER_MS, resolve));
  soft.close(object, list);
  const result = await objects.settle(object, list);
  if (result === null) {
    context.undelivered(object, first, list);
    return;
  }
  soft.learn(object, result.states);
  notify(result.news, result.states, accounts, context);
}

/** An estimate of a call that was reserved is at most its reservation, and never nothing. */
export function settlementOf(
  id: string,
  accounts: readonly Account[],
  { amounts, isEstimate, hasTokens = false, onlyReplaces }: Used,
  isReserved = false,
): Settlement {
  const charges = accounts.map(({ rule, claim }): Charge => {
    if (rule.measure === "concurrent") return { ...claim, amount: 0 };
    const amount = amounts[rule.measure] ?? claim.amount;
    const isBounded =
      isEstimate && isReserved && rule.kind === "budget" && !(hasTokens && rule.measure === "tokens");
    return { ...claim, amount: isBounded ? Math.min(amount, claim.amount) : amount };
  });
  return { id, isEstimate, charges, ...(onlyReplaces ? { onlyReplaces } : {}) };
}

/** The charges beyond what was reserved. */
function overruns(
  accounts: readonly Account[],
  { charges }: Settlement,
  states: readonly AccountState[],
): readonly BudgetNotice[] {
  return accounts.flatMap((account, at): readonly BudgetNotice[] => {
    const charged = charges[at]?.amount ?? 0;
    const { claim, rule } = account;
    if (rule.kind === "rate_limit" || charged <= claim.amount) return [];
    const { limit, resetsAt } = claim;
    const unknown = { account: claim.account, spent: charged, reserved: 0, limit, resetsAt };
    const state = states.find((one) => one.account === claim.account) ?? unknown;
    return [{ kind: "overrun", charged, account, state }];
  });
}
