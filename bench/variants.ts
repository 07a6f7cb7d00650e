/** The Workers under measurement, each in its own workerd process, and the fake provider that all of them call. */
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
import { BASELINES } from "./baselines.ts";
import { countRecords } from "./records.ts";
import { CLIENT_KEYS, KEY_HEADERS, type Target, type Traffic } from "./traffic.ts";

export type Variant = Target & {
  readonly name: string;
  readonly pid: number;
  /** The inspector's port, if the process has one. */
  readonly inspector?: number;
  /**
   * Waits until `requests` more requests are completely recorded since the last call, because the Worker goes on after
   * the response.
   */
  recorded(requests: number, traffic: Traffic): Promise<void>;
  stop(): Promise<void>;
};

export type Provider = { readonly url: string; stop(): void };

/** How a variant's workerd runs. */
export type ProcessOptions = {
  /** With an inspector, for profiles and heap sizes. */
  readonly inspected?: boolean;
  /** A command that runs workerd, such as valgrind with its options. */
  readonly under?: readonly string[];
};

export async function startProvider(): Promise<Provider> {
  const script = fileURLToPath(new URL("upstream.ts", import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const port = await new Promise<string>((resolve, reject) => {
    onLines(child.stdout, resolve);
    void once(child, "exit").then(() => reject(new Error("the fake provider exited")));
  });
  return { url: `http://127.0.0.1:${port}`, stop: () => void child.kill() };
}

/** A Worker that only forwards. */
const BARE = `export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    return fetch(new Request(env.UPSTREAM + pathname, request));
  },
};`;

type Settings = Bundle["settings"];

export function startBare(provider: Provider, { settings }: Bundle, options: ProcessOptions = {}) {
  return startForwarder({ name: "bare", module: { source: BARE }, settings }, provider, options);
}

/** One of the forwarders of `baselines.ts`. */
export function startBaseline(
  name: string,
  provider: Provider,
  { settings }: Bundle,
  options: ProcessOptions = {},
): Promise<Variant> {
  return startForwarder({ name, module: { source: BASELINES[name] ?? "" }, settings }, provider, options);
}

/** The bare Worker behind one route of Hono. */
export async function startHono(provider: Provider, options: ProcessOptions = {}): Promise<Variant> {
  const { script, settings } = await productionBundle(fileURLToPath(new URL("hono", import.meta.url)));
  return startForwarder({ name: "bare + Hono", module: { path: script }, settings }, provider, options);
}

type Forwarder = {
  readonly name: string;
  readonly module: Worker["module"];
  readonly settings: Settings;
};

async function startForwarder(
  { name, module, settings }: Forwarder,
  provider: Provider,
  options: ProcessOptions,
): Promise<Variant> {
  const worker = { module, bindings: { UPSTREAM: { text: provider.url } } };
  const workerd = await start(worker, settings, "/dev/null", options);
  return {
    name,
    ...addressOf(workerd, options),
    path: "/v1/chat/completions",
    headers: KEY_HEADERS,
    recorded: () => Promise.resolve(),
    stop: () => workerd.stop(),
  };
}

export type InterceptorOptions = ProcessOptions & {
  readonly name?: string;
  /** With the queue `EVENTS`, which accepts every event. */
  readonly ledger?: boolean;
  /** With EVENT_MAC_KEY, so that each message has a MAC. */
  readonly mac?: boolean;
  /** Replaces the identity source, together with the headers of its caller. */
  readonly vars?: Readonly<Record<string, unknown>>;
  readonly headers?: Target["headers"];
  /** The value of every key in a KV namespace that is bound as `KEYS`. */
  readonly kv?: string;
};

/**
 * The gateway with all its features: client keys, a central provider key, an owner assertion, log lines and Analytics
 * Engine points. With `ledger` it also sends every event to a queue.
 */
export async function startInterceptor(
  provider: Provider,
  { script, settings }: Bundle,
  options: InterceptorOptions = {},
): Promise<Variant> {
  const { ledger = false, name = ledger ? "with ledger" : "interceptor" } = options;
  const directory = await mkdtemp(join(tmpdir(), "bench-"));
  const log = join(directory, "console.log");
  const worker = {
    module: { path: script },
    bindings: interceptorBindings(provider, settings, options),
    externals: { queue: new URL(provider.url).host },
    kv: options.kv ?? "",
  };
  const workerd = await start(worker, settings, log, options);
  const printed = openSync(log, "r");
  return {
    name,
    ...addressOf(workerd, options),
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

function interceptorBindings(
  provider: Provider,
  settings: Settings,
  options: InterceptorOptions,
): Record<string, Binding> {
  const vars = {
    ...settings.vars,
    PROVIDERS: { openai: { type: "openai", base_url: `${provider.url}/v1`, keys: ["PROVIDER_KEY"] } },
    IDENTITY: [{ source: "keys" }],
    ...options.vars,
  };
  const secrets = {
    CLIENT_KEYS,
    PROVIDER_KEY: "sk-bench-provider-key",
    ...(options.mac ? { EVENT_MAC_KEY: "of-the-bench-0123456789-abcdefghijklmnopqrstuvwxyz" } : {}),
  };
  const dataset: Binding = { wrapped: "fake:analytics", inner: {} };
  return {
    ...varBindings(vars, secrets),
    ...Object.fromEntries(settings.analytics.map((one) => [one, dataset])),
    ...(options.ledger ? { EVENTS: { queue: "queue" } as const } : {}),
    ...(options.kv === undefined ? {} : { KEYS: { kv: "kv" } as const }),
  };
}

const addressOf = (workerd: Workerd, { inspected = false }: ProcessOptions) => ({
  pid: workerd.pid,
  port: workerd.port("http"),
  ...(inspected ? { inspector: workerd.port("inspector") } : {}),
});

/** The real binding's call returns at once, and a wrapped binding costs as little. */
const NO_OP_ANALYTICS = `export default () => ({ writeDataPoint() {} });`;

const KV = `export default { fetch: (_, { VALUE }) => new Response(VALUE) };`;

type Worker = {
  module: { path: string } | { source: string };
  bindings: Record<string, Binding>;
  externals?: Record<string, string>;
  /** The value of every key in the KV namespace. */
  kv?: string;
};

function start(
  { externals = {}, kv = "", ...worker }: Worker,
  settings: Settings,
  output: string,
  { inspected = false, under = [] }: ProcessOptions,
) {
  const { compatibilityDate, compatibilityFlags } = settings;
  const config = workerdConfig({
    workers: [
      { name: "main", ...worker, compatibilityDate, compatibilityFlags },
      { name: "kv", module: { source: KV }, bindings: { VALUE: { text: kv } }, compatibilityDate },
    ],
    sockets: { http: "main" },
    externals,
    internalModules: { "fake:analytics": NO_OP_ANALYTICS },
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
