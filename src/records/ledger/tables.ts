/**
 * The ledger's tables as the event field table (src/events/fields.ts) defines them: each column and the event field that
 * fills it. test/records/ledger/tables.test.ts holds them against the migrations.
 */
import { columnName, type FieldKind, type Fields } from "../../events/field.ts";
import { RECORDS, type LedgerTable, type RecordDefinition, type RecordType } from "../../events/fields.ts";

export type Column = {
  /** The event field, or one of the computed ones: `id` (event-id.ts), `accepted` and the seals (stored-facts.ts). */
  readonly field: string;
  readonly type: "TEXT" | "INTEGER";
  /** The SQL that computes it from `value`, the event's JSON, where no field holds it. */
  readonly sql?: string;
};

/** Column name → what fills it. */
export type Columns = Readonly<Record<string, Column>>;

/** The tables whose rows are a start and its end, in any order. */
export type CallTable = "interceptions" | "passthroughs";

/** The tables whose rows are one event each, never changed. */
export type EventTable = Exclude<LedgerTable, CallTable>;

/** Columns filled by start or end, whichever comes first; by the start; by the end. */
export type CallColumns = { readonly shared: Columns; readonly start: Columns; readonly end: Columns };

export type Tables = Readonly<Record<CallTable, CallColumns>> & {
  readonly events: Readonly<Record<EventTable, Columns>>;
};

const SQL_TYPES: Readonly<Record<FieldKind, Column["type"]>> = {
  text: "TEXT",
  uuid: "TEXT",
  time: "TEXT",
  texts: "TEXT",
  object: "TEXT",
  count: "INTEGER",
  integer: "INTEGER",
  flag: "INTEGER",
};

function columnsOf(fields: Fields): Record<string, Column> {
  const columns: Record<string, Column> = {};
  for (const [name, field] of Object.entries(fields)) {
    const column = columnName(name, field);
    if (column !== null) columns[column] = { field: name, type: SQL_TYPES[field.kind] };
  }
  return columns;
}

const ID: Column = { field: "id", type: "TEXT" };
const seal = (field: string): Columns => ({ [field]: { field, type: "TEXT" } });
const ACCEPTED: Column = { field: "accepted", type: "INTEGER" };
/** The key of the interception that made the call, by which threads are linked; null until that is stored. */
const LINK_KEY: Column = {
  field: "link_key",
  type: "TEXT",
  sql: "(SELECT maker.link_key FROM interceptions AS maker WHERE maker.id = value ->> 'interception_id')",
};

export const isCallTable = (table: LedgerTable): table is CallTable =>
  table === "interceptions" || table === "passthroughs";

const pick = (columns: Columns, wanted: (name: string) => boolean): Columns =>
  Object.fromEntries(Object.entries(columns).filter(([name]) => wanted(name)));

function callColumns(startFields: Fields, endFields: Fields): CallColumns {
  const [start, end] = [columnsOf(startFields), columnsOf(endFields)];
  const { interception_id: id = ID, ...shared } = pick(start, (name) => name in end);
  return {
    shared: { id, ...shared },
    start: { ...pick(start, (name) => !(name in end)), ...seal("start_seal") },
    end: { ...pick(end, (name) => !(name in start)), ...seal("end_seal") },
  };
}

/** `records`: the event field table; tests pass one with a further field. */
export function tablesOf(records: Readonly<Record<string, RecordDefinition>>): Tables {
  const fieldsOf = (type: RecordType): Fields => ({
    ...records[type]?.fields,
    ...records[type]?.ledgerFields,
  });
  const events = {} as Record<EventTable, Columns>;
  for (const { table, fields } of Object.values(records)) {
    if (isCallTable(table)) continue;
    events[table] = { id: ID, ...events[table], ...columnsOf(fields), ...seal("seal") };
  }
  return {
    interceptions: callColumns(fieldsOf("interception_start"), fieldsOf("interception_end")),
    passthroughs: callColumns(fieldsOf("passthrough_start"), fieldsOf("passthrough")),
    events: {
      ...events,
      initiator_overrides: { accepted: ACCEPTED, ...events.initiator_overrides },
      tool_usages: { ...events.tool_usages, link_key: LINK_KEY },
    },
  };
}

export const TABLES: Tables = tablesOf(RECORDS);

/**
 * Each table's primary key, in the order of deletion: dependent tables first, `interceptions` last. The first column
 * begins with the time, so that everything older than a moment is a range of it.
 */
export const TABLE_KEYS = {
  token_usages: ["interception_id", "id"],
  user_prompts: ["interception_id", "id"],
  tool_usages: ["interception_id", "id"],
  model_thoughts: ["interception_id", "id"],
  retrieved_usages: ["interception_id", "id"],
  batch_files: ["interception_id", "id"],
  cost_corrections: ["interception_id", "id"],
  upstream_attempts: ["interception_id", "id"],
  initiator_overrides: ["id"],
  passthroughs: ["id"],
  refusals: ["id"],
  refusal_counts: ["id"],
  ledger_accesses: ["id"],
  budget_events: ["id"],
  interceptions: ["id"],
} as const satisfies Readonly<Record<LedgerTable, readonly [string, ...string[]]>>;

/** The tables that the anomaly scan writes, each with its primary key. */
export const ANOMALY_TABLE_KEYS = {
  anomalies: ["id"],
  actor_owners: ["hour", "actor", "owner"],
  actor_hours: ["hour", "actor"],
  key_refusals: ["hour", "api_key_id"],
  attribution_hours: ["hour", "attribution"],
} as const satisfies Readonly<Record<string, readonly [string, ...string[]]>>;
