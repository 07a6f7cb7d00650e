/**
 * Asks a backend about a credential, once for many requests: who is known stays known for a while, also while the
 * backend is down, and never for longer; who is refused stays refused for a shorter one; no answer is nobody's.
 */
import { Refusal } from "../../shared/refusal.ts";
import { createSingleFlight, TIMED_OUT } from "./single-flight.ts";
import type { Actor } from "./identity.ts";
import { createTtlCache } from "../../shared/ttl-cache.ts";

export type CachedLookupOptions = {
  /** How long an actor is taken for known: what was revoked is refused within this time. */
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
  readonly timeoutMs: number;
};

export type LookupResult = Actor | Refusal;

/** `ask` never rejects. Refuses what it refuses, and `identity_unavailable` where it does not answer in time. */
export type CachedLookup = (
  sha256: string,
  ask: () => Promise<LookupResult>,
) => LookupResult | Promise<LookupResult>;

export function createCachedLookup(
  { ttlMs: knownMs, negativeTtlMs: refusedMs, timeoutMs }: CachedLookupOptions,
  now: () => number,
): CachedLookup {
  // Apart, so that strangers displace only strangers.
  const known = createTtlCache<Actor>(now);
  const refused = createTtlCache<Refusal>(now);
  const fly = createSingleFlight<LookupResult>(timeoutMs, now);

  const find = async (sha256: string, ask: () => Promise<LookupResult>): Promise<LookupResult> => {
    // What is revoked while we ask may still be in the answer: its time runs from the question.
    const asked = now();
    const verdict = await ask();
    if (!(verdict instanceof Refusal)) known.set(sha256, verdict, asked + knownMs);
    else if (verdict.code !== "identity_unavailable") refused.set(sha256, verdict, asked + refusedMs);
    return verdict;
  };

  return (sha256, ask) =>
    known.get(sha256) ??
    refused.get(sha256) ??
    fly(sha256, () => find(sha256, ask)).then((verdict) =>
      verdict === TIMED_OUT
        ? new Refusal("identity_unavailable", { detail: `no response within ${timeoutMs} ms` })
        : verdict,
    );
}
