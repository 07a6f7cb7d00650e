import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { ACCOUNT_TABLES, type AccountDatabase } from "../../src/records/objects/account-tables.ts";
import { runSchedule } from "../support/budget-schedules.ts";

const SCHEDULES = 100_000;
const FIRST = 1;

/** The object's database as SQLite in memory has it. */
function open(): { readonly sql: AccountDatabase; readonly empty: () => void } {
  const database = new DatabaseSync(":memory:");
  const statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  const prepare = (query: string) => {
    const known = statements.get(query) ?? database.prepare(query);
    statements.set(query, known);
    return known;
  };
  const sql: AccountDatabase = {
    transaction: (work) => {
      database.exec("BEGIN");
      try {
        const result = work();
        database.exec("COMMIT");
        return result;
      } catch (error) {
        database.exec("ROLLBACK");
        throw error;
      }
    },
    exec: <Row extends Record<string, string | number | null>>(
      query: string,
      ...values: (string | number)[]
    ) => {
      const rows = prepare(query).all(...values) as Row[];
      return {
        toArray: () => rows,
        one: () => {
          const [row] = rows;
          if (!row || rows.length > 1) throw new Error(`${rows.length} rows`);
          return row;
        },
      };
    },
  };
  return { sql, empty: () => ACCOUNT_TABLES.forEach((table) => database.exec(`DELETE FROM ${table}`)) };
}

it(`holds ${SCHEDULES.toLocaleString("en-US")} random schedules against an oracle that knows no sums`, () => {
  const { sql, empty } = open();
  for (let seed = FIRST; seed < FIRST + SCHEDULES; seed += 1) {
    const found = runSchedule(seed, sql);
    expect(found === null ? null : `seed ${seed}: ${found}`).toBeNull();
    empty();
  }
});
