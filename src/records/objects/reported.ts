/**
 * The news that each call reported. A response can be lost, so a retry of the call returns its news again. As in `Calls`, each
 * statement reads or writes the news of a whole batch, and the object holds those of one transaction.
 */
import type { News, Settlement } from "../../events/budget-service.ts";
import type { AccountDatabase } from "./account-tables.ts";

/** Longer than any repetition of a call can be on its way. */
const KEEP_MS = 3_600_000;

type Row = { call: string; news: string };

export class Reported {
  readonly #sql: AccountDatabase;
  readonly #loaded = new Map<string, readonly News[]>();
  readonly #changed = new Set<string>();

  constructor(sql: AccountDatabase) {
    this.#sql = sql;
  }

  /** Reads what these calls reported, as far as it is not read. */
  load(calls: readonly string[]): void {
    const missing = calls.filter((call) => !this.#loaded.has(call));
    if (missing.length === 0) return;
    for (const call of missing) this.#loaded.set(call, []);
    const rows = this.#sql
      .exec<Row>(
        "SELECT call, news FROM reported WHERE call IN (SELECT value FROM json_each(?))",
        JSON.stringify(missing),
      )
      .toArray();
    for (const { call, news } of rows) this.#loaded.set(call, JSON.parse(news) as readonly News[]);
  }

  /** @returns all that the call has reported, with `news`. */
  add(call: string, news: readonly News[]): readonly News[] {
    this.load([call]);
    const before = this.#loaded.get(call) ?? [];
    if (news.length === 0) return before;
    const all = [...before, ...news];
    this.#loaded.set(call, all);
    this.#changed.add(call);
    return all;
  }

  /** Writes what has changed. `now`: milliseconds since 1970. */
  write(now: number): void {
    if (this.#changed.size > 0) {
      const rows = [...this.#changed].map((call) => [call, JSON.stringify(this.#loaded.get(call))]);
      this.#sql.exec(
        `INSERT INTO reported (call, news, keep_until) SELECT value ->> 0, value ->> 1, ? FROM json_each(?) WHERE true
         ON CONFLICT (call) DO UPDATE SET news = excluded.news, keep_until = excluded.keep_until`,
        now + KEEP_MS,
        JSON.stringify(rows),
      );
    }
    this.discard();
  }

  /** The transaction was rolled back. */
  discard(): void {
    this.#loaded.clear();
    this.#changed.clear();
  }
}

/** The key of a reservation's news. */
export const reservationOf = (id: string): string => `reserve ${id}`;
/** The key of the news of settlements that are delivered together, of which this is the first. */
export const settlementOf = ({ id, deliveredBy = id }: Settlement): string => `settle ${id} ${deliveredBy}`;
