/**
 * Source `keys`: client keys issued by `npm run keys`. The secret `CLIENT_KEYS` holds a JSON array of entries with the
 * SHA-256 of each key, never a key; with `store`, a KV namespace holds further ones, each by itself. The secret is asked
 * first.
 */
import { Refusal } from "../../../shared/refusal.ts";
import { CLIENT_KEY_PREFIX, type Secret } from "../credential.ts";
import type { IdentitySource, ReportIssue, SourceSetup } from "../identity.ts";
import { matchesKey, readKeyEntry, type KeyEntry } from "../client-key-entry.ts";
import { createKeyStore, type KeyNamespace, type LookupKey } from "../client-key-store.ts";

const SECRET_NAME = "CLIENT_KEYS";

export const keys: IdentitySource = {
  source: "keys",
  verifies: true,
  configure: (setup) => {
    const store = setup.options.text("store");
    const lookUpKey = store === null ? noStore : configureStore(store, setup);
    const text = setup.secret(SECRET_NAME, store === null ? "needed" : "optional");
    const entries = readEntries(text, setup.report);
    const listed = memoize(({ sha256 }): KeyEntry | null => {
      // What the look-up's time could tell is a prefix of a stored SHA-256, which brings nobody nearer to a key.
      const entry = entries.get(sha256.slice(0, 16));
      return entry && matchesKey(entry, sha256) ? entry : null;
    });
    return {
      recognizes: (secret) => secret.value.startsWith(CLIENT_KEY_PREFIX) || listed(secret) !== null,
      identify: ({ identity }) => {
        if (identity === null) return null;
        // Only what looks like a key of ours is worth a question to the store.
        const others = identity.value.startsWith(CLIENT_KEY_PREFIX) ? lookUpKey : noKeyOfOurs;
        return listed(identity)?.actor ?? others(identity.sha256);
      },
    };
  },
};

/**
 * To compare in constant time is dear, and the same few keys come again and again, each several times a request. Only who
 * was found is remembered, by the whole digest; there are no more of them than entries.
 */
function memoize(find: (secret: Secret) => KeyEntry | null): (secret: Secret) => KeyEntry | null {
  const known = new Map<string, KeyEntry>();
  return (secret) => {
    const remembered = known.get(secret.sha256);
    if (remembered) return remembered;
    const found = find(secret);
    if (found) known.set(secret.sha256, found);
    return found;
  };
}

const noStore = (): Refusal => new Refusal("invalid_credential", { detail: "no such client key" });
const noKeyOfOurs = (): null => null;

const BINDING_NAME = /^[A-Z][A-Z0-9_]*$/;

function configureStore(
  name: string,
  { options, binding, report: problems, deps: world }: SourceSetup,
): LookupKey {
  const knownMs = options.count("cache_ttl_s", 0, 300, 30) * 1000;
  if (!BINDING_NAME.test(name)) {
    problems("store", `is not the name of a binding (${BINDING_NAME.source})`);
    return noStore;
  }
  const namespace = binding<KeyNamespace>(name, "getWithMetadata", "a KV namespace");
  return namespace ? createKeyStore(namespace, knownMs, world) : noStore;
}

function readEntries(text: string | null, problems: ReportIssue): ReadonlyMap<string, KeyEntry> {
  const entries = new Map<string, KeyEntry>();
  if (text === null) return entries;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    list = null;
  }
  if (!Array.isArray(list)) {
    problems(SECRET_NAME, "is not a JSON array");
    return entries;
  }
  list.forEach((item: unknown, at) => {
    const report: ReportIssue = (key, problem) =>
      problems(`${SECRET_NAME}[${at}]${key && `.${key}`}`, problem);
    const entry = readKeyEntry(item, report);
    if (!entry) return;
    if (entries.has(entry.actor.keyId)) return report("sha256", "is listed twice");
    entries.set(entry.actor.keyId, entry);
  });
  return entries;
}
