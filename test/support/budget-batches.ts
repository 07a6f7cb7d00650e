/** Steps of a schedule as one batch of a budget object: with items that fail, a lost response, and a restart in the middle. */
import type { BatchItem, BatchResult } from "../../src/events/budget-service.ts";
import { ACCOUNT_TABLES, type AccountDatabase } from "../../src/records/objects/account-tables.ts";
import type { BudgetAccounts } from "../../src/records/objects/budget-accounts.ts";

/** One call of an object, and what must become of it. */
export type Step = {
  readonly item: BatchItem;
  /** Books it with the oracle. @returns what is wrong with a result; null where it is right. */
  readonly expect: () => (result: BatchResult) => string | null;
};

type BatchRun = {
  readonly random: () => number;
  readonly open: (sql: AccountDatabase) => BudgetAccounts;
  readonly sql: AccountDatabase;
};

/** Items that no object can book. */
const MALFORMED: readonly unknown[] = [
  { kind: "of-a-newer-version", id: "x" },
  { kind: "reserve" },
  { kind: "settle", settlements: [{ id: "x", isEstimate: false, charges: [{ account: "a", amount: "1" }] }] },
  { kind: "reserve", reservation: { id: "x", leaseMs: 1, claims: [{ account: "a", amount: Number.NaN }] } },
];

const below = (random: () => number, limit: number): number => Math.floor(random() * limit);

/** @returns what went wrong; null where all results are right. */
export function runBatch(steps: readonly Step[], { random, open, sql }: BatchRun): string | null {
  const items = steps.map(({ item }) => item);
  const poisoned = random() < 0.2 ? below(random, steps.length + 1) : null;
  const malformed = MALFORMED[below(random, MALFORMED.length)] as BatchItem;
  const sent = poisoned === null ? items : items.toSpliced(poisoned, 0, malformed);
  if (random() < 0.2) {
    // The object ends in the middle, and nothing of the batch is booked. It is sent again to the next one.
    const results = open(dying(sql, below(random, 8))).batch(sent);
    if (results.some((result) => result !== null)) return "an object that has ended books an item";
  }
  let reported: readonly string[] = [];
  const book = (): string | null => {
    const checks = steps.map(({ expect }) => expect());
    const results = [...open(sql).batch(sent)];
    if (results.length !== sent.length) return `${results.length} results of ${sent.length} items`;
    if (poisoned !== null && results.splice(poisoned, 1)[0] !== null) return "a malformed item is booked";
    for (const [at, check] of checks.entries()) {
      const problem = check(results[at] ?? null);
      if (problem !== null) return `item ${at} of ${sent.length}: ${problem}`;
    }
    // The news of a lost response are reported again.
    const news = results.flatMap((result, at) => result?.news.map((one) => JSON.stringify([at, one])) ?? []);
    const missing = reported.find((one) => !news.includes(one));
    if (missing !== undefined) return `not reported again: ${missing}`;
    reported = news;
    return null;
  };
  const problem = book();
  // Its response is lost in a third of the cases, and all of it is sent again.
  return problem ?? (random() < 0.3 ? book() : null);
}

/** Statements by which an object opens its database: one for each table, and a look at the columns of one. */
const OPENING = ACCOUNT_TABLES.length + 1;

/** A database that ends after so many statements, or before the transaction is committed: of it, nothing remains. */
function dying(sql: AccountDatabase, statements: number): AccountDatabase {
  let left = OPENING + statements;
  const end = (): never => {
    left = 0;
    throw new Error("the object has ended");
  };
  return {
    exec: (query, ...values) => {
      if (left <= 0) end();
      left -= 1;
      return sql.exec(query, ...values);
    },
    transaction: (work) =>
      sql.transaction(() => {
        work();
        return end();
      }),
  };
}
