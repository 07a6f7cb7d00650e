/** Variants that forward and record nothing. */
import { fileURLToPath } from "node:url";
import { productionBundle, type Bundle } from "../test/support/bundle.ts";
import { BARE, BASELINES, TEE_AND_PIPE } from "./baselines.ts";
import type { Provider } from "./provider.ts";
import { KEY_HEADERS, STREAMS, type Target } from "./traffic.ts";
import { addressOf, runWorker, type ProcessOptions, type RunOptions, type Variant } from "./variant.ts";
import type { WorkerService } from "../test/support/capnp.ts";

type Forwarder = Pick<Variant, "name" | "traffics" | "reencodes"> & {
  readonly module: WorkerService["module"];
  readonly settings: RunOptions["settings"];
  readonly headers?: Target["headers"];
};

export async function startForwarder(
  { module, settings, headers = KEY_HEADERS, ...variant }: Forwarder,
  provider: Provider,
  options: ProcessOptions,
): Promise<Variant> {
  const worker = { module, bindings: { UPSTREAM: { text: provider.url } } };
  const workerd = await runWorker(worker, { ...options, settings, output: "/dev/null" });
  return {
    ...variant,
    ...addressOf(workerd, options),
    path: "/v1/chat/completions",
    headers,
    recorded: () => Promise.resolve(),
    stop: () => workerd.stop(),
  };
}

type Start = (provider: Provider, bundle: Bundle, options?: ProcessOptions) => Promise<Variant>;

export const startBare: Start = (provider, { settings }, options = {}) =>
  startForwarder({ name: "bare", module: { source: BARE }, settings }, provider, options);

/** The native cost of observing a stream, before any JavaScript reads it. */
export const startTeeAndPipe: Start = (provider, { settings }, options = {}) =>
  startForwarder(
    { name: "tee + pipe", module: { source: TEE_AND_PIPE }, settings, traffics: STREAMS },
    provider,
    options,
  );

/** One of the forwarders of `baselines.ts`. They read responses completely, so that they are compared on JSON only. */
export const startBaseline =
  (baseline: string, name = baseline): Start =>
  (provider, { settings }, options = {}) =>
    startForwarder(
      { name, module: { source: BASELINES[baseline] ?? "" }, settings, traffics: ["json", "tools"] },
      provider,
      options,
    );

/** The bare Worker behind one route of Hono. */
export async function startHono(provider: Provider, options: ProcessOptions = {}): Promise<Variant> {
  const { script, settings } = await productionBundle(fileURLToPath(new URL("hono", import.meta.url)));
  return startForwarder({ name: "bare + Hono", module: { path: script }, settings }, provider, options);
}
