/**
 * The Durable Object of a budget's subject. At most one instance runs at a time, its methods do not wait between a decision and
 * its reservation, and its storage is written before its response is sent: of parallel calls with money for one, one is
 * admitted, also across restarts.
 * https://developers.cloudflare.com/durable-objects/concepts/durable-object-lifecycle/
 */
import { DurableObject } from "cloudflare:workers";
import type {
  AccountChange,
  AccountState,
  Allowance,
  BatchItem,
  BatchResult,
  BookedTopUp,
  BudgetService,
  LaterCall,
  Period,
  Reservation,
  ReserveResult,
  Settlement,
  SettleResult,
} from "../../events/budget-service.ts";
import type { AccountDatabase } from "./account-tables.ts";
import { BudgetAccounts } from "./budget-accounts.ts";
import { LaterCallStore } from "./later-call.ts";

/** Rows are deleted no more often than this. */
const PURGE_MS = 6 * 3_600_000;

export class BudgetObject extends DurableObject<object> implements BudgetService {
  readonly #accounts: BudgetAccounts;
  readonly #later: LaterCallStore;
  readonly #storage: DurableObjectStorage;
  /** The time of the alarm that is set; Infinity where none is known. */
  #alarmAt = Number.POSITIVE_INFINITY;

  /** It uses no binding. */
  constructor(state: DurableObjectState) {
    super(state, {});
    const { storage } = state;
    this.#storage = storage;
    const database: AccountDatabase = {
      exec: (query, ...values) => storage.sql.exec(query, ...values),
      transaction: (work) => storage.transactionSync(work),
    };
    this.#accounts = new BudgetAccounts(database, Date.now);
    this.#later = new LaterCallStore(database, Date.now);
  }

  async reserve(reservation: Reservation): Promise<ReserveResult> {
    const result = this.#accounts.reserve(reservation);
    await this.#wakeAt(Date.now() + (result.refusedBy === null ? reservation.leaseMs : PURGE_MS));
    return result;
  }

  async settle(settlements: readonly Settlement[]): Promise<SettleResult> {
    const result = this.#accounts.settle(settlements);
    await this.#wakeAt(Date.now() + PURGE_MS);
    return result;
  }

  async release(id: string): Promise<void> {
    this.#accounts.release(id);
    await this.#wakeAt(Date.now() + PURGE_MS);
  }

  async renew(id: string, leaseMs: number): Promise<void> {
    this.#accounts.renew(id, leaseMs);
  }

  async read(claims: readonly (Period & Allowance)[]): Promise<readonly AccountState[]> {
    this.#accounts.expire();
    return this.#accounts.read(claims);
  }

  async change(change: AccountChange): Promise<BookedTopUp | undefined> {
    const booked = this.#accounts.change(change);
    await this.#wakeAt(Date.now() + PURGE_MS);
    return booked;
  }

  async keepLater(call: LaterCall): Promise<LaterCall> {
    const kept = this.#later.keep(call);
    await this.#wakeAt(this.#later.purge() ?? Date.now() + PURGE_MS);
    return kept;
  }

  async findLater(): Promise<LaterCall | null> {
    return this.#later.find();
  }

  async batch(items: readonly BatchItem[]): Promise<readonly BatchResult[]> {
    const results = this.#accounts.batch(items);
    const booked = items.filter((_, at) => results[at] !== null);
    const waits = booked.map((item) => (item.kind === "reserve" ? item.reservation.leaseMs : PURGE_MS));
    await this.#wakeAt(Date.now() + Math.min(PURGE_MS, ...waits));
    return results;
  }

  /** Charges expired calls, deletes old rows, and comes back when the next of both may be due. */
  override async alarm(): Promise<void> {
    this.#alarmAt = Number.POSITIVE_INFINITY;
    const nextLease = this.#accounts.expire() ?? Number.POSITIVE_INFINITY;
    const nextRow = this.#accounts.purge();
    const nextPurge = nextRow === null ? nextLease : Math.max(nextRow, Date.now() + PURGE_MS);
    const next = Math.min(nextLease, nextPurge, this.#later.purge() ?? Number.POSITIVE_INFINITY);
    if (next !== Number.POSITIVE_INFINITY) await this.#wakeAt(next);
  }

  /** A restarted object does not know its alarm, and looks. */
  async #wakeAt(at: number): Promise<void> {
    if (at >= this.#alarmAt) return;
    const set = (await this.#storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
    this.#alarmAt = Math.min(set, at);
    if (at < set) await this.#storage.setAlarm(at);
  }
}
