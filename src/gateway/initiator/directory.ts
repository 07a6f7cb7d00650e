/**
 * The directory: looks up whether an owner is an active user of Coder, and the user's name. It queries Coder's API with
 * a lookup token and caches each result. Concurrent lookups are not coalesced, so that no request waits for another
 * one's.
 */
import { fetchText } from "../../shared/http/fetch-text.ts";
import { parseObject } from "../../shared/json.ts";
import type { LogOperatorEvent } from "../../shared/operator-log.ts";
import { createTtlCache } from "../../shared/ttl-cache.ts";

export type DirectoryOptions = {
  /** The base URL of Coder, without a trailing slash. */
  readonly url: string;
  readonly token: string;
  /** TTL of the cache for active users. */
  readonly cacheMs: number;
  /** TTL of the negative cache for unknown and inactive users. */
  readonly negativeMs: number;
  readonly timeoutMs: number;
};

export type DirectoryLookup =
  | { readonly status: "active"; readonly username: string | null }
  | { readonly status: "unknown" | "inactive" | "down" };

/** Never rejects. `id` is an owner's id in its canonical form. */
export type Directory = (id: string) => Promise<DirectoryLookup>;

/** A user with all its roles and organizations takes a few KB. */
export const MAX_RESPONSE_BYTES = 256 * 1024;

export type DirectoryDeps = {
  readonly fetch: typeof fetch;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Receives each failure of the directory. */
  readonly logError: LogOperatorEvent;
};

export function createCoderDirectory(
  options: DirectoryOptions,
  { fetch: fetcher, now, logError }: DirectoryDeps,
): Directory {
  // Separate caches: lookups of made-up ids evict other negative entries, never an active user.
  const active = createTtlCache<DirectoryLookup>(now);
  const negative = createTtlCache<DirectoryLookup>(now);
  return async (id) => {
    const cached = active.get(id) ?? negative.get(id);
    if (cached) return cached;
    // The TTL starts when the query is sent: a user suspended during the query may still be active in its response.
    const queriedAt = now();
    const lookup = await fetchUser(id, options, fetcher);
    if (typeof lookup === "string") {
      logError({ event: "directory_failed", reason: lookup });
      return { status: "down" };
    }
    if (lookup.status === "active") active.set(id, lookup, queriedAt + options.cacheMs);
    else negative.set(id, lookup, queriedAt + options.negativeMs);
    return lookup;
  };
}

/** Returns the lookup, or a text that says why it failed. */
async function fetchUser(
  id: string,
  { url, token, timeoutMs }: DirectoryOptions,
  fetcher: typeof fetch,
): Promise<DirectoryLookup | string> {
  const response = await fetchText(fetcher, {
    url: `${url}/api/v2/users/${id}`,
    headers: { "coder-session-token": token, accept: "application/json" },
    timeoutMs,
    maxBytes: MAX_RESPONSE_BYTES,
  });
  if ("failure" in response) return response.failure;
  // Coder also responds 404 for users that the token may not see, and 400 for an id that it does not recognize as one.
  if (response.status === 404 || response.status === 400) return { status: "unknown" };
  return response.status === 200 ? readUser(id, response.text) : `status ${response.status}`;
}

function readUser(id: string, text: string): DirectoryLookup | string {
  const { id: userId, status, username } = parseObject(text) ?? {};
  if (typeof userId !== "string" || typeof status !== "string") return "the response is not a user";
  // Another user's record says nothing about this one.
  if (userId.toLowerCase() !== id) return { status: "unknown" };
  if (status !== "active") return { status: "inactive" };
  return {
    status: "active",
    username: typeof username === "string" && USERNAME.test(username) ? username : null,
  };
}

/** Coder's own rule is stricter. A name that does not match is not recorded. */
const USERNAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
