/** The gateway as a variant. */
import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bundle } from "../test/support/bundle.ts";
import { varBindings, type Binding } from "../test/support/capnp.ts";
import type { Provider } from "./provider.ts";
import { countRecords } from "./records.ts";
import { CLIENT_KEYS, KEY_HEADERS, type Target } from "./traffic.ts";
import { addressOf, runWorker, type ProcessOptions, type Variant } from "./variant.ts";

/** - `http`: plain workerd's queue, to which each message is an HTTP request. - `no-op`: an object that does nothing. */
type Queue = "http" | "no-op";

export type InterceptorOptions = ProcessOptions & {
  readonly name?: string;
  /** The queue `EVENTS`, which accepts every event. */
  readonly queue?: Queue;
  /** With EVENT_MAC_KEY, so that each message has a MAC. */
  readonly mac?: boolean;
  /** Replaces the identity source, together with the headers of its caller. */
  readonly vars?: Readonly<Record<string, unknown>>;
  readonly headers?: Target["headers"];
  /** The value of every key in a KV namespace that is bound as `KEYS`. */
  readonly kv?: string;
};

const NAMES = { http: "with ledger", "no-op": "no-op queue" } as const satisfies Record<Queue, string>;

/**
 * The gateway with all its features: client keys, a central provider key, an owner assertion, log lines and Analytics
 * Engine points. With `queue` it also sends every event to a queue.
 */
export async function startInterceptor(
  provider: Provider,
  { script, settings }: Bundle,
  options: InterceptorOptions = {},
): Promise<Variant> {
  const { queue, name = queue ? NAMES[queue] : "interceptor" } = options;
  const directory = await mkdtemp(join(tmpdir(), "bench-"));
  const log = join(directory, "console.log");
  const worker = {
    module: { path: script },
    bindings: interceptorBindings(provider, settings, options),
    externals: { queue: new URL(provider.url).host },
    kv: options.kv ?? "",
  };
  const workerd = await runWorker(worker, { ...options, settings, output: log });
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

const QUEUES: Readonly<Record<Queue, Binding>> = {
  http: { queue: "queue" },
  "no-op": { wrapped: "fake:queue", inner: {} },
};

function interceptorBindings(
  provider: Provider,
  settings: Bundle["settings"],
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
    ...(options.queue ? { EVENTS: QUEUES[options.queue] } : {}),
    ...(options.kv === undefined ? {} : { KEYS: { kv: "kv" } as const }),
  };
}
