/** The time of budget objects, called by one Worker in this machine's workerd. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unstable_startWorker } from "wrangler";
import { MAX_GATHERED } from "../../src/gateway/policy/budgets/delivery-bounds.ts";
import { median } from "../numbers.ts";

const ROUNDS = 3;

type Run = {
  readonly mode: "each" | "coalesced" | "soft";
  readonly calls: number;
  readonly parallel: number;
  /** Charges of one delivery. */
  readonly gathered?: number;
};

const RUNS: readonly (readonly [name: string, run: Run])[] = [
  ["strict, one call after the other", { mode: "each", calls: 300, parallel: 1 }],
  ["strict, 64 calls at once, not coalesced", { mode: "each", calls: 1000, parallel: 64 }],
  ["strict, 64 calls at once", { mode: "coalesced", calls: 4000, parallel: 64 }],
  ["strict, 256 calls at once", { mode: "coalesced", calls: 8000, parallel: 256 }],
  ["soft, 5 charges in each delivery", { mode: "soft", calls: 200, parallel: 1, gathered: 5 }],
  ["soft, 50 charges in each delivery", { mode: "soft", calls: 100, parallel: 1, gathered: 50 }],
  [
    `soft, ${MAX_GATHERED} charges in each delivery`,
    { mode: "soft", calls: 60, parallel: 1, gathered: MAX_GATHERED },
  ],
];

/** Calls or charges a second of one object: the median of some rounds. */
export type Figure = { readonly name: string; readonly perSecond: number };

export async function measureObjects(): Promise<readonly Figure[]> {
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
  const dev = { logLevel: "error" as const, persist: join(folder, "state") };
  const worker = await unstable_startWorker({ config, dev });
  await worker.ready;
  let runs = 0;
  /** Milliseconds. */
  const time = async ({ mode, calls, parallel, gathered = 1 }: Run): Promise<number> => {
    const values = { mode, run: `run-${(runs += 1)}`, calls, parallel, gathered };
    const query = new URLSearchParams(Object.entries(values).map(([key, value]) => [key, String(value)]));
    const from = performance.now();
    const response = await worker.fetch(`http://bench.invalid/?${query}`);
    if ((await response.text()) !== "done") throw new Error(`status ${response.status}`);
    return performance.now() - from;
  };
  const figures: Figure[] = [];
  try {
    for (const [name, run] of RUNS) {
      await time({ ...run, calls: Math.ceil(run.calls / 10) });
      const all: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) all.push(await time(run));
      figures.push({ name, perSecond: (1000 * run.calls * (run.gathered ?? 1)) / median(all) });
    }
  } finally {
    await worker.dispose();
    await rm(folder, { recursive: true, force: true });
  }
  return figures;
}
