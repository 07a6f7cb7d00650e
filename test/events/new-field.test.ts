/**
 * A new event field is one row of the field table, its value, and a migration where it is stored. This test adds one to a
 * copy of the table and follows its value through queue, log line, ledger, API and Analytics Engine.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { InterceptionEnd } from "../../src/events/event.ts";
import { orNull } from "../../src/events/field.ts";
import { RECORDS, type RecordDefinition } from "../../src/events/fields.ts";
import { joinMessages, readMessage } from "../../src/events/queue-message.ts";
import { analyticsColumnsOf, type AnalyticsColumns } from "../../src/events/analytics-columns.ts";
import { ANALYTICS_COLUMNS } from "../../src/events/record-facts.ts";
import { toRow } from "../../src/gateway/sinks/analytics-row.ts";
import { apiFieldsOf } from "../../src/records/api/fields.ts";
import { schemasOf, selected, toRecord } from "../../src/records/api/kit/row-mapper.ts";
import { tablesOf, TABLES, type Tables } from "../../src/records/ledger/tables.ts";
import { insertEnds, insertStarts } from "../../src/records/ledger/write/insert-sql.ts";
import { END, PASSED, START } from "../support/in-workerd/events.ts";
import { emptyLedger, type Row } from "../support/in-workerd/ledger-database.ts";

const CURRENT: AnalyticsColumns = ANALYTICS_COLUMNS.interceptions;
const NEXT_BLOB = `blob${CURRENT.blobs.length + 1}` as const;

/** The one row. */
const datacenter = orNull.text("the data center of the provider", { interceptions: NEXT_BLOB });

const { interception_end } = RECORDS;
const WITH_FIELD: Readonly<Record<string, RecordDefinition>> = {
  ...RECORDS,
  interception_end: { ...interception_end, fields: { ...interception_end.fields, datacenter } },
};

const END_WITH_FIELD = { ...END, datacenter: "ams" };

let database: D1Database;
beforeAll(async () => {
  database = await emptyLedger();
  // The one migration.
  await database.prepare("ALTER TABLE interceptions ADD COLUMN datacenter TEXT").run();
});
// All test files share the database.
afterAll(async () => {
  await database.prepare("ALTER TABLE interceptions DROP COLUMN datacenter").run();
  await emptyLedger();
});

async function insert(sql: string, event: object): Promise<void> {
  await database
    .prepare(sql)
    .bind(JSON.stringify([event]))
    .run();
}

/** The record that the API makes of the only row. */
async function apiRecord(): Promise<Record<string, unknown>> {
  const { interception } = apiFieldsOf(WITH_FIELD);
  const columns = selected("i", interception, true);
  const row = await database.prepare(`SELECT ${columns.text} FROM interceptions i`).first<Row>();
  return toRecord((row ?? {}) as Parameters<typeof toRecord>[0], interception, true);
}

async function clear(): Promise<void> {
  await database.prepare("DELETE FROM interceptions").run();
}

describe("a new field of interception_end", () => {
  const tables: Tables = tablesOf(WITH_FIELD);

  it("is a column that only the end fills; all other columns stay", () => {
    expect(tables.interceptions.end).toEqual({
      ...TABLES.interceptions.end,
      datacenter: { field: "datacenter", type: "TEXT" },
    });
    expect(tables.interceptions.start).toEqual(TABLES.interceptions.start);
    expect(tables.interceptions.shared).toEqual(TABLES.interceptions.shared);
    expect(tables.events).toEqual(TABLES.events);
  });

  it("is stored with the end, before or after the start, and returned by the API", async () => {
    const start = { sql: insertStarts(tables), event: START };
    const end = { sql: insertEnds(tables), event: END_WITH_FIELD };
    for (const order of [[end], [start, end], [end, start]]) {
      await clear();
      for (const { sql, event } of order) await insert(sql, event);
      const row = await database.prepare("SELECT id, datacenter FROM interceptions").first();
      expect(row).toEqual({ id: END.interception_id, datacenter: "ams" });
      expect(await apiRecord()).toMatchObject({ id: END.interception_id, datacenter: "ams" });
    }
  });

  it("is null in the row and in the API for an end of a gateway that does not have it", async () => {
    await clear();
    await insert(insertEnds(tables), END);
    expect(await database.prepare("SELECT datacenter FROM interceptions").first("datacenter")).toBeNull();
    expect(await apiRecord()).toMatchObject({ outcome: "completed", datacenter: null });
  });

  it("is ignored by a records Worker that does not have it", async () => {
    await clear();
    await insert(insertEnds(TABLES), END_WITH_FIELD);
    const row = await database.prepare("SELECT outcome, datacenter FROM interceptions").first();
    expect(row).toEqual({ outcome: "completed", datacenter: null });
  });

  it("is described in the API's schema; all other fields stay", () => {
    const { datacenter: added, ...others } = schemasOf(apiFieldsOf(WITH_FIELD).interception);
    expect(added).toEqual({ type: ["string", "null"], description: "The data center of the provider." });
    expect(others).toEqual(schemasOf(apiFieldsOf(RECORDS).interception));
  });

  it("is the next blob of the Analytics Engine row; all other positions stay", () => {
    const columns = analyticsColumnsOf("interceptions", WITH_FIELD);
    expect(columns.blobs).toEqual([...CURRENT.blobs, "datacenter"]);
    expect(columns.doubles).toEqual(CURRENT.doubles);
    const before = toRow(CURRENT, END);
    expect(toRow(columns, END_WITH_FIELD)).toEqual({ ...before, blobs: [...before.blobs, "ams"] });
    const passthrough = toRow(CURRENT, PASSED);
    expect(toRow(columns, PASSED)).toEqual({ ...passthrough, blobs: [...passthrough.blobs, ""] });
    expect(analyticsColumnsOf("overrides", WITH_FIELD)).toEqual(ANALYTICS_COLUMNS.overrides);
  });

  // Its text is that of event-writers.ts, which `npm run tables` generates (event-text.test.ts).
  it("crosses the queue", () => {
    const event: InterceptionEnd = END_WITH_FIELD;
    expect(joinMessages([JSON.stringify(event)]).flatMap((message) => readMessage(message).events)).toEqual([
      END_WITH_FIELD,
    ]);
  });
});
