/** A line of the bundle's events: an event as its row has it, and what proves that it was recorded so. */
import type { RecordType } from "../../src/events/fields.ts";
import { toBase64, toBase64Url } from "../../src/records/ledger/seal/bytes.ts";
import { eventIdBytes, saltOf, type StoredEvent } from "../../src/records/ledger/seal/entry.ts";
import type { Hash } from "../../src/records/ledger/seal/merkle.ts";
import { isCommitted, STORED_FIELDS } from "../../src/records/ledger/seal/schema.ts";
import type { FoundRow } from "./find-rows.ts";

/** How much the bundle proves of an event. */
export const STATUSES = {
  sealed: "It was recorded, and has not changed since it was sealed.",
  altered: "It is in the log, and its row is no longer what was sealed.",
  missing: "It is in the log, and its row is gone.",
  purged: "It is in the log, and its row is gone; the ledger has a record of a deletion up to a later time.",
  absent: "Its row was gone, or could not be read, before it was sealed.",
  inserted: "Its row is not in the log, and was stored after the log began.",
  unproven: "It is in the log, and the log has lost the hashes that prove it.",
  pending: "It is stored, and not part of the checkpoint yet.",
  unsealed: "It was stored before the log began, which proves nothing of it.",
} as const;
export type Status = keyof typeof STATUSES;

/** Those that an intact ledger does not have. */
export const BROKEN: ReadonlySet<Status> = new Set(["altered", "missing", "absent", "inserted", "unproven"]);

export type ErasedField = {
  readonly at: string;
  /** base64url, as in the entry. */
  readonly commitment: string;
  /** The value that the row has in place of the erased one. */
  readonly value_now: unknown;
};

export type EventLine = {
  readonly event_id: string;
  readonly record_type: RecordType;
  readonly status: Status;
  /** By field name: those with a value, and each one that the entry commits to. null without a row. */
  readonly fields: Readonly<Record<string, unknown>> | null;
  /** As in the entry. */
  readonly stored: Readonly<Record<string, unknown>> | null;
  readonly erased: Readonly<Record<string, ErasedField>>;
  /** base64url; of the fields that the entry commits to and that are not erased. */
  readonly salts: Readonly<Record<string, string>>;
  readonly index: number | null;
  /** base64, as the proof. */
  readonly leaf_hash: string | null;
  /** The text whose leaf hash is in the tree; null where the row no longer gives it. */
  readonly entry: string | null;
  readonly proof: readonly string[] | null;
};

/** An event's leaf in the tree of the checkpoint. */
export type ProvenLeaf = {
  readonly index: number;
  readonly hash: Hash | null;
  readonly entry: string | null;
  readonly proof: readonly Hash[] | null;
};

/** An event with the facts that its line is made of. */
export type EventFacts = {
  readonly id: string;
  readonly type: RecordType;
  readonly status: Status;
  readonly row: FoundRow | undefined;
  readonly leaf: ProvenLeaf | null;
  readonly schema: number;
};

export function toLine({ id, type, status, row, leaf, schema }: EventFacts): EventLine {
  const event = row?.event ?? null;
  const facts = event && row?.hasFacts ? event.facts : null;
  const isSealed = status === "sealed" && event !== null;
  return {
    event_id: id,
    record_type: type,
    status,
    fields: event && fieldsOf(event, schema),
    stored: facts && { at: facts.storedAt, via: facts.via, mac_key_id: facts.macKeyId },
    erased: event && facts ? erasedOf(event) : {},
    salts: isSealed ? saltsOf(event, schema) : {},
    index: leaf?.index ?? null,
    leaf_hash: leaf?.hash ? toBase64(leaf.hash) : null,
    entry: leaf?.entry ?? null,
    proof: leaf?.proof?.map(toBase64) ?? null,
  };
}

function fieldsOf({ type, values, facts }: StoredEvent, schema: number): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const stored of STORED_FIELDS[type]) {
    const value = values[stored.name] ?? null;
    if (facts.erased[stored.name] === undefined && (value !== null || isCommitted(stored, schema)))
      fields[stored.name] = value;
  }
  return fields;
}

function erasedOf({ values, facts }: StoredEvent): Record<string, ErasedField> {
  return Object.fromEntries(
    Object.entries(facts.erased).map(([name, { commitment, at }]) => [
      name,
      {
        at: new Date(at).toISOString(),
        commitment: toBase64Url(commitment),
        value_now: values[name] ?? null,
      },
    ]),
  );
}

/** Never the seed, from which an erased field's salt would follow. */
function saltsOf({ id, type, facts }: StoredEvent, schema: number): Record<string, string> {
  const salts: Record<string, string> = {};
  for (const stored of STORED_FIELDS[type]) {
    const { name } = stored;
    if (!isCommitted(stored, schema) || facts.erased[name]) continue;
    const salt = facts.seed ? saltOf(facts.seed, eventIdBytes(id), name) : facts.salts[name];
    if (salt) salts[name] = toBase64Url(salt);
  }
  return salts;
}
