/**
 * Source `keys`: client keys issued by `npm run keys`. The secret `CLIENT_KEYS` holds a JSON array of entries, each with
 * the SHA-256 of a key and never the key. With `store`, a KV namespace holds further entries. The secret is read first.
 */
import { keyIdOf } from "../../../shared/digest.ts";
import type { ReportIssue } from "../../../shared/config/fields.ts";
import { parseJson } from "../../../shared/json.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { matchesKey, readKeyEntry, type KeyEntry } from "../client-key-entry.ts";
import { createKeyStore, type KeyNamespace, type LookupKey } from "../client-key-store.ts";
import { CLIENT_KEY_PREFIX, type Secret } from "../credential.ts";
import type { IdentitySource, SourceSetup } from "../identity.ts";

const SECRET_NAME = "CLIENT_KEYS";

export const keys: IdentitySource = {
  source: "keys",
  verifies: true,
  configure: (setup) => {
    const store = setup.options.text("store");
    const lookUpKey = store === null ? noStore : configureStore(store, setup);
    const text = setup.secret(SECRET_NAME, store === null ? "needed" : "optional");
    const entries = readEntries(text, setup.report);
    const findListed = memoize(({ sha256 }): KeyEntry | null => {
      // The timing of this lookup can reveal only a prefix of a stored SHA-256, which does not help to find a key.
      const entry = entries.get(keyIdOf(sha256));
      return entry && matchesKey(entry, sha256) ? entry : null;
    });
    return {
      recognizes: (secret) => secret.value.startsWith(CLIENT_KEY_PREFIX) || findListed(secret) !== null,
      identify: async ({ identity }) => {
        if (identity === null) return null;
        const listed = findListed(identity);
        if (listed !== null) return listed.actor;
        // Only a key with this gateway's prefix is worth a read of the store.
        return identity.value.startsWith(CLIENT_KEY_PREFIX) ? lookUpKey(identity.sha256) : null;
      },
    };
  },
};

/**
 * A constant-time comparison is expensive, and the same few keys are sent again and again, each compared several times per
 * request. Only matches are cached, by the whole digest, so the cache has at most as many entries as the list.
 */
function memoize(find: (secret: Secret) => KeyEntry | null): (secret: Secret) => KeyEntry | null {
  const matches = new Map<string, KeyEntry>();
  return (secret) => {
    const cached = matches.get(secret.sha256);
    if (cached) return cached;
    const entry = find(secret);
    if (entry) matches.set(secret.sha256, entry);
    return entry;
  };
}

const noStore: LookupKey = async () => new Refusal("invalid_credential", { detail: "no such client key" });

const BINDING_NAME = /^[A-Z][A-Z0-9_]*$/;

function configureStore(name: string, { options, binding, report, deps }: SourceSetup): LookupKey {
  const ttlMs = options.count("cache_ttl_s", 0, 300, 30) * 1000;
  if (!BINDING_NAME.test(name)) {
    report("store", `must be the name of a binding (${BINDING_NAME.source})`);
    return noStore;
  }
  const namespace = binding<KeyNamespace>(name, "getWithMetadata", "a KV namespace");
  return namespace ? createKeyStore(namespace, ttlMs, deps) : noStore;
}

function readEntries(text: string | null, report: ReportIssue): ReadonlyMap<string, KeyEntry> {
  const entries = new Map<string, KeyEntry>();
  if (text === null) return entries;
  const list = parseJson(text);
  if (!Array.isArray(list)) {
    report(SECRET_NAME, "must be a JSON array");
    return entries;
  }
  list.forEach((item: unknown, index) => {
    const reportEntry: ReportIssue = (key, issue) =>
      report(`${SECRET_NAME}[${index}]${key && `.${key}`}`, issue);
    const entry = readKeyEntry(item, reportEntry);
    if (!entry) return;
    if (entries.has(entry.actor.keyId))
      return reportEntry("sha256", "must differ from every other entry in its first 16 digits");
    entries.set(entry.actor.keyId, entry);
  });
  return entries;
}
