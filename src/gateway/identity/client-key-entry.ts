/** What is stored of a client key: whose it is, and its SHA-256, never the key. The same in the secret and in KV. */
import { ACTOR_ID, readActorId } from "./actor-id.ts";
import type { Actor, ReportIssue } from "./identity.ts";

export type KeyEntry = { readonly digest: Uint8Array; readonly actor: Actor };

const ENTRY_KEYS = ["sha256", "actor", "kind", "name", "assert"];

/** One entry, or null after reporting all that is wrong with it. */
export function readKeyEntry(item: unknown, report: ReportIssue): KeyEntry | null {
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
  const id = readActorId(actor);
  for (const key of Object.keys(unknown)) problem(key, `is unknown; known are ${ENTRY_KEYS.join(", ")}`);
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256))
    problem("sha256", "is not 64 lower-case hex digits");
  if (id === null) problem("actor", `is not an id (${ACTOR_ID.source})`);
  if (kind !== "user" && kind !== "service") problem("kind", 'is neither "user" nor "service"');
  if (name !== undefined && (typeof name !== "string" || name.length > 200))
    problem("name", "is not a text of up to 200 characters");
  if (assert !== undefined && typeof assert !== "boolean") problem("assert", "is neither true nor false");
  if (wrong > 0) return null;
  return {
    digest: fromHex(sha256 as string),
    actor: {
      id: id as string,
      kind: kind as "user" | "service",
      name: (name as string | undefined) ?? null,
      source: "keys",
      verified: true,
      keyId: (sha256 as string).slice(0, 16),
      mayAssert: (assert as boolean | undefined) ?? null,
    },
  };
}

/** Compares the whole digest in constant time. */
export function matchesKey({ digest }: KeyEntry, sha256: string): boolean {
  return crypto.subtle.timingSafeEqual(digest, fromHex(sha256));
}

function fromHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}
