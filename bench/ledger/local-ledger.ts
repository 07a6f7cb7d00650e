/** Wrangler's local D1 with the ledger's tables, and what D1 bills for its statements. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getPlatformProxy } from "wrangler";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import { createQueryLedger } from "../../src/records/api/kit/query-ledger.ts";
import { proveCheckpoint, proveEvent } from "../../src/records/ledger/seal/proof.ts";
import { TableRefusal } from "../../src/shared/refusal.ts";
import { NOW } from "./traffic.ts";

const ROOT = join(import.meta.dirname, "..", "..");

/** Runs `use` with an empty ledger, which is deleted afterwards. */
export async function withLocalLedger(use: (database: D1Database) => Promise<void>): Promise<void> {
  process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
  const folder = await mkdtemp(join(tmpdir(), "ledger-bench-"));
  const proxy = await getPlatformProxy<{ LEDGER: D1Database }>({
    configPath: join(ROOT, "wrangler.records.toml"),
    persist: { path: folder },
  });
  try {
    await migrate(proxy.env.LEDGER);
    await use(proxy.env.LEDGER);
  } finally {
    await proxy.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Statement by statement, because D1's `exec` needs each statement on one line. */
async function migrate(database: D1Database): Promise<void> {
  for (const file of (await readdir(join(ROOT, "migrations"))).toSorted()) {
    const text = (await readFile(join(ROOT, "migrations", file), "utf8")).replace(/--.*$/gm, "");
    for (const sql of text.split(";")) if (sql.trim() !== "") await database.prepare(sql).run();
  }
}

export type D1Cost = { readonly ms: number; readonly written: number; readonly read: number };

/** The database, and the sums over its batches and statements. */
export function counting(database: D1Database): {
  readonly database: D1Database;
  readonly cost: () => D1Cost;
} {
  let sum: D1Cost = { ms: 0, written: 0, read: 0 };
  const add = <Result extends { readonly meta: D1Meta }>(result: Result): Result => {
    const { duration, rows_written, rows_read } = result.meta;
    sum = { ms: sum.ms + duration, written: sum.written + rows_written, read: sum.read + rows_read };
    return result;
  };
  const counted = {
    prepare: (sql: string) => countedStatement(database.prepare(sql), add),
    batch: async (statements: { readonly inner: D1PreparedStatement }[]) =>
      (await database.batch(statements.map(({ inner }) => inner))).map(add),
  } as unknown as D1Database;
  return { database: counted, cost: () => sum };
}

type Add = <Result extends { readonly meta: D1Meta }>(result: Result) => Result;

function countedStatement(inner: D1PreparedStatement, add: Add): object {
  return {
    inner,
    bind: (...values: unknown[]) => countedStatement(inner.bind(...values), add),
    all: async () => add(await inner.all()),
    run: async () => add(await inner.run()),
    first: async (column?: string) => {
      const [row = null] = add(await inner.all<Record<string, unknown>>()).results;
      return column === undefined ? row : (row?.[column] ?? null);
    },
  };
}

export type QueryCost = D1Cost & { readonly body: unknown };

/** Runs one query of the API through the endpoint's own code. `id`: that of the path, where it has one. */
export async function runApiQuery(
  database: D1Database,
  path: string,
  search: string,
  id = "",
): Promise<QueryCost> {
  const { database: counted, cost } = counting(database);
  const body = await respondFrom(counted, path, search, id);
  return { ...cost(), body: JSON.parse(body) as unknown };
}

/** The body of the endpoint's response. @throws where it refuses. */
export async function respondFrom(
  database: D1Database,
  path: string,
  search: string,
  id: string,
): Promise<string> {
  const endpoint = ENDPOINTS.find((one) => one.path === path);
  if (!endpoint) throw new Error(`there is no endpoint ${path}`);
  const response = await endpoint.respond({
    search: search === "" ? "" : `?${search}`,
    id,
    accept: "application/json",
    query: createQueryLedger(database),
    seals: { isOn: true, proveEvent, proveCheckpoint },
    now: NOW,
    readsContent: true,
  });
  if (response instanceof TableRefusal)
    throw new Error(`${path}?${search}: ${response.code} ${response.data.detail ?? ""}`);
  return await response.response.text();
}
