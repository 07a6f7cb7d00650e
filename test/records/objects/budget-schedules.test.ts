import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { ACCOUNT_TABLES, type AccountDatabase } from "../../../src/records/objects/account-tables.ts";
import { runSchedule } from "../../support/budget-schedules.ts";

const { BUDGET_OBJECTS } = env as unknown as { readonly BUDGET_OBJECTS: DurableObjectNamespace };

const FIRST = 20_261_130;
const COUNT = 1_500;

it("holds random schedules against an oracle that knows no sums", async () => {
  const stub = BUDGET_OBJECTS.get(BUDGET_OBJECTS.idFromName("schedules"));
  const problem = await runInDurableObject(stub, (_, { storage }) => {
    const { sql } = storage;
    const database: AccountDatabase = {
      exec: (query, ...values) => sql.exec(query, ...values),
      transaction: (work) => storage.transactionSync(work),
    };
    for (let seed = FIRST; seed < FIRST + COUNT; seed += 1) {
      const found = runSchedule(seed, database);
      if (found !== null) return `seed ${seed}: ${found}`;
      for (const table of ACCOUNT_TABLES) sql.exec(`DELETE FROM ${table}`);
    }
    return null;
  });
  expect(problem).toBeNull();
});
