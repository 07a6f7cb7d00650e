/**
 * The statement that erases a person in one row of the ledger. The columns and the seals of the row's events change together,
 * and only if the row still has the seals that were read: an end that arrived meanwhile is left to the next pass.
 */
import { RECORDS, type LedgerTable, type RecordType } from "../../../events/fields.ts";
import { callEventId, eraseFields, type StoredEvent } from "../seal/entry.ts";
import { sealColumn, toValue, type Row } from "../seal/rebuild.ts";
import { SCHEMA_VERSION, STORED_FIELDS, typeOfEvent } from "../seal/schema.ts";
import { formatErased, parseSealText } from "../seal/sealed-facts.ts";
import { isCallTable, TABLE_KEYS } from "../tables.ts";
import { erasableFieldsOf, erasedValues, type Rules } from "./field-rules.ts";

export type Cell = string | number | null;
export type Statement = { readonly sql: string; readonly values: readonly Cell[] };

export type RowErasure = Statement & {
  /** Whether a seal of the row could not be read. Its columns are erased anyway. */
  readonly isUnreadable: boolean;
  /** Columns and their new values. */
  readonly changed: Readonly<Record<string, Cell>>;
};

/** The record types whose events a row of the table can hold. */
export function typesOf(table: LedgerTable, row?: Row): readonly RecordType[] {
  const types = (Object.keys(RECORDS) as RecordType[]).filter((type) => RECORDS[type].table === table);
  if (row === undefined || types.length === 1 || isCallTable(table)) return types;
  if (table !== "initiator_overrides") return [typeOfEvent(String(row["id"])) ?? []].flat();
  return [row["accepted"] ? "initiator_override" : "initiator_override_rejected"];
}

export const sealColumnsOf = (table: LedgerTable): readonly string[] => [
  ...new Set(typesOf(table).map(sealColumn)),
];

/** The columns that `eraseRow` reads. */
export function columnsOf(table: LedgerTable): readonly string[] {
  const ofTypes = typesOf(table).flatMap((type) => [
    ...STORED_FIELDS[type].map(({ column }) => column),
    ...erasableFieldsOf(type).flatMap(({ column }) => column ?? []),
  ]);
  const decided = table === "initiator_overrides" ? ["accepted"] : [];
  return [...new Set([...TABLE_KEYS[table], ...ofTypes, ...decided, ...sealColumnsOf(table)])];
}

const eventIdOf = (table: LedgerTable, type: RecordType, id: string): string =>
  isCallTable(table) ? callEventId(type, id) : id;

/** null where the row does not change. `at`: milliseconds since 1970. */
export function eraseRow(table: LedgerTable, row: Row, rules: Rules, at: number): RowErasure | null {
  const changed: Record<string, Cell> = {};
  const seals: Record<string, string> = {};
  let isUnreadable = false;
  for (const type of typesOf(table, row)) {
    const part = { table, type, row };
    const { values, names } = changesOf(part, rules);
    Object.assign(changed, values);
    const column = sealColumn(type);
    if (names.length === 0 || typeof row[column] !== "string" || row[column] === "") continue;
    const seal = erasedSeal(part, names, at);
    if (seal === null) isUnreadable = true;
    else seals[column] = seal;
  }
  if (Object.keys(changed).length === 0) return null;
  return {
    ...updateOf(table, row, { ...changed, ...seals, ...derivedOf(table, changed) }),
    isUnreadable,
    changed,
  };
}

/** One of the events that a row holds. */
type Part = { readonly table: LedgerTable; readonly type: RecordType; readonly row: Row };

function changesOf(
  { table, type, row }: Part,
  rules: Rules,
): { readonly values: Record<string, Cell>; readonly names: readonly string[] } {
  const id = eventIdOf(table, type, String(row["id"]));
  const event: Record<string, unknown> = {};
  for (const { name, column, field } of [...STORED_FIELDS[type], ...erasableFieldsOf(type)])
    if (column !== null) event[name] = toValue(field.kind, row[column]);
  const erased = erasedValues({ id, type, values: event }, rules);
  const columns = new Map(erasableFieldsOf(type).map(({ name, column }) => [name, column]));
  const values: Record<string, Cell> = {};
  for (const [name, value] of Object.entries(erased)) {
    const column = columns.get(name);
    if (column) values[column] = toCell(value);
  }
  return { values, names: Object.keys(erased) };
}

const toCell = (value: unknown): Cell =>
  value === null || typeof value === "string" || typeof value === "number" ? value : JSON.stringify(value);

/** null where the seal cannot be read: the row is not what was stored. */
function erasedSeal({ table, type, row }: Part, names: readonly string[], at: number): string | null {
  const facts = parseSealText(String(row[sealColumn(type)]));
  if (!facts) return null;
  const values: Record<string, unknown> = {};
  for (const { name, column, field } of STORED_FIELDS[type]) values[name] = toValue(field.kind, row[column]);
  const event: StoredEvent = { id: eventIdOf(table, type, String(row["id"])), type, values, facts };
  try {
    return formatErased(eraseFields(event, names, at, SCHEMA_VERSION));
  } catch {
    return null;
  }
}

/** Columns that the ledger derives from erased ones. */
function derivedOf(table: LedgerTable, changed: Readonly<Record<string, Cell>>): Record<string, Cell> {
  // Without the tool call's id nothing shows that the link is right.
  if (table === "interceptions" && "correlating_tool_call_id" in changed)
    return { thread_parent_id: null, thread_root_id: null };
  return {};
}

function updateOf(table: LedgerTable, row: Row, changed: Readonly<Record<string, Cell>>): Statement {
  const names = Object.keys(changed);
  const values = names.map((name) => changed[name] ?? null);
  const same = [...TABLE_KEYS[table], ...sealColumnsOf(table)].map((name) => {
    values.push((row[name] ?? null) as Cell);
    return `${name} IS ?${values.length}`;
  });
  const set = names.map((name, index) => `${name} = ?${index + 1}`).join(", ");
  return { sql: `UPDATE ${table} SET ${set} WHERE ${same.join(" AND ")}`, values };
}
