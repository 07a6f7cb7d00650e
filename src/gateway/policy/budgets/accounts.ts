/** The accounts that a call is charged to: each rule's, in the object of the rule's subject. */
import type { Claim, Period } from "../../../events/budget-service.ts";
import { Refusal } from "../../../shared/refusal.ts";
import type { Amounts } from "./estimate.ts";
import { periodOf } from "./period.ts";
import type { Rule } from "./rule.ts";
import { isAbout, subjectOf, type LimitedCall, type Subject } from "./subject.ts";

/** One rule's account, and what the call claims of it. */
export type Account = {
  readonly rule: Rule;
  readonly subject: Subject;
  /** The name of the subject's object. */
  readonly object: string;
  readonly claim: Claim;
};

export type AccountRequest = {
  readonly call: LimitedCall;
  /** The most that the call may use. */
  readonly most: Amounts;
  /** The tokens by which a rate limit of tokens admits it. */
  readonly inputTokens: number;
  /** When the call began, in milliseconds since 1970. */
  readonly at: number;
};

/** The name of an object, from what identifies its subject. It must not show who that is: the platform logs names. */
export type NameObject = (subject: string) => string | Promise<string>;

/** @returns the accounts in the order of the rules, or the refusal `budget_attribution` or `budget_unpriced`, both 403. */
export async function accountsOf(
  rules: readonly Rule[],
  { call, most, inputTokens, at }: AccountRequest,
  nameObject: NameObject,
): Promise<readonly Account[] | Refusal> {
  const accounts: Account[] = [];
  for (const rule of rules) {
    if (!isAbout(rule, call)) continue;
    const subject = subjectOf(rule, call);
    if (subject === null) return new Refusal("budget_attribution", { detail: rule.account });
    const isRate = rule.kind === "rate_limit" && rule.measure === "tokens";
    const amount = isRate ? inputTokens : most[rule.measure];
    if (amount === null && rule.isHard && rule.unpriced === "refuse")
      return new Refusal("budget_unpriced", { detail: rule.account });
    const object = await nameObject(subjectKey(subject));
    const period: Period = { account: rule.account, ...periodOf(rule.period, rule.measure, at) };
    const { limit, isHard, warnAt } = rule;
    accounts.push({
      rule,
      subject,
      object,
      claim: { ...period, limit, isHard, warnAt, amount: amount ?? 0 },
    });
  }
  return accounts;
}

/** Two subjects have the same text only if they are the same. */
export const subjectKey = ({ kind, source, id }: Subject): string => JSON.stringify([kind, source, id]);

/** By their object. Every call reserves its objects in one order, so that two calls never wait for each other. */
export function byObject(accounts: readonly Account[]): readonly (readonly [string, readonly Account[]])[] {
  const groups = [...Map.groupBy(accounts, ({ object }) => object)];
  return groups.toSorted(([one], [other]) => (one < other ? -1 : 1));
}
