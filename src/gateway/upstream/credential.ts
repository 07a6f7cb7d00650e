/**
 * Chooses the key that the provider receives: one of the gateway's central keys or the client's own, never both. The
 * client's identity credential is never sent unless it is itself the provider key.
 */
import { Refusal } from "../../shared/refusal.ts";
import type { Credential, Secret } from "../identity/credential.ts";
import type { Actor } from "../identity/identity.ts";
import type { KeyHeader, Provider } from "../provider/provider.ts";
import { chooseKey, type CentralKeys } from "./central-keys.ts";
import { keyHeaderOf, type UpstreamCredential } from "./provider-key.ts";

/**
 * - Refuses `byok_not_accepted` if the actor is only the fingerprint of a provider key and the provider has central keys
 *   (the gateway would be an open relay), and for the client's own key if a token authenticates the gateway at AI Gateway.
 * - Refuses `provider_key_missing` if neither side has a key for the provider.
 */
export function chooseCredential(
  provider: Provider,
  actor: Actor,
  { ownKey, hasIdentityHeader, prefersCentralKey }: Credential,
  /** `random`: at least 0, below 1; selects one of several central keys. */
  { central, random }: { readonly central: CentralKeys; readonly random: () => number },
): UpstreamCredential | Refusal {
  const own = central.get(provider);
  const isCentral = own !== undefined;
  if (!actor.verified && isCentral) return new Refusal("byok_not_accepted");
  // The client's key is a provider key if an identity header is sent with it, or if the key itself is the only identity.
  const isProviderKey = (hasIdentityHeader && !(prefersCentralKey && isCentral)) || !actor.verified;
  if (isProviderKey && ownKey && isKeyHeader(ownKey.from)) {
    // Beside a key that it does not recognize, AI Gateway may use one that it stores, or its own account.
    if (provider.aiGateway?.token) return new Refusal("byok_not_accepted");
    const header = ownKeyHeader(provider, ownKey.value, ownKey.from);
    return { kind: "byok", hint: ownKeyHint(ownKey.value), header };
  }
  if (own === undefined) return new Refusal("provider_key_missing");
  return chooseKey(own, random);
}

/** A service with a header of its own for keys also accepts access tokens, which are bearer tokens. */
function ownKeyHeader(
  provider: Provider,
  key: string,
  from: KeyHeader,
): NonNullable<UpstreamCredential["header"]> {
  if (provider.keyHeader === null) return provider.dialect.ownKeyHeader(key, from);
  return from === "authorization" ? keyHeaderOf(key, from) : keyHeaderOf(key, provider.keyHeader);
}

const isKeyHeader = (from: Secret["from"]): from is KeyHeader =>
  from !== "x-coder-ai-governance-token" && from !== "cf-access-jwt-assertion";

/** Less of the caller's own key, which the record need only tell from that caller's others: at most 4 of 20 characters. */
export function ownKeyHint(key: string): string | null {
  const shown = key.length >= 20 ? 2 : key.length >= 10 ? 1 : 0;
  return shown === 0 ? null : `${key.slice(0, shown)}...${key.slice(-shown)}`;
}
