/**
 * Stores the accounts of one call whose usage is known later, in an object of its own. The subjects are stored for as long as
 * the results of a batch usually are. The accounts do not name the subject, and are stored longer, so that a late reading is
 * charged in the period of the call.
 */
import type { LaterCall } from "../../events/budget-service.ts";
import { asObject, parseObject } from "../../shared/json.ts";
import type { AccountDatabase } from "./account-tables.ts";

const DAY_MS = 86_400_000;
const SUBJECTS_MS = 35 * DAY_MS;
const KEEP_MS = 400 * DAY_MS;

type Row = { call: string; subjects_until: number | null; keep_until: number };

export class LaterCallStore {
  readonly #sql: AccountDatabase;
  readonly #now: () => number;

  /** `now`: milliseconds since 1970. */
  constructor(sql: AccountDatabase, now: () => number) {
    this.#sql = sql;
    this.#now = now;
  }

  /** Keeps the call, unless one is kept. @returns the one that is kept. */
  keep(call: LaterCall): LaterCall {
    const at = this.#now();
    this.#sql.exec(
      "INSERT INTO later (one, call, subjects_until, keep_until) VALUES (1, ?, ?, ?) ON CONFLICT DO NOTHING",
      JSON.stringify(call),
      at + SUBJECTS_MS,
      at + KEEP_MS,
    );
    return this.find() ?? call;
  }

  find(): LaterCall | null {
    const row = this.#row();
    return row && (parseObject(row.call) as LaterCall | null);
  }

  /** Deletes what is kept long enough. @returns when it has to be called again; null where nothing is kept. */
  purge(): number | null {
    const row = this.#row();
    if (row === null) return null;
    const at = this.#now();
    if (row.keep_until <= at) {
      this.#sql.exec("DELETE FROM later");
      return null;
    }
    if (row.subjects_until === null) return row.keep_until;
    if (row.subjects_until > at) return row.subjects_until;
    this.#sql.exec("UPDATE later SET call = ?, subjects_until = NULL", withoutSubjects(row.call));
    return row.keep_until;
  }

  #row(): Row | null {
    return this.#sql.exec<Row>("SELECT call, subjects_until, keep_until FROM later").toArray()[0] ?? null;
  }
}

function withoutSubjects(text: string): string {
  const call = parseObject(text);
  const accounts = (call?.["accounts"] ?? []) as readonly unknown[];
  return JSON.stringify({
    ...call,
    accounts: accounts.map((account) => ({ ...asObject(account), subject: null })),
  });
}
