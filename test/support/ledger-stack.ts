/** Both Workers under `wrangler dev`, with a local queue and database, the database failing for every third batch. */
import { createHash } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { writeRecordsConfig } from "../../tools/local/records-config.ts";
import { PROJECT } from "./bundle.ts";
import { startLocalWorkers } from "./local-workers.ts";

const EVENT_MAC_KEY = "aei_mac-of-the-test-0123456789-abcdefghijklmnop";
const ADMIN_TOKEN = "aei_admin-of-the-test";

export type LedgerStack = {
  readonly port: number;
  /** The interception log so far. */
  readonly events: readonly InterceptorEvent[];
  /** Other printed lines. */
  readonly notices: readonly string[];
  /** Fetches from the API. */
  readonly fetchApi: (path: string) => Promise<unknown>;
  readonly close: () => Promise<void>;
};

export async function startLedgerStack(vars: Readonly<Record<string, unknown>>): Promise<LedgerStack> {
  const folder = await mkdtemp(join(tmpdir(), "ledger-stack-"));
  const gateway = join(folder, "wrangler.gateway.json");
  await writeFile(gateway, JSON.stringify(gatewayConfig(vars)));
  const adminToken = createHash("sha256").update(ADMIN_TOKEN).digest("hex");
  const records = writeRecordsConfig(
    folder,
    { ADMIN_TOKEN: adminToken, EVENT_MAC_KEY },
    {
      main: join(PROJECT, "test/support/faulty-ledger/worker.ts"),
      queues: {
        consumers: [{ queue: "ai-events", max_batch_size: 100, max_batch_timeout: 1, max_retries: 100 }],
      },
    },
  );
  const { port, url, events, notices, close } = await startLocalWorkers(folder, [gateway, records]);
  return { port, events, notices, fetchApi: (path) => fetchApi(`${url}/api/v2/ai-gateway/${path}`), close };
}

async function fetchApi(url: string): Promise<unknown> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response.json();
}

function gatewayConfig(vars: Readonly<Record<string, unknown>>): object {
  return {
    name: "ai-edge-interceptor",
    main: join(PROJECT, "src/gateway/index.ts"),
    compatibility_date: "2026-10-01",
    compatibility_flags: ["enable_request_signal", "no_nodejs_compat"],
    vars: { ...vars, EVENT_MAC_KEY },
    queues: { producers: [{ binding: "EVENTS", queue: "ai-events" }] },
    services: [{ binding: "RECORDS", service: "ai-edge-interceptor-records" }],
    version_metadata: { binding: "CF_VERSION_METADATA" },
  };
}
