/**
 * Totals by hour and day against a full recount of the rows, for random events in random orders: delivered several times,
 * ends before starts, ends hours late, orphans closed in between, usage retrieved later, rejected own keys, costs corrected before and after either.
 */
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { toLedgerEvents } from "../../../src/events/ledger-events.ts";
import { foldJournal } from "../../../src/records/ledger/rollups/fold.ts";
import { runMaintenance } from "../../../src/records/ledger/maintain/cron.ts";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import { BATCH_FILE, CORRECTION, RETRIEVED } from "../../support/in-workerd/events.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { ledgerDeps } from "../../support/in-workerd/ledger-deps.ts";
import { deliveries, eventsOf, idOf, T0 } from "../../support/in-workerd/ledger-events.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { recountedTotals, storedTotals } from "../../support/in-workerd/totals.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

/** The random choice of one of the values. */
const oneOf = <Value>(random: () => number, values: readonly Value[]): Value =>
  values[between(random, 0, values.length - 1)] as Value;

/** Events of one interception that began within three days, some without an end, in the ledger's form. */
function randomEvents(n: number, random: () => number): readonly InterceptorEvent[] {
  const at = T0 + between(random, 0, 71) * HOUR;
  const outcome = oneOf(random, ["completed", "cancelled", "upstream_error", "queued"] as const);
  const usage = oneOf(random, ["final", "partial", "unknown"] as const);
  const tokens = usage === "unknown" ? null : between(random, 0, 100_000);
  const varied = {
    model: oneOf(random, ["gpt-4o", "gpt-5.1", null]),
    client: oneOf(random, ["Codex", "Claude Code"]),
    workspace_id: null,
    msg_id: `resp_${between(random, 0, 4)}`,
  };
  const figures = {
    outcome,
    usage,
    input_tokens: tokens,
    output_tokens: tokens,
    cache_read_input_tokens: usage === "final" ? tokens : null,
    cache_write_input_tokens: null,
    own_key_rejected: random() < 0.1,
  };
  const events = eventsOf({ n, at, initiator: oneOf(random, ["alice", "bob"]) }).flatMap(
    (event): InterceptorEvent[] => {
      if (event.record_type === "interception_start") return [{ ...event, ...varied }];
      if (event.record_type === "interception_end") return [{ ...event, ...varied, ...figures }];
      return event.record_type === "token_usage" && usage !== "unknown" ? [event] : [];
    },
  );
  const all = toLedgerEvents(events);
  return random() < 0.2 ? all.slice(0, 1) : all;
}

/** Usage that is read later, of one of the responses. */
const randomRetrieval = (n: number, random: () => number): readonly InterceptorEvent[] => [
  {
    ...RETRIEVED,
    interception_id: idOf(n + 1000),
    usage_of: `${RETRIEVED.provider}/resp_${between(random, 0, 4)}`,
    msg_id: `resp_${between(random, 0, 4)}`,
    input_tokens: between(random, 0, 1000),
  },
  {
    ...BATCH_FILE,
    interception_id: idOf(n + 2000),
    msg_id: `resp_${between(random, 0, 4)}`,
    file_id: RETRIEVED.msg_id,
  },
];

/** Corrections of an interception's cost and of usage that was retrieved, as often as the positions have it. */
const randomCorrections = (ids: readonly string[], random: () => number): readonly InterceptorEvent[] =>
  Array.from({ length: between(random, 1, 3) }, (_, position): InterceptorEvent => {
    const isKnown = random() < 0.7;
    const id = oneOf(random, ids);
    return {
      ...CORRECTION,
      interception_id: id,
      position,
      corrects: id === ids[0] ? "interception_end" : "retrieved_usage",
      cost_micros: isKnown ? between(random, 0, 100_000) : null,
      cost_source: isKnown ? "computed" : "unpriced",
    };
  });

describe("the totals by hour and by day", () => {
  it("equal a recount of all rows for events that come late, twice and in any order", async () => {
    await forSeedsAsync(60, async (seed) => {
      await emptyLedger();
      const random = seededRandom(seed);
      const events = Array.from({ length: between(random, 1, 12) }, (_, n) => {
        const call = randomEvents(n, random);
        const ids = [call[0]?.interception_id ?? "", idOf(n + 1000)];
        return [
          ...call,
          ...(random() < 0.3 ? randomRetrieval(n, random) : []),
          ...(random() < 0.4 ? randomCorrections(ids, random) : []),
        ];
      }).flat();
      for (const call of deliveries(events, random)) {
        await storeEvents(database, call);
        if (random() < 0.2) await foldJournal(database);
        if (random() < 0.1)
          await runMaintenance(ledgerDeps({ database, retentionDays: 0 }), T0 + between(random, 0, 5) * DAY);
        const [totals, recounted] = [await storedTotals(database), await recountedTotals(database)];
        expect(totals.hours).toEqual(recounted.hours);
        expect(totals.days).toEqual(recounted.days);
      }
      expect((await storedTotals(database)).hours.length).toBeGreaterThan(0);
    });
  });

  it("stay when the interceptions are deleted, and are not counted again when those are delivered again", async () => {
    const events = toLedgerEvents([0, 1, 2].flatMap((n) => eventsOf({ n })));
    await storeEvents(database, events);
    const before = await storedTotals(database);
    await runMaintenance(ledgerDeps({ database, retentionDays: 60 }), T0 + 70 * DAY);
    expect(await database.prepare("SELECT COUNT(*) AS n FROM interceptions").first("n")).toBe(0);
    expect(await storedTotals(database)).toEqual(before);
    await storeEvents(database, events);
    expect(await storedTotals(database)).toEqual(before);
  });
});
