/** Why a call is refused by a budget or a rate limit, in words for the caller. */
import type { AccountState } from "../../../events/budget-service.ts";
import { Refusal } from "../../../shared/refusal.ts";
import type { Account } from "./accounts.ts";
import type { Measure } from "./rule.ts";

/** `now`: milliseconds since 1970. */
export function refusalFor({ rule, claim }: Account, state: AccountState, now: number): Refusal {
  const { account: detail } = claim;
  const resetMs = Math.max(0, state.resetsAt - now);
  const retryAfterS = Math.max(1, Math.ceil(resetMs / 1000));
  if (rule.kind === "rate_limit" && rule.measure !== "dollars") {
    const remaining = Math.max(0, state.limit - state.spent - state.reserved);
    const rate = { measure: rule.measure, limit: state.limit, remaining, resetsAt: state.resetsAt, resetMs };
    const note = `Limit "${rule.name}": ${amountText(rule.measure, state.limit)}${rule.measure === "concurrent" ? " at once" : " a minute"}.`;
    return new Refusal("rate_limited", { detail, note, retryAfterS, rate });
  }
  const { measure, name, status } = rule;
  const note =
    `Budget "${name}": ${amountText(measure, state.spent)} of ${amountText(measure, state.limit)} used, ` +
    `${amountText(measure, state.reserved)} reserved by calls that have not ended, ` +
    `up to ${amountText(measure, claim.amount)} requested. It resets at ${new Date(state.resetsAt).toISOString()}.`;
  // A client must not repeat it by itself, regardless of the status.
  return new Refusal("budget_exceeded", {
    detail,
    note,
    status,
    isFinal: true,
    ...(status === 429 ? { retryAfterS } : {}),
  });
}

/** The refusal where an object cannot be reached, if one of its rules demands one. */
export function unavailable(accounts: readonly Account[]): Refusal | null {
  const closed = accounts.find(({ rule }) => rule.onUnavailable === "closed");
  return closed ? new Refusal("budget_unavailable", { detail: closed.claim.account }) : null;
}

const UNITS: Readonly<Record<Exclude<Measure, "dollars">, string>> = {
  tokens: "tokens",
  requests: "requests",
  concurrent: "calls",
};

/** `$1.50` or `1,500 tokens`. Dollars have the digits of cents, and more only where they count. */
export function amountText(measure: Measure, amount: number): string {
  if (measure !== "dollars") return `${amount.toLocaleString("en-US")} ${UNITS[measure]}`;
  const digits = amount % 10_000 === 0 ? 2 : 6;
  return `$${(amount / 1e6).toFixed(digits)}`;
}
