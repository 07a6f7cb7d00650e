/** The account of a budget, as the API shows it. */
import type { AccountState, Allowance, Period } from "../../events/budget-service.ts";
import { subjectKey } from "../policy/budgets/accounts.ts";
import { periodOf } from "../policy/budgets/period.ts";
import type { Rule } from "../policy/budgets/rule.ts";
import type { Subject } from "../policy/budgets/subject.ts";
import type { SpendingDeps } from "./spending.ts";

/** A subject with the name that the ledger has for it. */
export type Named = { readonly subject: Subject; readonly name: string | null };

export const budgetRules = (budgets: SpendingDeps | null): readonly Rule[] =>
  (budgets?.rules ?? []).filter(({ kind }) => kind === "budget");

/** Whether the rule's accounts are those of persons and services. */
export const isOfPrincipals = ({ per }: Rule): boolean => per === "initiator" || per === "actor";

export function subjectOfRule(rule: Rule, source: string | null, id: string): Subject {
  const { per, account } = rule;
  if (per === "initiator" || per === "actor") return { kind: "principal", source, id };
  return per === "all" ? { kind: "all", source: null, id: account } : { kind: per, source: null, id };
}

export const claimOf = (rule: Rule, now: number): Period & Allowance => ({
  account: rule.account,
  ...periodOf(rule.period, rule.measure, now),
  limit: rule.limit,
  isHard: rule.isHard,
  warnAt: [],
});

export async function accountOf(
  budgets: SpendingDeps | null,
  rule: Rule,
  { subject, name }: Named,
  now: number,
): Promise<object> {
  const object = await budgets?.nameObject(subjectKey(subject));
  const states = object === undefined ? null : await budgets?.objects?.read(object, [claimOf(rule, now)]);
  return toResult(rule, { subject, name }, states?.[0] ?? null);
}

/** Without a state where the object did not respond. */
function toResult(rule: Rule, { subject, name }: Named, state: AccountState | null): object {
  return {
    budget: rule.name,
    per: rule.per,
    measure: rule.measure,
    period: rule.period.kind === "window" ? `${rule.period.ms / 1000} s` : rule.period.unit,
    hard: rule.isHard,
    mode: rule.mode,
    subject_kind: subject.kind,
    subject_source: subject.source,
    subject_id: subject.kind === "all" ? null : subject.id,
    subject_name: name,
    limit: state?.limit ?? rule.limit,
    spent: state?.spent ?? null,
    reserved: state?.reserved ?? null,
    resets_at: state ? new Date(state.resetsAt).toISOString() : null,
  };
}
