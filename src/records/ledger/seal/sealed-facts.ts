/**
 * The text in an event's column `seal`: how it was stored, and the salts of its commitments.
 *
 * At first it is `<seed>.<time>.<via>.<key id>`, as the ledger writes it (stored-facts.ts), and all salts are derived from the
 * seed. Once a field is erased, the seed has to go, because it would tell the erased field's salt. The text is then JSON: the
 * salts of the fields that remain, and of each erased field its commitment and when it was erased.
 */
import { fromBase64 } from "../../../shared/base64.ts";
import { parseObject } from "../../../shared/json.ts";
import { toBase64Url } from "./bytes.ts";
import { HASH_BYTES, type Hash } from "./merkle.ts";

/** An erased field: what its commitment was, and when it was erased in milliseconds since 1970. */
export type Erased = { readonly commitment: Hash; readonly at: number };

export type SealedFacts = {
  /** Milliseconds since 1970. */
  readonly storedAt: number;
  /** The way by which the event reached the ledger, a letter. */
  readonly via: string;
  /** The id of the key whose MAC was verified; null where there was none. */
  readonly macKeyId: string | null;
  /** 16 bytes, from which all salts are derived; null once a field is erased. */
  readonly seed: Uint8Array | null;
  /** By field, where there is no seed. */
  readonly salts: Readonly<Record<string, Uint8Array>>;
  readonly erased: Readonly<Record<string, Erased>>;
};

export const SALT_BYTES = 16;

const COMPACT = /^([A-Za-z0-9_-]{22})\.([0-9a-z]{1,11})\.([a-z])\.([0-9a-zA-Z_-]*)$/;

/** null where the text is neither form; an event from before seals has the empty text. */
export function parseSealText(text: string): SealedFacts | null {
  const [, encoded, storedAt, via, keyId] = COMPACT.exec(text) ?? [];
  if (encoded === undefined || storedAt === undefined || via === undefined) return parseErased(text);
  const seed = fromBase64(encoded);
  if (seed?.length !== SALT_BYTES) return null;
  return { storedAt: parseInt(storedAt, 36), via, macKeyId: keyId || null, seed, salts: {}, erased: {} };
}

function parseErased(text: string): SealedFacts | null {
  const { stored_at, via, mac_key_id, salts, erased } = parseObject(text) ?? {};
  if (typeof stored_at !== "number" || typeof via !== "string") return null;
  if (mac_key_id !== null && typeof mac_key_id !== "string") return null;
  const readSalts = readMembers(salts, readSalt);
  const readErased = readMembers(erased, erasedOf);
  if (!readSalts || !readErased) return null;
  return { storedAt: stored_at, via, macKeyId: mac_key_id, seed: null, salts: readSalts, erased: readErased };
}

const bytesOf = (value: unknown, length: number): Uint8Array | null => {
  const bytes = typeof value === "string" ? fromBase64(value) : null;
  return bytes?.length === length ? bytes : null;
};

const readSalt = (value: unknown): Uint8Array | null => bytesOf(value, SALT_BYTES);

function erasedOf(value: unknown): Erased | null {
  if (!Array.isArray(value) || typeof value[1] !== "number") return null;
  const commitment = bytesOf(value[0], HASH_BYTES);
  return commitment && { commitment, at: value[1] };
}

function readMembers<T>(value: unknown, read: (member: unknown) => T | null): Record<string, T> | null {
  if (typeof value !== "object" || value === null) return null;
  const members: Record<string, T> = Object.create(null) as Record<string, T>;
  for (const [name, member] of Object.entries(value)) {
    const result = read(member);
    if (result === null) return null;
    members[name] = result;
  }
  return members;
}

/** The text of facts without a seed. */
export function formatErased({ storedAt, via, macKeyId, salts, erased }: SealedFacts): string {
  return JSON.stringify({
    stored_at: storedAt,
    via,
    mac_key_id: macKeyId,
    salts: Object.fromEntries(Object.entries(salts).map(([name, salt]) => [name, toBase64Url(salt)])),
    erased: Object.fromEntries(
      Object.entries(erased).map(([name, { commitment, at }]) => [name, [toBase64Url(commitment), at]]),
    ),
  });
}
