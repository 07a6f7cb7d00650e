/**
 * The states that the accounts of a budget object must have, computed without sums: from the list of all that ever happened. Slow, and simple
 * enough to be read in a minute.
 */
import type { Claim, Reservation, Settlement } from "../../src/events/budget-service.ts";

type Call = {
  readonly id: string;
  readonly account: string;
  readonly start: number;
  readonly reserved: number;
  leaseUntil: number;
  /** null while the call is open. */
  charged: number | null;
  isEstimate: boolean;
};

export class Oracle {
  readonly calls: Call[] = [];
  readonly released = new Set<string>();
  readonly topUps: { readonly account: string; readonly start: number; readonly amount: number }[] = [];
  readonly overrides = new Map<string, number>();

  spent({ account, since, start }: Pick<Claim, "account" | "since" | "start">): number {
    return this.#sum(account, since, start, (call) => call.charged ?? 0);
  }

  reserved({ account, since, start }: Pick<Claim, "account" | "since" | "start">): number {
    return this.#sum(account, since, start, (call) => (call.charged === null ? call.reserved : 0));
  }

  limit({ account, since, start, limit }: Omit<Claim, "amount">): number {
    const topUps = this.topUps.filter(
      (one) => one.account === account && one.start >= since && (since !== start || one.start === start),
    );
    return (this.overrides.get(account) ?? limit) + topUps.reduce((sum, { amount }) => sum + amount, 0);
  }

  /** The account that refuses; null where all is reserved. */
  reserve({ id, leaseMs, claims }: Reservation, now: number): string | null {
    if (this.released.has(id) || this.calls.some((call) => call.id === id)) return null;
    const full = claims.find(
      (claim) => claim.isHard && this.spent(claim) + this.reserved(claim) + claim.amount > this.limit(claim),
    );
    if (full) return full.account;
    for (const { account, start, amount } of claims)
      this.calls.push({
        id,
        account,
        start,
        reserved: amount,
        leaseUntil: now + leaseMs,
        charged: null,
        isEstimate: false,
      });
    return null;
  }

  settle({ id, isEstimate, onlyReplaces = false, charges }: Settlement): void {
    for (const charge of charges) this.#settleOne(id, charge, { isEstimate, onlyReplaces });
  }

  release(id: string): void {
    this.released.add(id);
    for (const call of this.calls)
      if (call.id === id && call.charged === null) Object.assign(call, { charged: 0, isEstimate: false });
  }

  renew(id: string, until: number): void {
    for (const call of this.calls)
      if (call.id === id && call.charged === null) call.leaseUntil = Math.max(call.leaseUntil, until);
  }

  expire(at: number): void {
    for (const call of this.calls)
      if (call.charged === null && call.leaseUntil <= at)
        // A concurrent call that is lost has ended.
        Object.assign(call, { charged: call.start === 0 ? 0 : call.reserved, isEstimate: true });
  }

  #settleOne(
    id: string,
    { account, start, amount }: Claim,
    { isEstimate, onlyReplaces }: { readonly isEstimate: boolean; readonly onlyReplaces: boolean },
  ): void {
    const call = this.calls.find((one) => one.id === id && one.account === account);
    if (!call) {
      if (onlyReplaces) return;
      const charged = { charged: amount, isEstimate };
      this.calls.push({ id, account, start, reserved: 0, leaseUntil: 0, ...charged });
    } else if (call.charged === null || !isEstimate) Object.assign(call, { charged: amount, isEstimate });
  }

  #sum(account: string, since: number, start: number, of: (call: Call) => number): number {
    return this.calls
      .filter(
        (call) =>
          call.account === account && call.start >= since && (since !== start || call.start === start),
      )
      .reduce((sum, call) => sum + of(call), 0);
  }
}
