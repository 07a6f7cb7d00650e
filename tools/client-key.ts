/** Client keys, the admin token, and the entries of the secret CLIENT_KEYS. */
import { createHash, randomBytes } from "node:crypto";
import { readActorId as readId } from "../src/shared/actor-id.ts";
import { CLIENT_KEY_PREFIX } from "../src/gateway/identity/credential.ts";

const KEY_BYTES = 32;

export type ActorKind = "user" | "service";

/** One entry of CLIENT_KEYS. It holds only the key's SHA-256, so a stolen entry cannot be used to call. */
export type KeyEntry = {
  readonly sha256: string;
  readonly actor: string;
  readonly kind: ActorKind;
  readonly name?: string;
  /** true: counts as listed; false: may never assert owners; absent: OWNER_ASSERTION.allow decides. */
  readonly assert?: boolean;
};

export type KeyHolder = Omit<KeyEntry, "sha256">;

/** A new random key of 256 bits: `aei_` and 43 base64url characters. */
export function mintKey(): string {
  return CLIENT_KEY_PREFIX + randomBytes(KEY_BYTES).toString("base64url");
}

/**
 * A new token for the records API: 256 random bits. It has the prefix of client keys, so that the gateway never forwards
 * one that is sent to it by mistake.
 */
export function mintAdminToken(): string {
  return `${CLIENT_KEY_PREFIX}admin-${randomBytes(KEY_BYTES).toString("base64url")}`;
}

/** A new key of the events' MACs (EVENT_MAC_KEY): 256 random bits, with the same prefix. */
export function mintMacKey(): string {
  return `${CLIENT_KEY_PREFIX}mac-${randomBytes(KEY_BYTES).toString("base64url")}`;
}

/** The stored form of a key or token: 64 hex digits. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export function entryFor(key: string, holder: KeyHolder): KeyEntry {
  return { sha256: sha256(key), ...holder };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID_V4 = /^.{14}4.{4}[89ab]/;

/**
 * The actor's id in its canonical form, or the problem with it. A UUID must be a Coder user's: lowercase, version 4,
 * variant 8 to b. Any other would never equal the id that Coder Agents sends.
 */
export function readActorId(text: string): { readonly id: string } | { readonly problem: string } {
  const id = readId(text);
  if (id === null) {
    const form = "must begin with a letter or digit and have up to 96 of A-Z a-z 0-9 . _ : @ -";
    return { problem: `${form} (and must not begin with byok:)` };
  }
  if (!UUID.test(id)) return { id };
  return UUID_V4.test(id)
    ? { id }
    : { problem: "is a UUID, and must then be a Coder user's: version 4, variant 8 to b" };
}
