/** Those that are compared, each in a workerd process of its own, and the provider behind them all. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Bundle } from "../test/support/bundle.ts";
import { varBindings, workerdConfig, type Binding } from "../test/support/capnp.ts";
import { onLines } from "../test/support/lines.ts";
import { startWorkerd } from "../test/support/workerd.ts";
import { countRecords } from "./records.ts";
import { CLIENT_KEYS } from "./traffic.ts";

export type Name = "bare" | "interceptor" | "with ledger";

export type Contestant = {
  readonly name: Name;
  readonly pid: number;
  readonly port: number;
  /** Of the inspector, if it was started with one. */
  readonly inspector?: number;
  /** Where its chat completions are. */
  readonly path: string;
  /** Waits until `requests` more requests have been recorded whole since the last call: work goes on after an answer. */
  recorded(requests: number): Promise<void>;
  stop(): Promise<void>;
};

export type Provider = { readonly url: string; stop(): void };

export async function startProvider(): Promise<Provider> {
  const script = fileURLToPath(new URL("upstream.ts", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const port = await new Promise<string>((resolve, reject) => {
    onLines(child.stdout, resolve);
    void once(child, "exit").then(() => reject(new Error("the fake provider ended")));
  });
  return { url: `http://127.0.0.1:${port}`, stop: () => void child.kill() };
}

/** The least a Worker can do. */
const BARE = `export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    return fetch(new Request(env.UPSTREAM + pathname, request));
  },
};`;

export async function startBare(provider: Provider, { settings }: Bundle): Promise<Contestant> {
  const worker = {
    module: { source: BARE },
    bindings: { UPSTREAM: { text: provider.url } },
  };
  const workerd = await start(worker, settings, "/dev/null");
  return {
    name: "bare",
    pid: workerd.pid,
    port: workerd.port("http"),
    path: "/v1/chat/completions",
    recorded: () => Promise.resolve(),
    stop: () => workerd.stop(),
  };
}

/**
 * Everything on: client keys, a central provider key, an owner to prefer, log lines, Analytics Engine points, and with
 * `ledger` a queue that takes every event of the ledger.
 */
export async function startInterceptor(
  provider: Provider,
  { script, settings }: Bundle,
  { inspected = false, ledger = false } = {},
): Promise<Contestant> {
  const vars = {
    ...settings.vars,
    PROVIDERS: { openai: { type: "openai", base_url: `${provider.url}/v1`, keys: ["PROVIDER_KEY"] } },
    IDENTITY: [{ source: "keys" }],
  };
  const secrets = { CLIENT_KEYS, PROVIDER_KEY: "sk-bench-provider-key" };
  const dataset: Binding = { wrapped: "fake:analytics", inner: {} };
  const datasets = Object.fromEntries(settings.analytics.map((name) => [name, dataset]));
  const directory = await mkdtemp(join(tmpdir(), "bench-"));
  const log = join(directory, "console.log");
  // The queue's own end is not played here; a database that is never asked makes the configuration whole.
  const queue: Record<string, Binding> = ledger
    ? { EVENTS: { queue: "queue" }, LEDGER: { wrapped: "fake:database", inner: {} } }
    : {};
  const worker = {
    module: { path: script },
    bindings: { ...varBindings(vars, secrets), ...datasets, ...queue },
    externals: { queue: new URL(provider.url).host },
  };
  const workerd = await start(worker, settings, log, inspected ? ["--inspector-addr=127.0.0.1:0"] : []);
  const printed = openSync(log, "r");
  return {
    name: ledger ? "with ledger" : "interceptor",
    pid: workerd.pid,
    port: workerd.port("http"),
    ...(inspected ? { inspector: workerd.port("inspector") } : {}),
    path: "/openai/v1/chat/completions",
    recorded: countRecords(printed),
    stop: async () => {
      await workerd.stop();
      closeSync(printed);
      await rm(directory, { recursive: true });
    },
  };
}

/** The real binding's call returns at once; a wrapped one costs as little. */
const NO_OP_ANALYTICS = `export default () => ({ writeDataPoint() {} });`;
const NO_DATABASE = `export default () => ({ prepare() { throw new Error("not in the bench"); } });`;

type Worker = {
  module: { path: string } | { source: string };
  bindings: Record<string, Binding>;
  externals?: Record<string, string>;
};

function start(
  { externals = {}, ...worker }: Worker,
  settings: Bundle["settings"],
  output: string,
  more: readonly string[] = [],
) {
  const { compatibilityDate, compatibilityFlags } = settings;
  const config = workerdConfig({
    workers: [{ name: "main", ...worker, compatibilityDate, compatibilityFlags }],
    sockets: { http: "main" },
    externals,
    internalModules: { "fake:analytics": NO_OP_ANALYTICS, "fake:database": NO_DATABASE },
    structuredLogging: false,
  });
  return startWorkerd({ config, sockets: { http: undefined }, output, arguments: more });
}
