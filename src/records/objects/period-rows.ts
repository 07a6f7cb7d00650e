/**
 * The rows of `periods` during one transaction: each account's are read once and written once, however many calls of a batch
 * change them.
 */
import type { Period } from "../../events/budget-service.ts";
import type { AccountDatabase } from "./account-tables.ts";

export type PeriodRow = {
  readonly account: string;
  readonly start: number;
  readonly resets_at: number;
  readonly keep_until: number;
  spent: number;
  reserved: number;
  top_ups: number;
  /** The highest threshold, in percent, that was reported. */
  warned: number;
  /** 1 where a refusal was reported. */
  refused: number;
};

/** An account as far as it was read: all rows that start at `from` or later, and some earlier ones. */
type Loaded = { from: number; readonly rows: Map<number, PeriodRow>; readonly override: number | null };

/** Sums of an account over the periods that the limit covers. */
export type Sums = {
  readonly spent: number;
  readonly reserved: number;
  readonly topUps: number;
  readonly warned: number;
  readonly refused: number;
  /** The limit in place of the rule's; null where there is none. */
  readonly override: number | null;
  /** When the oldest period that has a sum ends; null where none has. */
  readonly resetsAt: number | null;
};

const EMPTY = { spent: 0, reserved: 0, top_ups: 0, warned: 0, refused: 0 };
const COLUMNS = "account, start, resets_at, keep_until, spent, reserved, top_ups, warned, refused";
/** Clocks differ, and calls begin before they reserve: a window also counts what began later than the call. */
const LATEST = Number.MAX_SAFE_INTEGER;

export class PeriodRows {
  readonly #sql: AccountDatabase;
  readonly #accounts = new Map<string, Loaded>();
  readonly #changed = new Set<PeriodRow>();

  constructor(sql: AccountDatabase) {
    this.#sql = sql;
  }

  sums({ account, start, since }: Period): Sums {
    const { rows, override } = this.#load(account, since);
    const last = since === start ? start : LATEST;
    const sums = { spent: 0, reserved: 0, topUps: 0, warned: 0, refused: 0 };
    let oldest: PeriodRow | null = null;
    for (const row of rows.values()) {
      if (row.start < since || row.start > last) continue;
      sums.spent += row.spent;
      sums.reserved += row.reserved;
      sums.topUps += row.top_ups;
      sums.warned = Math.max(sums.warned, row.warned);
      sums.refused = Math.max(sums.refused, row.refused);
      if (row.spent + row.reserved > 0 && (oldest === null || row.start < oldest.start)) oldest = row;
    }
    return { ...sums, override, resetsAt: oldest?.resets_at ?? null };
  }

  /** The period's row, to be changed. It is created where there is none. */
  change(period: Period): PeriodRow {
    const { account, start, since, resetsAt, keepMs } = period;
    const { rows } = this.#load(account, since);
    const row = rows.get(start) ?? {
      ...EMPTY,
      account,
      start,
      resets_at: resetsAt,
      keep_until: resetsAt + keepMs,
    };
    rows.set(start, row);
    this.#changed.add(row);
    return row;
  }

  /** The row of a period in which a call was reserved or charged, to be changed; null where it was deleted. `since`: as in `Period`. */
  changeKnown(
    { account, start }: { readonly account: string; readonly start: number },
    since: number,
  ): PeriodRow | null {
    const { rows } = this.#load(account, since);
    const row = rows.get(start) ?? this.#readOne(account, start);
    if (row === null) return null;
    rows.set(start, row);
    this.#changed.add(row);
    return row;
  }

  /** Writes the rows that were changed. */
  write(): void {
    for (const row of this.#changed)
      this.#sql.exec(
        `INSERT INTO periods (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (account, start) DO UPDATE SET spent = excluded.spent, reserved = excluded.reserved,
           top_ups = excluded.top_ups, warned = excluded.warned, refused = excluded.refused`,
        row.account,
        row.start,
        row.resets_at,
        row.keep_until,
        row.spent,
        row.reserved,
        row.top_ups,
        row.warned,
        row.refused,
      );
    this.#changed.clear();
  }

  #readOne(account: string, start: number): PeriodRow | null {
    const [row] = this.#sql
      .exec<PeriodRow>(`SELECT ${COLUMNS} FROM periods WHERE account = ? AND start = ?`, account, start)
      .toArray();
    return row ?? null;
  }

  #load(account: string, from: number): Loaded {
    const known = this.#accounts.get(account);
    if (known && known.from <= from) return known;
    const rows = this.#sql
      .exec<PeriodRow>(
        `SELECT ${COLUMNS} FROM periods WHERE account = ? AND start >= ? AND start < ?`,
        account,
        from,
        known?.from ?? LATEST,
      )
      .toArray();
    if (known) {
      for (const row of rows) if (!known.rows.has(row.start)) known.rows.set(row.start, row);
      known.from = from;
      return known;
    }
    const [override] = this.#sql
      .exec<{ amount: number }>("SELECT amount FROM overrides WHERE account = ?", account)
      .toArray();
    const loaded = {
      from,
      rows: new Map(rows.map((row) => [row.start, row])),
      override: override?.amount ?? null,
    };
    this.#accounts.set(account, loaded);
    return loaded;
  }
}
