/** RPC without a queue: the caller's context ends while the records Worker stores. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { writeRecordsConfig } from "../../tools/local/records-config.ts";
import { PROJECT } from "../support/bundle.ts";
import { startLocalWorkers } from "../support/local-workers.ts";
import { until } from "../support/deadline.ts";
import { allEventsOf, idOf } from "../support/in-workerd/ledger-events.ts";

const WITHIN_MS = 30_000;

it("stores the events of callers that have gone before the database has them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "caller-gone-"));
  const workers = join(PROJECT, "test/support/faulty-ledger");
  const records = writeRecordsConfig(
    folder,
    {},
    { main: join(workers, "slow-worker.ts"), queues: {}, triggers: {} },
  );
  const caller = join(folder, "wrangler.caller.json");
  const service = { binding: "RECORDS", service: "ai-edge-interceptor-records" };
  await writeFile(
    caller,
    JSON.stringify({
      name: "caller",
      main: join(workers, "leaving-caller.ts"),
      compatibility_date: "2026-10-01",
      services: [service],
    }),
  );
  const { url, notices, close } = await startLocalWorkers(folder, [caller, records]);
  try {
    const numbers = Array.from({ length: 20 }, (_, n) => n);
    for (const n of numbers) {
      const response = await fetch(url, { method: "POST", body: JSON.stringify(allEventsOf({ n })) });
      expect(response.status).toBe(202);
    }
    const ids = await until(
      async () => {
        const stored = (await (await fetch(url)).json()) as string[];
        return stored.length >= numbers.length ? stored : undefined;
      },
      () => notices.slice(-20).join("\n"),
      WITHIN_MS,
    );
    expect(ids).toEqual(numbers.map((n) => idOf(n)));
  } finally {
    await close();
  }
});
