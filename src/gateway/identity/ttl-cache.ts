/**
 * What was found out of a credential, for a while: by the whole SHA-256, so many at most. All entries of a memory live
 * about as long, so the oldest, which makes room, is the one that would go next.
 */
export type TtlCache<T> = {
  /** null where there is none, or no longer. */
  readonly get: (sha256: string) => T | null;
  /** `until`: milliseconds since 1970. */
  readonly set: (sha256: string, value: T, until: number) => void;
};

/** At some 500 bytes each: whatever strangers send, a memory takes no more than a few megabytes. */
export const MAX_ENTRIES = 10_000;

export function createTtlCache<T>(now: () => number, most = MAX_ENTRIES): TtlCache<T> {
  const kept = new Map<string, { readonly value: T; readonly until: number }>();
  return {
    get: (sha256) => {
      const entry = kept.get(sha256);
      if (!entry) return null;
      if (now() < entry.until) return entry.value;
      kept.delete(sha256);
      return null;
    },
    set: (sha256, value, until) => {
      if (until <= now()) return;
      // Deleted first, so that it comes to stand last.
      kept.delete(sha256);
      const [oldest] = kept.size >= most ? kept.keys() : [];
      if (oldest !== undefined) kept.delete(oldest);
      kept.set(sha256, { value, until });
    },
  };
}
