/** Budgets' accounts and the principals that they belong to. */
import type { Account } from "../api/types.ts";
import { formatCount, formatDollars } from "../text/format.ts";

/** The largest page of accounts that the gateway serves. */
export const BUDGET_LIMIT = 100;

/** A principal is a source and an id. */
export const subjectKey = (source: string | null, id: string | null): string => JSON.stringify([source, id]);

export const accountKey = ({ subject_source: source, subject_id: id }: Account): string =>
  subjectKey(source, id);

const BUDGET_PREFIX = "budget:";

/** The rule of a budget as events and refusals name it. */
export const ruleOf = (budget: string): string => `${BUDGET_PREFIX}${budget}`;

/** The budget that a rule is of; null for a rate limit. */
export const budgetOf = (rule: string): string | null =>
  rule.startsWith(BUDGET_PREFIX) ? rule.slice(BUDGET_PREFIX.length) : null;

/** An amount in the account's measure; dollars are in millionths. */
export const formatAmount = (measure: string, value: number): string =>
  measure === "dollars" ? formatDollars(value) : formatCount(value);
