/** The records Worker's consumer in a process that ends in the middle of a batch, with a database that stays. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeRecordsConfig } from "../../tools/local/records-config.ts";
import { PROJECT } from "./bundle.ts";
import { startLocalWorkers } from "./local-workers.ts";
import type { BatchResult, Calls, QueuedBatch } from "./queue-broker.ts";

/** As `End` of faulty-ledger/mortal-worker.ts. */
export type End =
  { readonly batch: number; readonly when: "before" | "after" } | { readonly holds: string } | null;

export type MortalConsumer = {
  /** Delivers a batch; the process ends at `end`, and wrangler starts another one. */
  readonly deliver: (batch: QueuedBatch, end: End) => Promise<BatchResult>;
  /** Table → its rows. */
  readonly rows: () => Promise<Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>>;
  /** The lines that the Worker printed. */
  readonly printed: readonly string[];
  readonly close: () => Promise<void>;
};

export async function startMortalConsumer(): Promise<MortalConsumer> {
  const folder = await mkdtemp(join(tmpdir(), "mortal-consumer-"));
  const main = join(PROJECT, "test/support/faulty-ledger/mortal-worker.ts");
  const config = writeRecordsConfig(folder, {}, { main, queues: {}, triggers: {} });
  const { url, notices, healthy, close } = await startLocalWorkers(folder, [config]);
  const deliver = async (batch: QueuedBatch, end: End): Promise<BatchResult> => {
    const body = JSON.stringify({ ...batch, end });
    const response = await fetch(url, { method: "POST", body }).catch(() => null);
    if (response?.ok) return (await response.json()) as Calls;
    await healthy();
    return "ended";
  };
  const rows = async (): ReturnType<MortalConsumer["rows"]> =>
    (await (await fetch(url)).json()) as Awaited<ReturnType<MortalConsumer["rows"]>>;
  return { deliver, rows, printed: notices, close };
}
