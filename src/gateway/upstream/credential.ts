/**
 * Which key the provider gets: one of the gateway's central keys or the client's own, never both, never the client's
 * identity credential where that is something else.
 */
import { Refusal } from "../../shared/refusal.ts";
import type { Credential } from "../identity/credential.ts";
import type { Actor } from "../identity/identity.ts";
import type { Provider } from "../provider/provider.ts";

export type UpstreamCredential = {
  readonly kind: "centralized" | "byok";
  /** The key's few characters at both ends, by which its owner knows it; null where it is too short for that. */
  readonly hint: string | null;
  readonly header: readonly [name: string, value: string];
  /** The central key in use, to look for in the provider's error answers; null where it is the client's own. */
  readonly centralKey: string | null;
};

/**
 * Refuses `byok_not_accepted` where only a fingerprint stands behind the request and the provider has central keys
 * (that would be an open relay), and `provider_key_missing` where neither side has a key for the provider.
 */
export function chooseCredential(
  provider: Provider,
  actor: Actor,
  { ownKey: own, hasIdentityHeader: governed, prefersCentralKey: ownYields }: Credential,
  /** From 0 up to 1: which of several central keys. */
  random: () => number,
): UpstreamCredential | Refusal {
  if (!actor.verified && provider.keys.length > 0) return new Refusal("byok_not_accepted");
  // Beside a header that says who is calling, or with no identity but the key itself, the client's key is a provider key.
  const counts = (governed && !(ownYields && provider.keys.length > 0)) || !actor.verified;
  if (counts && (own?.from === "authorization" || own?.from === "x-api-key")) {
    const header = provider.dialect.ownKeyHeader(own.value, own.from);
    return { kind: "byok", hint: credentialHint(own.value), header, centralKey: null };
  }
  const { keys } = provider;
  const key = keys.length > 1 ? keys[Math.floor(random() * keys.length)] : keys[0];
  if (key === undefined) return new Refusal("provider_key_missing");
  return {
    kind: "centralized",
    hint: credentialHint(key),
    header: provider.dialect.keyHeader(key),
    centralKey: key,
  };
}

/** Coder's form: 4 characters of each end from a length of 20 on, 2 from 10, 1 from 5; shorter keys have none. */
export function credentialHint(key: string): string | null {
  const shown = key.length >= 20 ? 4 : key.length >= 10 ? 2 : key.length >= 5 ? 1 : 0;
  return shown === 0 ? null : `${key.slice(0, shown)}...${key.slice(-shown)}`;
}
