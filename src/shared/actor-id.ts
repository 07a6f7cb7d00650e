/** The ids and names that a verifying source may give an actor. Every source uses the same grammar and form. */
import { canonicalId, isRfcVariant, isUuid, isVersion4 } from "./uuid.ts";

/** At most 96 bytes, so that every id fits an Analytics Engine index without truncation. */
export const ACTOR_ID = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,95}$/;

/** The id in canonical form (a UUID in lowercase); null if it is not an id, or looks like a provider key's fingerprint. */
export function readActorId(value: unknown): string | null {
  if (typeof value !== "string" || !ACTOR_ID.test(value) || value.toLowerCase().startsWith("byok:"))
    return null;
  return canonicalId(value);
}

/** A Coder user's id, by which clients name owners: a version 4 UUID, in lowercase. null if it is anything else. */
export function readUserId(value: unknown): string | null {
  const isUserId = typeof value === "string" && isUuid(value) && isVersion4(value) && isRfcVariant(value);
  return isUserId ? value.toLowerCase() : null;
}

const MAX_NAME = 200;

/** A display name; null if the value is not a string, is blank, or has more than 200 characters. */
export function readName(value: unknown): string | null {
  return typeof value === "string" && value.trim() !== "" && value.length <= MAX_NAME ? value : null;
}
