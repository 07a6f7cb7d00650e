/** A Worker under measurement, in a workerd process of its own. */
import type { WorkerSettings } from "../test/support/bundle.ts";
import { workerdConfig, type Binding, type WorkerService } from "../test/support/capnp.ts";
import { startWorkerd, type Workerd } from "../test/support/workerd.ts";
import type { Target, Traffic } from "./traffic.ts";

export type Variant = Target & {
  readonly name: string;
  readonly pid: number;
  /** The inspector's port, if the process has one. */
  readonly inspector?: number;
  /** The traffic that it is compared with; undefined: all. */
  readonly traffics?: readonly Traffic[];
  /** Whether it encodes responses again, so that their bytes may differ from the provider's. */
  readonly reencodes?: boolean;
  /**
   * Waits until `requests` more requests are completely recorded since the last call, because the Worker goes on after
   * the response.
   */
  recorded(requests: number, traffic: Traffic): Promise<void>;
  stop(): Promise<void>;
};

/** How a variant's workerd runs. */
export type ProcessOptions = {
  /** With an inspector, for profiles and heap sizes. */
  readonly inspected?: boolean;
  /** A command that runs workerd, such as valgrind with its options. */
  readonly under?: readonly string[];
};

/** Neither call has anything to do, so that only the gateway's own share is measured. */
const INTERNAL_MODULES = {
  // The real binding's call returns at once, and a wrapped binding costs as little.
  "fake:analytics": `export default () => ({ writeDataPoint() {} });`,
  "fake:queue": `const accepted = Promise.resolve({});
export default () => ({ send: () => accepted, sendBatch: () => accepted });`,
};

const KV = `export default { fetch: (_, { VALUE }) => new Response(VALUE) };`;

export type Worker = {
  readonly module: WorkerService["module"];
  readonly bindings: Record<string, Binding>;
  readonly externals?: Record<string, string>;
  /** The value of every key in the KV namespace. */
  readonly kv?: string;
};

export type RunOptions = ProcessOptions & {
  readonly settings: Pick<WorkerSettings, "compatibilityDate" | "compatibilityFlags">;
  /** The file that the console goes to. */
  readonly output: string;
};

export function runWorker(
  { externals = {}, kv = "", ...worker }: Worker,
  { settings, output, inspected = false, under = [] }: RunOptions,
): Promise<Workerd> {
  const { compatibilityDate, compatibilityFlags } = settings;
  const config = workerdConfig({
    workers: [
      { name: "main", ...worker, compatibilityDate, compatibilityFlags },
      { name: "kv", module: { source: KV }, bindings: { VALUE: { text: kv } }, compatibilityDate },
    ],
    sockets: { http: "main" },
    externals,
    internalModules: INTERNAL_MODULES,
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

export const addressOf = (workerd: Workerd, { inspected = false }: ProcessOptions) => ({
  pid: workerd.pid,
  port: workerd.port("http"),
  ...(inspected ? { inspector: workerd.port("inspector") } : {}),
});
