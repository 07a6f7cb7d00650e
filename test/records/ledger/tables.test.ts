import { CLAIMED_MEASURES } from "../../../src/records/ledger/write/retrieved-sql.ts";
import { UNAUTHENTICATED_TABLE } from "../../../src/records/ledger/write/unauthenticated.ts";
import { beforeAll, describe, expect, it } from "vitest";
import { ANOMALY_TABLE_KEYS, TABLE_KEYS, TABLES, type Columns } from "../../../src/records/ledger/tables.ts";
import { CONSOLE_TABLES, DERIVED_TABLES, emptyLedger } from "../../support/in-workerd/ledger-database.ts";

type Info = { readonly name: string; readonly type: string };

let database: D1Database;
beforeAll(async () => {
  database = await emptyLedger();
});

async function columnsOf(table: string): Promise<Record<string, string>> {
  const { results } = await database.prepare(`PRAGMA table_info(${table})`).all<Info>();
  return Object.fromEntries(results.map(({ name, type }) => [name, type]));
}

const typesIn = (columns: Columns): Record<string, string> =>
  Object.fromEntries(Object.entries(columns).map(([name, { type }]) => [name, type]));

/** Filled by the cron, and with the cost of usage that was retrieved later. */
const DERIVED: Readonly<Record<string, object>> = {
  refusal_counts: { merged: "TEXT" },
  token_usages: { cost_micros: "INTEGER" },
};

describe("the tables in the code", () => {
  it.each(Object.entries(TABLES.events))(
    "%s has exactly the columns and types of the migrations, without those that the ledger fills itself",
    async (table, columns) => {
      const ofLedger = DERIVED[table] ?? {};
      expect({ ...typesIn(columns), ...ofLedger }).toEqual(await columnsOf(table));
    },
  );

  it("interceptions has them too, without those that the ledger derives", async () => {
    const { shared, start, end } = TABLES.interceptions;
    const linked = { thread_parent_id: "TEXT", thread_root_id: "TEXT" };
    const claimed = Object.fromEntries(CLAIMED_MEASURES.map((name) => [`claimed_${name}`, "INTEGER"]));
    expect({
      ...typesIn({ ...shared, ...start, ...end }),
      ...linked,
      ...claimed,
      claimed_usage: "TEXT",
    }).toEqual(await columnsOf("interceptions"));
  });

  it("passthroughs has exactly the columns and types of the migrations", async () => {
    const { shared, start, end } = TABLES.passthroughs;
    expect(typesIn({ ...shared, ...start, ...end })).toEqual(await columnsOf("passthroughs"));
  });

  it("are all tables of the database", async () => {
    const { results } = await database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all<Info>();
    const names = results.map(({ name }) => name).filter((name) => !/^(?:_cf_|d1_|sqlite_)/.test(name));
    const known = [
      ...Object.keys(TABLE_KEYS),
      ...Object.keys(ANOMALY_TABLE_KEYS),
      ...DERIVED_TABLES,
      ...CONSOLE_TABLES,
      UNAUTHENTICATED_TABLE,
      "seal_state",
    ];
    expect(names.toSorted()).toEqual(known.toSorted());
  });
});
