/**
 * How fast the API answers over many interceptions, before and after the indices, and by which plans. Writes
 * docs/queries.md.
 *
 *     npm run bench:ledger                 100,000 interceptions, some minutes
 *     npm run bench:ledger -- --rows 5000  quicker; prints only
 *
 * The database is wrangler's local D1. Times are SQLite's own, as D1 reports them (the median of a few), without the way
 * to it; rows read are what D1 bills.
 */
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import prettier from "prettier";
import { getPlatformProxy } from "wrangler";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import type { Endpoint } from "../../src/records/api/kit/endpoint.ts";
import { createQueryLedger } from "../../src/records/api/kit/query-ledger.ts";
import type { Sql } from "../../src/records/api/kit/sql.ts";
import { Refusal } from "../../src/shared/refusal.ts";
import { storeEvents } from "../../src/records/ledger/write/store.ts";
import { median } from "../numbers.ts";
import { page, type Asked } from "./page.ts";
import { ADA, NOW, someSession, traffic } from "./traffic.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const PER_STORE = 250;
const TIMES = 5;

/** What an auditor asks: each endpoint's default query first. */
type Question = readonly [path: string, search: string, id?: string];

const questions = (all: number): readonly Question[] => [
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

type Measured = { readonly ms: number; readonly rowsRead: number };

/** One question through the endpoint's own code, with every query that it puts kept. */
async function ask(database: D1Database, endpoint: Endpoint, search: string, id: string) {
  const queries: Sql[] = [];
  let ms = 0;
  let rowsRead = 0;
  const watched = {
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
  const put = createQueryLedger(watched);
  const answer = await endpoint.respond({
    search: search === "" ? "" : `?${search}`,
    id,
    accept: "application/json",
    body: null,
    explain: () => Promise.reject(new Error("there is no app to ask")),
    query: (all) => {
      queries.push(...all);
      return put(all);
    },
    now: NOW,
  });
  if (answer instanceof Refusal)
    throw new Error(`${endpoint.path}?${search}: ${answer.code} ${answer.data.detail ?? ""}`);
  await answer.arrayBuffer();
  return { queries, measured: { ms, rowsRead } };
}

/** Without indices these look at every pair of interceptions: with many of them they are not waited for. */
const HOPELESS = /^\/sessions(?:$|\?initiator)/;
const MANY = 20_000;

async function measure(
  database: D1Database,
  isIndexed: boolean,
): Promise<Map<string, Measured & { readonly queries: readonly Sql[] }>> {
  const found = new Map<string, Measured & { readonly queries: readonly Sql[] }>();
  for (const [path, search, id = ""] of questions(rows)) {
    if (!isIndexed && rows > MANY && HOPELESS.test(search === "" ? path : `${path}?${search}`)) continue;
    const endpoint = ENDPOINTS.find((one) => one.path === path);
    if (!endpoint) throw new Error(`there is no endpoint ${path}`);
    const times: Measured[] = [];
    let queries: readonly Sql[] = [];
    for (let time = 0; time < TIMES; time += 1) {
      const asked = await ask(database, endpoint, search, id);
      times.push(asked.measured);
      queries = asked.queries;
      // What takes seconds need not be measured often.
      if (asked.measured.ms > 2000) break;
    }
    const ms = median(times.map((one) => one.ms));
    found.set(`${path}?${search}`, { ms, rowsRead: times[0]?.rowsRead ?? 0, queries });
  }
  return found;
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

/** Statement by statement: D1's own `exec` wants one on each line. */
async function run(database: D1Database, file: string): Promise<void> {
  const text = await readFile(join(ROOT, "migrations", file), "utf8");
  const statements = text.replace(/--.*$/gm, "").split(";");
  for (const statement of statements) if (statement.trim() !== "") await database.prepare(statement).run();
}

const { values: flags } = parseArgs({ options: { rows: { type: "string", default: "100000" } } });
const rows = Number(flags.rows);
const folder = await mkdtemp(join(tmpdir(), "ledger-bench-"));
process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
const proxy = await getPlatformProxy<{ LEDGER: D1Database }>({
  configPath: join(ROOT, "wrangler.toml"),
  persist: { path: folder },
});
try {
  const database = proxy.env.LEDGER;
  for (const file of (await readdir(join(ROOT, "migrations"))).toSorted()) await run(database, file);
  console.log(`storing ${rows} interceptions …`);
  const began = performance.now();
  for (let at = 0; at < rows; at += PER_STORE) {
    await storeEvents(database, traffic(at, Math.min(PER_STORE, rows - at), rows));
  }
  const perSecond = rows / ((performance.now() - began) / 1000);
  console.log(`stored ${perSecond.toFixed(0)} a second`);
  const after = await measure(database, true);
  const { results: indices } = await database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    .all<{ name: string }>();
  const asked: Asked[] = [];
  for (const [path, search] of questions(rows)) {
    const found = after.get(`${path}?${search}`);
    if (found)
      asked.push({ path, search, before: null, after: found, plans: await plansOf(database, found.queries) });
  }
  for (const { name } of indices) await database.prepare(`DROP INDEX ${name}`).run();
  const before = await measure(database, false);
  const { meta } = await database.prepare("SELECT 1").run();
  const text = page(
    asked.map((one) => ({ ...one, before: before.get(`${one.path}?${one.search}`) ?? null })),
    { rows, perSecond, bytes: meta.size_after },
  );
  if (rows === 100_000) {
    const file = join(ROOT, "docs", "queries.md");
    const style = await prettier.resolveConfig(file);
    await writeFile(file, await prettier.format(text, { ...style, parser: "markdown" }));
  }
  console.log(text);
} finally {
  await proxy.dispose();
  await rm(folder, { recursive: true, force: true });
}
