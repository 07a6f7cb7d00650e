/** The variants that `npm run bench` compares, in the order of the tables. The first is the reference. */
import type { Bundle } from "../test/support/bundle.ts";
import { startBare, startBaseline, startTeeAndPipe } from "./forwarders.ts";
import { startInterceptor } from "./interceptor.ts";
import { bundlePortkey, startPortkey } from "./portkey.ts";
import type { Provider } from "./provider.ts";
import type { Variant } from "./variant.ts";

/** Yields each as soon as it runs, so that the caller can stop it if a later one fails to start. */
export async function* startVariants(provider: Provider, bundle: Bundle): AsyncGenerator<Variant> {
  yield await startBare(provider, bundle);
  yield await startTeeAndPipe(provider, bundle);
  yield await startBaseline("four lines", "reads, parses, prints")(provider, bundle);
  yield await startInterceptor(provider, bundle);
  yield await startInterceptor(provider, bundle, { queue: "no-op" });
  yield await startInterceptor(provider, bundle, { queue: "http" });
  const portkey = await portkeySource();
  if (portkey !== null) yield await startPortkey(portkey, provider);
}

/** null if it cannot be fetched. */
export async function portkeySource(): Promise<string | null> {
  try {
    return await bundlePortkey();
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    console.log(`Portkey is left out, because it could not be installed and bundled: ${reason}`);
    return null;
  }
}
