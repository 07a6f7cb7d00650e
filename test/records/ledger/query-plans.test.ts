import { beforeAll, describe, expect, it } from "vitest";
import { statementsFor, type Statement } from "../../../src/records/ledger/write/statements.ts";
import { storeEvents } from "../../../src/records/ledger/write/store.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { eventsOf, wholeEventsOf } from "../../support/in-workerd/ledger-events.ts";

let database: D1Database;
beforeAll(async () => {
  database = await emptyLedger();
});

const STATEMENTS = statementsFor(wholeEventsOf({ n: 1, asks: ["a"], brings: "b" })).map(
  (statement) => [statement.sql.trim().split(/\s+/).slice(0, 3).join(" "), statement] as const,
);

async function planOf({ sql, json }: Statement): Promise<string[]> {
  const explained = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).bind(json);
  const { results } = await explained.all<{ detail: string }>();
  return results.map(({ detail }) => detail);
}

/** The lists that a statement makes for itself, as long as what it was given. */
const OWN = /^(?:SCAN|SEARCH) (?:json_each|told|candidates|found|affected|rooted|moved)\b/;
/** Of a table only what equals what is asked for. */
const NARROW = /^SEARCH \w+ USING (?:PRIMARY KEY|(?:COVERING )?INDEX \w+) \(\w+=\?/;

/** Steps that read more of a table than that: all of it, or all on one side of a value. */
const broad = (plan: readonly string[]): string[] =>
  plan.filter((step) => /^(?:SCAN|SEARCH) /.test(step) && !OWN.test(step) && !NARROW.test(step));

describe("each statement finds its rows by an index", () => {
  it.each(STATEMENTS)("%s", async (_, statement) => {
    const plan = await planOf(statement);
    expect(plan).not.toEqual([]);
    expect(broad(plan)).toEqual([]);
  });

  it("also once SQLite has counted what there is", async () => {
    const events = Array.from({ length: 3000 }, (_, n) =>
      eventsOf({ n, asks: [`c${n}`], brings: `c${n - 1}` }),
    );
    await storeEvents(database, events.flat());
    await database.prepare("ANALYZE").run();
    for (const [, statement] of STATEMENTS) expect(broad(await planOf(statement))).toEqual([]);
  });

  it("and a scan would be seen here", async () => {
    const sql = "SELECT id FROM interceptions WHERE model = ?1";
    expect(broad(await planOf({ sql, json: "gpt-4o" }))).toEqual(["SCAN interceptions"]);
  });
});
