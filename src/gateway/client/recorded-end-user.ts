/** The end user that a client names, as `RECORDING` permits to record it. */
import type { Redact } from "../../events/redaction.ts";
import { cacheDigests, type CachedDigest } from "../../shared/digest-cache.ts";
import { keyedHash, sha256Hex } from "../../shared/digest.ts";
import { truncate } from "../../shared/text.ts";

const MAX_RECORDED = 256;
const HASH_DIGITS = 32;

export type EndUserRules = {
  /** How the client's word for its own user is recorded. */
  readonly endUsers: "hashed" | "clear" | "dropped";
  /** The key of that hash; null where it has none. */
  readonly endUserKey: string | null;
};

/** The end user as it is recorded; null where it is not. */
export type ToRecordedEndUser = (endUser: string) => string | null | Promise<string | null>;

/**
 * - `clear`: redacted and truncated.
 * - `hashed`: the first 32 hex digits of the HMAC-SHA256 with the deployment's key (`hmac:…`), or without a key of the
 *   SHA-256 (`sha256:…`), of the text in UTF-8. The same user has the same value in every record.
 * - `dropped`: null.
 */
export function createEndUserRecording(
  { endUsers, endUserKey }: EndUserRules,
  redact: Redact,
  hash: (text: string) => Promise<string>,
): ToRecordedEndUser {
  if (endUsers === "dropped") return () => null;
  if (endUsers === "clear") return (endUser) => truncate(redact(endUser), MAX_RECORDED);
  return labelled(endUserKey === null ? "sha256" : "hmac", hash);
}

/** An agent sends the same user with every request. */
const labelled = (label: string, digest: (text: string) => Promise<string>): CachedDigest =>
  cacheDigests(async (text) => `${label}:${(await digest(text)).slice(0, HASH_DIGITS)}`);

/**
 * 64 hex digits that stand for a text which is not recorded: its HMAC-SHA256 with the deployment's key, or without a key its
 * SHA-256. Without a key, who can guess the text can confirm it.
 */
export const createTextHash = ({ endUserKey }: EndUserRules): ((text: string) => Promise<string>) =>
  endUserKey === null ? sha256Hex : keyedHash(endUserKey);
