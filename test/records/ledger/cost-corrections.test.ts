/** Corrections of costs: what counts, in any order of arrival; what a deletion leaves; and what a verification names. */
import { beforeEach, describe, expect, it } from "vitest";
import type { CostCorrection, InterceptorEvent } from "../../../src/events/event.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { runMaintenance } from "../../../src/records/ledger/maintain/cron.ts";
import { foldJournal } from "../../../src/records/ledger/rollups/fold.ts";
import { contribution } from "../../../src/records/rollups/contribution-sql.ts";
import { fetchApi, fetchOk, items, TOKEN } from "../../support/in-workerd/api-client.ts";
import { CORRECTION, END, NO_TOKENS, RETRIEVED, START } from "../../support/in-workerd/events.ts";
import { allRows, emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { ledgerDeps } from "../../support/in-workerd/ledger-deps.ts";
import { deliveries, eventsOf, idOf, T0 } from "../../support/in-workerd/ledger-events.ts";
import {
  emptySealedLedger,
  seal,
  storeSealed,
  tamper,
  verify,
} from "../../support/in-workerd/sealed-ledger.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { recountedTotals, storedTotals } from "../../support/in-workerd/totals.ts";
import { forSeedsAsync, seededRandom } from "../../support/rechunk.ts";

const DAY = 86_400_000;

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

const call = (n: number, values: Partial<typeof END> = {}): InterceptorEvent[] => [
  { ...START, interception_id: idOf(n) },
  { ...END, interception_id: idOf(n), ...values },
];
const correction = (n: number, position: number, micros: number | null): CostCorrection => ({
  ...CORRECTION,
  interception_id: idOf(n),
  position,
  cost_micros: micros,
  cost_source: micros === null ? "unpriced" : "computed",
});
const UNPRICED = { cost_micros: null, cost_source: "unpriced", price_version: null } as const;
const QUEUED = { ...UNPRICED, ...NO_TOKENS, usage: "unknown", outcome: "queued" } as const;
const RESPONSE = { ...QUEUED, provider: RETRIEVED.provider, msg_id: RETRIEVED.msg_id } as const;
const read = (n: number): InterceptorEvent => ({ ...RETRIEVED, interception_id: idOf(n) });
const ofRead = (n: number, position: number, micros: number | null): CostCorrection => ({
  ...correction(n, position, micros),
  corrects: "retrieved_usage",
});

/** The cost of each interception in the totals, and the sum of the totals. */
async function counted(): Promise<{ readonly costs: unknown; readonly sum: unknown }> {
  const { results } = await database
    .prepare(
      `SELECT ${contribution("cost_micros", "i")} AS cost, ${contribution("unpriced", "i")} AS unpriced FROM interceptions AS i ORDER BY id`,
    )
    .all<{ cost: number; unpriced: number }>();
  const { hours } = await storedTotals(database);
  expect(hours).toEqual((await recountedTotals(database)).hours);
  const total = (name: string): number => hours.reduce((sum, hour) => sum + Number(hour[name]), 0);
  return {
    costs: results.map(({ cost, unpriced }) => (unpriced === 1 ? null : cost)),
    sum: [total("cost_micros"), total("unpriced")],
  };
}

describe("a corrected cost", () => {
  it("counts once and by its position, for random orders and repetitions of all events", async () => {
    const events = [
      ...call(1),
      correction(1, 0, 500),
      correction(1, 1, 700),
      ...call(2, UNPRICED),
      correction(2, 0, 30),
      ...call(3),
      correction(3, 0, null),
      ...call(4, RESPONSE),
      read(50),
      ofRead(50, 0, 9),
      ofRead(50, 1, 11),
      // Of a call that never arrives.
      correction(5, 0, 1),
    ];
    await forSeedsAsync(30, async (seed) => {
      await emptyLedger();
      const random = seededRandom(seed);
      for (const delivery of deliveries(events, random)) {
        await storeEvents(database, delivery);
        if (random() < 0.2) await foldJournal(database);
      }
      expect(await counted()).toEqual({ costs: [700, 30, null, 11], sum: [741, 1] });
    });
  });

  it("leaves the record of the call, and that of retrieved usage, as they were", async () => {
    await storeEvents(database, [...call(1, RESPONSE), read(50)]);
    const before = await allRows(database);
    await storeEvents(database, [correction(1, 0, 500), ofRead(50, 0, 9)]);
    const { interceptions, retrieved_usages, cost_corrections } = await allRows(database);
    expect(retrieved_usages).toEqual(before["retrieved_usages"]);
    // Beside the sum of what was claimed, which is derived.
    expect(interceptions?.map((row) => ({ ...row, claimed_cost_micros: RETRIEVED.cost_micros }))).toEqual(
      before["interceptions"],
    );
    expect(cost_corrections).toHaveLength(2);
  });

  it("belongs to the hour in which the call began", async () => {
    await storeEvents(database, eventsOf({ n: 1 }));
    const late = T0 + 3 * DAY;
    await storeEvents(database, [{ ...correction(1, 0, 77), created_at: new Date(late).toISOString() }]);
    await runMaintenance(ledgerDeps({ database, retentionDays: 0 }), late);
    expect((await storedTotals(database)).hours).toMatchObject([
      { period: "2026-11-23T12", requests: 1, cost_micros: 77 },
    ]);
  });

  it("is deleted with its call, whose total keeps it, and does not count again when it is delivered again", async () => {
    const events = [...eventsOf({ n: 1 }), correction(1, 0, 77)];
    await storeEvents(database, events);
    await runMaintenance(ledgerDeps({ database, retentionDays: 60 }), T0 + 70 * DAY);
    const rows = await allRows(database);
    expect([rows["interceptions"], rows["cost_corrections"]]).toEqual([[], []]);
    const totals = await storedTotals(database);
    expect(totals.hours).toMatchObject([{ cost_micros: 77 }]);
    await storeEvents(database, [...events, correction(1, 1, 5)]);
    expect(await storedTotals(database)).toEqual(totals);
  });

  it.each([
    ["the call's", { principal_id: START.initiator_id }, [1]],
    ["the reader's", { principal_id: "the-reader" }, [50]],
    ["another person's", { principal_id: "another" }, []],
  ])("is kept by a legal hold of %s principal", async (_, { principal_id }, kept) => {
    await storeEvents(database, [
      ...call(1),
      correction(1, 0, 77),
      { ...RETRIEVED, interception_id: idOf(50), initiator_id: "the-reader" },
      ofRead(50, 0, 9),
    ]);
    await database
      .prepare(
        "INSERT INTO legal_holds (id, principal_id, reason, created_at) VALUES ('h', ?1, 'case 7', '')",
      )
      .bind(principal_id)
      .run();
    await runMaintenance(ledgerDeps({ database, retentionDays: 60 }), T0 + 70 * DAY);
    const { cost_corrections = [] } = await allRows(database);
    expect(cost_corrections.map(({ interception_id: id }) => id)).toEqual(kept.map((n) => idOf(n)));
  });
});

describe("the API", () => {
  beforeEach(async () => {
    await storeEvents(database, [...call(1), ...call(2, UNPRICED)]);
    await storeEvents(database, [correction(1, 0, 500), correction(1, 1, 700), correction(2, 0, 30)]);
  });

  it("has the last correction as the cost of an interception, and all of them beside it", async () => {
    const results = items(await fetchOk("/interceptions"), "results");
    expect(results).toMatchObject([
      { id: idOf(2), cost_micros: 30, cost_source: "computed", cost_corrections: [{ position: 0 }] },
      {
        id: idOf(1),
        cost_micros: 700,
        price_version: CORRECTION.price_version,
        cost_corrections: [
          { position: 0, cost_micros: 500, former_cost_micros: 1234, difference_micros: -18 },
          { position: 1, cost_micros: 700 },
        ],
      },
    ]);
  });

  it.each(["/usage", "/spend", "/usage?outcome=completed", "/spend?outcome=completed"])(
    "sums the last corrections in GET %s",
    async (path) => {
      expect(items(await fetchOk(path), "results")).toMatchObject([{ cost_micros: 730, unpriced: 0 }]);
    },
  );

  it("exports them in the columns of FOCUS", async () => {
    const headers = { authorization: `Bearer ${TOKEN}`, accept: "text/csv" };
    const { text } = await fetchApi("/spend?then_by=day&columns=focus", { headers });
    const [names = "", row = ""] = text.split("\r\n");
    expect([names.split(",")[0], row.split(",")[0]]).toEqual(["BilledCost", "0.000730"]);
  });
});

const findings = async (): Promise<readonly string[]> =>
  (await verify(database)).findings.map(({ kind, eventId: id }) => (id === null ? kind : `${kind} ${id}`));

describe("npm run verify", () => {
  beforeEach(async () => {
    database = await emptySealedLedger();
    await storeSealed(database, [...call(1), ...call(4, RESPONSE), read(50)]);
    await seal(database);
    await storeSealed(database, [correction(1, 0, 500), ofRead(50, 0, 9)]);
    await seal(database);
  });

  const first = eventId(correction(1, 0, 500));

  it("finds nothing after corrections", async () => {
    expect(await findings()).toEqual([]);
  });

  // The attack: a correction in the database is edited, so that a person's spend is smaller.
  it("names a correction that was edited, and the total that no longer follows from it", async () => {
    await tamper(database, "UPDATE cost_corrections SET cost_micros = 1 WHERE id = ?1", first);
    expect(await findings()).toEqual([`altered ${first}`, "totals_altered"]);
  });

  // The attack: a made-up correction is written into the database, and into the total.
  it("names a correction that was never sealed", async () => {
    const forged = eventId(correction(1, 1, 0));
    await tamper(
      database,
      `INSERT INTO cost_corrections SELECT interception_id, '${forged}', 1, corrects, 0, cost_source, price_version,
        former_cost_micros, former_cost_source, former_price_version, difference_micros, cause, corrected_by, created_at, seal
      FROM cost_corrections WHERE id = ?1`,
      first,
    );
    expect(await findings()).toContain(`inserted ${forged}`);
  });

  it("names a correction that was removed", async () => {
    await tamper(database, "DELETE FROM cost_corrections WHERE id = ?1", first);
    expect(await findings()).toContain(`missing ${first}`);
  });

  it("names a copy of retrieved usage without its correction", async () => {
    await tamper(database, "UPDATE token_usages SET cost_micros = ?1", RETRIEVED.cost_micros);
    expect(await findings()).toContain("derived_altered");
  });
});
