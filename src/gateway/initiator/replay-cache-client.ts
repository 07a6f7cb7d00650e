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

const TIMEOUT_MS = 2000;

/** Shards by the MAC's first byte: 256 shards with equal load. `logError` receives each failure of the cache. */
export function createReplayCache(
  namespace: DurableObjectNamespace,
  logError: LogOperatorEvent,
): ReplayCache {
  const down = (reason: string): "down" => {
    logError({ event: "replay_cache_failed", reason });
    return "down";
  };
  return async (mac, until) => {
    const abort = new AbortController();
    const deadline = abortAfter(TIMEOUT_MS, abort);
    try {
      const shard = namespace.get(namespace.idFromName(mac.slice(0, 2)));
      const url = `https://nonces.invalid/?mac=${mac}&until=${until}`;
      const { status } = await shard.fetch(url, { method: "POST", signal: abort.signal });
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

/** The status codes of the shard's responses. */
export const FIRST_USE = 201;
export const ALREADY_USED = 409;
