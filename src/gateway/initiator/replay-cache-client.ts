/**
 * The client of the replay cache: has this signature been accepted before? The cache is a Durable Object
 * (`replay-cache-shard.ts`): of two concurrent queries for one signature, exactly one must be reported as the first
 * use. KV is eventually consistent and would report both as the first.
 */
import type { LogOperatorEvent } from "../../shared/operator-log.ts";
import { queryShard } from "./query-shard.ts";

/**
 * Records the signature and returns whether this is its first use. `mac`: its MAC, or the hash of its key's id and nonce, in
 * hexadecimal digits. `until`: the time, in milliseconds since 1970, until which it must be remembered; after it the signature
 * itself has expired. Never rejects.
 */
export type ReplayCache = (mac: string, until: number) => Promise<"first" | "again" | "down">;

export type ReplayCacheDeps = {
  /** Receives each failure of the cache. */
  readonly logError: LogOperatorEvent;
  /** A new UUID of version 4: no caller can know it, and no two queries have the same. */
  readonly randomUuid: () => string;
};

/** Shards by the first byte: 256 shards with equal load. */
export function createReplayCache(
  namespace: DurableObjectNamespace,
  { logError, randomUuid }: ReplayCacheDeps,
): ReplayCache {
  return async (mac, until) => {
    // By the token the shard recognizes the second try of a query whose response was lost.
    const url = `https://nonces.invalid/?mac=${mac}&until=${until}&token=${randomUuid()}`;
    const result = await queryShard(namespace, mac.slice(0, 2), url);
    if (result === FIRST_USE) return "first";
    if (result === ALREADY_USED) return "again";
    const reason = typeof result === "string" ? result : `status ${result}`;
    logError({ event: "replay_cache_failed", reason });
    return "down";
  };
}

/** The status codes of the shard's responses. */
export const FIRST_USE = 201;
export const ALREADY_USED = 409;
