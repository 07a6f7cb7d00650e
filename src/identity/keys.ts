/**
 * Source `keys`: client keys issued by `npm run keys`. The secret `CLIENT_KEYS` holds a JSON array of entries with the
 * SHA-256 of each key, never a key.
 */
import { Refusal } from "../refusal.ts";
import { canonicalId } from "../uuid.ts";
import { CLIENT_KEY_PREFIX } from "./credential.ts";
import type { Actor, Identify, IdentitySource, Problems } from "./identity.ts";

const SECRET_NAME = "CLIENT_KEYS";
/** At most 96 bytes, so that every id fits an Analytics Engine index whole. */
const ACTOR_ID = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,95}$/;

export const keys: IdentitySource = {
  source: "keys",
  verifies: true,
  configure: (options, secret, problems) => {
    for (const key of Object.keys(options)) if (key !== "source") problems(key, "is not an option of keys");
    return byDigest(readEntries(secret(SECRET_NAME), problems));
  },
};

type Entry = { readonly digest: Uint8Array; readonly actor: Actor };

/**
 * Finds the entry by the digest's first bytes and then compares the whole digest in constant time. What the look-up's
 * time could tell is a prefix of a stored SHA-256, which brings nobody nearer to a key.
 */
function byDigest(entries: ReadonlyMap<string, Entry>): Identify {
  return ({ identity }) => {
    const entry = entries.get(identity.sha256.slice(0, 16));
    if (entry && crypto.subtle.timingSafeEqual(entry.digest, fromHex(identity.sha256))) return entry.actor;
    return identity.value.startsWith(CLIENT_KEY_PREFIX)
      ? new Refusal("credential_unknown", "no such client key")
      : null;
  };
}

function readEntries(text: string | null, problems: Problems): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
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
    const report: Problems = (key, problem) => problems(`${SECRET_NAME}[${at}]${key && `.${key}`}`, problem);
    const entry = readEntry(item, report);
    if (!entry) return;
    if (entries.has(entry.actor.keyId)) return report("sha256", "is listed twice");
    entries.set(entry.actor.keyId, entry);
  });
  return entries;
}

const ENTRY_KEYS = ["sha256", "actor", "kind", "name", "assert"];

/** One entry, or null after reporting all that is wrong with it. */
function readEntry(item: unknown, report: Problems): Entry | null {
  if (typeof item !== "object" || item === null || Array.isArray(item)) {
    report("", "is not an object");
    return null;
  }
  const { sha256, actor, kind, name, assert, ...unknown } = item as Record<string, unknown>;
  let wrong = 0;
  const problem = (key: string, text: string): void => {
    wrong += 1;
    report(key, text);
  };
  for (const key of Object.keys(unknown)) problem(key, `is unknown; known are ${ENTRY_KEYS.join(", ")}`);
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256))
    problem("sha256", "is not 64 lower-case hex digits");
  if (typeof actor !== "string" || !ACTOR_ID.test(actor))
    problem("actor", `is not an id (${ACTOR_ID.source})`);
  if (kind !== "user" && kind !== "service") problem("kind", 'is neither "user" nor "service"');
  if (name !== undefined && (typeof name !== "string" || name.length > 200))
    problem("name", "is not a text of up to 200 characters");
  if (assert !== undefined && typeof assert !== "boolean") problem("assert", "is neither true nor false");
  if (wrong > 0) return null;
  return {
    digest: fromHex(sha256 as string),
    actor: {
      id: canonicalId(actor as string),
      kind: kind as "user" | "service",
      name: (name as string | undefined) ?? null,
      source: "keys",
      verified: true,
      keyId: (sha256 as string).slice(0, 16),
      mayAssert: (assert as boolean | undefined) ?? null,
    },
  };
}

function fromHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}
