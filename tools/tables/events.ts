/** The tables about events in docs/reference.md, generated from the event field table and the vocabulary. */
import type { Field, FieldKind, Fields } from "../../src/events/field.ts";
import { RECORDS, type LedgerTable, type RecordDefinition } from "../../src/events/fields.ts";
import * as vocabulary from "../../src/events/vocabulary.ts";
import { analyticsColumnsOf, type AnalyticsDataset } from "../../src/events/analytics-columns.ts";
import { isCallTable, TABLES, type Columns } from "../../src/records/ledger/tables.ts";
import { code, table, type Row } from "./markdown.ts";

type Words = Readonly<Record<string, string>>;

/** Each closed set of words, by the field that holds one of them. */
const WORDS: readonly (readonly [field: string, words: Words])[] = [
  ["attribution", vocabulary.ATTRIBUTIONS],
  ["actor_kind", vocabulary.ACTOR_KINDS],
  ["credential_kind", vocabulary.CREDENTIAL_KINDS],
  ["outcome", vocabulary.OUTCOMES],
  ["outcome` of `passthrough", vocabulary.PASSTHROUGH_OUTCOMES],
  ["error", vocabulary.EDGE_ERRORS],
  ["usage", vocabulary.USAGE_STATES],
  ["observation", vocabulary.OBSERVATIONS],
  ["flags", vocabulary.FLAGS],
  ["reason", vocabulary.OWNER_REJECTIONS],
  ["rule", vocabulary.ASSERTION_RULES],
  ["signature", vocabulary.SIGNATURE_RESULTS],
  ["directory", vocabulary.DIRECTORY_RESULTS],
];

const CALLER = "_the caller_";

const records: readonly (readonly [type: string, record: RecordDefinition])[] = Object.entries(RECORDS);
const fieldNames = ({ fields }: RecordDefinition): readonly string[] => Object.keys(fields);
const allFields = ({ fields, ledgerFields }: RecordDefinition): Fields => ({ ...fields, ...ledgerFields });

/** The fields that every event with an actor has. */
function callerFields(): readonly string[] {
  const lists = records
    .map(([, record]) => fieldNames(record))
    .filter((names) => names.includes("user_agent"));
  return (lists[0] ?? []).filter((name) => lists.every((names) => names.includes(name)));
}

function ledgerOnly({ ledgerFields }: RecordDefinition): string {
  const names = Object.keys(ledgerFields ?? {}).map(code);
  return names.length === 0 ? "" : `; in the ledger also ${names.join(" ")}`;
}

/** Each record type: when it is recorded, the ledger's table for it and its fields. */
export function eventsTable(): string {
  const caller = callerFields();
  const listOf = (names: readonly string[]): string => {
    const hasCaller = caller.every((name) => names.includes(name));
    const others = names.filter((name) => !(hasCaller && caller.includes(name))).map(code);
    return [...(hasCaller ? [CALLER] : []), ...others].join(" ");
  };
  return table(
    ["record_type", "recorded", "D1 table", "fields"],
    [
      [CALLER, "in each event below that lists it", "", caller.map(code).join(" ")],
      ...records.map(([type, record]) => [
        code(type),
        record.when,
        code(record.table),
        listOf(fieldNames(record)) + ledgerOnly(record),
      ]),
    ],
  );
}

const KINDS: Readonly<Record<FieldKind, string>> = {
  text: "text",
  uuid: "UUID",
  time: "time",
  integer: "whole number, which may be negative",
  count: "integer",
  flag: "boolean",
  texts: "list of texts",
  object: "object",
};

/** Fields of one name, type and meaning, with every place where they are stored. */
type Definition = {
  readonly name: string;
  readonly type: string;
  readonly about: string;
  readonly records: Set<string>;
  readonly d1: Set<string>;
  readonly analytics: Set<string>;
};

function newDefinition(name: string, type: string, about: string): Definition {
  return { name, type, about, records: new Set(), d1: new Set(), analytics: new Set() };
}

function definitions(): readonly Definition[] {
  const found = new Map<string, Definition>();
  for (const [type, record] of records) {
    for (const [name, field] of Object.entries(allFields(record))) {
      const about = meaningOf(field);
      const fieldType = `${KINDS[field.kind]}${field.nullable ? " or null" : ""}`;
      const key = JSON.stringify([name, fieldType, about]);
      const definition = found.get(key) ?? newDefinition(name, fieldType, about);
      found.set(key, definition);
      definition.records.add(type);
      const column = columnOf(name, record.table);
      if (column !== null) definition.d1.add(column);
      const position = record.dataset && field[record.dataset];
      if (position) definition.analytics.add(`${record.dataset} ${position}`);
    }
  }
  return [...found.values()];
}

/** The name of the field's column in the ledger's table; null where it has none. */
function columnOf(name: string, ledgerTable: LedgerTable): string | null {
  const columns = columnsOf(ledgerTable);
  return Object.entries(columns).find(([, { field }]) => field === name)?.[0] ?? null;
}

function columnsOf(ledgerTable: LedgerTable): Columns {
  if (!isCallTable(ledgerTable)) return TABLES.events[ledgerTable];
  const { shared, start, end } = TABLES[ledgerTable];
  return { ...shared, ...start, ...end };
}

/** A closed set of words is in the table of values. */
function meaningOf({ about }: Field): string {
  return typeof about === "string" ? about : "one of the [values](#values)";
}

/** The field's name; with its events where most events with a field of this name have another definition of it. */
function labelOf({ name, records: types }: Definition): string {
  const count = records.filter(([, record]) => name in allFields(record)).length;
  return types.size > count / 2 ? code(name) : `${code(name)} of ${[...types].map(code).join(", ")}`;
}

const codeList = (texts: Iterable<string>): string => [...texts].map(code).join(" ") || "–";

/** Each event field: its type, its meaning, its D1 column and its Analytics Engine columns. */
export function fieldsTable(): string {
  return table(
    ["field", "type", "meaning", "D1 column", "Analytics Engine column"],
    definitions().map((definition) => [
      labelOf(definition),
      definition.type,
      definition.about,
      codeList(definition.d1),
      codeList(definition.analytics),
    ]),
  );
}

/** Each word of the vocabulary by the field that holds it. */
export function valuesTable(): string {
  return table(
    ["field", "value", "meaning"],
    WORDS.flatMap(([field, words]) =>
      Object.entries(words).map(([word, meaning], index) => [
        index === 0 ? code(field) : "",
        code(word),
        meaning,
      ]),
    ),
  );
}

/** The columns of an Analytics Engine data set. */
export function analyticsTable(dataset: AnalyticsDataset): string {
  const { blobs, doubles } = analyticsColumnsOf(dataset, RECORDS);
  const rows = (kind: string, names: readonly string[]): Row[] =>
    names.map((name, index) => [code(`${kind}${index + 1}`), code(name), columnMeaning(dataset, name)]);
  return table(
    ["column", "field", "meaning"],
    [
      [code("index1"), code("initiator_id"), "truncated at 96 bytes"],
      ...rows("blob", blobs),
      ...rows("double", doubles),
    ],
  );
}

function columnMeaning(dataset: AnalyticsDataset, name: string): string {
  const ofDataset = records.filter(([, record]) => record.dataset === dataset);
  if (name === "version") return "version of the row's layout";
  if (name === "record_type") return ofDataset.map(([type]) => code(type)).join(" or ");
  const field = ofDataset.map(([, { fields }]) => fields[name]).find((one) => one !== undefined);
  return field ? meaningOf(field) : "";
}
