/** The gateway's own credentials for the providers, made once: requests only choose among them. */
import type { CentralKey, Provider } from "../provider/provider.ts";
import { KeyPool } from "./key-pool.ts";
import { entraCredential } from "./entra.ts";
import { awsCredential } from "./sigv4.ts";
import { keyCredential, storedCredential, type KeyDeps, type UpstreamCredential } from "./provider-key.ts";

export type ProviderKeys = {
  /** At least one. */
  readonly all: readonly UpstreamCredential[];
  readonly first: UpstreamCredential;
  /** The states of several keys; null where there is one. */
  readonly pool: KeyPool | null;
};

/** By the provider; none for a provider without central keys. */
export type CentralKeys = ReadonlyMap<Provider, ProviderKeys>;

export function createCentralKeys(providers: Iterable<Provider>, deps: KeyDeps): CentralKeys {
  const keys = new Map<Provider, ProviderKeys>();
  for (const provider of providers) {
    const stored = storedCredential(provider);
    const credentials = stored
      ? [stored]
      : provider.keys.map((key) => centralCredential(key, provider, deps));
    const [first, second] = credentials;
    if (first)
      keys.set(provider, {
        all: credentials,
        first,
        pool: second ? new KeyPool(credentials, deps.now) : null,
      });
  }
  return keys;
}

/** `random`: at least 0, below 1; selects one of several keys. */
export const chooseKey = ({ first, pool }: ProviderKeys, random: () => number): UpstreamCredential =>
  pool?.choose(random) ?? first;

function centralCredential(key: CentralKey, provider: Provider, deps: KeyDeps): UpstreamCredential {
  switch (key.kind) {
    case "key":
      return keyCredential(key, provider);
    case "aws":
      return awsCredential(key, provider, deps);
    case "entra":
      return entraCredential(key, `PROVIDERS.${provider.name}`, deps);
  }
}
