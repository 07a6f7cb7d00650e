/** The stored entry of a client key: its actor and its SHA-256, never the key. The secret and KV use the same format. */
import { isSameDigest, keyIdOf } from "../../shared/digest.ts";
import type { ReportIssue } from "../../shared/config/fields.ts";
import { asObject } from "../../shared/json.ts";
import { ACTOR_ID, readActorId } from "../../shared/actor-id.ts";
import type { Actor } from "./identity.ts";

export type KeyEntry = { readonly sha256: string; readonly actor: Actor };

const ENTRY_KEYS = ["sha256", "actor", "kind", "name", "assert"];

/** @returns the entry, or null after reporting every issue in it. */
export function readKeyEntry(item: unknown, report: ReportIssue): KeyEntry | null {
  const fields = asObject(item);
  if (fields === null) {
    report("", "must be an object");
    return null;
  }
  const { sha256, actor, kind, name, assert, ...unknown } = fields;
  let issues = 0;
  const addIssue = (key: string, issue: string): void => {
    issues += 1;
    report(key, issue);
  };
  const id = readActorId(actor);
  for (const key of Object.keys(unknown))
    addIssue(key, `must not be set (known keys: ${ENTRY_KEYS.join(", ")})`);
  if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256))
    addIssue("sha256", "must be 64 lowercase hex digits");
  if (id === null) addIssue("actor", `must match ${ACTOR_ID.source} and must not start with "byok:"`);
  if (kind !== "user" && kind !== "service") addIssue("kind", 'must be "user" or "service"');
  if (name !== undefined && (typeof name !== "string" || name.length > 200))
    addIssue("name", "must be a string of at most 200 characters");
  if (assert !== undefined && typeof assert !== "boolean") addIssue("assert", "must be true or false");
  if (issues > 0) return null;
  return {
    sha256: sha256 as string,
    actor: {
      id: id as string,
      kind: kind as "user" | "service",
      name: (name as string | undefined) ?? null,
      source: "keys",
      verified: true,
      keyId: keyIdOf(sha256 as string),
      mayAssert: (assert as boolean | undefined) ?? null,
    },
  };
}

/** Compares the whole digest in constant time. */
export function matchesKey(entry: KeyEntry, sha256: string): boolean {
  return isSameDigest(entry.sha256, sha256);
}
