/** Reads the lines of a bundle's files, which may be of any origin. */
import type { RecordType } from "../../src/events/fields.ts";
import { fromBase64 } from "../../src/shared/base64.ts";
import { asObject } from "../../src/shared/json.ts";
import { isUuid } from "../../src/shared/uuid.ts";
import { toBase64 } from "../../src/records/ledger/seal/bytes.ts";
import { HASH_BYTES, type Hash } from "../../src/records/ledger/seal/merkle.ts";
import { typeOfEvent } from "../../src/records/ledger/seal/schema.ts";
import { STATUSES, type ErasedField, type EventLine, type Status } from "./event-line.ts";

/** An entry of the log's own. */
export type OwnLine = { readonly index: number; readonly entry: string; readonly proof: readonly Hash[] };

/** A hash in standard base64, in its only form. */
export function readHash(text: unknown): Hash | null {
  const bytes = typeof text === "string" ? fromBase64(text) : null;
  return bytes?.length === HASH_BYTES && toBase64(bytes) === text ? bytes : null;
}

export function readProof(value: unknown): readonly Hash[] | null {
  const hashes = Array.isArray(value) ? value.map(readHash) : [null];
  return hashes.every((hash) => hash !== null) ? hashes : null;
}

export function readLog(value: unknown): OwnLine | null {
  const { index, entry, proof } = asObject(value) ?? {};
  const hashes = readProof(proof);
  return typeof index === "number" && typeof entry === "string" && hashes
    ? { index, entry, proof: hashes }
    : null;
}

export function readEarlier(
  value: unknown,
): { readonly earlier: string; readonly proof: readonly Hash[] } | null {
  const { earlier, proof } = asObject(value) ?? {};
  const hashes = readProof(proof);
  return typeof earlier === "string" && hashes ? { earlier, proof: hashes } : null;
}

const isTextOrNull = (value: unknown): value is string | null => value === null || typeof value === "string";

export function readEvent(value: unknown): EventLine | null {
  const line = asObject(value);
  if (!line) return null;
  const { event_id: id, record_type: type, status, fields, stored, index, leaf_hash, entry, proof } = line;
  const [erased, salts] = [asObject(line["erased"]), asObject(line["salts"])];
  if (typeof id !== "string" || !isUuid(id) || typeOfEvent(id) !== type) return null;
  if (typeof status !== "string" || !Object.hasOwn(STATUSES, status)) return null;
  if (!isObjectOrNull(fields) || !isObjectOrNull(stored) || !isTextOrNull(leaf_hash) || !isTextOrNull(entry))
    return null;
  if (
    !erased ||
    !Object.values(erased).every(isErased) ||
    !salts ||
    !Object.values(salts).every(isTextOrNull)
  )
    return null;
  if (index !== null && typeof index !== "number") return null;
  if (proof !== null && !(Array.isArray(proof) && proof.every(isTextOrNull))) return null;
  return {
    event_id: id,
    record_type: type as RecordType,
    status: status as Status,
    fields,
    stored,
    erased: erased as Record<string, ErasedField>,
    salts: salts as Record<string, string>,
    index,
    leaf_hash,
    entry,
    proof: proof as string[] | null,
  };
}

const isObjectOrNull = (value: unknown): value is Readonly<Record<string, unknown>> | null =>
  value === null || asObject(value) !== null;

function isErased(value: unknown): boolean {
  const { at, commitment } = asObject(value) ?? {};
  return typeof at === "string" && !Number.isNaN(Date.parse(at)) && typeof commitment === "string";
}
