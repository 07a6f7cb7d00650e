/**
 * The replay cache, as it is asked: whether a signature has counted before. A Durable Object (`nonce-shard.ts`) answers,
 * because of two requests that ask at once one must be told that it is the second; KV, eventually consistent, would
 * tell both that they are the first.
 */

/** Until when (milliseconds since 1970) the signature must be remembered: past that, it has expired by itself. */
export type ReplayCache = (mac: string, until: number) => Promise<"first" | "again" | "down">;

const TIMEOUT_MS = 2000;

/** Never rejects. Shards by the first byte of the MAC: 256 of them, each loaded as the others are. */
export function durableReplayCache(
  namespace: DurableObjectNamespace,
  /** For what keeps it from answering. */
  logError: (line: string) => void,
): ReplayCache {
  const down = (why: string): "down" => {
    logError(`replay cache failed: ${why}`);
    return "down";
  };
  return async (mac, until) => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
    try {
      const shard = namespace.get(namespace.idFromName(mac.slice(0, 2)));
      const url = `https://nonces.invalid/?mac=${mac}&until=${until}`;
      const { status } = await shard.fetch(url, { method: "POST", signal: abort.signal });
      if (status === FIRST_USE) return "first";
      return status === ALREADY_USED ? "again" : down(`status ${status}`);
    } catch (error) {
      if (abort.signal.aborted) return down(`no response within ${TIMEOUT_MS} ms`);
      return down(error instanceof Error ? error.name : "unknown");
    } finally {
      clearTimeout(timer);
    }
  };
}

/** The shard's two answers. */
export const FIRST_USE = 201;
export const ALREADY_USED = 409;
