/**
 * Measures the API's sums over the rollups of 10 million interceptions, which SQL makes: 500 people with 227 requests a day,
 * each with two clients and two models, over 88 days. The journal holds as much as it does before it is folded.
 *
 *     node bench/ledger/totals.ts
 *
 * Times are SQLite's own, as D1 reports them: the median of nine runs of wrangler's local D1.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getPlatformProxy } from "wrangler";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import { createQueryLedger } from "../../src/records/api/kit/query-ledger.ts";
import { proveCheckpoint, proveEvent } from "../../src/records/ledger/seal/proof.ts";
import { closeDays, FOLD_AT_DELTAS } from "../../src/records/ledger/rollups/fold.ts";
import { Refusal } from "../../src/shared/refusal.ts";
import { exitOnClosedPipe } from "../../tools/closed-pipe.ts";
import { median } from "../numbers.ts";

exitOnClosedPipe();

const ROOT = join(import.meta.dirname, "..", "..");
const NOW = Date.UTC(2026, 10, 23, 12);
const PEOPLE = 500;
const DAYS = 88;
const REPEATS = 9;

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
  SELECT 0, '[]', json_group_array(json_array(1 + n % ${4 * PEOPLE}, '2026-11-23T11', 1.0, 0.0, 1200.0, 150.0, 9000.0, 0.0)), ${FOLD_AT_DELTAS}
  FROM delta`,
];

/** Eight hours of a day; 227 requests over the four dimensions are some seven an hour for each. */
const FILL_DAY = `WITH RECURSIVE hour (h) AS (SELECT 9 UNION ALL SELECT h + 1 FROM hour WHERE h < 16)
  INSERT INTO rollup_hours
  SELECT id, strftime('%Y-%m-%dT', '2026-11-23', '-' || ?1 || ' days') || printf('%02d', h),
    7, id % 2, 8400 + id, 1100 + h, 63000, 0
  FROM rollup_dimensions, hour`;

const QUERIES = [
  ["/usage", "group_by=initiator"],
  ["/usage", "group_by=model"],
  ["/usage", "group_by=day"],
  ["/usage", "group_by=client&started_after=2026-09-01T00:00:00Z"],
  ["/usage", "group_by=day&initiator=00000007-1815-4a10-8a00-00000000ada1"],
  ["/attribution", ""],
  ["/attribution", "started_after=2026-09-01T00:00:00Z"],
] as const;

process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
const folder = await mkdtemp(join(tmpdir(), "ledger-totals-"));
const proxy = await getPlatformProxy<{ LEDGER: D1Database }>({
  configPath: join(ROOT, "wrangler.records.toml"),
  persist: { path: folder },
});
try {
  const database = proxy.env.LEDGER;
  for (const file of (await readdir(join(ROOT, "migrations"))).toSorted()) {
    const text = (await readFile(join(ROOT, "migrations", file), "utf8")).replace(/--.*$/gm, "");
    for (const sql of text.split(";")) if (sql.trim() !== "") await database.prepare(sql).run();
  }
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
    const times: number[] = [];
    let rows = 0;
    for (let at = 0; at < REPEATS; at += 1) {
      const cost = await measure(database, path, search);
      times.push(cost.ms);
      rows = cost.rows;
    }
    console.log(`| \`${path}?${search}\` | ${median(times).toFixed(1)} | ${rows.toLocaleString("en")} |`);
  }
} finally {
  await proxy.dispose();
  await rm(folder, { recursive: true, force: true });
}

async function measure(
  database: D1Database,
  path: string,
  search: string,
): Promise<{ ms: number; rows: number }> {
  const endpoint = ENDPOINTS.find((one) => one.path === path);
  if (!endpoint) throw new Error(`there is no endpoint ${path}`);
  const cost = { ms: 0, rows: 0 };
  const measuring = {
    prepare: (text: string) => database.prepare(text),
    batch: async (statements: D1PreparedStatement[]) => {
      const results = await database.batch(statements);
      for (const { meta } of results) {
        cost.ms += meta.duration;
        cost.rows += meta.rows_read;
      }
      return results;
    },
  } as unknown as D1Database;
  const response = await endpoint.respond({
    search: search === "" ? "" : `?${search}`,
    id: "",
    accept: "application/json",
    query: createQueryLedger(measuring),
    seals: { isOn: true, proveEvent, proveCheckpoint },
    now: NOW,
  });
  if (response instanceof Refusal)
    throw new Error(`${path}?${search}: ${response.data.detail ?? response.code}`);
  await response.response.arrayBuffer();
  return cost;
}
