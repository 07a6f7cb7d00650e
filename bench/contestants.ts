/** Those that are compared, each in a workerd process of its own, and the provider behind them all. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { productionBundle, type Bundle } from "../test/support/bundle.ts";
import { varBindings, workerdConfig, type Binding } from "../test/support/capnp.ts";
import { onLines } from "../test/support/lines.ts";
import { startWorkerd, type Workerd } from "../test/support/workerd.ts";
import { FLOORS } from "./floors.ts";
import { countRecords } from "./records.ts";
import { CLIENT_KEYS, KEY_HEADERS, type Target, type Traffic } from "./traffic.ts";

export type Contestant = Target & {
  readonly name: string;
  readonly pid: number;
  /** Of the inspector, if it was started with one. */
  readonly inspector?: number;
  /** Waits until `requests` more requests have been recorded whole since the last call: work goes on after an answer. */
  recorded(requests: number, traffic: Traffic): Promise<void>;
  stop(): Promise<void>;
};

export type Provider = { readonly url: string; stop(): void };

/** How a contestant's workerd is run. */
export type Running = {
  /** With an inspector, for profiles and heap sizes. */
  readonly inspected?: boolean;
  /** Under this command, which counts instructions. */
  readonly under?: readonly string[];
};

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

export function startBare(provider: Provider, { settings }: Bundle, running: Running = {}) {
  return startForwarder("bare", { source: BARE }, provider, settings, running);
}

/** One of those in between (`floors.ts`). */
export function startFloor(
  name: string,
  provider: Provider,
  { settings }: Bundle,
  running: Running = {},
): Promise<Contestant> {
  return startForwarder(name, { source: FLOORS[name] ?? "" }, provider, settings, running);
}

/** The same behind one route of Hono's. */
export async function startHono(provider: Provider, running: Running = {}): Promise<Contestant> {
  const { script, settings } = await productionBundle(fileURLToPath(new URL("hono", import.meta.url)));
  return startForwarder("bare + Hono", { path: script }, provider, settings, running);
}

async function startForwarder(
  name: string,
  module: Worker["module"],
  provider: Provider,
  settings: Bundle["settings"],
  running: Running,
): Promise<Contestant> {
  const worker = { module, bindings: { UPSTREAM: { text: provider.url } } };
  const workerd = await start(worker, settings, "/dev/null", running);
  return {
    name,
    ...placeOf(workerd, running),
    path: "/v1/chat/completions",
    headers: KEY_HEADERS,
    recorded: () => Promise.resolve(),
    stop: () => workerd.stop(),
  };
}

export type InterceptorOptions = Running & {
  readonly name?: string;
  /** With a queue that takes every event of the ledger. */
  readonly ledger?: boolean;
  /** In place of client keys: another identity, and the headers by which its holder calls. */
  readonly vars?: Readonly<Record<string, unknown>>;
  readonly headers?: Target["headers"];
  /** What a KV namespace, bound as `KEYS`, answers for any key. */
  readonly kv?: string;
};

/**
 * Everything on: client keys, a central provider key, an owner to prefer, log lines, Analytics Engine points, and with
 * `ledger` a queue that takes every event of the ledger.
 */
export async function startInterceptor(
  provider: Provider,
  { script, settings }: Bundle,
  options: InterceptorOptions = {},
): Promise<Contestant> {
  const { ledger = false, name = ledger ? "with ledger" : "interceptor" } = options;
  const vars = {
    ...settings.vars,
    PROVIDERS: { openai: { type: "openai", base_url: `${provider.url}/v1`, keys: ["PROVIDER_KEY"] } },
    IDENTITY: [{ source: "keys" }],
    ...options.vars,
  };
  const secrets = { CLIENT_KEYS, PROVIDER_KEY: "sk-bench-provider-key" };
  const dataset: Binding = { wrapped: "fake:analytics", inner: {} };
  const datasets = Object.fromEntries(settings.analytics.map((one) => [one, dataset]));
  const directory = await mkdtemp(join(tmpdir(), "bench-"));
  const log = join(directory, "console.log");
  // The queue's own end is not played here; a database that is never asked makes the configuration whole.
  const queue: Record<string, Binding> = ledger
    ? { EVENTS: { queue: "queue" }, LEDGER: { wrapped: "fake:database", inner: {} } }
    : {};
  const worker = {
    module: { path: script },
    bindings: {
      ...varBindings(vars, secrets),
      ...datasets,
      ...queue,
      ...(options.kv === undefined ? {} : { KEYS: { kv: "kv" } }),
    },
    externals: { queue: new URL(provider.url).host },
    kv: options.kv ?? "",
  };
  const workerd = await start(worker, settings, log, options);
  const printed = openSync(log, "r");
  return {
    name,
    ...placeOf(workerd, options),
    path: "/openai/v1/chat/completions",
    headers: options.headers ?? KEY_HEADERS,
    recorded: countRecords(printed),
    stop: async () => {
      await workerd.stop();
      closeSync(printed);
      await rm(directory, { recursive: true });
    },
  };
}

const placeOf = (workerd: Workerd, { inspected = false }: Running) => ({
  pid: workerd.pid,
  port: workerd.port("http"),
  ...(inspected ? { inspector: workerd.port("inspector") } : {}),
});

/** The real binding's call returns at once; a wrapped one costs as little. */
const NO_OP_ANALYTICS = `export default () => ({ writeDataPoint() {} });`;
const NO_DATABASE = `export default () => ({ prepare() { throw new Error("not in the bench"); } });`;

const KV = `export default { fetch: (_, { VALUE }) => new Response(VALUE) };`;

type Worker = {
  module: { path: string } | { source: string };
  bindings: Record<string, Binding>;
  externals?: Record<string, string>;
  /** What a KV namespace answers, whatever it is asked for. */
  kv?: string;
};

function start(
  { externals = {}, kv = "", ...worker }: Worker,
  settings: Bundle["settings"],
  output: string,
  { inspected = false, under = [] }: Running,
) {
  const { compatibilityDate, compatibilityFlags } = settings;
  const config = workerdConfig({
    workers: [
      { name: "main", ...worker, compatibilityDate, compatibilityFlags },
      { name: "kv", module: { source: KV }, bindings: { VALUE: { text: kv } }, compatibilityDate },
    ],
    sockets: { http: "main" },
    externals,
    internalModules: { "fake:analytics": NO_OP_ANALYTICS, "fake:database": NO_DATABASE },
    structuredLogging: false,
  });
  return startWorkerd({
    config,
    sockets: { http: undefined },
    output,
    arguments: inspected ? ["--inspector-addr=127.0.0.1:0"] : [],
    ...(under.length > 0 ? { under } : {}),
  });
}
