/**
 * Events back from their rows. The log seals what is stored: a value is taken as the column has it, and a list or an object
 * only where its text is exactly the one that JSON has for it. Otherwise the text itself is the value, so that no two texts
 * stand for one value, such as one with a repeated key.
 */
import { RECORDS, type LedgerTable, type RecordType } from "../../../events/fields.ts";
import { parseJson } from "../../../shared/json.ts";
import { isCallTable, TABLE_KEYS } from "../tables.ts";
import type { StoredEvent } from "./entry.ts";
import type { FieldKind } from "../../../events/field.ts";
import { STORED_FIELDS, typeOfEvent } from "./schema.ts";
import { parseSealText } from "./sealed-facts.ts";

export type Row = Readonly<Record<string, unknown>>;

/** Runs one statement that only reads, with its parameters. */
export type Query = (sql: string, ...parameters: readonly (string | number)[]) => Promise<readonly Row[]>;

/** The column with the facts of an event's storing. Where a row has two events, it is null for the one that it lacks. */
export function sealColumn(type: RecordType): string {
  if (!isCallTable(RECORDS[type].table)) return "seal";
  return type === "interception_start" || type === "passthrough_start" ? "start_seal" : "end_seal";
}

/** The condition that finds an event's row: by its own id, or by the key that this id is made of (events/event-id.ts). */
function matchSql(table: LedgerTable): string {
  const [key] = TABLE_KEYS[table];
  const inTime = `r.${key} >= SUBSTR(ids.value, 1, 14) AND r.${key} < SUBSTR(ids.value, 1, 14) || 'g'`;
  if (isCallTable(table)) return `${inTime} AND SUBSTR(r.id, 19) = SUBSTR(ids.value, 19)`;
  return key === "id" ? "r.id = ids.value" : `${inTime} AND r.id = ids.value`;
}

/** One parameter: the events' ids as a JSON list. */
function selectSql(type: RecordType): string {
  const { table } = RECORDS[type];
  const columns = STORED_FIELDS[type].map(({ name, column }) => `r.${column} AS ${name}`);
  const accepted = table === "initiator_overrides" ? ["r.accepted AS is_accepted"] : [];
  const seal = sealColumn(type);
  return `SELECT ids.value AS event_id, ${[...columns, ...accepted].join(", ")}, r.${seal} AS seal_text
FROM json_each(?1) AS ids CROSS JOIN ${table} AS r ON ${matchSql(table)} WHERE r.${seal} IS NOT NULL`;
}

const SELECT = Object.fromEntries(
  Object.keys(RECORDS).map((type) => [type, selectSql(type as RecordType)]),
) as Readonly<Record<RecordType, string>>;

/** Of one query, so that its result stays small. */
const IDS_PER_QUERY = 400;

/** The event of a row, or the reason why it cannot be read. */
export type FoundEvent = StoredEvent | "unsealed" | "unreadable";

/** The events that have a row, by id. An id without one is absent. */
export async function loadEvents(query: Query, ids: readonly string[]): Promise<Map<string, FoundEvent>> {
  const byType = new Map<RecordType, string[]>();
  for (const id of new Set(ids)) {
    const type = typeOfEvent(id);
    if (type === null) continue;
    const list = byType.get(type) ?? [];
    list.push(id);
    byType.set(type, list);
  }
  const found = new Map<string, FoundEvent>();
  for (const [type, ofType] of byType) {
    for (let at = 0; at < ofType.length; at += IDS_PER_QUERY) {
      const rows = await query(SELECT[type], JSON.stringify(ofType.slice(at, at + IDS_PER_QUERY)));
      for (const row of rows) {
        const id = String(row["event_id"]);
        // With two rows for one id, it is unknown which one is the event.
        found.set(id, found.has(id) ? "unreadable" : toEvent(id, type, row));
      }
    }
  }
  return found;
}

function toEvent(id: string, type: RecordType, row: Row): FoundEvent {
  const text = row["seal_text"];
  if (text === "") return "unsealed";
  const facts = typeof text === "string" ? parseSealText(text) : null;
  if (!facts) return "unreadable";
  const values: Record<string, unknown> = {};
  for (const { name, field } of STORED_FIELDS[type]) values[name] = toValue(field.kind, row[name]);
  // The row's own word for which of two record types it is.
  if ("is_accepted" in row && row["is_accepted"] !== Number(type === "initiator_override"))
    return "unreadable";
  return { id, type, values, facts };
}

/** The value of a field, from its column. */
export function toValue(kind: FieldKind, stored: unknown): unknown {
  if (stored === null || stored === undefined) return null;
  if (kind === "flag") return stored === 0 ? false : stored === 1 ? true : stored;
  if ((kind !== "texts" && kind !== "object") || typeof stored !== "string") return stored;
  // Canonical JSON cannot hold half a surrogate, which a name in an object may have.
  if (/\\ud[89a-f]/i.test(stored)) return stored;
  const value = parseJson(stored);
  return typeof value === "object" && value !== null && JSON.stringify(value) === stored ? value : stored;
}
