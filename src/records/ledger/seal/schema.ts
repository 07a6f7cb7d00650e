/**
 * Which fields of an event stand in its entry of the log as they are, and which as commitments. It follows from the event
 * field table, and has a version: an entry from before a change must be rebuilt as it was.
 *
 * A field without a value is left out of the plain ones, so a new plain field does not change the entries of earlier events.
 * A new erasable field would: give it `sealedSince`, the next version, and raise `SCHEMA_VERSION`. The sealer then writes an
 * entry of the log's own, from which on the new version applies.
 */
import { codeInId } from "../../../events/event-id.ts";
import { columnName, type Field } from "../../../events/field.ts";
import { RECORDS, type RecordDefinition, type RecordType } from "../../../events/fields.ts";

export const SCHEMA_VERSION = 3;

/** A field that the ledger stores, other than the row's key. */
export type StoredField = { readonly name: string; readonly column: string; readonly field: Field };

const definitions: readonly (readonly [RecordType, RecordDefinition])[] = Object.entries(
  RECORDS,
) as readonly (readonly [RecordType, RecordDefinition])[];

function storedFieldsOf({ fields, ledgerFields, table }: RecordDefinition): StoredField[] {
  return Object.entries({ ...fields, ...ledgerFields }).flatMap(([name, field]) => {
    const column = columnName(name, field);
    if (column === null) return [];
    const isKey = name === "interception_id" && (table === "interceptions" || table === "passthroughs");
    return [{ name, column: isKey ? "id" : column, field }];
  });
}

/** The stored fields of each record type. */
export const STORED_FIELDS = byType(storedFieldsOf);

function byType<T>(make: (definition: RecordDefinition) => T): Readonly<Record<RecordType, T>> {
  // `fromEntries` forgets the names: they are those of RECORDS.
  return Object.fromEntries(definitions.map(([type, definition]) => [type, make(definition)])) as Readonly<
    Record<RecordType, T>
  >;
}

/** Whether a field is a commitment in entries of this version of the schema. */
export const isCommitted = ({ field }: StoredField, version: number): boolean =>
  field.erasable !== undefined && (field.sealedSince ?? 1) <= version;

/** Record type → the names of the fields that are commitments, for a reader without this code. */
export const committedFields = (version: number): Readonly<Record<string, readonly string[]>> =>
  Object.fromEntries(
    definitions.flatMap(([type]) => {
      const committed = STORED_FIELDS[type].filter((stored) => isCommitted(stored, version));
      // A record type of a later version has no entries of this one. A type without commitments is not named either, except
      // the one that version 1 was released with.
      const isNamed = committed.length > 0 || type === "refusal_count";
      return isNamed ? [[type, committed.map(({ name }) => name)]] : [];
    }),
  );

/** Record types whose rows the maintenance changes: the counts of one minute are merged (maintain/merge-refusals.ts). */
const UNSEALED: ReadonlySet<RecordType> = new Set(["refusal_count"]);

export const isSealedType = (type: RecordType): boolean => !UNSEALED.has(type);

const TYPE_BY_CODE = new Map(definitions.map(([type, { code }]) => [code, type]));

/** The record type of an event, by its id; null where no type has the code. */
export const typeOfEvent = (eventId: string): RecordType | null =>
  TYPE_BY_CODE.get(codeInId(eventId)) ?? null;
