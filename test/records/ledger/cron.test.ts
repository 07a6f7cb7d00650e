import { NOTED_DELETIONS } from "../../../src/records/ledger/maintain/retention-sql.ts";
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import {
  MOST_STATEMENTS,
  runMaintenance,
  ORPHANED_AFTER_MS,
} from "../../../src/records/ledger/maintain/cron.ts";
import { ANOMALY_SQL, PAGE_ROWS } from "../../../src/records/ledger/maintain/anomaly-sql.ts";
import { allRows, emptyLedger, rowsOf, TABLE_NAMES } from "../../support/in-workerd/ledger-database.ts";
import { PASSED, PASSTHROUGH_START } from "../../support/in-workerd/events.ts";
import { eventsOf, idOf, T0, allEventsOf } from "../../support/in-workerd/ledger-events.ts";
import { ledgerDeps } from "../../support/in-workerd/ledger-deps.ts";

const DAY = 86_400_000;

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

const starts = (events: readonly InterceptorEvent[]): InterceptorEvent[] =>
  events.filter((event) => event.record_type === "interception_start");

async function outcomes(): Promise<unknown[]> {
  return (await rowsOf(database, "interceptions")).map(({ outcome }) => outcome);
}

/** Of the tables that the deletion empties; of each it adds a row to `ledger_accesses`. */
async function counts(): Promise<Readonly<Record<string, number>>> {
  const rows = await allRows(database);
  const tables = TABLE_NAMES.filter((table) => table !== "ledger_accesses");
  return Object.fromEntries(tables.map((table) => [table, rows[table]?.length ?? 0]));
}

describe("closing orphaned interceptions", () => {
  it("closes an interception without an end, with unknown usage, once it is older than any stream", async () => {
    await storeEvents(database, starts(eventsOf({ n: 0 })));
    const [before] = await rowsOf(database, "interceptions");
    await runMaintenance(ledgerDeps({ database }), T0 + ORPHANED_AFTER_MS);
    expect(await outcomes()).toEqual([null]);
    const deps = ledgerDeps({ database });
    await runMaintenance(deps, T0 + ORPHANED_AFTER_MS + 1);
    const [after] = await rowsOf(database, "interceptions");
    expect(after).toEqual({ ...before, outcome: "orphaned", usage: "unknown" });
    expect(deps.operatorErrors).toEqual([{ event: "orphans_closed", interceptions: 1 }]);
  });

  it("stores a late end as if it had arrived in time", async () => {
    const events = eventsOf({ n: 0 });
    await storeEvents(database, events);
    const expected = await allRows(database);
    await emptyLedger();
    await storeEvents(database, starts(events));
    await runMaintenance(ledgerDeps({ database }), T0 + DAY);
    expect(await outcomes()).toEqual(["orphaned"]);
    await storeEvents(database, events);
    await runMaintenance(ledgerDeps({ database }), T0 + DAY);
    expect(await allRows(database)).toEqual(expected);
  });

  it("leaves completed interceptions unchanged", async () => {
    await storeEvents(database, [...eventsOf({ n: 0 }), ...starts(eventsOf({ n: 1 }))]);
    await runMaintenance(ledgerDeps({ database }), T0 + DAY);
    expect(await outcomes()).toEqual(["completed", "orphaned"]);
  });

  it("closes thousands of interceptions in steps", async () => {
    const events = Array.from({ length: 2500 }, (_, n) => starts(eventsOf({ n }))).flat();
    await storeEvents(database, events);
    const deps = ledgerDeps({ database });
    await runMaintenance(deps, T0 + DAY);
    expect(new Set(await outcomes())).toEqual(new Set(["orphaned"]));
    expect(deps.operatorErrors).toEqual([{ event: "orphans_closed", interceptions: 2500 }]);
  });
});

describe("closing orphaned passthroughs", () => {
  // S4 of the security review: the isolate dies before the provider's headers come.
  it("closes a passthrough without an end, and a late end replaces the outcome", async () => {
    await storeEvents(database, [PASSTHROUGH_START]);
    const [before] = await rowsOf(database, "passthroughs");
    const deps = ledgerDeps({ database });
    const startedAt = Date.parse(PASSTHROUGH_START.started_at);
    await runMaintenance(deps, startedAt + ORPHANED_AFTER_MS);
    expect(await rowsOf(database, "passthroughs")).toEqual([before]);
    await runMaintenance(deps, startedAt + ORPHANED_AFTER_MS + 1);
    expect(await rowsOf(database, "passthroughs")).toEqual([{ ...before, outcome: "orphaned" }]);
    expect(deps.operatorErrors).toEqual([{ event: "orphans_closed", passthroughs: 1 }]);
    await storeEvents(database, [PASSED]);
    await runMaintenance(deps, startedAt + DAY);
    const [after] = await rowsOf(database, "passthroughs");
    expect(after).toMatchObject({ outcome: "completed", api_key_id: PASSTHROUGH_START.api_key_id });
  });
});

/** Stores all events of one interception per day, on four days. */
async function storeFourDays(): Promise<void> {
  const events = [0, 1, 2, 3].flatMap((n) => allEventsOf({ n: 0, at: T0 + n * DAY, toolCalls: ["a", "b"] }));
  await storeEvents(database, events);
}

