/**
 * The query plans of every statement of the ledger. Over few rows every plan is fast; these tests hold that no statement
 * reads a table from end to end, regardless of its number of rows. Statistics may change a plan, so each state is tested.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ANOMALY_SQL } from "../../../src/records/ledger/maintain/anomaly-sql.ts";
import { MAINTENANCE_SQL } from "../../../src/records/ledger/maintain/cron.ts";
import { FOLD } from "../../../src/records/ledger/rollups/fold.ts";
import { MERGE_SQL } from "../../../src/records/ledger/maintain/merge-refusals.ts";
import { statementsOf } from "../../support/in-workerd/store-events.ts";
import { BATCH_FILE, RETRIEVED } from "../../support/in-workerd/events.ts";
import { dropStatistics, emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { allEventsOf } from "../../support/in-workerd/ledger-events.ts";
import { STATISTICS_STATES } from "./statistics-states.ts";

type Statement = { readonly sql: string; readonly parameters: readonly string[] };

/** The statement's first words. */
const titled = (statement: Statement): readonly [string, Statement] => [
  statement.sql.trim().split(/\s+/).slice(0, 3).join(" "),
  statement,
];

const WRITE_STATEMENTS = statementsOf([
  ...allEventsOf({ n: 1, toolCalls: ["a"], resultOf: "b" }),
  RETRIEVED,
  BATCH_FILE,
]).map(({ sql, json }) => titled({ sql, parameters: [json] }));

const ANOMALY_PARAMETERS: Readonly<Record<keyof typeof ANOMALY_SQL, readonly string[]>> = {
  page: ["01", "02"],
  owners: ["[]"],
  hours: ["[]"],
  manyActors: [JSON.stringify([{ day: "a", end: "b", owner: "b" }])],
  actorHours: [JSON.stringify([{ hour: "a", actor: "b", day: "a", week: "a" }])],
  actors: ["[]"],
  refusals: ["01", "02"],
  keyHours: [JSON.stringify([{ hour: "a", api_key_id: "b" }])],
  keys: ["[]"],
  refusalCursor: ["01"],
  week: ["01", "02"],
  pairs: [JSON.stringify(["0a0a0a0a-0000-4000-8000-00000000000a"])],
  chatActors: [JSON.stringify(["0a0a0a0a-0000-4000-8000-00000000000a"])],
  anomalies: ["[]"],
  cursor: ["01"],
};
const ANOMALY_STATEMENTS = (Object.keys(ANOMALY_SQL) as (keyof typeof ANOMALY_SQL)[]).map(
  (name) => [name, { sql: ANOMALY_SQL[name], parameters: ANOMALY_PARAMETERS[name] }] as const,
);

const MERGE_GROUPS = JSON.stringify([{ minute: "2026", reason: "not_found", provider: null }]);
const MERGE_STATEMENTS = Object.entries(MERGE_SQL).map(
  ([name, sql]) =>
    [name, { sql, parameters: [name === "groups" || name === "forget" ? "2026" : MERGE_GROUPS] }] as const,
);

const MAINTENANCE_STATEMENTS = MAINTENANCE_SQL.map((sql) => titled({ sql, parameters: ["01"] }));

const FOLD_STATEMENTS = FOLD.map((sql) => titled({ sql, parameters: [] }));

