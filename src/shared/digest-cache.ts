/** Caches the digests of texts that arrive again and again, such as credentials. */

/** The digest of a text: at once where it is cached. */
export type CachedDigest = (text: string) => string | Promise<string>;

const MAX_ENTRIES = 512;

/**
 * A digest takes a twentieth of the gateway's own time per request. The cache is by the whole text and bounded, so the texts
 * of an attacker cannot fill memory. It decides nothing, because every step continues with the digest.
 */
export function cacheDigests(digest: (text: string) => Promise<string>): CachedDigest {
  const digests = new Map<string, string>();
  const compute = async (text: string): Promise<string> => {
    const computed = await digest(text);
    if (digests.size >= MAX_ENTRIES) digests.clear();
    digests.set(text, computed);
    return computed;
  };
  return (text) => digests.get(text) ?? compute(text);
}
