/**
 * The entries of the log: the texts whose hashes are the leaves of the tree. Each is canonical JSON and names its own index, so
 * that an entry in another place is recognized by itself.
 *
 * An event's entry holds the facts of its storing, its plain fields as they are, and of each field that may hold personal data
 * a commitment: SHA-256(salt ‖ the canonical JSON of the value). A value that is not there (null) is committed to like any
 * other. An erased value keeps its commitment, so that the leaf stays what it was.
 */
import { RECORDS, type RecordType } from "../../../events/fields.ts";
import { fromHex } from "../../../shared/hex.ts";
import { concat, toBase64Url, utf8 } from "./bytes.ts";
import { canonicalJson } from "./canonical.ts";
import { hash, type Hash } from "./merkle.ts";
import { isCommitted, STORED_FIELDS } from "./schema.ts";
import { SALT_BYTES, type SealedFacts } from "./sealed-facts.ts";

/** An event as its row has it. */
export type StoredEvent = {
  readonly id: string;
  readonly type: RecordType;
  /** By field name; null where there is none. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly facts: SealedFacts;
};

/** The position of an entry, and the version of the schema that applies there. */
export type Position = { readonly index: number; readonly schema: number };

/** In lower case: an id is its bytes, and one text. */
export const isEventId = (id: unknown): id is string =>
  typeof id === "string" && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);

/** The id of the one event of a type that a call has. */
export const callEventId = (type: RecordType, id: string): string =>
  `${id.slice(0, 14)}8${RECORDS[type].code.toString(16)}00${id.slice(18)}`;

/** Of an id that `isEventId` accepts. */
export const eventIdBytes = (id: string): Uint8Array<ArrayBuffer> => fromHex(id.replaceAll("-", ""));

/**
 * The salt of a field: 16 bytes of SHA-256(seed ‖ event id ‖ field), a one-step key derivation (NIST SP 800-56C §4.1). The
 * first two parts have fixed lengths.
 */
export const saltOf = (seed: Uint8Array, eventId: Uint8Array, field: string): Uint8Array =>
  hash(concat(seed, eventId, utf8(field))).subarray(0, SALT_BYTES);

export const commitmentOf = (salt: Uint8Array, value: unknown): Hash =>
  hash(concat(salt, utf8(canonicalJson(value))));

/**
 * The commitments of an event's erasable fields.
 * @throws where the facts have neither a salt nor the commitment of one.
 */
export function commitmentsOf(
  { id, type, values, facts }: StoredEvent,
  schema: number,
): Record<string, Hash> {
  const idBytes = eventIdBytes(id);
  const commitments: Record<string, Hash> = {};
  for (const stored of STORED_FIELDS[type]) {
    if (!isCommitted(stored, schema)) continue;
    const { name } = stored;
    const erased = facts.erased[name];
    const salt = facts.seed ? saltOf(facts.seed, idBytes, name) : facts.salts[name];
    if (!erased && !salt) throw new Error(`no salt of ${name}`);
    commitments[name] = erased?.commitment ?? commitmentOf(salt ?? new Uint8Array(), values[name] ?? null);
  }
  return commitments;
}

/** The entry of an event at its place in the log. */
export function eventEntry(event: StoredEvent, { index, schema }: Position): string {
  const { id, type, values, facts } = event;
  const plain = STORED_FIELDS[type].filter(
    (stored) => !isCommitted(stored, schema) && (values[stored.name] ?? null) !== null,
  );
  return canonicalJson({
    index,
    event_id: id,
    record_type: type,
    stored: { at: facts.storedAt, via: facts.via, mac_key_id: facts.macKeyId },
    fields: Object.fromEntries(plain.map(({ name }) => [name, values[name]])),
    commitments: Object.fromEntries(
      Object.entries(commitmentsOf(event, schema)).map(([name, commitment]) => [
        name,
        toBase64Url(commitment),
      ]),
    ),
  });
}

/** The entry in place of an event whose row was gone, or unreadable, before it was sealed. */
export const absentEntry = (eventId: string, index: number): string =>
  canonicalJson({ index, event_id: eventId, absent: true });

/**
 * The facts of an event after fields of it are erased. Store their text (`formatErased`) together with the erased columns, in
 * one transaction. A field that is erased already keeps its time.
 */
export function eraseFields(
  event: StoredEvent,
  fields: readonly string[],
  at: number,
  schema: number,
): SealedFacts {
  const { id, type, facts } = event;
  const idBytes = eventIdBytes(id);
  const commitments = commitmentsOf(event, schema);
  const salts: Record<string, Uint8Array> = {};
  const erased = { ...facts.erased };
  for (const stored of STORED_FIELDS[type]) {
    const { name } = stored;
    const commitment = commitments[name];
    if (!commitment || erased[name]) continue;
    const salt = facts.seed ? saltOf(facts.seed, idBytes, name) : facts.salts[name];
    if (fields.includes(name)) erased[name] = { commitment, at };
    else if (salt) salts[name] = salt;
  }
  return { ...facts, seed: null, salts, erased };
}
