/**
 * A bounded in-memory cache whose entries expire. All entries of one cache have about the same TTL, so the oldest entry,
 * which is evicted when the cache is full, is also the next one to expire. Expired entries go when another one is set.
 */
export type TtlCache<T> = {
  /** Returns null if there is no entry, or if it has expired. */
  readonly get: (key: string) => T | null;
  /** `until`: when the entry expires, in milliseconds since 1970. An entry that has already expired is not stored. */
  readonly set: (key: string, value: T, until: number) => void;
};

/** At about 500 bytes per entry, a cache takes at most a few megabytes, however many keys attackers send. */
export const MAX_ENTRIES = 10_000;

export function createTtlCache<T>(now: () => number, maxEntries = MAX_ENTRIES): TtlCache<T> {
  const entries = new Map<string, { readonly value: T; readonly until: number }>();
  return {
    get: (key) => {
      const entry = entries.get(key);
      if (!entry) return null;
      if (now() < entry.until) return entry.value;
      entries.delete(key);
      return null;
    },
    set: (key, value, until) => {
      if (until <= now()) return;
      // A Map keeps the position of a key that is overwritten. Deleting it first makes it the newest entry.
      entries.delete(key);
      for (const [oldest, entry] of entries) {
        if (entries.size < maxEntries && now() < entry.until) break;
        entries.delete(oldest);
      }
      entries.set(key, { value, until });
    },
  };
}
