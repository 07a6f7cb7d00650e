/**
 * The accounts of one subject: reserves what a call may cost at most, and books what it has cost. Synchronous: nothing comes
 * between a decision and its reservation. Everything is in the database, so that a restart of the object loses nothing.
 */
import type {
  AccountChange,
  AccountState,
  Allowance,
  Claim,
  News,
  Period,
  Reservation,
  ReserveResult,
  Settlement,
  SettleResult,
} from "../../events/budget-service.ts";
import {
  createTables,
  type AccountDatabase,
  RELEASED,
  type OpenRow,
  type PeriodRow,
  type SettledRow,
} from "./account-tables.ts";

/** Clocks differ, and calls begin before they reserve: a window also counts what began later than the call. */
const LATEST = Number.MAX_SAFE_INTEGER;
const lastOf = ({ start, since }: Period): number => (since === start ? start : LATEST);
/** The start of the period of concurrent calls, which have no other. A call that is lost ends for them. */
const CONCURRENT = 0;

/** How long a released call is remembered: longer than any request to reserve for it can be on its way. */
const RELEASED_MS = 3_600_000;

export class BudgetAccounts {
  readonly #sql: AccountDatabase;
  readonly #now: () => number;

  /** `now`: milliseconds since 1970. */
  constructor(sql: AccountDatabase, now: () => number) {
    this.#sql = sql;
    this.#now = now;
    createTables(sql);
  }

  reserve({ id, leaseMs, claims }: Reservation): ReserveResult {
    this.expire();
    // A second request of one call: it was decided before.
    const isKnown = this.#open(id).length > 0 || this.#isSettled(id);
    const refused = isKnown ? undefined : claims.find((claim) => claim.isHard && !this.#fits(claim));
    if (refused !== undefined) {
      const isFirst = this.#markRefused(refused);
      const news = isFirst ? [{ account: refused.account, reached: [], isExceeded: true }] : [];
      return { refusedBy: refused.account, states: this.read(claims), news };
    }
    if (!isKnown)
      for (const claim of claims) {
        this.#addPeriod(claim);
        this.#add(claim, 0, claim.amount);
        this.#sql.exec(
          "INSERT INTO open (id, account, start, amount, lease_until) VALUES (?, ?, ?, ?, ?)",
          id,
          claim.account,
          claim.start,
          claim.amount,
          this.#now() + leaseMs,
        );
      }
    return { refusedBy: null, states: this.read(claims), news: this.#news(claims) };
  }

  settle(settlements: readonly Settlement[]): SettleResult {
    for (const { charges, ...settlement } of settlements)
      for (const charge of charges) this.#settleOne(settlement, charge);
    // Settlements of one object are of few accounts, each with its last period.
    const last = new Map(settlements.flatMap(({ charges }) => charges.map((one) => [one.account, one])));
    const charges = [...last.values()];
    return { states: this.read(charges), news: this.#news(charges) };
  }

  release(id: string): void {
    for (const row of this.#open(id)) this.#close(id, row, { amount: 0, isEstimate: false });
    this.#sql.exec(
      "INSERT INTO settled (id, account, start, amount, is_estimate, keep_until) VALUES (?, ?, 0, 0, 0, ?) ON CONFLICT DO NOTHING",
      id,
      RELEASED,
      this.#now() + RELEASED_MS,
    );
  }

  renew(id: string, leaseMs: number): void {
    const until = this.#now() + leaseMs;
    this.#sql.exec("UPDATE open SET lease_until = MAX(lease_until, ?) WHERE id = ?", until, id);
  }

  read(claims: readonly (Period & Allowance)[]): readonly AccountState[] {
    return claims.map((claim) => {
      const { spent, reserved } = this.#sums(claim);
      return {
        account: claim.account,
        spent,
        reserved,
        limit: this.#limit(claim),
        resetsAt: this.#resetsAt(claim),
      };
    });
  }

  /** @returns whether a top-up of that id was made before. */
  change(change: AccountChange): boolean {
    if (change.kind === "override") {
      const { account, limit } = change;
      this.#sql.exec("DELETE FROM overrides WHERE account = ?", account);
      if (limit !== null)
        this.#sql.exec("INSERT INTO overrides (account, amount) VALUES (?, ?)", account, limit);
      return false;
    }
    const { id, period, amount } = change;
    const { account, start } = period;
    const isKnown = this.#sql.exec("SELECT 1 FROM top_ups WHERE id = ?", id).toArray().length > 0;
    if (isKnown) return true;
    this.#addPeriod(period);
    this.#sql.exec("INSERT INTO top_ups (id, account, start) VALUES (?, ?, ?)", id, account, start);
    this.#sql.exec(
      "UPDATE periods SET top_ups = top_ups + ? WHERE account = ? AND start = ?",
      amount,
      account,
      start,
    );
    return false;
  }

  /** Charges the calls whose lease has ended: what became of them is not known. @returns the next end; null without open calls. */
  expire(): number | null {
    const at = this.#now();
    const expired = this.#sql
      .exec<OpenRow & { id: string }>(
        "SELECT id, account, start, amount FROM open WHERE lease_until <= ?",
        at,
      )
      .toArray();
    for (const row of expired) {
      const amount = row.start === CONCURRENT ? 0 : row.amount;
      this.#close(row.id, row, { amount, isEstimate: true });
    }
    return this.#sql.exec<{ next: number | null }>("SELECT MIN(lease_until) AS next FROM open").one().next;
  }

  /** Deletes what no decision needs any more. @returns when the next row may be due; null where nothing is left. */
  purge(): number | null {
    const at = this.#now();
    this.#sql.exec("DELETE FROM settled WHERE keep_until <= ?", at);
    this.#sql.exec("DELETE FROM periods WHERE keep_until <= ? AND reserved = 0", at);
    this.#sql.exec(
      "DELETE FROM top_ups WHERE NOT EXISTS (SELECT 1 FROM periods p WHERE p.account = top_ups.account AND p.start = top_ups.start)",
    );
    return this.#sql
      .exec<{
        next: number | null;
      }>(
        "SELECT MIN(keep_until) AS next FROM (SELECT keep_until FROM settled UNION ALL SELECT keep_until FROM periods)",
      )
      .one().next;
  }

