/**
 * Queries a backend about a credential and caches the result. Concurrent lookups of one credential share one query.
 *
 * - An actor is cached for `ttlMs`, even while the backend is down, and never for longer.
 * - A rejection is cached for `negativeTtlMs`.
 * - A failure of the backend is not cached.
 */
import { TIMED_OUT } from "../../shared/deadline.ts";
import { Refusal } from "../../shared/refusal.ts";
import { createTtlCache } from "../../shared/ttl-cache.ts";
import type { Actor } from "./identity.ts";
import { createSingleFlight } from "../../shared/single-flight.ts";

export type CachedLookupOptions = {
  /** TTL of an actor: a revoked credential is rejected within this time. */
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
  readonly timeoutMs: number;
};

export type LookupResult = Actor | Refusal;

/**
 * `query` must not reject.
 * @returns the actor, the `Refusal` that `query` returned, or `identity_unavailable` if it takes longer than `timeoutMs`.
 */
export type CachedLookup = (sha256: string, query: () => Promise<LookupResult>) => Promise<LookupResult>;

export function createCachedLookup(
  { ttlMs, negativeTtlMs, timeoutMs }: CachedLookupOptions,
  now: () => number,
): CachedLookup {
  // Separate caches, so that unknown credentials evict only unknown credentials.
  const actors = createTtlCache<Actor>(now);
  const rejections = createTtlCache<Refusal>(now);
  const runShared = createSingleFlight<LookupResult>(timeoutMs, now);

  const queryAndCache = async (sha256: string, query: () => Promise<LookupResult>): Promise<LookupResult> => {
    // The TTL runs from the query: a response may still hold an actor whose credential is revoked in the meantime.
    const startedAt = now();
    const result = await query();
    if (!(result instanceof Refusal)) actors.set(sha256, result, startedAt + ttlMs);
    else if (result.code !== "identity_unavailable")
      rejections.set(sha256, result, startedAt + negativeTtlMs);
    return result;
  };

  return async (sha256, query) => {
    const cached = actors.get(sha256) ?? rejections.get(sha256);
    if (cached !== null) return cached;
    const result = await runShared(sha256, () => queryAndCache(sha256, query));
    if (result !== TIMED_OUT) return result;
    return new Refusal("identity_unavailable", { detail: `no response within ${timeoutMs} ms` });
  };
}
