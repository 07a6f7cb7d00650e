/**
 * `npm run bench:budgets`: the time that budgets take, with the objects in this machine's workerd, whose database is on its disk.
 * The network to an object, which is most of its cost in production, is not in it.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unstable_startWorker } from "wrangler";
import { median } from "../numbers.ts";

const ROUNDS = 5;
const GATHERED = 50;

const folder = await mkdtemp(join(tmpdir(), "bench-budgets-"));
const config = join(folder, "wrangler.json");
await writeFile(
  config,
  JSON.stringify({
    name: "bench-budgets",
    main: join(import.meta.dirname, "worker.ts"),
    compatibility_date: "2026-10-01",
    durable_objects: { bindings: [{ name: "OBJECTS", class_name: "BudgetObject" }] },
    migrations: [{ tag: "v1", new_sqlite_classes: ["BudgetObject"] }],
  }),
);
const worker = await unstable_startWorker({
  config,
  dev: { logLevel: "error", persist: join(folder, "state") },
});
await worker.ready;

let runs = 0;

/** Milliseconds. */
async function time(mode: string, calls: number, parallel: number): Promise<number> {
  const query = new URLSearchParams({
    mode,
    run: `run-${(runs += 1)}`,
    calls: String(calls),
    parallel: String(parallel),
  });
  const from = performance.now();
  const response = await worker.fetch(`http://bench.invalid/?${query}`);
  if ((await response.text()) !== "done") throw new Error(`status ${response.status}`);
  return performance.now() - from;
}

async function timed(mode: string, calls: number, parallel: number): Promise<number> {
  await time(mode, Math.ceil(calls / 10), parallel);
  const all: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) all.push(await time(mode, calls, parallel));
  return median(all);
}

try {
  const alone = await timed("strict", 500, 1);
  const busy = await timed("strict", 4000, 64);
  const soft = await timed("soft", 200, 1);
  const rows: readonly (readonly [string, string])[] = [
    ["strict: a reservation and a charge, one after the other", `${(alone / 500).toFixed(2)} ms`],
    [
      "strict: calls a second of one object, 64 at once",
      Math.round((4000 / busy) * 1000).toLocaleString("en"),
    ],
    [
      `soft: calls a second of one object, ${GATHERED} charges in each delivery`,
      Math.round(((200 * GATHERED) / soft) * 1000).toLocaleString("en"),
    ],
  ];
  for (const [what, value] of rows) console.log(`${what}: ${value}`);
} finally {
  await worker.dispose();
  await rm(folder, { recursive: true, force: true });
}
