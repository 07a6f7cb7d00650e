/**
 * Decides what follows a failed attempt: another key at once, the same or another key after a wait, or nothing. It
 * decides which key is next; a chain of providers would decide here which provider is next.
 */
import type { RetryRules } from "../provider/provider.ts";
import type { UpstreamCredential } from "./provider-key.ts";
import type { Failure } from "./failure.ts";
import type { KeyPool } from "./key-pool.ts";

export type NextAttempt = {
  readonly credential: UpstreamCredential;
  readonly waitMs: number;
  /** Counts as one of `RetryRules.attempts`: false with another key that is used at once. */
  readonly isRepeat: boolean;
};

export type FailedAttempt = Failure & {
  readonly credential: UpstreamCredential;
  /** The provider's own wish; null where it stated none. */
  readonly retryAfterMs: number | null;
  /** The provider's `x-should-retry: false`. */
  readonly forbidsRetry: boolean;
};

/** The request before its next attempt. */
export type RetryState = {
  /** null where the request has one key. */
  readonly pool: KeyPool | null;
  readonly rules: RetryRules;
  /** The keys that the request was sent with. */
  readonly tried: ReadonlySet<UpstreamCredential>;
  /** The repetitions so far, without the attempts with another key. */
  readonly repeats: number;
  /** Milliseconds until no further attempt may begin. */
  readonly leftMs: number;
  /** The request changes nothing (GET, HEAD), or has an idempotency key that the provider honours. */
  readonly isRepeatable: boolean;
  /** At least 0, below 1. */
  readonly random: () => number;
};

const MAX_WAIT_MS = 30_000;

/** null: the attempt's response is the request's. */
export function nextAttempt(failed: FailedAttempt, state: RetryState): NextAttempt | null {
  const { pool, rules, tried, leftMs, random } = state;
  if (failed.mayHaveRun && rules.repeat !== "any" && !state.isRepeatable) return null;
  if (leftMs <= 0) return null;
  const isOfKey = failed.reason === "key_rejected" || failed.reason === "rate_limited";
  if (isOfKey && pool !== null) {
    const accepts = failed.reason === "key_rejected" ? "not rejected" : "valid";
    const credential = pool.choose(random, accepts, tried);
    if (credential !== null) return { credential, waitMs: 0, isRepeat: false };
  }
  if (failed.reason === "key_rejected" || failed.forbidsRetry || state.repeats >= rules.attempts - 1)
    return null;
  const waitMs = waitFor(failed, state);
  if (waitMs >= leftMs) return null;
  return { credential: keyFor(failed, pool, random), waitMs, isRepeat: true };
}

/**
 * Full jitter (a random part of an exponentially growing time), so that requests that failed together do not return together;
 * after the provider's own time where it states one.
 */
function waitFor(
  { reason, retryAfterMs }: FailedAttempt,
  { pool, rules, repeats, random }: RetryState,
): number {
  const jitter = random() * Math.min(MAX_WAIT_MS, rules.waitMs * 2 ** repeats);
  // Another key may be ready before this one.
  if (reason === "rate_limited" && pool !== null) return pool.readyInMs() + jitter;
  return (retryAfterMs ?? 0) + jitter;
}

/** A provider knows an idempotency key only beside the provider key that it came with. */
function keyFor(
  { credential, mayHaveRun }: FailedAttempt,
  pool: KeyPool | null,
  random: () => number,
): UpstreamCredential {
  return mayHaveRun ? credential : (pool?.choose(random, "not rejected") ?? credential);
}