/** Lists that the statement itself makes from its parameter. */
const TEMPORARY =
  /^(?:SCAN|SEARCH) (?:json_each|ids|known|calls|candidates|parents|affected|rooted|moved|claims|found|claimed|owners|listed|pairs|incoming|periods|occupied|ranked|members|merging|opened|noted|batch|event VIRTUAL|delta VIRTUAL|CONSTANT ROW|\(subquery)/;
/** Tables that do not grow with traffic: the journal is folded, dimensions recur, and an operator makes the holds. */
const BOUNDED = /^SCAN (?:journal|rollup_dimensions|hold)$/;
/** Rows that equal a value in the first column of a key or index. */
const EQUAL = /^SEARCH \w+ (?:EXISTS )?USING (?:PRIMARY KEY|(?:COVERING )?INDEX \w+) \(\w+=\?/;
/** A range of the primary key with both ends, or the oldest rows up to a value, which a LIMIT bounds. */
const RANGE = /^SEARCH \w+ USING PRIMARY KEY \((\w+)>\? AND \1<\?\)$/;
/** The row of the journal that the batch has opened. */
const OPENED = /^SEARCH journal USING INTEGER PRIMARY KEY \(rowid=\?\)$/;
/** The newest row of the journal, or its rows after or before a position. */
const JOURNAL_RANGE = /^SEARCH journal(?: USING INTEGER PRIMARY KEY \(rowid[<>]\?\))?$/;
/** The dimensions under their alias in the statements of the totals. */
const DIMENSIONS = /^(?:SCAN d\b|SEARCH d USING INTEGER PRIMARY KEY \(rowid=\?\)$)/;
const OLDEST =
  /^SEARCH \w+ USING (?:PRIMARY KEY|INDEX (?:refusal_counts_new|refusal_counts_merged)) \(\w+<\?\)$/;

async function planOf(database: D1Database, { sql, parameters }: Statement): Promise<string[]> {
  const explained = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).bind(...parameters);
  const { results } = await explained.all<{ detail: string }>();
  return results.map(({ detail }) => detail);
}

/** The steps of a plan that read more rows of a table than the patterns allow. */
const broadSteps = (plan: readonly string[], allowed: readonly RegExp[]): string[] =>
  plan.filter(
    (step) =>
      /^(?:SCAN|SEARCH) /.test(step) && ![TEMPORARY, BOUNDED, ...allowed].some((one) => one.test(step)),
  );

describe.each(STATISTICS_STATES)("finds its rows by an index, %s", (_, prepare) => {
  let database: D1Database;
  beforeAll(async () => {
    database = await prepare();
  });
  // Other test files share the database.
  afterAll(() => dropStatistics(database));

  it.each(WRITE_STATEMENTS)("the write statement %s", async (__, statement) => {
    const plan = await planOf(database, statement);
    expect(plan).not.toEqual([]);
    expect(broadSteps(plan, [EQUAL, OPENED])).toEqual([]);
  });

  it.each(ANOMALY_STATEMENTS)("the statement of the anomaly scan: %s", async (__, statement) => {
    expect(broadSteps(await planOf(database, statement), [EQUAL, RANGE])).toEqual([]);
  });

  it.each(MAINTENANCE_STATEMENTS)("the statement of the cron: %s", async (__, statement) => {
    const plan = await planOf(database, statement);
    expect(plan).not.toEqual([]);
    // Totals are deleted dimension by dimension.
    const accepted = statement.sql.includes("FROM rollup_dimensions") ? [DIMENSIONS] : [];
    expect(broadSteps(plan, [EQUAL, RANGE, OLDEST, ...accepted])).toEqual([]);
  });

  it.each(FOLD_STATEMENTS)("the statement of the totals: %s", async (__, statement) => {
    const plan = await planOf(database, statement);
    expect(plan).not.toEqual([]);
    expect(broadSteps(plan, [EQUAL, JOURNAL_RANGE, DIMENSIONS])).toEqual([]);
  });
});

describe.each(STATISTICS_STATES)("merging refusals finds its rows by an index, %s", (_, prepare) => {
  let database: D1Database;
  beforeAll(async () => {
    database = await prepare();
  });
  afterAll(() => dropStatistics(database));

  it.each(MERGE_STATEMENTS)("the statement %s", async (__, statement) => {
    const plan = await planOf(database, statement);
    expect(plan).not.toEqual([]);
    expect(broadSteps(plan, [EQUAL, OLDEST])).toEqual([]);
  });
});

describe("the check of a plan", () => {
  it("reports a full scan", async () => {
    const statement = { sql: "SELECT id FROM interceptions WHERE model = ?1", parameters: ["gpt-4o"] };
    const plan = await planOf(await emptyLedger(), statement);
    expect(broadSteps(plan, [EQUAL, RANGE, OLDEST])).toEqual(["SCAN interceptions"]);
  });

  it("reports a range of an index that is open at one end", async () => {
    const statement = { sql: "SELECT id FROM interceptions WHERE thread_parent_id > ?1", parameters: ["a"] };
    const plan = await planOf(await emptyLedger(), statement);
    expect(broadSteps(plan, [EQUAL, RANGE, OLDEST])).toHaveLength(1);
  });
});
