/** The records Worker's consumer in a process that ends in the middle of a batch, with a database that stays. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { twoFreePorts } from "../../tools/local/ports.ts";
import { writeRecordsConfig } from "../../tools/local/records-config.ts";
import { migrateLedger, startWorkers, waitUntilHealthy } from "../../tools/local/wrangler.ts";
import { PROJECT } from "./bundle.ts";
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

const onEvent = (): void => undefined;

export async function startMortalConsumer(): Promise<MortalConsumer> {
  const folder = await mkdtemp(join(tmpdir(), "mortal-consumer-"));
  const main = join(PROJECT, "test/support/faulty-ledger/mortal-worker.ts");
  const config = writeRecordsConfig(folder, {}, { main, queues: {}, triggers: {} });
  const persistTo = join(folder, "state");
  const printed: string[] = [];
  const onNotice = (line: string): void => void printed.push(line);
  await migrateLedger({ persistTo, config }, onNotice);
  const [port] = await twoFreePorts();
  const workers = startWorkers({ configs: [config], persistTo, port, envFiles: [], onEvent, onNotice });
  const url = `http://127.0.0.1:${port}`;
  const healthy = (): Promise<void> => waitUntilHealthy(url, new AbortController().signal);
  const close = async (): Promise<void> => {
    await workers.end();
    await rm(folder, { recursive: true, force: true });
  };
  const deliver = async (batch: QueuedBatch, end: End): Promise<BatchResult> => {
    const body = JSON.stringify({ ...batch, end });
    const response = await fetch(url, { method: "POST", body }).catch(() => null);
    if (response?.ok) return (await response.json()) as Calls;
    await healthy();
    return "ended";
  };
  await healthy().catch(async (error: unknown) => {
    await close();
    throw new Error(`${String(error)}\n${printed.join("\n")}`);
  });
  const rows = async (): ReturnType<MortalConsumer["rows"]> =>
    (await (await fetch(url)).json()) as Awaited<ReturnType<MortalConsumer["rows"]>>;
  return { deliver, rows, printed, close };
}
