/**
 * Client keys in a KV namespace, which maps the SHA-256 of a key in hex to its entry in JSON. This module only reads it.
 * While the namespace cannot be read, lookups fail with `identity_unavailable`.
 *
 * A revoked key is usually rejected within 60 s (KV's own caches) plus `cache_ttl_s` (this gateway's cache): 90 s with the
 * default. A key that was tried before it was stored is accepted after at most 70 s.
 */
import { keyIdOf } from "../../shared/digest.ts";
import { parseJson } from "../../shared/json.ts";
import { errorName } from "../../shared/operator-log.ts";
import { Refusal } from "../../shared/refusal.ts";
import { createCachedLookup, type LookupResult } from "./cached-lookup.ts";
import { matchesKey, readKeyEntry } from "./client-key-entry.ts";
import type { SourceDeps } from "./identity.ts";

/** The part of a KV namespace that is used here, and the method that distinguishes it from other bindings. */
export type KeyNamespace = {
  get(key: string, options: { readonly type: "text"; readonly cacheTtl: number }): Promise<string | null>;
  getWithMetadata: unknown;
};

/** Looks up a key by its whole SHA-256 in hex. */
export type LookupKey = (sha256: string) => Promise<LookupResult>;

/** TTL of KV's caches near the caller, in seconds: KV's default, and the lowest value that it ever required. */
const KV_CACHE_S = 60;
const NEGATIVE_TTL_MS = 10_000;
const TIMEOUT_MS = 5000;

export function createKeyStore(
  namespace: KeyNamespace,
  ttlMs: number,
  { now, logError }: SourceDeps,
): LookupKey {
  const lookUp = createCachedLookup({ ttlMs, negativeTtlMs: NEGATIVE_TTL_MS, timeoutMs: TIMEOUT_MS }, now);
  return (sha256) => lookUp(sha256, () => queryStore(namespace, sha256, logError));
}

async function queryStore(
  namespace: KeyNamespace,
  sha256: string,
  logError: SourceDeps["logError"],
): Promise<LookupResult> {
  let text: string | null;
  try {
    text = await namespace.get(sha256, { type: "text", cacheTtl: KV_CACHE_S });
  } catch (error) {
    return new Refusal("identity_unavailable", { detail: `keys: the store failed (${errorName(error)})` });
  }
  if (text === null) return new Refusal("invalid_credential", { detail: "no such client key" });
  const issues: string[] = [];
  const entry = readKeyEntry(parseJson(text), (key, issue) => void issues.push(`${key} ${issue}`.trim()));
  if (entry && matchesKey(entry, sha256)) return entry.actor;
  const reason = entry ? "sha256 must equal the KV key of the entry" : issues.join(", ");
  // The first 16 digits are the id that `npm run keys` lists.
  logError({ event: "client_key_invalid", key_id: keyIdOf(sha256), reason });
  return new Refusal("invalid_credential", { detail: "keys: the entry in the store is invalid" });
}
