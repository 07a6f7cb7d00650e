/** Refusals in the ledger: bounded where unknown callers cause them, counted exactly once, and merged by the cron. */
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent, RefusalCount, RefusalEvent } from "../../../src/events/event.ts";
import { runMaintenance } from "../../../src/records/ledger/maintain/cron.ts";
import { FORGET_AFTER_MS, MERGE_AFTER_MS } from "../../../src/records/ledger/maintain/merge-refusals.ts";
import { MAX_PER_HOUR, MAX_PER_MINUTE } from "../../../src/records/ledger/write/refusal-sql.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { uuidV7 } from "../../../src/shared/uuid.ts";
import { REFUSALS_COUNTED, REFUSED } from "../../support/in-workerd/events.ts";
import { emptyLedger, rowsOf, type Row } from "../../support/in-workerd/ledger-database.ts";
import { ledgerDeps } from "../../support/in-workerd/ledger-deps.ts";
import { deliveries, shuffled } from "../../support/in-workerd/ledger-events.ts";
import { forSeedsAsync, seededRandom } from "../../support/rechunk.ts";

const T0 = Date.UTC(2026, 10, 23, 12);
const MINUTE = 60_000;
const DAY = 86_400_000;
/** For many deliveries: turns a hang into a failure; not a measure of speed. */
const GENEROUS_MS = 60_000;

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

const iso = (at: number): string => new Date(at).toISOString();
const idOf = (n: number, at: number): string =>
  uuidV7(at, `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`);

const refused = (n: number, at = T0, over: Partial<RefusalEvent> = {}): RefusalEvent => ({
  ...REFUSED,
  interception_id: idOf(n, at),
  created_at: iso(at),
  ...over,
});
const VERIFIED = {
  actor_id: "ci-bot",
  actor_kind: "service",
  identity_source: "keys",
  actor_verified: true,
} as const;
const many = <T>(count: number, one: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => one(n));

const counted = (n: number, refusals: number, over: Partial<RefusalCount> = {}): RefusalCount => ({
  ...REFUSALS_COUNTED,
  interception_id: idOf(n, T0 + 5000),
  minute: iso(T0),
  refusals,
  ...over,
});

async function storeAll(calls: readonly (readonly InterceptorEvent[])[]): Promise<void> {
  for (const call of calls) await storeEvents(database, call);
}
const sum = (rows: readonly Row[]): number => rows.reduce((total, row) => total + Number(row["refusals"]), 0);
const stored = (): Promise<readonly Row[]> => rowsOf(database, "refusals");
const counts = (): Promise<readonly Row[]> => rowsOf(database, "refusal_counts");
const maintain = (at: number, retentionDays = 60): Promise<void> =>
  runMaintenance(ledgerDeps({ database, retentionDays }), at);

describe("refusals without a verified actor", () => {
  // The attack: thousands of isolates each pass on their few details.
  it("are stored up to the bound of a minute and reason, in one call and in many", async () => {
    await storeEvents(
      database,
      many(500, (n) => refused(n)),
    );
    expect(await stored()).toHaveLength(MAX_PER_MINUTE);
    await storeAll(many(300, (n) => [refused(1000 + n, T0 + 1000, { reason: "not_found", provider: null })]));
    expect(await stored()).toHaveLength(2 * MAX_PER_MINUTE);
    await storeEvents(
      database,
      many(500, (n) => refused(2000 + n, T0 + MINUTE)),
    );
    expect(await stored()).toHaveLength(3 * MAX_PER_MINUTE);
  });

  it("are stored up to the bound of an hour and reason", async () => {
    const minutes = many(60, (minute) => many(50, (n) => refused(n, T0 + minute * MINUTE)));
    await storeAll(minutes);
    expect(await stored()).toHaveLength(MAX_PER_HOUR);
    await storeEvents(
      database,
      many(50, (n) => refused(n, T0 + 60 * MINUTE)),
    );
    expect(await stored()).toHaveLength(MAX_PER_HOUR + 50);
  });

  it("have the same rows after each redelivery", async () => {
    const calls = many(30, (call) => many(10, (n) => refused(call * 10 + n)));
    await storeAll(calls);
    const first = await stored();
    expect(first).toHaveLength(MAX_PER_MINUTE);
    await storeAll(calls);
    await storeAll(calls.toReversed());
    await storeEvents(database, [...calls.flat(), ...calls.flat()]);
    expect(await stored()).toEqual(first);
  });

  it("take no room twice where one call has an event twice", async () => {
    const events = many(MAX_PER_MINUTE, (n) => refused(n));
    await storeEvents(database, [...events, ...events]);
    expect(await stored()).toHaveLength(MAX_PER_MINUTE);
  });

  it("of an earlier gateway, without the newer fields, are bounded too", async () => {
    const { identity_source: _, actor_verified: __, ...before } = REFUSED;
    const events = many(300, (n) => ({ ...before, interception_id: idOf(n, T0), created_at: iso(T0) }));
    await storeEvents(database, events as unknown as InterceptorEvent[]);
    expect(await stored()).toHaveLength(MAX_PER_MINUTE);
  });
});

