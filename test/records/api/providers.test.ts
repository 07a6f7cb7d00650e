/** GET /providers, and totals by hour. */
import { beforeEach, describe, expect, it } from "vitest";
import { DURATION_BOUNDS, FIRST_BYTE_BOUNDS } from "../../../src/records/rollups/latency-sql.ts";
import { fetchApi, fetchFault, fetchOk, items, NOW } from "../../support/in-workerd/api-client.ts";
import { database, insert, interception, T0, type Row } from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

beforeEach(async () => {
  await emptyLedger();
});

const HOUR = 3_600_000;
/** T0 is at noon. */
const SINCE = "started_after=2026-11-23T00:00:00Z";

const call = (n: number, over: Row = {}, at = T0): Row =>
  interception(at + n, {
    provider: "openai",
    model: "m",
    outcome: "completed",
    status: 200,
    first_byte_ms: 300,
    duration_ms: 2000,
    ...over,
  });

const failed = (n: number, status: number | null, outcome = "upstream_error"): Row =>
  call(n, { status, outcome, first_byte_ms: null });

const NO_FAILURES = { client_error: 0, rate_limited: 0, server_error: 0, broken: 0, cancelled: 0 };

/** The groups with their requests. */
const groups = async (group_by: string) =>
  (
    items(
      await fetchOk(`/providers?group_by=${group_by}&started_after=2026-11-22T00:00:00Z`),
      "results",
    ) as Row[]
  ).map(({ provider_name, key, requests }) => [provider_name, key, requests]);

/** The requests of each provider. */
const requestsWith = async (filter: string) =>
  (items(await fetchOk(`/providers?group_by=provider&${SINCE}&${filter}`), "results") as Row[]).map(
    (row) => row["requests"],
  );

describe("GET /providers", () => {
  it("counts requests, and failures by the class of their status or their outcome", async () => {
    await insert("interceptions", [
      call(0),
      failed(1, 400),
      failed(2, 404),
      failed(3, 429),
      failed(4, 500),
      failed(5, 529),
      failed(6, null),
      // An error that came inside a response.
      failed(7, 200),
      failed(8, 200, "truncated"),
      failed(9, 200, "stalled"),
      failed(10, 200, "cancelled"),
      call(11, { outcome: null, status: null, first_byte_ms: null, duration_ms: null }),
      call(12, { outcome: "refused", status: 503, first_byte_ms: null, duration_ms: 2000 }),
    ]);
    expect(items(await fetchOk(`/providers?${SINCE}`), "results")).toEqual([
      {
        provider_name: "openai",
        key: "m",
        requests: 13,
        failures: { client_error: 2, rate_limited: 1, server_error: 4, broken: 2, cancelled: 1 },
        first_byte_ms: { calls: 1, p50: 375, p95: 488, p99: 498 },
        duration_ms: { calls: 11, p50: 2000, p95: 2900, p99: 2980 },
      },
    ]);
  });

  it.each([
    ["first_byte_ms", FIRST_BYTE_BOUNDS],
    ["duration_ms", DURATION_BOUNDS],
  ] as const)(
    "estimates the percentiles of %s within the range of milliseconds that the value is in",
    async (name, bounds) => {
      const edges = [0, ...bounds, 10_000_000];
      for (const [at, from] of edges.slice(0, -1).entries()) {
        await emptyLedger();
        const to = edges[at + 1] ?? 0;
        const values = [from, from, to - 1, to - 1];
        await insert(
          "interceptions",
          values.map((value, n) => call(n, { [name]: value })),
        );
        const [found] = items(await fetchOk(`/providers?${SINCE}`), "results") as Record<
          string,
          Record<string, number>
        >[];
        const { calls, p50 = -1, p99 = -1 } = found?.[name] ?? {};
        expect(calls).toBe(4);
        expect(p50).toBeGreaterThanOrEqual(from);
        expect(p50).toBeLessThanOrEqual(to);
        expect(p99).toBeGreaterThanOrEqual(p50);
        // Above the last bound nothing is known but that.
        expect(p99).toBeLessThanOrEqual(at === bounds.length ? from : to);
      }
    },
  );

  it("has no percentile where no call was measured", async () => {
    await insert("interceptions", [call(0, { first_byte_ms: null })]);
    expect(items(await fetchOk(`/providers?${SINCE}`), "results")).toMatchObject([
      { first_byte_ms: { calls: 0, p50: null, p95: null, p99: null }, failures: NO_FAILURES },
    ]);
  });

  it("groups by provider with model, client, day or hour, by provider alone, or by time alone", async () => {
    await insert("interceptions", [
      call(0, { client: "Codex" }),
      call(1, { model: "n", client: "Codex" }),
      call(2, { provider: "azure" }, T0 - HOUR),
      call(3, {}, T0 - 24 * HOUR),
    ]);
    expect(await groups("provider")).toEqual([
      ["openai", null, 3],
      ["azure", null, 1],
    ]);
    expect(await groups("provider_model")).toEqual([
      ["openai", "m", 2],
      ["azure", "m", 1],
      ["openai", "n", 1],
    ]);
    expect((await groups("provider_client")).toSorted()).toHaveLength(3);
    expect(await groups("provider_day")).toEqual([
      ["openai", "2026-11-22", 1],
      ["azure", "2026-11-23", 1],
      ["openai", "2026-11-23", 2],
    ]);
    expect(await groups("hour")).toEqual([
      [null, "2026-11-22T12:00:00Z", 1],
      [null, "2026-11-23T11:00:00Z", 1],
      [null, "2026-11-23T12:00:00Z", 2],
    ]);
    expect(await groups("day")).toEqual([
      [null, "2026-11-22", 1],
      [null, "2026-11-23", 3],
    ]);
  });

  it("applies the filters of totals, also those that read every interception", async () => {
    await insert("interceptions", [call(0, { provider: "azure" }), call(1), failed(2, 429)]);
    expect(await requestsWith("provider=azure")).toEqual([1]);
    expect(await requestsWith("outcome=upstream_error")).toEqual([1]);
  });

  it("pages, and is served as CSV", async () => {
    await insert("interceptions", [call(0), call(1), call(2, { provider: "azure" })]);
    const { headers, json } = await fetchApi(`/providers?limit=1&${SINCE}`);
    expect(json).toMatchObject({ count: 2, results_are_capped: true });
    expect(headers.get("link")).toContain("offset=1");
    const { text } = await fetchApi(`/providers?format=csv&${SINCE}`);
    expect(text.split("\r\n")).toEqual([
      "provider,model,requests,failed_client_error,failed_rate_limited,failed_server_error,failed_broken,failed_cancelled,first_byte_ms_calls,first_byte_ms_p50,first_byte_ms_p95,first_byte_ms_p99,duration_ms_calls,duration_ms_p50,duration_ms_p95,duration_ms_p99",
      "openai,m,2,0,0,0,0,0,2,375,488,498,2,2000,2900,2980",
      "azure,m,1,0,0,0,0,0,1,375,488,498,1,2000,2900,2980",
      "",
    ]);
    const byDay = await fetchApi(`/providers?format=csv&group_by=day&${SINCE}`);
    expect(byDay.text).toMatch(/^day,requests,failed_client_error,.*\r\n\d{4}-\d{2}-\d{2},3,0,/);
    const byProvider = await fetchApi(`/providers?format=csv&group_by=provider&${SINCE}`);
    expect(byProvider.text).toMatch(/^provider,requests,failed_client_error,.*\r\nopenai,2,0,/);
  });

  it("counts no latency of calls from before there were histograms, and all their requests", async () => {
    await insert("interceptions", [call(0)]);
    const { id } = call(0);
    await database
      .prepare("INSERT INTO upkeep_cursors (job, cursor) VALUES ('before latencies', ?1)")
      .bind(id)
      .run();
    await insert("interceptions", [call(1)]);
    expect(items(await fetchOk(`/providers?${SINCE}`), "results")).toMatchObject([
      { requests: 2, duration_ms: { calls: 1 }, first_byte_ms: { calls: 1 } },
    ]);
  });

  it("keeps the refused calls that counted before the rule that leaves them out", async () => {
    await insert("interceptions", [failed(0, 503, "refused")]);
    await database
      .prepare("INSERT INTO upkeep_cursors (job, cursor) VALUES ('before refused latencies', ?1)")
      .bind(failed(0, 503, "refused")["id"])
      .run();
    await insert("interceptions", [failed(1, 503, "refused")]);
    expect(items(await fetchOk(`/providers?${SINCE}`), "results")).toMatchObject([
      { requests: 2, duration_ms: { calls: 1 } },
    ]);
  });
});

