/**
 * The interceptor under `wrangler dev`, with real queue, consumer and database (as wrangler emulates them), the latter
 * down for every third batch. For what the ledger makes of real traffic; the bytes on the wire are others' business.
 */
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { twoFreePorts } from "../../tools/local/ports.ts";
import { migrateLedger, startWorker, waitUntilHealthy } from "../../tools/local/wrangler.ts";
import { PROJECT } from "./bundle.ts";

const ADMIN_TOKEN = "aei_admin-of-the-test";

export type LedgerStack = {
  readonly port: number;
  /** The log so far. */
  readonly events: readonly InterceptorEvent[];
  /** What else was printed. */
  readonly notices: readonly string[];
  /** Asks the API. */
  readonly ask: (path: string) => Promise<unknown>;
  readonly close: () => Promise<void>;
};

export async function startLedgerStack(vars: Readonly<Record<string, unknown>>): Promise<LedgerStack> {
  const folder = await mkdtemp(join(tmpdir(), "ledger-stack-"));
  const config = join(folder, "wrangler.json");
  await writeFile(config, JSON.stringify(wranglerConfig(vars)));
  const place = { config, persistTo: join(folder, "state") };
  const events: InterceptorEvent[] = [];
  const notices: string[] = [];
  const onNotice = (line: string): void => void notices.push(line);
  await migrateLedger(place, onNotice);
  const [port] = await twoFreePorts();
  const worker = startWorker({
    ...place,
    port,
    envFiles: [],
    onEvent: (event) => void events.push(event),
    onNotice,
  });
  const close = async (): Promise<void> => {
    await worker.end();
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  await waitUntilHealthy(url, new AbortController().signal).catch(async (error: unknown) => {
    await close();
    throw new Error(`${String(error)}\n${notices.join("\n")}`);
  });
  return { port, events, notices, ask: (path) => ask(`${url}/api/v2/ai-gateway/${path}`), close };
}

async function ask(url: string): Promise<unknown> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

function wranglerConfig(vars: Readonly<Record<string, unknown>>): object {
  return {
    name: "faulty-ledger",
    main: join(PROJECT, "test/support/faulty-ledger/worker.ts"),
    compatibility_date: "2026-10-01",
    compatibility_flags: ["enable_request_signal", "no_nodejs_compat"],
    vars: { ...vars, ADMIN_TOKEN: createHash("sha256").update(ADMIN_TOKEN).digest("hex") },
    d1_databases: [
      { binding: "LEDGER", database_name: "ledger", migrations_dir: join(PROJECT, "migrations") },
    ],
    queues: {
      producers: [{ binding: "EVENTS", queue: "events" }],
      consumers: [{ queue: "events", max_batch_size: 100, max_batch_timeout: 1, max_retries: 100 }],
    },
  };
}
