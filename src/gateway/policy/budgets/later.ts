/**
 * The accounts of calls whose usage is known later: batches, and responses that are made in the background. The same
 * accounts are charged for each reading, in the period of the call.
 */
import type { LaterCall } from "../../../events/budget-service.ts";
import type { Account } from "./accounts.ts";
import type { BudgetDeps } from "./call.ts";
import { periodOf } from "./period.ts";

/** `provider`: its configured name. `id`: the provider's, of the response, the batch or the file of results. */
type LaterName = { readonly provider: string; readonly id: string };

/** The name of the object that holds a call's accounts. */
const nameOf = (deps: BudgetDeps, { provider, id }: LaterName): string | Promise<string> =>
  deps.nameObject(JSON.stringify(["later", provider, id]));

/** Of budgets alone. `at`: when the call began, in milliseconds since 1970. */
export const toLaterCall = (accounts: readonly Account[], at: number): LaterCall => ({
  at,
  accounts: accounts
    .filter(({ rule }) => rule.kind === "budget")
    .map(({ rule, object, subject }) => ({ account: rule.account, object, subject })),
});

/** Keeps the accounts of a call under the provider's id of it. @returns those that were kept first; null where the object is down. */
export async function keepLater(
  deps: BudgetDeps,
  name: LaterName,
  call: LaterCall,
): Promise<LaterCall | null> {
  return (await deps.objects?.keepLater(await nameOf(deps, name), call)) ?? null;
}

/** The accounts that were kept for the id; null where there are none, or the object is down. */
export async function findLater(deps: BudgetDeps, name: LaterName): Promise<LaterCall | null> {
  return (await deps.objects?.findLater(await nameOf(deps, name))) ?? null;
}

/** The accounts with today's rules, in the period of the call. A rule that was removed charges nothing. */
export const accountsOfLater = (
  { rules }: Pick<BudgetDeps, "rules">,
  { at, accounts }: LaterCall,
): readonly Account[] =>
  accounts.flatMap(({ account, object, subject }): readonly Account[] => {
    const rule = rules.find((one) => one.account === account);
    if (!rule) return [];
    const { limit, isHard, warnAt } = rule;
    const claim = { account, ...periodOf(rule.period, rule.measure, at), limit, isHard, warnAt, amount: 0 };
    // Of a call of long ago, it is no longer kept whose it was, and its account has no news.
    return [{ rule, object, subject: subject ?? UNNAMED, claim }];
  });

const UNNAMED = { kind: "all", source: null, id: null } as const;