describe("deletion of rows older than RETENTION_DAYS", () => {
  it("deletes exactly the expired rows of every table, to the millisecond", async () => {
    await storeFourDays();
    const before = await counts();
    await runMaintenance(ledgerDeps({ database, retentionDays: 60 }), T0 + 62 * DAY);
    const kept = Object.fromEntries(Object.entries(before).map(([table, count]) => [table, count / 2]));
    expect(await counts()).toEqual(kept);
    const left = await rowsOf(database, "interceptions");
    expect(left.map(({ id }) => id)).toEqual([idOf(0, T0 + 2 * DAY), idOf(0, T0 + 3 * DAY)]);
    await runMaintenance(ledgerDeps({ database, retentionDays: 60 }), T0 + 62 * DAY + 1);
    expect(await rowsOf(database, "interceptions")).toHaveLength(1);
  });

  it("deletes nothing with RETENTION_DAYS = 0", async () => {
    await storeFourDays();
    const before = await counts();
    await runMaintenance(ledgerDeps({ database, retentionDays: 0 }), T0 + 100_000 * DAY);
    expect(await counts()).toEqual(before);
  });

  it("deletes nothing when RETENTION_DAYS reaches back before 1970", async () => {
    await storeFourDays();
    const before = await counts();
    await runMaintenance(ledgerDeps({ database, retentionDays: 36_500 }), T0);
    expect(await counts()).toEqual(before);
  });

  it("deletes in steps until no expired row is left", async () => {
    const events = Array.from({ length: 1700 }, (_, n) => eventsOf({ n, toolCalls: ["a"] })).flat();
    await storeEvents(database, events);
    await runMaintenance(ledgerDeps({ database, retentionDays: 1 }), T0 + 10 * DAY);
    expect(new Set(Object.values(await counts()))).toEqual(new Set([0]));
  });
});

describe("a run of the cron", () => {
  it("does nothing without a database", async () => {
    await expect(runMaintenance(ledgerDeps(), T0)).resolves.toBeUndefined();
  });

  it("logs nothing when it changed nothing", async () => {
    const deps = ledgerDeps({ database });
    await runMaintenance(deps, T0);
    expect(deps.operatorErrors).toEqual([]);
  });

  it("runs every part when one fails, logs the failure and rejects", async () => {
    await storeEvents(database, allEventsOf({ n: 0 }));
    const broken = new Proxy(database, {
      get: (target, name) => {
        if (name !== "prepare") return Reflect.get(target, name) as unknown;
        return (sql: string) => {
          if (sql.startsWith("UPDATE interceptions "))
            throw new Error("D1_ERROR: no such table: interceptions");
          return target.prepare(sql);
        };
      },
    });
    const deps = ledgerDeps({ database: broken, retentionDays: 1 });
    await expect(runMaintenance(deps, T0 + 10 * DAY)).rejects.toThrow("no such table");
    expect(deps.operatorErrors).toEqual([
      { event: "maintenance_failed", error: "Error: D1_ERROR: no such table: interceptions" },
    ]);
    expect(new Set(Object.values(await counts()))).toEqual(new Set([0]));
  });
});

/** A full page of the anomaly scan: each row has a chat, an owner and an hour of its own, and each is an anomaly. */
function worstPage(): { rows: object[]; pairs: object[]; actors: object[] } {
  const rows = Array.from({ length: PAGE_ROWS }, (_, n) => ({
    id: idOf(0, T0 + n * 3_600_000),
    actor_id: "a",
    initiator_id: `i${n}`,
    attribution: "asserted",
    chat_id: `c${n}`,
    flags: "[]",
    rejected_keys: "[]",
  }));
  const range = (n: number): object => ({ first_id: rows[n]?.id, last_id: rows[n]?.id });
  const pairs = rows.flatMap(({ chat_id, actor_id }, n) =>
    ["x", "y"].map((initiator_id) => ({ chat_id, actor_id, initiator_id, ...range(n) })),
  );
  const actors = rows.map(({ id, initiator_id: owner_id }, n) => ({
    day: id.slice(0, 13),
    owner_id,
    actors: JSON.stringify(["a", "b", "c", "d"].map((actor_id) => ({ actor_id, ...range(n) }))),
  }));
  return { rows, pairs, actors };
}

// https://developers.cloudflare.com/d1/platform/limits/
it("runs fewer than 1,000 statements however much there is to do", async () => {
  const { rows, pairs, actors } = worstPage();
  const deletions = [{ deleted_table: "interceptions", reason: "age", before: T0, rows: 1000 }];
  let statements = 0;
  const counted = <Result>(result: Result): Promise<Result> => {
    statements += 1;
    return Promise.resolve(result);
  };
  const prepare = (sql: string): object => ({
    sql,
    bind: () => prepare(sql),
    run: () => counted({ meta: { changes: 1000 } }),
    all: () => counted({ results: sql === NOTED_DELETIONS ? deletions : rows }),
    // Of the journal: more than the consumer leaves.
    first: () => counted({ deltas: 1_000_000, since: 0 }),
  });
  const results: Readonly<Record<string, readonly object[]>> = {
    [ANOMALY_SQL.pairs]: pairs,
    [ANOMALY_SQL.manyActors]: actors,
  };
  const batch = (bound: readonly { readonly sql: string }[]): Promise<object[]> => {
    statements += bound.length;
    const meta = { changes: 1000 };
    return Promise.resolve(bound.map(({ sql }) => ({ meta, results: results[sql] ?? [] })));
  };
  const deps = ledgerDeps({ database: { prepare, batch } as unknown as D1Database });
  await runMaintenance(deps, T0);
  const most = Object.values(MOST_STATEMENTS).reduce((sum, part) => sum + part, 0);
  expect(most).toBeLessThan(1000);
  // The fake reaches most bounds. Its pages have fewer anomalies than a page can have.
  expect(statements).toBeLessThanOrEqual(most);
  expect(statements).toBeGreaterThan(750);
  expect(deps.operatorErrors).toContainEqual({ event: "maintenance_unfinished", task: "anomaly scan" });
  expect(deps.operatorErrors).toContainEqual({
    event: "maintenance_unfinished",
    task: "deletion of expired rows",
  });
});
