/**
 * Measures the log of seals: time and CPU to seal and to verify the events of a ledger that SQL generates, and the rows and
 * bytes that the log takes.
 *
 *     node bench/ledger/seals.ts                        1,000,000 events
 *     node bench/ledger/seals.ts --events 20000
 *
 * Time and CPU are those of Node with its own SQLite, in one process, which has no network to the database. The share of
 * SQLite is given, because D1 does that work in production. Rows are those that D1 bills, counted by wrangler's local D1.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createSigner, newPrivateKey, type Signer } from "../../src/records/ledger/seal/note-keys.ts";
import { queryOf } from "../../src/records/ledger/seal/seal-state.ts";
import { runSealer } from "../../src/records/ledger/seal/sealer.ts";
import { verifyLedger } from "../../src/records/ledger/seal/verify.ts";
import { sqliteD1 } from "../../test/support/sqlite-d1.ts";
import { exitOnClosedPipe } from "../../tools/closed-pipe.ts";
import { generateLedger } from "./generate.ts";
import { counting, withLocalLedger } from "./local-ledger.ts";
import { NOW } from "./traffic.ts";

exitOnClosedPipe();

const { values: flags } = parseArgs({ options: { events: { type: "string", default: "1000000" } } });
const EVENTS_PER_INTERCEPTION = 19 / 6;
const BILLED_EVENTS = 20_000;

const interceptionsOf = (events: number): number => Math.ceil(events / EVENTS_PER_INTERCEPTION);

async function newSigner(): Promise<Signer> {
  return createSigner(
    await newPrivateKey("bench.example/ledger", crypto.getRandomValues(new Uint8Array(32))),
  );
}

/** Runs until the journal has no more. @returns the number of sealed events, and of runs. */
async function sealAll(
  database: D1Database,
  signer: Signer,
): Promise<{ readonly events: number; readonly runs: number }> {
  for (let events = 0, runs = 1; ; runs += 1) {
    const run = await runSealer({ database, signers: [signer], now: () => NOW });
    events += run.events;
    if (run.absent.length > 0) throw new Error(`${run.absent.length} events have no row`);
    if (!run.isUnfinished) return { events, runs };
  }
}

type Cost = { readonly seconds: number; readonly cpu: number; readonly sqlite: number };

/** The database with the CPU time of its statements, which run in this process one after another. */
function timed(database: D1Database): { readonly database: D1Database; readonly seconds: () => number } {
  let used = 0;
  const timing = async <Result>(run: () => Promise<Result>): Promise<Result> => {
    const began = process.cpuUsage();
    const result = run();
    const { user, system } = process.cpuUsage(began);
    used += user + system;
    return result;
  };
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement =>
    new Proxy(statement, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (name === "bind") return (...values: unknown[]) => wrap(target.bind(...values));
        if (typeof value !== "function") return value;
        return (...values: unknown[]) =>
          timing(() => Reflect.apply(value, target, values) as Promise<unknown>);
      },
    });
  const wrapped = {
    prepare: (sql: string) => wrap(database.prepare(sql)),
    batch: (statements: D1PreparedStatement[]) => timing(() => database.batch(statements)),
  } as unknown as D1Database;
  return { database: wrapped, seconds: () => used / 1e6 };
}

async function costOf(work: () => Promise<unknown>, sqliteSeconds: () => number): Promise<Cost> {
  const [began, cpu, sqlite] = [performance.now(), process.cpuUsage(), sqliteSeconds()];
  await work();
  const used = process.cpuUsage(cpu);
  return {
    seconds: (performance.now() - began) / 1000,
    cpu: (used.user + used.system) / 1e6,
    sqlite: sqliteSeconds() - sqlite,
  };
}

function print(title: string, { seconds, cpu, sqlite }: Cost, events: number): void {
  const each = (value: number): string => ((value * 1e6) / events).toFixed(1);
  console.log(
    `${title}: ${seconds.toFixed(1)} s for ${events.toLocaleString("en")} events; per event ${each(cpu)} µs of CPU, of which ${each(sqlite)} µs in SQLite`,
  );
}

async function sizeOf(database: D1Database): Promise<number> {
  const size = "SELECT page_count * page_size AS size FROM pragma_page_count(), pragma_page_size()";
  return (await database.prepare(size).first<number>("size")) ?? 0;
}

async function measureTime(events: number, signer: Signer): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ledger-seals-"));
  try {
    const { database, seconds } = timed(sqliteD1(join(folder, "ledger.sqlite")));
    const began = performance.now();
    await generateLedger(database, interceptionsOf(events));
    console.log(`generated in ${((performance.now() - began) / 1000).toFixed(0)} s`);
    const before = await sizeOf(database);
    let sealed = { events: 0, runs: 0 };
    const sealing = await costOf(async () => (sealed = await sealAll(database, signer)), seconds);
    print(`sealed in ${sealed.runs} runs`, sealing, sealed.events);
    const bytes = ((await sizeOf(database)) - before) / sealed.events;
    console.log(`the log takes ${bytes.toFixed(1)} bytes per event`);
    const query = queryOf(database);
    const verifying = await costOf(async () => {
      const {
        isIntact,
        events: found,
        counts,
      } = await verifyLedger({
        query,
        verifierKeys: [signer.verifierKey],
        checkpoints: [],
        now: NOW,
      });
      if (!isIntact || found !== sealed.events) throw new Error(`not intact: ${JSON.stringify(counts)}`);
    }, seconds);
    print("verified", verifying, sealed.events);
    console.log(`memory at its peak: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const TWO_MORE = `INSERT INTO journal (stored_at, event_ids, deltas, delta_count)
SELECT stored_at, json_array(event_ids ->> 0, event_ids ->> 1), '[]', 0 FROM journal ORDER BY seq DESC LIMIT 1`;

/** Many events in a run, and then two in a run of their own. */
async function measureRows(signer: Signer): Promise<void> {
  await withLocalLedger(async (database) => {
    const { database: counted, cost } = counting(database);
    await generateLedger(database, interceptionsOf(BILLED_EVENTS));
    const { events } = await sealAll(counted, signer);
    const { written, read } = cost();
    console.log(
      `D1 bills per event, ${events.toLocaleString("en")} at once: ${(written / events).toFixed(3)} rows written, ${(read / events).toFixed(2)} read`,
    );
    // The log takes an event again that the journal names again.
    await database.prepare(TWO_MORE).run();
    const before = cost();
    await runSealer({ database: counted, signers: [signer], now: () => NOW });
    const after = cost();
    console.log(
      `a run with two events: ${after.written - before.written} rows written, ${after.read - before.read} read`,
    );
  });
}

const signer = await newSigner();
await measureRows(signer);
await measureTime(Number(flags.events), signer);
