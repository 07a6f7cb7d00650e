import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { storeEvents } from "../../../src/records/ledger/write/store.ts";
import {
  DELETE_EXPIRED,
  runMaintenance,
  ORPHANED_AFTER_MS,
} from "../../../src/records/ledger/maintain/cron.ts";
import { allRows, emptyLedger, rowsOf, TABLE_NAMES } from "../../support/in-workerd/ledger-database.ts";
import { eventsOf, idOf, T0, wholeEventsOf } from "../../support/in-workerd/ledger-events.ts";
import { places } from "../../support/in-workerd/ledger-places.ts";

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

async function counts(): Promise<Readonly<Record<string, number>>> {
  const rows = await allRows(database);
  return Object.fromEntries(TABLE_NAMES.map((table) => [table, rows[table]?.length ?? 0]));
}

describe("an interception whose end never came", () => {
  it("is closed as orphaned once it is older than any stream, and says no more than is known", async () => {
    await storeEvents(database, starts(eventsOf({ n: 0 })));
    const [before] = await rowsOf(database, "interceptions");
    await runMaintenance(places({ database }), T0 + ORPHANED_AFTER_MS);
    expect(await outcomes()).toEqual([null]);
    const to = places({ database });
    await runMaintenance(to, T0 + ORPHANED_AFTER_MS + 1);
    const [after] = await rowsOf(database, "interceptions");
    expect(after).toEqual({ ...before, outcome: "orphaned", usage: "unknown" });
    expect(to.complaints).toEqual(["ledger: 1 interceptions without an end closed as orphaned"]);
  });

  it("is as any other when its end comes late after all", async () => {
    const events = eventsOf({ n: 0 });
    await storeEvents(database, events);
    const wanted = await allRows(database);
    await emptyLedger();
    await storeEvents(database, starts(events));
    await runMaintenance(places({ database }), T0 + DAY);
    expect(await outcomes()).toEqual(["orphaned"]);
    await storeEvents(database, events);
    await runMaintenance(places({ database }), T0 + DAY);
    expect(await allRows(database)).toEqual(wanted);
  });

  it("is the only one that is touched", async () => {
    await storeEvents(database, [...eventsOf({ n: 0 }), ...starts(eventsOf({ n: 1 }))]);
    await runMaintenance(places({ database }), T0 + DAY);
    expect(await outcomes()).toEqual(["completed", "orphaned"]);
  });

  it("is closed with thousands of others, in steps, and found by an index", async () => {
    const events = Array.from({ length: 2500 }, (_, n) => starts(eventsOf({ n }))).flat();
    await storeEvents(database, events);
    const to = places({ database });
    await runMaintenance(to, T0 + DAY);
    expect(new Set(await outcomes())).toEqual(new Set(["orphaned"]));
    expect(to.complaints).toEqual(["ledger: 2500 interceptions without an end closed as orphaned"]);
    const { results } = await database
      .prepare(
        "EXPLAIN QUERY PLAN SELECT id FROM interceptions WHERE outcome IS NULL AND started_at < '' ORDER BY started_at LIMIT 1",
      )
      .all<{ detail: string }>();
    expect(results.map(({ detail }) => detail).join()).toContain("INDEX interceptions_open (started_at<?)");
  });
});

/** One whole interception a day, on four days. */
async function storeFourDays(): Promise<void> {
  const events = [0, 1, 2, 3].flatMap((n) => wholeEventsOf({ n: 0, at: T0 + n * DAY, asks: ["a", "b"] }));
  await storeEvents(database, events);
}

describe("what is older than RETENTION_DAYS", () => {
  it("is forgotten in every table, to the millisecond, and nothing else", async () => {
    await storeFourDays();
    const before = await counts();
    await runMaintenance(places({ database, retentionDays: 60 }), T0 + 62 * DAY);
    const kept = Object.fromEntries(Object.entries(before).map(([table, count]) => [table, count / 2]));
    expect(await counts()).toEqual(kept);
    const left = await rowsOf(database, "interceptions");
    expect(left.map(({ id }) => id)).toEqual([idOf(0, T0 + 2 * DAY), idOf(0, T0 + 3 * DAY)]);
    await runMaintenance(places({ database, retentionDays: 60 }), T0 + 62 * DAY + 1);
    expect(await rowsOf(database, "interceptions")).toHaveLength(1);
  });

  it("is kept for ever where it is 0", async () => {
    await storeFourDays();
    const before = await counts();
    await runMaintenance(places({ database, retentionDays: 0 }), T0 + 100_000 * DAY);
    expect(await counts()).toEqual(before);
  });

  it("is kept where there are more days than since 1970", async () => {
    await storeFourDays();
    const before = await counts();
    await runMaintenance(places({ database, retentionDays: 36_500 }), T0);
    expect(await counts()).toEqual(before);
  });

  it("is forgotten in steps, by ranges of the primary key", async () => {
    const events = Array.from({ length: 1700 }, (_, n) => eventsOf({ n, asks: ["a"] })).flat();
    await storeEvents(database, events);
    await runMaintenance(places({ database, retentionDays: 1 }), T0 + 10 * DAY);
    expect(new Set(Object.values(await counts()))).toEqual(new Set([0]));
    for (const sql of DELETE_EXPIRED) {
      const { results } = await database
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .bind("")
        .all<{ detail: string }>();
      expect(results.map(({ detail }) => detail).filter((step) => step.startsWith("SCAN"))).toEqual([]);
    }
  });
});

describe("a run of the cron", () => {
  it("has nothing to do without a database", async () => {
    await expect(runMaintenance(places(), T0)).resolves.toBeUndefined();
  });

  it("has nothing to say where there was nothing to do", async () => {
    const to = places({ database });
    await runMaintenance(to, T0);
    expect(to.complaints).toEqual([]);
  });

  it("that fails is seen, and one part's failure does not keep the other from its work", async () => {
    await storeEvents(database, wholeEventsOf({ n: 0 }));
    const broken = new Proxy(database, {
      get: (target, name) => {
        if (name !== "prepare") return Reflect.get(target, name) as unknown;
        return (sql: string) => {
          if (sql.startsWith("UPDATE")) throw new Error("D1_ERROR: no such table: interceptions");
          return target.prepare(sql);
        };
      },
    });
    const to = places({ database: broken, retentionDays: 1 });
    await expect(runMaintenance(to, T0 + 10 * DAY)).rejects.toThrow("no such table");
    expect(to.complaints).toEqual(["ledger: upkeep failed: Error: D1_ERROR: no such table: interceptions"]);
    expect(new Set(Object.values(await counts()))).toEqual(new Set([0]));
  });
});
