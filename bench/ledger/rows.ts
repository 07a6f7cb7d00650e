/**
 * Counts what the ledger writes per interception: the rows that D1 bills (`rows_written`), by statement, and the bytes that
 * remain, by table and index.
 *
 *     node bench/ledger/rows.ts                       20,000 interceptions of each kind
 *     node bench/ledger/rows.ts --rows 5000 --batch 50
 *
 * "Plain" is an interception without tools and without an owner header. "Apart": its start and its end reach the consumer in
 * two batches, as those of calls of more than a second do.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { getPlatformProxy } from "wrangler";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { FOLD_AT_DELTAS, FOLD, UNFOLDED_DELTAS } from "../../src/records/ledger/rollups/fold.ts";
import { seal } from "../../src/records/ledger/write/seal-events.ts";
import { statementsFor } from "../../src/records/ledger/write/statements.ts";
import { exitOnClosedPipe } from "../../tools/closed-pipe.ts";
import { NOW, traffic } from "./traffic.ts";

exitOnClosedPipe();

const ROOT = join(import.meta.dirname, "..", "..");
const { values: flags } = parseArgs({
  options: { rows: { type: "string", default: "20000" }, batch: { type: "string", default: "50" } },
});
const ROWS = Number(flags.rows);
const BATCH = Number(flags.batch);

type Kind = { readonly name: string; readonly isPlain: boolean; readonly isApart: boolean };
const KINDS: readonly Kind[] = [
  { name: "plain, start and end together", isPlain: true, isApart: false },
  { name: "plain, apart", isPlain: true, isApart: true },
  { name: "mixed, together", isPlain: false, isApart: false },
  { name: "mixed, apart", isPlain: false, isApart: true },
];

/** 500 people with 28 requests an hour each: so many in the month that the traffic fills. */
const IN_A_MONTH = 500 * 28 * 24 * 30;

const PLAIN: ReadonlySet<string> = new Set(["interception_start", "interception_end", "token_usage"]);

function eventsOf({ isPlain }: Kind, from: number): readonly InterceptorEvent[] {
  const events = traffic(from, Math.min(BATCH, ROWS - from), IN_A_MONTH);
  if (!isPlain) return events;
  return events
    .filter(({ record_type: type }) => PLAIN.has(type))
    .map((event) =>
      event.record_type === "interception_start" ? { ...event, correlating_tool_call_id: null } : event,
    );
}

const isStart = ({ record_type: type }: InterceptorEvent): boolean =>
  type === "interception_start" || type === "initiator_override";

type Run = (sql: readonly string[], values?: readonly string[]) => Promise<void>;

async function store(events: readonly InterceptorEvent[], run: Run): Promise<void> {
  const entries = events.map((event) => ({ event, via: "q" as const, macKeyId: null, storedAt: NOW }));
  const statements = statementsFor(seal(entries), NOW);
  await run(
    statements.map(({ sql }) => sql),
    statements.map(({ json }) => json),
  );
}

async function migrate(database: D1Database): Promise<void> {
  for (const file of (await readdir(join(ROOT, "migrations"))).toSorted()) {
    const text = (await readFile(join(ROOT, "migrations", file), "utf8")).replace(/--.*$/gm, "");
    for (const statement of text.split(";"))
      if (statement.trim() !== "") await database.prepare(statement).run();
  }
}

const sizeOf = async (database: D1Database): Promise<number> =>
  (await database.prepare("SELECT 1").run()).meta.size_after;

/** The first words of a statement: what it writes to. */
const titleOf = (sql: string): string => /(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)/.exec(sql)?.[1] ?? "?";

async function measure(kind: Kind): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ledger-rows-"));
  const proxy = await getPlatformProxy<{ LEDGER: D1Database }>({
    configPath: join(ROOT, "wrangler.records.toml"),
    persist: { path: folder },
  });
  try {
    const database = proxy.env.LEDGER;
    await migrate(database);
    const empty = await sizeOf(database);
    const written = new Map<string, number>();
    let read = 0;
    const run: Run = async (sql, values) => {
      const prepared = sql.map((text, at) =>
        values ? database.prepare(text).bind(values[at]) : database.prepare(text),
      );
      for (const [at, { meta }] of (await database.batch(prepared)).entries()) {
        const title = titleOf(sql[at] ?? "");
        written.set(title, (written.get(title) ?? 0) + meta.rows_written);
        read += meta.rows_read;
      }
    };
    for (let from = 0; from < ROWS; from += BATCH) {
      const events = eventsOf(kind, from);
      const groups = kind.isApart
        ? [events.filter(isStart), events.filter((event) => !isStart(event))]
        : [events];
      for (const group of groups) await store(group, run);
      const left = await database.prepare(UNFOLDED_DELTAS).first<{ deltas: number }>();
      if ((left?.deltas ?? 0) >= FOLD_AT_DELTAS) await run(FOLD);
    }
    await run(FOLD);
    const all = [...written.values()].reduce((sum, rows) => sum + rows, 0);
    const bytes = (await sizeOf(database)) - empty;
    const each = (value: number): string => (value / ROWS).toFixed(2);
    console.log(
      `\n${kind.name}: ${each(all)} rows written, ${each(read)} read, ${(bytes / ROWS).toFixed(0)} bytes`,
    );
    console.log(
      [...written]
        .filter(([, rows]) => rows > 0)
        .map(([title, rows]) => `  ${title} ${each(rows)}`)
        .join("\n"),
    );
    await printSizes(database);
  } finally {
    await proxy.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}

/** By dropping them one after the other: D1 has no `dbstat`. */
async function printSizes(database: D1Database): Promise<void> {
  const drop = async (type: "INDEX" | "TABLE", name: string): Promise<void> => {
    const before = await sizeOf(database);
    await database.prepare(`DROP ${type} ${name}`).run();
    const bytes = (before - (await sizeOf(database))) / ROWS;
    if (bytes >= 1) console.log(`  ${name}: ${bytes.toFixed(0)} bytes`);
  };
  const { results: indices } = await database
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
    .all<{ name: string }>();
  for (const { name } of indices) await drop("INDEX", name);
  for (const table of [
    "tool_usages",
    "initiator_overrides",
    "token_usages",
    "journal",
    "session_spans",
    "actor_spans",
    "rollup_dimensions",
    "rollup_hours",
    "rollup_days",
    "interceptions",
  ])
    await drop("TABLE", table);
}

process.env["CLOUDFLARE_CF_FETCH_ENABLED"] = "false";
for (const kind of KINDS) await measure(kind);
