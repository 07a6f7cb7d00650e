/** An actor's id as a source that verifies may give it: one grammar and one form, whoever vouches for it. */
import { canonicalId, isUuid } from "../../shared/uuid.ts";

/** At most 96 bytes, so that every id fits an Analytics Engine index whole. */
export const ACTOR_ID = /^[A-Za-z0-9][A-Za-z0-9._:@-]{0,95}$/;

/** The id in its one form, a UUID in lower case; null where it is none, or looks like the fingerprint of a provider key. */
export function readActorId(value: unknown): string | null {
  if (typeof value !== "string" || !ACTOR_ID.test(value) || value.toLowerCase().startsWith("byok:"))
    return null;
  return canonicalId(value);
}

/** A Coder user's id, which is what owners are named by: a UUID of version 4 in lower case; null where it is none. */
export function readUserId(value: unknown): string | null {
  return typeof value === "string" && isUuid(value) && /^.{14}4.{4}[89ab]/i.test(value)
    ? value.toLowerCase()
    : null;
}

const MAX_NAME = 200;

/** A name for people to read; null where there is none that is fit for a record. */
export function readName(value: unknown): string | null {
  return typeof value === "string" && value.trim() !== "" && value.length <= MAX_NAME ? value : null;
}
