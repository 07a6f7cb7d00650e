/** What a scenario plays on: the provider, and the production bundle in a plain workerd with everything on. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { productionBundle } from "../../test/support/bundle.ts";
import { analyticsModules } from "../../test/support/analytics-binding.ts";
import { varBindings, workerdConfig, type Binding } from "../../test/support/capnp.ts";
import { startWorkerd } from "../../test/support/workerd.ts";
import { startBare as startBareWorker } from "../contestants.ts";
import { residentMiB } from "../cpu.ts";
import { heapAfterCollection, openInspector, type Heap } from "../inspector.ts";
import { CLIENT_KEYS } from "../traffic.ts";
import type { Target } from "./client.ts";
import { startProvider, type Provider } from "./provider.ts";
import { POINT_MARK, Records } from "./records.ts";

export type Interceptor = Target & {
  readonly records: Records;
  /** Of its process, in MiB. */
  readonly resident: () => number;
  /** After a full collection, as soon as it no longer shrinks. */
  readonly heap: () => Promise<Heap>;
};

export type Stage = {
  readonly provider: Provider;
  readonly interceptor: Interceptor;
  /** A Worker that only forwards, before the same provider. */
  readonly startBare: () => Promise<Target>;
};

/** `failing`: Analytics Engine throws for every twentieth point; see also `Provider.failQueue`. */
export async function onStage<T>(
  { failing = false }: { readonly failing?: boolean },
  play: (stage: Stage) => Promise<T>,
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
    return await play({
      provider,
      interceptor: {
        port: workerd.port("http"),
        pid: workerd.pid,
        path: "/openai/v1/chat/completions",
        records,
        resident: () => residentMiB(workerd.pid),
        heap: () => atRest(() => heapAfterCollection(inspector, () => nudge(workerd.port("http")))),
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

/** Longer than the ledger's sink waits for anything: what two looks so far apart find is not on its way out. */
const APART_MS = 2_500;
const MOST_LOOKS = 12;

/** The heap once it no longer shrinks. */
async function atRest(look: () => Promise<Heap>): Promise<Heap> {
  let least = await look();
  for (let looks = 1; looks < MOST_LOOKS; looks += 1) {
    await wait(APART_MS);
    const next = await look();
    const isStill = next.used > 0.98 * least.used;
    least = next.used < least.used ? next : least;
    if (isStill) break;
  }
  return least;
}

/** As in the bench: client keys, a central key, an owner to prefer, log, Analytics Engine, the ledger's queue. */
async function interceptorConfig({ url, queue }: Provider, failing: boolean): Promise<string> {
  const { script, settings } = await productionBundle();
  const vars = {
    ...settings.vars,
    PROVIDERS: { openai: { type: "openai", base_url: `${url}/v1`, keys: ["PROVIDER_KEY"] } },
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
      LEDGER: { wrapped: "fake:database", inner: {} },
    },
  };
  return workerdConfig({
    workers: [worker],
    sockets: { http: "main" },
    externals: { queue },
    internalModules: {
      ...(await analyticsModules()),
      "fake:counted-analytics": COUNTED_ANALYTICS,
      "fake:database": NO_DATABASE,
    },
    structuredLogging: false,
  });
}

/** As strict as the real one; says of each point whose it was, and whether it was taken. Its columns: sinks/columns.ts. */
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
/** What the queue delivers is not played here; a database that is never asked makes the configuration whole. */
const NO_DATABASE = `export default () => ({ prepare() { throw new Error("there is no database here"); } });`;
