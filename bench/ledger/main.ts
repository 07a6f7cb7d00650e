/**
 * Measures the API's queries over many interceptions, with and without the indices, and prints their plans. Writes
 * reports/queries.md.
 *
 *     npm run bench:ledger                 100,000 interceptions, some minutes
 *     npm run bench:ledger -- --rows 5000  faster; prints only
 *
 * The database is wrangler's local D1. Times are SQLite's own, as D1 reports them: the median of five runs, without the
 * network. D1 bills the rows read.
 */
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { getPlatformProxy } from "wrangler";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import type { Endpoint } from "../../src/records/api/kit/endpoint.ts";
import { createQueryLedger } from "../../src/records/api/kit/query-ledger.ts";
import type { Sql } from "../../src/records/api/kit/sql.ts";
import { proveCheckpoint, proveEvent } from "../../src/records/ledger/seal/proof.ts";
import { storeEvents } from "../../src/records/ledger/write/store.ts";
import { TableRefusal } from "../../src/shared/refusal.ts";
import { median } from "../numbers.ts";
import { writeReport } from "../report-file.ts";
import { page, type MeasuredQuery } from "./page.ts";
import { ADA, NOW, someSession, traffic } from "./traffic.ts";
import { exitOnClosedPipe } from "../../tools/closed-pipe.ts";

exitOnClosedPipe();

const ROOT = join(import.meta.dirname, "..", "..");
const INTERCEPTIONS_PER_STORE = 250;
const REPEATS = 5;
/** A query slower than this is measured once. */
const SLOW_MS = 2000;

type ApiQuery = readonly [path: string, search: string, id?: string];

/** An auditor's queries. The default query of each endpoint is first. */
const apiQueries = (all: number): readonly ApiQuery[] => [
  ["/sessions", ""],
  ["/sessions", `initiator=${ADA}`],
  ["/sessions/{session_id}", "", someSession(all)],
  ["/interceptions", ""],
  ["/interceptions", `initiator=${ADA}`],
  ["/interceptions", "actor=service-3"],
  ["/interceptions", "client=Codex&outcome=cancelled"],
  ["/overrides", ""],
  ["/overrides", `owner=${ADA}`],
  ["/overrides", "accepted=false"],
  ["/usage", "group_by=initiator"],
  ["/usage", "group_by=model&started_after=2026-11-22T00:00:00Z"],
  ["/usage", `group_by=day&initiator=${ADA}`],
  ["/attribution", ""],
  ["/anomalies", ""],
];

type Cost = { readonly ms: number; readonly rowsRead: number };
type Measured = Cost & { readonly queries: readonly Sql[] };

/** Runs one query through the endpoint's own code. Returns its cost and every SQL query that it made. */
async function runQuery(
  database: D1Database,
  endpoint: Endpoint,
  search: string,
  id: string,
): Promise<Measured> {
  const queries: Sql[] = [];
  let ms = 0;
  let rowsRead = 0;
  const measuring = {
    prepare: (text: string) => database.prepare(text),
    batch: async (statements: D1PreparedStatement[]) => {
      const results = await database.batch(statements);
      for (const { meta } of results) {
        ms += meta.duration;
        rowsRead += meta.rows_read;
      }
      return results;
    },
  } as unknown as D1Database;
  const query = createQueryLedger(measuring);
  const response = await endpoint.respond({
    search: search === "" ? "" : `?${search}`,
    id,
    accept: "application/json",
    query: (all) => {
      queries.push(...all);
      return query(all);
    },
    seals: { isOn: true, proveEvent, proveCheckpoint },
    now: NOW,
    readsContent: true,
  });
  if (response instanceof TableRefusal)
    throw new Error(`${endpoint.path}?${search}: ${response.code} ${response.data.detail ?? ""}`);
  await response.response.arrayBuffer();
  return { queries, ms, rowsRead };
}

/** Without indices these queries compare every pair of interceptions, which takes too long for many of them. */
const QUADRATIC = /^\/sessions(?:$|\?initiator)/;
const MANY = 20_000;

async function measure(database: D1Database, isIndexed: boolean): Promise<Map<string, Measured>> {
  const measured = new Map<string, Measured>();
  for (const [path, search, id = ""] of apiQueries(rows)) {
    if (!isIndexed && rows > MANY && QUADRATIC.test(search === "" ? path : `${path}?${search}`)) continue;
    const endpoint = ENDPOINTS.find((one) => one.path === path);
    if (!endpoint) throw new Error(`there is no endpoint ${path}`);
    const first = await runQuery(database, endpoint, search, id);
    const times = [first.ms];
    while (times.length < REPEATS && (times.at(-1) ?? 0) <= SLOW_MS)
      times.push((await runQuery(database, endpoint, search, id)).ms);
    measured.set(`${path}?${search}`, { ...first, ms: median(times) });
  }
  return measured;
}