  #settleOne({ id, isEstimate, onlyReplaces = false }: Omit<Settlement, "charges">, charge: Claim): void {
    const open = this.#open(id).find(({ account }) => account === charge.account);
    if (open) {
      this.#close(id, open, { amount: charge.amount, isEstimate });
      return;
    }
    const [settled] = this.#sql
      .exec<SettledRow>(
        "SELECT account, start, amount, is_estimate FROM settled WHERE id = ? AND account = ?",
        id,
        charge.account,
      )
      .toArray();
    if (settled) {
      if (isEstimate) return;
      this.#add(settled, charge.amount - settled.amount, 0);
      this.#sql.exec(
        "UPDATE settled SET amount = ?, is_estimate = 0 WHERE id = ? AND account = ?",
        charge.amount,
        id,
        charge.account,
      );
      return;
    }
    if (onlyReplaces) return;
    // Nothing was reserved: the object could not be reached, the rule reserves nothing, or the cost is known late.
    this.#addPeriod(charge);
    this.#add(charge, charge.amount, 0);
    this.#insertSettled(id, charge, { amount: charge.amount, isEstimate });
  }

  /** The end of an open call. It is charged in the period in which it was reserved. */
  #close(
    id: string,
    row: OpenRow,
    { amount, isEstimate }: { readonly amount: number; readonly isEstimate: boolean },
  ): void {
    this.#sql.exec("DELETE FROM open WHERE id = ? AND account = ?", id, row.account);
    this.#add(row, amount, -row.amount);
    this.#insertSettled(id, row, { amount, isEstimate });
  }

  #insertSettled(
    id: string,
    { account, start }: Pick<OpenRow, "account" | "start">,
    { amount, isEstimate }: { readonly amount: number; readonly isEstimate: boolean },
  ): void {
    this.#sql.exec(
      `INSERT INTO settled (id, account, start, amount, is_estimate, keep_until)
       SELECT ?1, account, start, ?4, ?5, keep_until FROM periods WHERE account = ?2 AND start = ?3`,
      id,
      account,
      start,
      amount,
      Number(isEstimate),
    );
  }

  #add({ account, start }: Pick<OpenRow, "account" | "start">, spent: number, reserved: number): void {
    this.#sql.exec(
      "UPDATE periods SET spent = spent + ?, reserved = reserved + ? WHERE account = ? AND start = ?",
      spent,
      reserved,
      account,
      start,
    );
  }

  #addPeriod({ account, start, resetsAt, keepMs }: Period): void {
    this.#sql.exec(
      `INSERT INTO periods (account, start, resets_at, keep_until, spent, reserved, top_ups, warned, refused)
       VALUES (?, ?, ?, ?, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING`,
      account,
      start,
      resetsAt,
      resetsAt + keepMs,
    );
  }

  #open(id: string): readonly OpenRow[] {
    return this.#sql.exec<OpenRow>("SELECT account, start, amount FROM open WHERE id = ?", id).toArray();
  }

  #isSettled(id: string): boolean {
    return this.#sql.exec("SELECT 1 FROM settled WHERE id = ? LIMIT 1", id).toArray().length > 0;
  }

  #sums(period: Period): PeriodRow {
    const { account, since } = period;
    return this.#sql
      .exec<PeriodRow>(
        `SELECT COALESCE(SUM(spent), 0) AS spent, COALESCE(SUM(reserved), 0) AS reserved, COALESCE(SUM(top_ups), 0) AS top_ups
         FROM periods WHERE account = ? AND start BETWEEN ? AND ?`,
        account,
        since,
        lastOf(period),
      )
      .one();
  }

  #limit(claim: Period & Allowance): number {
    const [override] = this.#sql
      .exec<{ amount: number }>("SELECT amount FROM overrides WHERE account = ?", claim.account)
      .toArray();
    return (override?.amount ?? claim.limit) + this.#sums(claim).top_ups;
  }

  #fits(claim: Claim): boolean {
    const { spent, reserved } = this.#sums(claim);
    return spent + reserved + claim.amount <= this.#limit(claim);
  }

  /** Of a window: when the oldest slice that has a sum leaves it. */
  #resetsAt(period: Period): number {
    const { account, since, resetsAt } = period;
    const [oldest] = this.#sql
      .exec<{ resets_at: number }>(
        "SELECT resets_at FROM periods WHERE account = ? AND start BETWEEN ? AND ? AND spent + reserved > 0 ORDER BY start LIMIT 1",
        account,
        since,
        lastOf(period),
      )
      .toArray();
    return oldest?.resets_at ?? resetsAt;
  }

  /** Whether this is the first refusal of the period, or of the window. */
  #markRefused(claim: Claim): boolean {
    this.#addPeriod(claim);
    if (this.#reportedIn(claim).refused > 0) return false;
    this.#sql.exec(
      "UPDATE periods SET refused = 1 WHERE account = ? AND start = ?",
      claim.account,
      claim.start,
    );
    return true;
  }

  /** The highest threshold that was reported, and whether a refusal was. */
  #reportedIn(period: Period): { readonly warned: number; readonly refused: number } {
    return this.#sql
      .exec<{ warned: number; refused: number }>(
        `SELECT COALESCE(MAX(warned), 0) AS warned, COALESCE(MAX(refused), 0) AS refused
         FROM periods WHERE account = ? AND start BETWEEN ? AND ?`,
        period.account,
        period.since,
        lastOf(period),
      )
      .one();
  }

  /** The thresholds that the spending has reached since they were last looked at. */
  #news(claims: readonly (Period & Allowance)[]): readonly News[] {
    return claims.flatMap((claim) => {
      if (claim.warnAt.length === 0) return [];
      const { spent } = this.#sums(claim);
      const limit = this.#limit(claim);
      const reached = claim.warnAt.filter((percent) => spent > 0 && spent * 100 >= limit * percent);
      const highest = reached.at(-1);
      if (highest === undefined) return [];
      const { warned } = this.#reportedIn(claim);
      const fresh = reached.filter((percent) => percent > warned);
      if (fresh.length === 0) return [];
      this.#sql.exec(
        "UPDATE periods SET warned = ? WHERE account = ? AND start = ?",
        highest,
        claim.account,
        claim.start,
      );
      return [{ account: claim.account, reached: fresh, isExceeded: false }];
    });
  }
}
