/**
 * The accounts of one subject: reserves what a call may cost at most, and books what it has cost. Synchronous: nothing comes
 * between a decision and its reservation. Everything is in the database, so that a restart of the object loses nothing.
 */
import type {
  AccountChange,
  AccountState,
  Allowance,
  BatchItem,
  BatchResult,
  BookedTopUp,
  Claim,
  News,
  Period,
  Reservation,
  ReserveResult,
  Settlement,
  SettleResult,
} from "../../events/budget-service.ts";
import { createTables, type AccountDatabase, RELEASED } from "./account-tables.ts";
import { Calls, type Charged, type ReadonlyCall } from "./calls.ts";
import { PeriodRows, type Sums } from "./period-rows.ts";
import { Reported, reservationOf, settlementOf } from "./reported.ts";

/** How long a released call is remembered: longer than any request to reserve for it can be on its way. */
const RELEASED_MS = 3_600_000;
/** The start of the period of concurrent calls, which have no other. A call that is lost ends for them. */
const CONCURRENT = 0;

export class BudgetAccounts {
  readonly #sql: AccountDatabase;
  readonly #calls: Calls;
  readonly #reported: Reported;
  readonly #now: () => number;
  /** Of the transaction that is under way. */
  #periods: PeriodRows;

  /** `now`: milliseconds since 1970. */
  constructor(sql: AccountDatabase, now: () => number) {
    this.#sql = sql;
    this.#now = now;
    createTables(sql);
    this.#calls = new Calls(sql);
    this.#reported = new Reported(sql);
    this.#periods = new PeriodRows(sql);
  }

  reserve(reservation: Reservation): ReserveResult {
    return this.#transaction(() => this.#reserve(reservation));
  }

  settle(settlements: readonly Settlement[]): SettleResult {
    return this.#transaction(() => this.#settle(settlements));
  }

  release(id: string): void {
    this.#transaction(() => this.#release(id));
  }

  renew(id: string, leaseMs: number): void {
    this.#transaction(() => this.#calls.renew(id, this.#now() + leaseMs));
  }

  read(claims: readonly (Period & Allowance)[]): readonly AccountState[] {
    return this.#transaction(() => this.#states(claims));
  }

  /** @returns the top-up that is booked under the id, which may be an earlier one. */
  change(change: AccountChange): BookedTopUp | undefined {
    return this.#transaction(() => this.#change(change));
  }

  /** Charges the calls whose lease has ended: what became of them is not known. @returns when the next may end; null where none can. */
  expire(): number | null {
    return this.#transaction(() => this.#expire());
  }

