/** Client keys and the entries of the secret CLIENT_KEYS that stand for them. */
import { createHash, randomBytes } from "node:crypto";
import { readActorId as readId } from "../src/gateway/identity/actor-id.ts";
import { CLIENT_KEY_PREFIX } from "../src/gateway/identity/credential.ts";

const KEY_BYTES = 32;

export type ActorKind = "user" | "service";

/** One entry of CLIENT_KEYS. It holds the key's SHA-256, so what is stored cannot be used to call. */
export type KeyEntry = {
  readonly sha256: string;
  readonly actor: string;
  readonly kind: ActorKind;
  readonly name?: string;
  /** true: may assert owners also where only listed actors may; false: never; absent: as the config says. */
  readonly assert?: boolean;
};

export type KeyHolder = Omit<KeyEntry, "sha256">;

/** A new random key: `aei_` and 43 base64url characters, 256 bits. */
export function mintKey(): string {
  return CLIENT_KEY_PREFIX + randomBytes(KEY_BYTES).toString("base64url");
}

/**
 * A new token for the API over the records: 256 random bits. It begins as client keys do, so that one put in the wrong
 * place is never forwarded to a provider.
 */
export function mintAdminToken(): string {
  return `${CLIENT_KEY_PREFIX}admin-${randomBytes(KEY_BYTES).toString("base64url")}`;
}

/** What is stored of a key or token: 64 hex digits. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export function entryFor(key: string, holder: KeyHolder): KeyEntry {
  return { sha256: sha256(key), ...holder };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID_V4 = /^.{14}4.{4}[89ab]/;

/**
 * The actor's id in its one form, or what is wrong with it. A UUID is a Coder user's, and those are lower case,
 * version 4, variant 8 to b: any other would never equal what Coder Agents sends.
 */
export function readActorId(text: string): { readonly id: string } | { readonly problem: string } {
  const id = readId(text);
  if (id === null) {
    const form = "begins with a letter or digit and has up to 96 of A-Z a-z 0-9 . _ : @ -";
    return { problem: `${form} (and does not begin with byok:)` };
  }
  if (!UUID.test(id)) return { id };
  return UUID_V4.test(id)
    ? { id }
    : { problem: "is a UUID, and a Coder user's is of version 4, variant 8 to b" };
}
