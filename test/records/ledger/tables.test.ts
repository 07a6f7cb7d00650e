import { beforeAll, describe, expect, it } from "vitest";
import {
  END_COLUMNS,
  START_COLUMNS,
  EVENT_TABLES,
  TABLE_KEYS,
  SHARED_COLUMNS,
  ANOMALY_TABLE_KEYS,
} from "../../../src/records/ledger/tables.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

type Info = { readonly name: string; readonly type: string };

let database: D1Database;
beforeAll(async () => {
  database = await emptyLedger();
});

async function columnsOf(table: string): Promise<Record<string, string>> {
  const { results } = await database.prepare(`PRAGMA table_info(${table})`).all<Info>();
  return Object.fromEntries(results.map(({ name, type }) => [name, type]));
}

const typesIn = (columns: Readonly<Record<string, readonly [string, string]>>): Record<string, string> =>
  Object.fromEntries(Object.entries(columns).map(([name, [, type]]) => [name, type]));

describe("the ledger's tables in the code", () => {
  it.each(Object.entries(EVENT_TABLES))(
    "%s has the columns and types of the migrations, all of them",
    async (table, columns) => {
      expect(typesIn(columns)).toEqual(await columnsOf(table));
    },
  );

  it("interceptions has them too, beside the two that only the ledger itself can fill", async () => {
    const linked = { thread_parent_id: "TEXT", thread_root_id: "TEXT" };
    expect({ ...typesIn({ ...SHARED_COLUMNS, ...START_COLUMNS, ...END_COLUMNS }), ...linked }).toEqual(
      await columnsOf("interceptions"),
    );
  });

  it("are all the tables there are", async () => {
    const { results } = await database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all<Info>();
    const names = results.map(({ name }) => name).filter((name) => !/^(?:_cf_|d1_|sqlite_)/.test(name));
    const known = [...Object.keys(TABLE_KEYS), ...Object.keys(ANOMALY_TABLE_KEYS), "upkeep_cursors"];
    expect(names.toSorted()).toEqual(known.toSorted());
  });
});
