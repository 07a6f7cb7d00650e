/**
 * The accounts of calls whose usage is known later: batches, and responses that are made in the background. Each reading of their
 * results charges the same accounts, in the period of the call.
 */
import type { LaterCall } from "../../../events/budget-service.ts";
import { BACKOFF_MS, wait } from "./backoff.ts";
import type { Account } from "./accounts.ts";
import type { BudgetDeps, CallContext, ObjectDeps } from "./call.ts";
import { periodOf } from "./period.ts";

/** `provider`: its configured name. `id`: the provider's, of the response, the batch or the file of results. */
type LaterName = { readonly provider: string; readonly id: string };

/** `null`: no accounts are stored for the id. */
export type FoundLater = LaterCall | null | "unavailable";

/** Whether usage that is known later is charged at all: rate limits are about the calls alone. */
export const keepsLater = <T extends BudgetDeps>(deps: T): deps is T & ObjectDeps =>
  deps.objects !== null && deps.rules.some(({ kind }) => kind === "budget");

/** The name of the object that stores a call's accounts. */
const nameOf = (deps: BudgetDeps, { provider, id }: LaterName): string | Promise<string> =>
  deps.nameObject(JSON.stringify(["later", provider, id]));

/** The accounts of budgets. `at`: when the call began, in milliseconds since 1970. */
export const toLaterCall = (accounts: readonly Account[], at: number): LaterCall => ({
  at,
  accounts: accounts
    .filter(({ rule }) => rule.kind === "budget")
    .map(({ rule, object, subject }) => ({ account: rule.account, object, subject })),
});

/** Stores the accounts of a call under the provider's id of it, with retries. @returns the accounts that were stored first. */
export async function keepLater(
  deps: ObjectDeps,
  name: LaterName,
  call: LaterCall,
  context: Pick<CallContext, "after">,
): Promise<LaterCall | "unavailable"> {
  const object = await nameOf(deps, name);
  return (await retried(context, () => deps.objects.keepLater(object, call))) ?? "unavailable";
}

/** The accounts that are stored for the id, with retries. */
export async function findLater(
  deps: ObjectDeps,
  name: LaterName,
  context: Pick<CallContext, "after">,
): Promise<FoundLater> {
  const object = await nameOf(deps, name);
  const found = await retried(context, () => deps.objects.findLater(object));
  return found ? found.later : "unavailable";
}

/** Calls until there is a result, with pauses. */
async function retried<T>(
  context: Pick<CallContext, "after">,
  call: () => Promise<T | null>,
): Promise<T | null> {
  let result = await call();
  for (const ms of BACKOFF_MS) {
    if (result) break;
    await wait(ms, context);
    result = await call();
  }
  return result;
}

/** The accounts with the present rules, in the period of the call. A rule that was removed charges nothing. */
export const accountsOfLater = (
  { rules }: Pick<BudgetDeps, "rules">,
  { at, accounts }: LaterCall,
): readonly Account[] =>
  accounts.flatMap(({ account, object, subject }): readonly Account[] => {
    const rule = rules.find((one) => one.account === account);
    if (!rule) return [];
    const { limit, isHard } = rule;
    // The subject of an old call is deleted. Its account then reports no thresholds.
    const warnAt = subject === null ? [] : rule.warnAt;
    const claim = { account, ...periodOf(rule.period, rule.measure, at), limit, isHard, warnAt, amount: 0 };
    return [{ rule, object, subject: subject ?? UNNAMED, claim }];
  });

const UNNAMED = { kind: "all", source: null, id: null } as const;
