/**
 * The calls of a budget object during one transaction: those that have not ended (`open`), and what the others were charged
 * (`settled`). Each statement reads or writes all calls of a batch: the number of statements is most of the time that a batch takes.
 */
import type { Claim } from "../../events/budget-service.ts";
import type { AccountDatabase } from "./account-tables.ts";

/** The part of a call that is of one account. */
type Call = {
  readonly id: string;
  readonly account: string;
  readonly start: number;
  /** The reserved amount while the call is open, and then the charge. */
  amount: number;
  is_open: number;
  is_estimate: number;
  /** The end of an open call's lease; afterwards, how long it is kept. */
  until: number;
};

export type ReadonlyCall = Readonly<Call>;

export type Charged = { readonly amount: number; readonly isEstimate: boolean };

/** The period that a call is charged in. */
type ChargedPeriod = { readonly account: string; readonly start: number; readonly keep_until: number };

const LOAD = `
  SELECT id, account, start, amount, 1 AS is_open, 0 AS is_estimate, lease_until AS until
    FROM open WHERE id IN (SELECT value FROM json_each(?1))
  UNION ALL SELECT id, account, start, amount, 0, is_estimate, keep_until
    FROM settled WHERE id IN (SELECT value FROM json_each(?1))`;
const EXPIRED = "SELECT DISTINCT id FROM open WHERE lease_until <= ?";
const values = (names: readonly string[]): string =>
  names.map((name, at) => `value ->> ${at} AS ${name}`).join(", ");
const WRITE_OPEN = `
  INSERT INTO open (id, account, start, amount, lease_until)
  SELECT ${values(["id", "account", "start", "amount", "lease_until"])} FROM json_each(?) WHERE true
  ON CONFLICT (id, account) DO UPDATE SET lease_until = excluded.lease_until`;
const WRITE_SETTLED = `
  INSERT INTO settled (id, account, start, amount, keep_until, is_estimate)
  SELECT ${values(["id", "account", "start", "amount", "keep_until", "is_estimate"])} FROM json_each(?) WHERE true
  ON CONFLICT (id, account) DO UPDATE SET amount = excluded.amount, is_estimate = excluded.is_estimate`;
const DELETE_OPEN = `
  DELETE FROM open WHERE (id, account) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))`;

const UNKNOWN = 0;

export class Calls {
  readonly #sql: AccountDatabase;
  readonly #loaded = new Map<string, Call[]>();
  readonly #changed = new Set<Call>();
  readonly #closed = new Set<Call>();
  /** No lease ends earlier, so that a reservation does not look for one each time. */
  #noLeaseBefore = UNKNOWN;

  constructor(sql: AccountDatabase) {
    this.#sql = sql;
  }

  /** Reads the calls of these ids, as far as they are not read. */
  load(ids: readonly string[]): void {
    const missing = ids.filter((id) => !this.#loaded.has(id));
    if (missing.length === 0) return;
    for (const id of missing) this.#loaded.set(id, []);
    const rows = this.#sql.exec<Call>(LOAD, JSON.stringify(missing)).toArray();
    for (const row of rows) this.#loaded.get(row.id)?.push(row);
  }

  /** The accounts of a call that was reserved, charged or released. */
  of(id: string): readonly ReadonlyCall[] {
    return this.#of(id);
  }

  open(id: string, { account, start, amount }: Claim, leaseUntil: number): void {
    const call = { id, account, start, amount, is_open: 1, is_estimate: 0, until: leaseUntil };
    this.#of(id).push(call);
    this.#changed.add(call);
    this.#noLeaseBefore = Math.min(this.#noLeaseBefore, leaseUntil);
  }

  renew(id: string, leaseUntil: number): void {
    for (const call of this.#of(id))
      if (call.is_open === 1 && call.until < leaseUntil) {
        call.until = leaseUntil;
        this.#changed.add(call);
      }
  }

  /** Books what a call is charged in a period, where it is open, was charged an estimate, or is not known in the account. */
  charge(id: string, { account, start, keep_until }: ChargedPeriod, { amount, isEstimate }: Charged): void {
    const calls = this.#of(id);
    let call = calls.find((one) => one.account === account);
    if (call === undefined) {
      call = { id, account, start, amount, is_open: 0, is_estimate: 0, until: keep_until };
      calls.push(call);
    }
    if (call.is_open === 1) this.#closed.add(call);
    Object.assign(call, { amount, is_open: 0, is_estimate: Number(isEstimate), until: keep_until });
    this.#changed.add(call);
  }

  /** The ids of the calls of which a lease has ended; `load` has read them. `write` comes first. */
  expired(at: number): readonly string[] {
    const ids = this.#sql
      .exec<{ id: string }>(EXPIRED, at)
      .toArray()
      .map(({ id }) => id);
    const { next } = this.#sql
      .exec<{ next: number | null }>("SELECT MIN(lease_until) AS next FROM open WHERE lease_until > ?", at)
      .one();
    this.#noLeaseBefore = next ?? Number.POSITIVE_INFINITY;
    this.load(ids);
    return ids;
  }

  /** No lease ends earlier; null where no call is open. */
  nextLease(): number | null {
    return this.#noLeaseBefore === Number.POSITIVE_INFINITY ? null : this.#noLeaseBefore;
  }

  /** Writes what has changed. */
  write(): void {
    // A call that was reserved and settled in one transaction is not in the table, and none is deleted.
    const closed = [...this.#closed].map(({ id, account }) => [id, account]);
    const open: unknown[] = [];
    const settled: unknown[] = [];
    for (const { id, account, start, amount, is_open, is_estimate, until } of this.#changed)
      if (is_open === 1) open.push([id, account, start, amount, until]);
      else settled.push([id, account, start, amount, until, is_estimate]);
    if (closed.length > 0) this.#sql.exec(DELETE_OPEN, JSON.stringify(closed));
    if (open.length > 0) this.#sql.exec(WRITE_OPEN, JSON.stringify(open));
    if (settled.length > 0) this.#sql.exec(WRITE_SETTLED, JSON.stringify(settled));
    this.#clear();
  }

  /** The transaction was rolled back. */
  discard(): void {
    this.#clear();
    this.#noLeaseBefore = UNKNOWN;
  }

  #clear(): void {
    this.#loaded.clear();
    this.#changed.clear();
    this.#closed.clear();
  }

  #of(id: string): Call[] {
    this.load([id]);
    return this.#loaded.get(id) ?? [];
  }
}
