/** Attempts of requests in the ledger: what the API returns, and what retention and legal holds do with them. */
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent, UpstreamAttempt } from "../../../src/events/event.ts";
import { runMaintenance } from "../../../src/records/ledger/maintain/cron.ts";
import { fetchOk, items } from "../../support/in-workerd/api-client.ts";
import { ATTEMPT, END, PASSTHROUGH_START, START } from "../../support/in-workerd/events.ts";
import { allRows, emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { ledgerDeps } from "../../support/in-workerd/ledger-deps.ts";
import { idOf, T0 } from "../../support/in-workerd/ledger-events.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";

const DAY = 86_400_000;

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

const call = (n: number): InterceptorEvent[] => [
  { ...START, interception_id: idOf(n) },
  { ...END, interception_id: idOf(n) },
];
const attempt = (n: number, position: number): UpstreamAttempt => ({
  ...ATTEMPT,
  interception_id: idOf(n),
  position,
});

describe("the attempts of an interception", () => {
  it("are in GET /interceptions, in their order, and empty where there was one", async () => {
    await storeEvents(database, [...call(1), attempt(1, 1), attempt(1, 0), attempt(1, 1), ...call(2)]);
    const results = items(await fetchOk("/interceptions"), "results");
    expect(results.map((row) => (row as { readonly attempts: unknown }).attempts)).toMatchObject([
      [],
      [
        {
          position: 0,
          provider: "openai",
          sent_model: "gpt-5-deployment",
          key_hint: "sk-p...abcd",
          reason: "rate_limited",
          status: 429,
        },
        { position: 1, waited_ms: 0, duration_ms: 31, cost_micros: 0 },
      ],
    ]);
  });

  it("are counted by provider, key and how they ended in GET /providers/attempts", async () => {
    const other = { provider: "azure", key_hint: null, reason: "used" } as const;
    await storeEvents(database, [
      ...call(1),
      attempt(1, 0),
      { ...attempt(1, 1), ...other },
      ...call(2),
      attempt(2, 0),
      { ...attempt(2, 1), reason: "circuit_open", started_at: "2026-11-23T13:00:00.000Z" },
    ]);
    const range = "started_after=2026-11-01T00:00:00Z&started_before=2026-11-30T00:00:00Z";
    const rows = async (more = "") => items(await fetchOk(`/providers/attempts?${range}${more}`), "results");
    const hint = "sk-p...abcd";
    expect(await rows()).toEqual([
      {
        provider_name: "azure",
        key_hint: null,
        reason: "used",
        attempts: 1,
        last_started_at: ATTEMPT.started_at,
      },
      {
        provider_name: "openai",
        key_hint: hint,
        reason: "circuit_open",
        attempts: 1,
        last_started_at: "2026-11-23T13:00:00.000Z",
      },
      {
        provider_name: "openai",
        key_hint: hint,
        reason: "rate_limited",
        attempts: 2,
        last_started_at: ATTEMPT.started_at,
      },
    ]);
    expect(await rows("&provider_name=azure")).toHaveLength(1);
    expect(await rows("&limit=1&offset=1")).toMatchObject([{ reason: "circuit_open" }]);
    expect(await fetchOk("/providers/attempts?started_before=2026-11-01T00:00:00Z")).toMatchObject({
      count: 0,
      results: [],
    });
  });

  it("are deleted with it, and kept with it by a legal hold", async () => {
    await storeEvents(database, [
      ...call(1),
      attempt(1, 0),
      { ...START, interception_id: idOf(2), actor_id: "held" },
      { ...END, interception_id: idOf(2), actor_id: "held" },
      attempt(2, 0),
      { ...PASSTHROUGH_START, interception_id: idOf(3), actor_id: "held" },
      attempt(3, 0),
    ]);
    await database
      .prepare(
        "INSERT INTO legal_holds (id, principal_id, reason, created_at) VALUES ('1', 'held', '', '2026-11-23T12:00:00.000Z')",
      )
      .run();
    await runMaintenance(ledgerDeps({ database, retentionDays: 60 }), T0 + 70 * DAY);
    const { upstream_attempts: kept = [] } = await allRows(database);
    expect(kept.map(({ interception_id: id }) => id)).toEqual([idOf(2), idOf(3)]);
  });
});
