/**
 * Measures the API's sums over the rollups of 10 million interceptions, which SQL makes: 500 people with 227 requests a day,
 * each with two clients and two models, over 88 days. The journal holds as much as it does before it is folded.
 *
 *     node bench/ledger/totals.ts
 *
 * Times are SQLite's own, as D1 reports them: the median of nine runs of wrangler's local D1.
 */
import { USE_MEASURES } from "../../src/records/rollups/contribution-sql.ts";
import { LATENCY_MEASURES } from "../../src/records/rollups/latency-sql.ts";
import { closeDays, FOLD_AT_DELTAS } from "../../src/records/ledger/rollups/fold.ts";
import { exitOnClosedPipe } from "../../tools/closed-pipe.ts";
import { median } from "../numbers.ts";
import { runApiQuery, withLocalLedger, type QueryCost } from "./local-ledger.ts";
import { NOW } from "./traffic.ts";

exitOnClosedPipe();

const PEOPLE = 500;
const DAYS = 88;
const REPEATS = 9;
const NO_LATENCIES = ", 0.0".repeat(LATENCY_MEASURES.length);

/** Four dimensions a person: of two clients and two models the second is used in every fifth request. */
const FILL: readonly string[] = [
  `WITH RECURSIVE person (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM person WHERE n < ${PEOPLE - 1}),
    variant (v) AS (VALUES (0), (1), (2), (3))
  INSERT INTO rollup_dimensions (key, initiator_id, initiator_source, attribution, actor_id, identity_source, client,
    provider, provider_type, model, workspace_id, own_key_rejected, initiator_name)
  SELECT json_array(n, v), printf('%08x-1815-4a10-8a00-00000000ada1', n), 'coder', 'asserted', 'coder-agents', 'keys',
    'client-' || ((n + v / 2) % 5), 'openai', 'openai', 'model-' || ((n + v % 2) % 4),
    printf('%08x-1815-4a10-8a00-0000000000ff', n), 0, 'person-' || n
  FROM person, variant`,
  `WITH RECURSIVE delta (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM delta WHERE n < ${FOLD_AT_DELTAS})
  INSERT INTO journal (stored_at, event_ids, deltas, delta_count)
  SELECT 0, '[]', json_group_array(json_array(1 + n % ${4 * PEOPLE}, '2026-11-23T11', 1.0, 0.0, 1200.0, 150.0, 9000.0, 0.0, 0.0, 1.0${NO_LATENCIES})), ${FOLD_AT_DELTAS}
  FROM delta`,
];

/** Eight hours of a day; 227 requests over the four dimensions are some seven an hour for each. */
const FILL_DAY = `WITH RECURSIVE hour (h) AS (SELECT 9 UNION ALL SELECT h + 1 FROM hour WHERE h < 16)
  INSERT INTO rollup_hours (dimension, hour, ${USE_MEASURES.join(", ")})
  SELECT id, strftime('%Y-%m-%dT', '2026-11-23', '-' || ?1 || ' days') || printf('%02d', h),
    7, id % 2, 8400 + id, 1100 + h, 63000, 0, 0, 7
  FROM rollup_dimensions, hour`;

const QUERIES = [
  ["/usage", "group_by=initiator"],
  ["/usage", "group_by=model"],
  ["/usage", "group_by=day"],
  ["/usage", "group_by=client&started_after=2026-09-01T00:00:00Z"],
  ["/usage", "group_by=day&initiator=00000007-1815-4a10-8a00-00000000ada1"],
  ["/providers", ""],
  ["/providers", "group_by=provider_day&started_after=2026-09-01T00:00:00Z"],
  ["/providers", "group_by=hour&started_after=2026-11-20T00:00:00Z"],
  ["/attribution", ""],
  ["/attribution", "started_after=2026-09-01T00:00:00Z"],
] as const;

await withLocalLedger(async (database) => {
  for (const sql of FILL) await database.prepare(sql).run();
  for (let day = 0; day < DAYS; day += 1) await database.prepare(FILL_DAY).bind(day).run();
  await closeDays(database, NOW);
  const counted = await database
    .prepare(
      "SELECT SUM(requests) AS requests, COUNT(*) AS hours, (SELECT COUNT(*) FROM rollup_days) AS days, (SELECT COUNT(*) FROM rollup_dimensions) AS dimensions FROM rollup_hours",
    )
    .first();
  const { meta } = await database.prepare("SELECT 1").run();
  console.log(`${JSON.stringify(counted)}, ${(meta.size_after / 1e6).toFixed(0)} MB`);
  for (const [path, search] of QUERIES) {
    const costs: QueryCost[] = [];
    while (costs.length < REPEATS) costs.push(await runApiQuery(database, path, search));
    const ms = median(costs.map((cost) => cost.ms));
    console.log(
      `| \`${path}?${search}\` | ${ms.toFixed(1)} | ${(costs[0]?.read ?? 0).toLocaleString("en")} |`,
    );
  }
});
