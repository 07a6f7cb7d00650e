/**
 * Client keys in a KV namespace: SHA-256 of the key in hex → its entry in JSON. Receives the digest, hands on the entry's
 * actor. A store that does not answer knows nobody: `identity_unavailable`.
 *
 * A revoked key is refused within 60 s (KV's own caches) and `cache_ttl_s` (ours): with its default, 90 s. A new one that
 * was tried before it was stored is known within 70 s. Nothing is stored here.
 */
import { Refusal } from "../../shared/refusal.ts";
import type { SourceDeps } from "./identity.ts";
import { matchesKey, readKeyEntry } from "./client-key-entry.ts";
import { createCachedLookup, type LookupResult } from "./cached-lookup.ts";

/** Of a KV namespace what is used here, and the method by which it is known for one. */
export type KeyNamespace = {
  get(key: string, options: { readonly type: "text"; readonly cacheTtl: number }): Promise<string | null>;
  getWithMetadata: unknown;
};

/** By the whole SHA-256 in hex; null is nobody's answer here. */
export type LookupKey = (sha256: string) => LookupResult | Promise<LookupResult>;

/** How long KV may answer from the caches near the caller, in seconds: its own default, and the least it ever took. */
const KV_CACHE_S = 60;
const REFUSED_MS = 10_000;
const TIMEOUT_MS = 5000;

export function createKeyStore(
  namespace: KeyNamespace,
  knownMs: number,
  { now, logError }: SourceDeps,
): LookupKey {
  const look = createCachedLookup({ ttlMs: knownMs, negativeTtlMs: REFUSED_MS, timeoutMs: TIMEOUT_MS }, now);
  return (sha256) => look(sha256, () => queryStore(namespace, sha256, logError));
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
    const name = error instanceof Error ? error.name : "unknown";
    return new Refusal("identity_unavailable", { detail: `keys: the store failed (${name})` });
  }
  if (text === null) return new Refusal("invalid_credential", { detail: "no such client key" });
  const problems: string[] = [];
  const entry = readKeyEntry(parse(text), (key, problem) => void problems.push(`${key} ${problem}`.trim()));
  if (entry && matchesKey(entry, sha256)) return entry.actor;
  // By the digest's beginning, as lists of keys show it.
  const what = entry ? "is another key's" : problems.join(", ");
  logError(`keys: the entry ${sha256.slice(0, 16)} in the store cannot be used: ${what}`);
  return new Refusal("invalid_credential", { detail: "keys: the entry in the store cannot be used" });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