async function plansOf(database: D1Database, queries: readonly Sql[]): Promise<string[]> {
  const plans: string[] = [];
  for (const { text, values } of queries) {
    const { results } = await database
      .prepare(`EXPLAIN QUERY PLAN ${text}`)
      .bind(...values)
      .all<{ detail: string }>();
    plans.push(results.map(({ detail }) => detail).join("\n"));
  }
  return plans;
}

/** Runs a migration statement by statement, because D1's `exec` needs each statement on one line. */
async function migrate(database: D1Database, file: string): Promise<void> {
  const text = await readFile(join(ROOT, "migrations", file), "utf8");
  const statements = text.replace(/--.*$/gm, "").split(";");
  for (const statement of statements) if (statement.trim() !== "") await database.prepare(statement).run();
}

/** Stores the traffic. Returns the number of interceptions stored per second. */
async function fill(database: D1Database): Promise<number> {
  for (const file of (await readdir(join(ROOT, "migrations"))).toSorted()) await migrate(database, file);
  console.log(`storing ${rows} interceptions …`);
  const counted = { written: 0, read: 0 };
  const counting = countingDatabase(database, counted);
  const began = performance.now();
  for (let at = 0; at < rows; at += INTERCEPTIONS_PER_STORE) {
    const events = traffic(at, Math.min(INTERCEPTIONS_PER_STORE, rows - at), rows);
    await storeEvents(
      counting,
      events.map((event) => ({ event, via: "q" as const, macKeyId: null, storedAt: NOW })),
    );
  }
  const perSecond = rows / ((performance.now() - began) / 1000);
  const [written, read] = [counted.written / rows, counted.read / rows];
  console.log(
    `stored ${perSecond.toFixed(0)} per second; each wrote ${written.toFixed(1)} rows and read ${read.toFixed(1)}`,
  );
  return perSecond;
}

/** Adds up the rows that D1 bills for the batches of a database. */
function countingDatabase(database: D1Database, counted: { written: number; read: number }): D1Database {
  return {
    prepare: (text: string) => database.prepare(text),
    batch: async (statements: D1PreparedStatement[]) => {
      const results = await database.batch(statements);
      for (const { meta } of results) {
        counted.written += meta.rows_written;
        counted.read += meta.rows_read;
      }
      return results;
    },
  } as unknown as D1Database;
}

const sizeOf = async (database: D1Database): Promise<number> =>
  (await database.prepare("SELECT 1").run()).meta.size_after;

async function dropIndices(database: D1Database): Promise<void> {
  const { results: indices } = await database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    .all<{ name: string }>();
  for (const { name } of indices) await database.prepare(`DROP INDEX ${name}`).run();
}

const { values: flags } = parseArgs({ options: { rows: { type: "string", default: "100000" } } });
const rows = Number(flags.rows);
const folder = await mkdtemp(join(tmpdir(), "ledger-bench-"));
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
const proxy = await getPlatformProxy<{ LEDGER: D1Database }>({
  configPath: join(ROOT, "wrangler.records.toml"),
  persist: { path: folder },
});
try {
  const database = proxy.env.LEDGER;
  const perSecond = await fill(database);
  const withIndices = await measure(database, true);
  const plans = new Map<string, string[]>();
  for (const [name, { queries }] of withIndices) plans.set(name, await plansOf(database, queries));
  const bytesWithIndices = await sizeOf(database);
  await dropIndices(database);
  const without = await measure(database, false);
  const bytes = await sizeOf(database);
  const measured = Array.from(withIndices, ([name, after]): MeasuredQuery => {
    const [path = "", search = ""] = name.split("?");
    return { path, search, before: without.get(name) ?? null, after, plans: plans.get(name) ?? [] };
  });
  const text = page(measured, { rows, perSecond, bytes });
  console.log(text);
  console.log(`Each interception takes ${(bytesWithIndices / rows).toFixed(0)} bytes with the indices.`);
  if (rows === 100_000) await writeReport({ file: "queries.md", title: "The API's queries", body: text });
} finally {
  await proxy.dispose();
  await rm(folder, { recursive: true, force: true });
}
