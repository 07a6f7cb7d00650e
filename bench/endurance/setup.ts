/** The processes of a scenario: the fake provider, and the gateway's production bundle in plain workerd. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { productionBundle } from "../../test/support/bundle.ts";
import { analyticsModules } from "../../test/support/analytics-binding.ts";
import { varBindings, workerdConfig, type Binding } from "../../test/support/capnp.ts";
import { startWorkerd } from "../../test/support/workerd.ts";
import { startBare as startBareWorker } from "../forwarders.ts";
import { residentMiB } from "../cpu.ts";
import { heapAfterCollection, openInspector, type Heap } from "../inspector.ts";
import { CLIENT_KEYS } from "../traffic.ts";
import type { Target } from "./client.ts";
import { PLAN_HEADER } from "./plan.ts";
import { startProvider, type Provider } from "./provider.ts";
import { POINT_MARK, Records } from "./records.ts";

export type Interceptor = Target & {
  readonly records: Records;
  /** Resident memory of its process, in MiB. */
  readonly resident: () => number;
  /** The heap after full collections, once it no longer shrinks. */
  readonly heap: () => Promise<Heap>;
};

export type Setup = {
  readonly provider: Provider;
  readonly interceptor: Interceptor;
  /** Starts a Worker that only forwards to the same provider. */
  readonly startBare: () => Promise<Target>;
};

/** `failing`: Analytics Engine throws for every twentieth point. See also `Provider.failQueue`. */
export async function withSetup<T>(
  { failing = false }: { readonly failing?: boolean },
  run: (setup: Setup) => Promise<T>,
): Promise<T> {
  const closing: (() => unknown)[] = [];
  try {
    const provider = await startProvider();
    closing.push(() => provider.stop());
    const directory = await mkdtemp(join(tmpdir(), "endurance-"));
    closing.push(() => rm(directory, { recursive: true }));
    const log = join(directory, "console.log");
    const workerd = await startWorkerd({
      config: await interceptorConfig(provider, failing),
      sockets: { http: undefined },
      output: log,
      arguments: ["--inspector-addr=127.0.0.1:0"],
    });
    closing.push(() => workerd.stop());
    const inspector = await openInspector(workerd.port("inspector"));
    closing.push(() => inspector.close());
    const records = new Records(log);
    closing.push(() => records.close());
    const startBare = async (): Promise<Target> => {
      const bare = await startBareWorker(provider, await productionBundle());
      closing.push(() => bare.stop());
      return bare;
    };
    return await run({
      provider,
      interceptor: {
        port: workerd.port("http"),
        pid: workerd.pid,
        path: "/openai/v1/chat/completions",
        records,
        resident: () => residentMiB(workerd.pid),
        heap: () => settledHeap(() => heapAfterCollection(inspector, () => nudge(workerd.port("http")))),
      },
      startBare,
    });
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}

async function nudge(port: number): Promise<void> {
  await fetch(`http://127.0.0.1:${port}/healthz`);
}

/** Longer than the longest wait of the queue's sink, so that two equal samples mean that no event is in transit. */
const SAMPLE_INTERVAL_MS = 2_500;
const MAX_SAMPLES = 12;

/** Samples the heap until it no longer shrinks. Returns the smallest sample. */
async function settledHeap(sample: () => Promise<Heap>): Promise<Heap> {
  let least = await sample();
  for (let samples = 1; samples < MAX_SAMPLES; samples += 1) {
    await wait(SAMPLE_INTERVAL_MS);
    const next = await sample();
    const isSettled = next.used > 0.98 * least.used;
    least = next.used < least.used ? next : least;
    if (isSettled) break;
  }
  return least;
}

/** As in the bench: client keys, a central provider key, log lines, Analytics Engine and the queue. */
async function interceptorConfig({ url, queue }: Provider, failing: boolean): Promise<string> {
  const { script, settings } = await productionBundle();
  const vars = {
    ...settings.vars,
    PROVIDERS: {
      openai: {
        type: "openai",
        base_url: `${url}/v1`,
        keys: ["PROVIDER_KEY"],
        forward_headers: [PLAN_HEADER],
      },
    },
    IDENTITY: [{ source: "keys" }],
  };
  const dataset: Binding = { wrapped: "fake:counted-analytics", inner: { failing: failing ? "yes" : "" } };
  const worker = {
    name: "main",
    module: { path: script },
    compatibilityDate: settings.compatibilityDate,
    compatibilityFlags: settings.compatibilityFlags,
    bindings: {
      ...varBindings(vars, { CLIENT_KEYS, PROVIDER_KEY: "sk-bench-provider-key" }),
      ...Object.fromEntries(settings.analytics.map((name) => [name, dataset])),
      EVENTS: { queue: "queue" },
    },
  };
  return workerdConfig({
    workers: [worker],
    sockets: { http: "main" },
    externals: { queue },
    internalModules: {
      ...(await analyticsModules()),
      "fake:counted-analytics": COUNTED_ANALYTICS,
    },
    structuredLogging: false,
  });
}

/** As strict as the real binding. Prints each point's interception, and whether the call threw. */
const COUNTED_ANALYTICS = `
import { assertPoint } from "fake:strict-analytics";
let calls = 0;
export default ({ failing }) => ({
  writeDataPoint(point) {
    assertPoint(point);
    calls += 1;
    const thrown = failing === "yes" && calls % 20 === 0;
    const [, type, id] = point.blobs;
    console.log(${JSON.stringify(POINT_MARK)} + JSON.stringify({ id, type, thrown }));
    if (thrown) throw new Error("Analytics Engine is down");
  },
});
`;