describe("totals by hour", () => {
  it("are exact, with hours without a complete day, and match those by day", async () => {
    const calls = [0, 1, 2, 30, 31, 49].map((hours, n) => call(n, {}, T0 - hours * HOUR));
    await insert("interceptions", calls);
    const range = "started_after=2026-11-20T00:00:00Z";
    const keys = async (path: string, unit: string) =>
      (items(await fetchOk(`${path}?group_by=${unit}&${range}`), "results") as Row[])
        .map(({ key, requests }) => `${String(key)} ${String(requests)}`)
        .toSorted();
    for (const path of ["/usage", "/spend"]) {
      expect(await keys(path, "hour")).toEqual([
        "2026-11-21T11:00:00Z 1",
        "2026-11-22T05:00:00Z 1",
        "2026-11-22T06:00:00Z 1",
        "2026-11-23T10:00:00Z 1",
        "2026-11-23T11:00:00Z 1",
        "2026-11-23T12:00:00Z 1",
      ]);
      expect(await keys(path, "day")).toEqual(["2026-11-21 1", "2026-11-22 2", "2026-11-23 3"]);
    }
  });

  it("need a range of at most 7 days, and are one unit of time", async () => {
    for (const path of ["/usage", "/spend", "/providers"]) {
      expect([path, await fetchFault(`${path}?group_by=hour`)]).toEqual([path, [400, "group_by"]]);
      const since = new Date(NOW - 7 * 24 * HOUR).toISOString();
      expect((await fetchApi(`${path}?group_by=hour&started_after=${since}`)).status).toBe(200);
      const longer = new Date(NOW - 7 * 24 * HOUR - 1).toISOString();
      expect(await fetchFault(`${path}?group_by=hour&started_after=${longer}`)).toEqual([400, "group_by"]);
    }
    expect(await fetchFault(`/spend?group_by=hour&then_by=day&${SINCE}`)).toEqual([400, "then_by"]);
  });
});