  /** The items in their order. Where one fails, each is booked in a transaction of its own. */
  batch(items: readonly BatchItem[]): readonly BatchResult[] {
    try {
      return this.#transaction(() => {
        this.#calls.load(items.flatMap(idsOf));
        this.#reported.load(items.flatMap(reportOf));
        return items.map((item) => this.#book(item));
      });
    } catch {
      return items.map((item) => {
        try {
          return this.#transaction(() => this.#book(item));
        } catch {
          return null;
        }
      });
    }
  }

  /** Deletes what no decision needs any more. @returns when the next row may be due; null where nothing is left. */
  purge(): number | null {
    const at = this.#now();
    this.#sql.exec("DELETE FROM settled WHERE keep_until <= ?", at);
    this.#sql.exec("DELETE FROM reported WHERE keep_until <= ?", at);
    this.#sql.exec("DELETE FROM periods WHERE keep_until <= ? AND reserved = 0", at);
    this.#sql.exec(
      "DELETE FROM top_ups AS t WHERE NOT EXISTS (SELECT 1 FROM periods p WHERE p.account = t.account AND p.start = t.start)",
    );
    return this.#sql
      .exec<{
        next: number | null;
      }>(
        "SELECT MIN(keep_until) AS next FROM (SELECT keep_until FROM settled UNION ALL SELECT keep_until FROM periods)",
      )
      .one().next;
  }

  /** Rows are read anew in each transaction, so that one that is rolled back leaves nothing. */
  #transaction<T>(work: () => T): T {
    try {
      return this.#sql.transaction(() => {
        const result = work();
        this.#write();
        return result;
      });
    } catch (error) {
      this.#calls.discard();
      this.#reported.discard();
      this.#periods = new PeriodRows(this.#sql);
      throw error;
    }
  }

  #write(): void {
    this.#calls.write();
    this.#periods.write();
    this.#reported.write(this.#now());
    this.#periods = new PeriodRows(this.#sql);
  }

  #book(item: BatchItem): ReserveResult {
    switch (item.kind) {
      case "reserve":
        return this.#reserve(item.reservation);
      case "settle":
        return { refusedBy: null, ...this.#settle(item.settlements) };
      case "release":
        this.#release(item.id);
        break;
      case "renew":
        this.#calls.renew(item.id, this.#now() + item.leaseMs);
        break;
      default:
        throw new TypeError("an item of a newer version");
    }
    return { refusedBy: null, states: [], news: [] };
  }

  #reserve({ id, leaseMs, claims }: Reservation): ReserveResult {
    for (const claim of claims) checkAmount(claim);
    this.#expire();
    // A second request of one call: it was decided before.
    const isKnown = this.#calls.of(id).length > 0;
    const refused = isKnown ? undefined : claims.find((claim) => claim.isHard && !this.#fits(claim));
    if (refused !== undefined) {
      const isFirst = this.#markRefused(refused);
      const fresh = isFirst ? [{ account: refused.account, reached: [], isExceeded: true }] : [];
      const news = this.#reported.add(reservationOf(id), fresh);
      return { refusedBy: refused.account, states: this.#states(claims), news };
    }
    if (!isKnown)
      for (const claim of claims) {
        this.#calls.open(id, claim, this.#now() + leaseMs);
        this.#periods.change(claim).reserved += claim.amount;
      }
    const news = this.#reported.add(reservationOf(id), this.#news(claims));
    return { refusedBy: null, states: this.#states(claims), news };
  }

  #settle(settlements: readonly Settlement[]): SettleResult {
    this.#calls.load(settlements.map(({ id }) => id));
    const [first] = settlements;
    const last = new Map<string, Claim>();
    for (const { charges, ...settlement } of settlements)
      for (const charge of charges) {
        checkAmount(charge);
        this.#settleOne(settlement, charge);
        // Settlements of one object are of few accounts, each with its last period.
        last.set(charge.account, charge);
      }
    const charges = [...last.values()];
    const news = first ? this.#reported.add(settlementOf(first), this.#news(charges)) : [];
    return { states: this.#states(charges), news };
  }

  #settleOne({ id, isEstimate, onlyReplaces = false }: Omit<Settlement, "charges">, charge: Claim): void {
    const charged: Charged = { amount: charge.amount, isEstimate };
    const call = this.#calls.of(id).find(({ account }) => account === charge.account);
    if (call?.is_open === 1) {
      this.#end(call, charged, charge.since);
    } else if (call) {
      if (isEstimate) return;
      const period = this.#periods.changeKnown(call, charge.since);
      if (period !== null) period.spent += charge.amount - call.amount;
      this.#calls.charge(id, { ...call, keep_until: call.until }, charged);
    } else if (!onlyReplaces) {
      // Nothing was reserved: the object could not be reached, the rule reserves nothing, or the cost is known late.
      const period = this.#periods.change(charge);
      period.spent += charge.amount;
      this.#calls.charge(id, period, charged);
    }
  }

  #release(id: string): void {
    const calls = this.#calls.of(id);
    const isReleased = calls.some(({ account }) => account === RELEASED);
    for (const call of calls) if (call.is_open === 1) this.#end(call, { amount: 0, isEstimate: false });
    const released = { account: RELEASED, start: 0, keep_until: this.#now() + RELEASED_MS };
    if (!isReleased) this.#calls.charge(id, released, { amount: 0, isEstimate: false });
  }

  #change(change: AccountChange): BookedTopUp | undefined {
    if (change.kind === "override") {
      const { account, limit } = change;
      this.#sql.exec("DELETE FROM overrides WHERE account = ?", account);
      if (limit !== null)
        this.#sql.exec("INSERT INTO overrides (account, amount) VALUES (?, ?)", account, limit);
      return undefined;
    }
    const { id, period, amount, requestId = null } = change;
    const [known] = this.#sql
      .exec<{ amount: number | null; requestId: string | null }>(
        "SELECT amount, request_id AS requestId FROM top_ups WHERE id = ?",
        id,
      )
      .toArray();
    // A top-up that was booked before repetitions were compared counts as the same one.
    if (known) return { amount: known.amount ?? amount, requestId: known.requestId ?? requestId };
    this.#sql.exec(
      "INSERT INTO top_ups (id, account, start, amount, request_id) VALUES (?, ?, ?, ?, ?)",
      id,
      period.account,
      period.start,
      amount,
      requestId,
    );
    this.#periods.change(period).top_ups += amount;
    return { amount, requestId };
  }

  #expire(): number | null {
    const at = this.#now();
    const next = this.#calls.nextLease();
    if (next === null || at < next) return next;
    this.#write();
    for (const id of this.#calls.expired(at))
      for (const call of this.#calls.of(id)) {
        if (call.is_open === 0 || call.until > at) continue;
        this.#end(call, { amount: call.start === CONCURRENT ? 0 : call.amount, isEstimate: true });
      }
    return this.#calls.nextLease();
  }

  /** The end of an open call. It is charged in the period in which it was reserved. `since`: that of the charge, if it has one. */
  #end(call: ReadonlyCall, charged: Charged, since = call.start): void {
    const period = this.#periods.changeKnown(call, since);
    if (period !== null) {
      period.spent += charged.amount;
      period.reserved -= call.amount;
    }
    this.#calls.charge(call.id, { ...call, keep_until: period?.keep_until ?? this.#now() }, charged);
  }

  #states(claims: readonly (Period & Allowance)[]): readonly AccountState[] {
    return claims.map((claim) => {
      const sums = this.#periods.sums(claim);
      const { spent, reserved } = sums;
      const limit = limitOf(claim, sums);
      return { account: claim.account, spent, reserved, limit, resetsAt: sums.resetsAt ?? claim.resetsAt };
    });
  }

  #fits(claim: Claim): boolean {
    const sums = this.#periods.sums(claim);
    return sums.spent + sums.reserved + claim.amount <= limitOf(claim, sums);
  }

  /** Whether this is the first refusal of the period, or of the window. */
  #markRefused(claim: Claim): boolean {
    const isFirst = this.#periods.sums(claim).refused === 0;
    if (isFirst) this.#periods.change(claim).refused = 1;
    return isFirst;
  }

  /** The thresholds that the spending has reached since they were last looked at. */
  #news(claims: readonly (Period & Allowance)[]): readonly News[] {
    return claims.flatMap((claim) => {
      if (claim.warnAt.length === 0) return [];
      const sums = this.#periods.sums(claim);
      const { spent, warned } = sums;
      const limit = limitOf(claim, sums);
      const reached = claim.warnAt.filter((percent) => spent > 0 && spent * 100 >= limit * percent);
      const highest = reached.at(-1);
      const fresh = reached.filter((percent) => percent > warned);
      if (highest === undefined || fresh.length === 0) return [];
      this.#periods.change(claim).warned = highest;
      return [{ account: claim.account, reached: fresh, isExceeded: false }];
    });
  }
}

function idsOf(item: BatchItem): readonly string[] {
  if (item.kind === "settle") return item.settlements.map(({ id }) => id);
  return [item.kind === "reserve" ? item.reservation.id : item.id];
}

function reportOf(item: BatchItem): readonly string[] {
  if (item.kind === "settle") return item.settlements.slice(0, 1).map(settlementOf);
  return item.kind === "reserve" ? [reservationOf(item.reservation.id)] : [];
}

const limitOf = ({ limit }: Allowance, { override, topUps }: Sums): number => (override ?? limit) + topUps;

/** Sums of other amounts would not be exact. */
function checkAmount({ amount }: Claim): void {
  if (!Number.isSafeInteger(amount)) throw new TypeError("an amount is not a whole number");
}
