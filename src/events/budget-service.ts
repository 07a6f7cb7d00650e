/**
 * The RPC contract of a budget object: what the gateway calls over its `BUDGET_OBJECTS` binding, and the consumer of the
 * ledger's events where a charge could not be delivered. An object holds the accounts of one subject: one for each rule of
 * `BUDGETS` and `RATE_LIMITS` that applies to it. Amounts are whole: micro-dollars, tokens, requests or concurrent calls. Times
 * are milliseconds since 1970.
 *
 * Each method can be called again with the same values and changes nothing then: the platform restarts objects, and a response
 * can be lost.
 *
 * Two versions run at once during a deployment. A gateway of this version also calls objects without `batch`, and an object of
 * this version is also called by gateways that know only the other methods.
 */

/**
 * The part of an account's time that a call belongs to: the calendar period, or the slice of a rolling window. The account's sum is
 * that of the period, or of all slices from `since` on. Only concurrent calls have `start` 0.
 */
export type Period = {
  readonly account: string;
  readonly start: number;
  readonly since: number;
  /** When the sum is lower again: the end of the period; of a window, when its oldest slice ends. */
  readonly resetsAt: number;
  /** How long what is known of the part's calls is kept after `resetsAt`. */
  readonly keepMs: number;
};

/** The limit of an account. */
export type Allowance = {
  /** Without the top-ups and the override that the account itself has. */
  readonly limit: number;
  /** Whether a call is refused that might exceed the limit. */
  readonly isHard: boolean;
  /** Percent of the limit, in ascending order. */
  readonly warnAt: readonly number[];
};

/** An amount of an account: what a reservation holds of it, or what a settlement charges to it. */
export type Claim = Period & Allowance & { readonly amount: number };

export type Reservation = {
  /** The interception's id. */
  readonly id: string;
  /** For so long, by the object's own clock, the caller neither renews nor settles it. Then the whole amount is charged. */
  readonly leaseMs: number;
  /** Of different accounts: all are reserved, or none is. */
  readonly claims: readonly Claim[];
};

export type Settlement = {
  readonly id: string;
  /** An estimate is replaced by a later figure, and never replaces one. */
  readonly isEstimate: boolean;
  /** The id of the request that delivers it, where each request may settle the same id. By default its own id. */
  readonly deliveredBy?: string;
  /** Only replaces an estimate of this id: without one, the usage was charged with its call. */
  readonly onlyReplaces?: boolean;
  readonly charges: readonly Claim[];
};

export type AccountState = {
  readonly account: string;
  readonly spent: number;
  /** Of calls that have not ended. */
  readonly reserved: number;
  /** With top-ups and an override. */
  readonly limit: number;
  readonly resetsAt: number;
};

/** Facts that became known with a call, and were never reported before in the period. */
export type News = {
  readonly account: string;
  /** Percent of the limit that the spending has reached. */
  readonly reached: readonly number[];
  /** The first refusal. */
  readonly isExceeded: boolean;
};

export type ReserveResult = {
  /** The first account whose limit the call might exceed; null where all are reserved. */
  readonly refusedBy: string | null;
  /** Of the claimed accounts, in their order. */
  readonly states: readonly AccountState[];
  readonly news: readonly News[];
};

export type SettleResult = { readonly states: readonly AccountState[]; readonly news: readonly News[] };

/** A change by an administrator. */
export type AccountChange =
  /** The limit in place of the rule's, until it is changed again; null removes it. */
  | { readonly kind: "override"; readonly account: string; readonly limit: number | null }
  /** An amount beside the limit, in the period of that start. `id` tells top-ups apart. */
  | {
      readonly kind: "top_up";
      readonly period: Period;
      readonly id: string;
      readonly amount: number;
      /** The id of the request. Absent from a gateway from before repetitions were compared. */
      readonly requestId?: string;
    };

/** The top-up that an object has booked under an id. */
export type BookedTopUp = { readonly requestId: string | null; readonly amount: number };

/** The accounts of a call whose usage is known later. */
export type LaterCall = {
  /** When the call began. */
  readonly at: number;
  readonly accounts: readonly {
    readonly account: string;
    /** The name of the account's object. */
    readonly object: string;
    /** null once the subject is deleted. */
    readonly subject: BudgetSubject | null;
  }[];
};

/** The subject of an account. `id` is null for the calls without one, which share an account. */
export type BudgetSubject = {
  readonly kind: "principal" | "client" | "workspace" | "key" | "all";
  /** Of a principal. */
  readonly source: string | null;
  readonly id: string | null;
};

/** A call of `reserve`, `settle`, `release` or `renew` within a batch. */
export type BatchItem =
  | { readonly kind: "reserve"; readonly reservation: Reservation }
  | { readonly kind: "settle"; readonly settlements: readonly Settlement[] }
  | { readonly kind: "release"; readonly id: string }
  | { readonly kind: "renew"; readonly id: string; readonly leaseMs: number };

/** The result of one item; null if the item failed and changed nothing. A method without a result returns empty `states` and `news`, and null for `refusedBy`. */
export type BatchResult = ReserveResult | null;

export type BudgetService = {
  readonly reserve: (reservation: Reservation) => Promise<ReserveResult>;
  /** The states after all of them, of the accounts of the last one. */
  readonly settle: (settlements: readonly Settlement[]) => Promise<SettleResult>;
  /** Frees the amounts that a call reserved which is not made. A later reservation of this id reserves nothing. */
  readonly release: (id: string) => Promise<void>;
  readonly renew: (id: string, leaseMs: number) => Promise<void>;
  readonly read: (claims: readonly (Period & Allowance)[]) => Promise<readonly AccountState[]>;
  /** Of a top-up: the one that is booked under this id, which may be an earlier one. */
  readonly change: (change: AccountChange) => Promise<BookedTopUp | undefined>;
  /** Keeps the call, unless the object keeps one. @returns the one that it keeps. */
  readonly keepLater: (call: LaterCall) => Promise<LaterCall>;
  readonly findLater: () => Promise<LaterCall | null>;
  /** Books the items in their order and in one transaction. An item that fails does not fail the others. */
  readonly batch: (items: readonly BatchItem[]) => Promise<readonly BatchResult[]>;
};
