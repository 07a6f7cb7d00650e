/** The types that reserving and charging share: dependencies, the context of the request, the usage of the call, what becomes known. */
import type { AccountState, Settlement } from "../../../events/budget-service.ts";
import type { After } from "../../../shared/deadline.ts";
import type { Account, NameObject } from "./accounts.ts";
import type { Amounts } from "./estimate.ts";
import type { BudgetObjects } from "./object-client.ts";
import type { Rule } from "./rule.ts";
import type { SoftAccounts } from "./soft-accounts.ts";

export type BudgetDeps = {
  readonly rules: readonly Rule[];
  /** null where all rules are of the platform's rate limits. */
  readonly objects: BudgetObjects | null;
  readonly soft: SoftAccounts;
  readonly nameObject: NameObject;
  /** Milliseconds since 1970. */
  readonly now: () => number;
};

/** Dependencies with budget objects. */
export type ObjectDeps = BudgetDeps & { readonly objects: BudgetObjects };

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
  /** Of `amounts`. An estimate is charged up to the reservation only. */
  readonly isEstimate: boolean;
  /** Estimates of earlier attempts, charged beside `amounts` and in full: the reservation is for one attempt. */
  readonly lost?: Amounts;
  /** The tokens are the provider's own figures, although the cost is an estimate. */
  readonly hasTokens?: boolean;
  /** The id under which it is charged, in place of the interception's: that of a response whose usage is known later. */
  readonly as?: string;
};

/** The accounts of one object. */
export type Group = {
  readonly object: string;
  readonly strict: readonly Account[];
  readonly soft: readonly Account[];
};
