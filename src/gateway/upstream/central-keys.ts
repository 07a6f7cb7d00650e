/** The gateway's own credentials for the providers, made once: requests only choose among them. */
import type { Provider } from "../provider/provider.ts";
import { KeyPool } from "./key-pool.ts";
import { centralCredential, storedCredential, type UpstreamCredential } from "./provider-key.ts";

export type ProviderKeys = {
  /** At least one. */
  readonly all: readonly UpstreamCredential[];
  readonly first: UpstreamCredential;
  /** The states of several keys; null where there is one. */
  readonly pool: KeyPool | null;
};

/** By the provider; none for a provider without central keys. */
export type CentralKeys = ReadonlyMap<Provider, ProviderKeys>;

/** `now`: milliseconds since 1970. */
export function createCentralKeys(providers: Iterable<Provider>, now: () => number): CentralKeys {
  const keys = new Map<Provider, ProviderKeys>();
  for (const provider of providers) {
    const stored = storedCredential(provider);
    const credentials = stored ? [stored] : provider.keys.map((key) => centralCredential(key, provider));
    const [first, second] = credentials;
    if (first)
      keys.set(provider, { all: credentials, first, pool: second ? new KeyPool(credentials, now) : null });
  }
  return keys;
}