describe("refusals with a verified actor", () => {
  it("are all stored, also in a minute whose others fill their bound", async () => {
    const events = many(400, (n) => [refused(n), refused(1000 + n, T0, VERIFIED)]).flat();
    await storeAll([events, events]);
    const rows = await stored();
    expect(rows.filter((row) => row["actor_verified"] === 1)).toHaveLength(400);
    expect(rows.filter((row) => row["actor_verified"] === 0)).toHaveLength(MAX_PER_MINUTE);
  });

  it("take no room of the others", async () => {
    await storeEvents(
      database,
      many(400, (n) => refused(n, T0, VERIFIED)),
    );
    await storeEvents(
      database,
      many(400, (n) => refused(1000 + n)),
    );
    expect(await stored()).toHaveLength(400 + MAX_PER_MINUTE);
  });
});

describe("counts of refusals", () => {
  it(
    "count once, in any order and however often they are delivered",
    async () => {
      await forSeedsAsync(5, async (seed) => {
        database = await emptyLedger();
        const random = seededRandom(seed);
        await storeAll(
          deliveries(
            many(40, (n) => counted(n, n + 1)),
            random,
          ),
        );
        expect(sum(await counts())).toBe(820);
      });
    },
    GENEROUS_MS,
  );

  it("are merged into one row per minute, reason and provider after an hour", async () => {
    const others = [
      { minute: iso(T0 + MINUTE) },
      { reason: "not_found", provider: null },
      { reason: "not_found" },
      { provider: "another" },
    ];
    await storeEvents(database, [
      ...many(30, (n) => counted(n, 2)),
      ...others.flatMap((over, at) => [counted(100 + 2 * at, 5, over), counted(101 + 2 * at, 6, over)]),
    ]);
    await maintain(T0 + MERGE_AFTER_MS);
    expect(await counts()).toHaveLength(38);
    await maintain(T0 + MERGE_AFTER_MS + MINUTE + 1);
    const rows = await counts();
    const figures = rows.map(({ minute, reason, provider, refusals }) => [
      minute,
      reason,
      provider,
      refusals,
    ]);
    expect(figures).toEqual([
      [iso(T0), "invalid_credential", "openai-prod", 60],
      [iso(T0 + MINUTE), "invalid_credential", "openai-prod", 11],
      [iso(T0), "not_found", null, 11],
      [iso(T0), "not_found", "openai-prod", 11],
      [iso(T0), "invalid_credential", "another", 11],
    ]);
  });

  // The queue delivers a message again hours after it was stored, when the cron has merged its row.
  it(
    "count once where events are delivered again or late, between runs of the cron",
    async () => {
      await forSeedsAsync(5, async (seed) => {
        database = await emptyLedger();
        const random = seededRandom(seed);
        const events = many(60, (n) =>
          counted(n, n + 1, n % 3 ? {} : { reason: "not_found", provider: null }),
        );
        const calls = shuffled(deliveries(events, random), random);
        for (const [at, call] of calls.entries()) {
          await storeEvents(database, call);
          if (at % 4 === 0) await maintain(T0 + 2 * MERGE_AFTER_MS + at);
        }
        await maintain(T0 + DAY);
        await storeAll(calls);
        expect([seed, sum(await counts())]).toEqual([seed, 1830]);
        await maintain(T0 + 2 * DAY);
        expect([seed, (await counts()).length, sum(await counts())]).toEqual([seed, 2, 1830]);
      });
    },
    GENEROUS_MS,
  );

  it("are the same after a run that repeats another one", async () => {
    await storeEvents(
      database,
      many(30, (n) => counted(n, 2)),
    );
    await maintain(T0 + DAY);
    const merged = await counts();
    await Promise.all([maintain(T0 + DAY), maintain(T0 + DAY + 1)]);
    expect(await counts()).toEqual(merged);
    expect(sum(merged)).toBe(60);
  });

  it("forget the ids of merged events once no queue delivers them again", async () => {
    await storeEvents(
      database,
      many(30, (n) => counted(n, 2)),
    );
    await maintain(T0 + DAY);
    expect((await counts())[0]?.["merged"]).toHaveLength(29 * 18);
    await maintain(T0 + FORGET_AFTER_MS + 1);
    expect(await counts()).toMatchObject([{ merged: "", refusals: 60 }]);
  });

  it("of thousands of groups are merged in steps", async () => {
    const groups = many(1300, (minute) =>
      many(2, (n) => counted(2 * minute + n, 1, { minute: iso(T0 + minute * MINUTE) })),
    );
    await storeEvents(database, groups.flat());
    await maintain(T0 + 30 * DAY);
    const rows = await counts();
    expect([rows.length, sum(rows)]).toEqual([1300, 2600]);
  });
});

describe("the retention", () => {
  it("deletes expired refusals and counts, and no others", async () => {
    for (const day of [0, 1]) {
      const at = T0 + day * DAY;
      await storeEvents(database, [
        refused(1, at),
        refused(2, at, VERIFIED),
        counted(3, 5, { interception_id: idOf(3, at), minute: iso(at) }),
      ]);
    }
    await maintain(T0 + 10 * DAY + 1, 10);
    expect((await stored()).map(({ created_at }) => created_at)).toEqual([iso(T0 + DAY), iso(T0 + DAY)]);
    expect((await counts()).map(({ minute }) => minute)).toEqual([iso(T0 + DAY)]);
  });
});
