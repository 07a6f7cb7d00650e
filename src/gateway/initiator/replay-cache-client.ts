/**
 * The client of the replay cache: has this signature been accepted before? The cache is a Durable Object
 * (`replay-cache-shard.ts`): of two concurrent queries for one signature, exactly one must be reported as the first
 * use. KV is eventually consistent and would report both as the first.
 */
import { abortAfter } from "../../shared/deadline.ts";
import { errorName, type LogOperatorEvent } from "../../shared/operator-log.ts";

/**
 * Records the signature's MAC and returns whether this is its first use. `until`: the time, in milliseconds since 1970,
 * until which the MAC must be remembered; after it the signature itself has expired. Never rejects.
 */
export type ReplayCache = (mac: string, until: number) => Promise<"first" | "again" | "down">;

export type ReplayCacheDeps = {
  /** Receives each failure of the cache. */
  readonly logError: LogOperatorEvent;
  /** A new UUID of version 4: no caller can know it, and no two queries have the same. */
  readonly randomUuid: () => string;
};

/** For both tries together. */
const TIMEOUT_MS = 2000;

/**
 * Shards by the MAC's first byte: 256 shards with equal load. A query that fails in a way that Cloudflare calls retryable
 * is sent once more: each deployment of the Worker restarts the objects, and would otherwise reject some signatures.
 */
export function createReplayCache(
  namespace: DurableObjectNamespace,
  { logError, randomUuid }: ReplayCacheDeps,
): ReplayCache {
  const down = (reason: string): "down" => {
    logError({ event: "replay_cache_failed", reason });
    return "down";
  };
  return async (mac, until) => {
    const abort = new AbortController();
    const deadline = abortAfter(TIMEOUT_MS, abort);
    try {
      // By the token the shard recognizes the second try of a query whose response was lost.
      const url = `https://nonces.invalid/?mac=${mac}&until=${until}&token=${randomUuid()}`;
      // A stub that has thrown stays broken, so each try has its own.
      const query = (): Promise<Response> =>
        namespace
          .get(namespace.idFromName(mac.slice(0, 2)))
          .fetch(url, { method: "POST", signal: abort.signal });
      const { status } = await query().catch((error: unknown) => {
        if (abort.signal.aborted || !isRetryable(error)) throw error;
        return query();
      });
      if (status === FIRST_USE) return "first";
      return status === ALREADY_USED ? "again" : down(`status ${status}`);
    } catch (error) {
      if (deadline.hasExpired()) return down(`no response within ${TIMEOUT_MS} ms`);
      return down(errorName(error));
    } finally {
      deadline.clear();
    }
  };
}

/**
 * A transient failure of the platform. A retry makes an overloaded object's state worse.
 * https://developers.cloudflare.com/durable-objects/best-practices/error-handling/
 */
function isRetryable(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { retryable, overloaded } = error as { readonly retryable?: unknown; readonly overloaded?: unknown };
  return retryable === true && overloaded !== true;
}

/** The status codes of the shard's responses. */
export const FIRST_USE = 201;
export const ALREADY_USED = 409;
