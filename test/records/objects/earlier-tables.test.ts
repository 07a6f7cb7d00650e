/** A budget object whose tables an earlier version of the records Worker made. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { createTables, type AccountDatabase } from "../../../src/records/objects/account-tables.ts";
import { BudgetAccounts } from "../../../src/records/objects/budget-accounts.ts";

const { BUDGET_OBJECTS } = env as unknown as { readonly BUDGET_OBJECTS: DurableObjectNamespace };

const PERIOD = { account: "budget:people", start: 0, resetsAt: 86_400_000, since: 0, keepMs: 1000 };
const topUp = (id: string, requestId?: string) =>
  ({
    kind: "top_up",
    period: PERIOD,
    id,
    amount: 5,
    ...(requestId === undefined ? {} : { requestId }),
  }) as const;

it("books a top-up once that an earlier version has booked, and takes those of an earlier gateway", async () => {
  const stub = BUDGET_OBJECTS.get(BUDGET_OBJECTS.idFromName("earlier"));
  const results = await runInDurableObject(stub, (_, { storage }) => {
    const { sql } = storage;
    sql.exec("DROP TABLE IF EXISTS top_ups");
    sql.exec(
      "CREATE TABLE top_ups (id TEXT NOT NULL PRIMARY KEY, account TEXT NOT NULL, start INTEGER NOT NULL) WITHOUT ROWID",
    );
    sql.exec("INSERT INTO top_ups (id, account, start) VALUES ('booked', 'budget:people', 0)");
    const database: AccountDatabase = {
      exec: (query, ...values) => sql.exec(query, ...values),
      transaction: (work) => storage.transactionSync(work),
    };
    // Opened twice, as after a reset.
    createTables(database);
    const accounts = new BudgetAccounts(database, () => 1);
    return [
      accounts.change(topUp("booked", "second")),
      accounts.change(topUp("new", "first")),
      accounts.change(topUp("new", "second")),
      accounts.change(topUp("of an earlier gateway")),
      sql.exec("SELECT top_ups FROM periods").one()["top_ups"],
    ];
  });
  expect(results).toEqual([
    { amount: 5, requestId: "second" },
    { amount: 5, requestId: "first" },
    { amount: 5, requestId: "first" },
    { amount: 5, requestId: null },
    10,
  ]);
});
