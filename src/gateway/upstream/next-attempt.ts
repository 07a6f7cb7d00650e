/** Decides what follows a failed attempt at one provider: another key at once, the same or another key after a wait, or nothing. */
import type { RetryRules } from "../provider/provider.ts";
import type { UpstreamCredential } from "./provider-key.ts";
import type { Failure } from "./failure.ts";
import type { KeyPool } from "./key-pool.ts";

export type NextAttempt = {
  readonly credential: UpstreamCredential;
  readonly waitMs: number;
  /** Counts as one of `RetryRules.attempts`: false with another key that is used at once. */
  readonly isRetry: boolean;
  /** It goes to the next provider. */
  readonly isFallback?: true;
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
  /** The retries so far, without the attempts with another key. */
  readonly retries: number;
  /** Milliseconds until no retry may begin. It does not bound an attempt with another key at once. */
  readonly leftMs: number;
  /** Milliseconds that are left for the headers of the response, of all attempts. */
  readonly headersLeftMs: number;
  /** The request changes nothing (GET, HEAD), or has an idempotency key that the provider honours. */
  readonly mayRunTwice: boolean;
  /** The provider knows the request's idempotency key beside the key of the failed attempt only. */
  readonly isPinned: boolean;
  /** At least 0, below 1. */
  readonly random: () => number;
};

const MAX_WAIT_MS = 30_000;
/** An attempt with less time than this for its headers would only cost something. */
export const MIN_HEADERS_MS = 1000;

/** null: the attempt's response is the request's. */
export function nextAttempt(failed: FailedAttempt, state: RetryState): NextAttempt | null {
  const { pool, rules, tried, leftMs, headersLeftMs, random } = state;
  if (failed.reason === "circuit_open" || failed.reason === "busy") return null;
  if (failed.mayHaveRun && rules.retryOn !== "any" && !state.mayRunTwice) return null;
  if (headersLeftMs < MIN_HEADERS_MS) return null;
  const isOfKey = failed.reason === "key_rejected" || failed.reason === "rate_limited";
  if (isOfKey && pool !== null && !state.isPinned) {
    const accepts = failed.reason === "key_rejected" ? "not rejected" : "valid";
    const credential = pool.choose(random, accepts, tried);
    if (credential !== null) return { credential, waitMs: 0, isRetry: false };
  }
  if (failed.reason === "key_rejected" || failed.forbidsRetry || state.retries >= rules.attempts - 1)
    return null;
  const { credential, readyInMs } = readyKey(failed, state);
  // Full jitter: requests that failed together do not return together.
  const waitMs = readyInMs + random() * Math.min(MAX_WAIT_MS, rules.waitMs * 2 ** state.retries);
  if (waitMs >= leftMs || headersLeftMs - waitMs < MIN_HEADERS_MS) return null;
  return { credential, waitMs, isRetry: true };
}

/** The key of a retry, and the milliseconds until the provider may be called with it again. */
function readyKey(
  { credential, reason, retryAfterMs }: FailedAttempt,
  { pool, isPinned, random }: RetryState,
): { readonly credential: UpstreamCredential; readonly readyInMs: number } {
  const readyInMs = retryAfterMs ?? 0;
  if (pool === null || isPinned) return { credential, readyInMs };
  if (reason !== "rate_limited")
    return { credential: pool.choose(random, "not rejected") ?? credential, readyInMs };
  // Another key may be ready before this one.
  const ready = pool.nextReady();
  return ready === null ? { credential, readyInMs } : { credential: ready.credential, readyInMs: ready.inMs };
}
