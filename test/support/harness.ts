/**
 * The interceptor under wrangler's test harness: for what a plain workerd lacks (D1, KV, queues, cron).
 *
 * Not for bytes on the wire, broken upstreams or clients that leave; for those see `interceptor.ts`. Measured with
 * wrangler 4.155: the harness's outgoing `fetch` is Node's, which adds `accept`, `accept-language`, `sec-fetch-mode`
 * and `user-agent`, and turns an upstream's reset into a clean end; `request.signal` stays silent when a client leaves.
 */
import { createTestHarness, type TestHarnessOptions } from "wrangler";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { PROJECT } from "./bundle.ts";
import { EventLog } from "./event-log.ts";
import type { DataPoint } from "./strict-analytics.ts";

export type HarnessOptions = {
  readonly vars?: NonNullable<WithConfigPath["vars"]>;
  readonly secrets?: Record<string, string>;
};

type WithConfigPath = Extract<TestHarnessOptions["workers"][number], { configPath: unknown }>;

export const DATASETS = { INTERCEPTIONS: "interceptions-fake", OVERRIDES: "overrides-fake" } as const;

export type RunningHarness = {
  readonly url: string;
  readonly port: number;
  /** wrangler's own handle: `getWorker().scheduled()`, `applyD1Migrations()`, `getEnv()` and so on. */
  readonly server: ReturnType<typeof createTestHarness>;
  events(): InterceptorEvent[];
  waitForEvents(enough: (events: readonly InterceptorEvent[]) => boolean): Promise<InterceptorEvent[]>;
  lines(): { level: string; message: string }[];
  points(binding: keyof typeof DATASETS): Promise<DataPoint[]>;
  setAnalyticsFailing(failing: boolean): Promise<void>;
  /** Forgets lines and points. */
  clear(): Promise<void>;
  update(options: HarnessOptions): Promise<void>;
  close(): Promise<void>;
};

export async function startHarness(options: HarnessOptions = {}): Promise<RunningHarness> {
  const server = createTestHarness(harnessOptions(options));
  const { url } = await server.listen();
  const log = () => {
    const read = new EventLog();
    server.getLogs().forEach((line) => read.take(line));
    return read;
  };
  const ask = (name: string, init?: RequestInit) =>
    server
      .getWorker(name)
      .fetch("http://analytics/", { method: init?.method ?? "GET", body: init?.body as string });
  const askAll = async (init: RequestInit) => {
    for (const name of Object.values(DATASETS)) await ask(name, init);
  };
  return {
    url: url.href.replace(/\/$/, ""),
    port: Number(url.port),
    server,
    events: () => log().events(),
    waitForEvents: (enough) => EventLog.waitForEvents(log, enough),
    lines: () => log().lines(),
    points: async (binding) => (await (await ask(DATASETS[binding])).json()) as DataPoint[],
    setAnalyticsFailing: (failing) => askAll({ method: "PUT", body: failing ? "failing" : "working" }),
    clear: async () => {
      server.clearLogs();
      await askAll({ method: "DELETE" });
    },
    update: (changed) => server.update(harnessOptions(changed)),
    close: () => server.close(),
  };
}

function harnessOptions({ vars = {}, secrets = {} }: HarnessOptions): TestHarnessOptions {
  const fakes = Object.values(DATASETS).map((name) => {
    const main = "test/support/analytics-fake/worker.ts";
    return { config: { name, main, compatibility_date: "2026-10-01" } };
  });
  return {
    root: PROJECT,
    workers: [{ configPath: "wrangler.toml", vars, secrets, bindingOverrides: { ...DATASETS } }, ...fakes],
  };
}
