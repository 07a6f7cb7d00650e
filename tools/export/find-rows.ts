/**
 * A person's events in the ledger's tables: the rows that name the person as initiator, and every further row of the same
 * requests, so that a row whose initiator was edited is still found by the others.
 */
import { columnName, type Fields } from "../../src/events/field.ts";
import { RECORDS, type LedgerTable, type RecordType } from "../../src/events/fields.ts";
import { RECORD_FACTS } from "../../src/events/record-facts.ts";
import { isEventId, type StoredEvent } from "../../src/records/ledger/seal/entry.ts";
import { loadEvents, type Query } from "../../src/records/ledger/seal/rebuild.ts";
import { parseSealText } from "../../src/records/ledger/seal/sealed-facts.ts";
import { isCallTable, TABLE_KEYS } from "../../src/records/ledger/tables.ts";
import { uuidPrefix } from "../../src/shared/uuid.ts";

/** Times in milliseconds since 1970; `to` is not part of the range. */
export type Selection = { readonly initiator: string; readonly from: number; readonly to: number };

/** An event as its row has it. */
export type FoundRow = {
  /** null where the row cannot be read as this event. */
  readonly event: StoredEvent | null;
  /** Whether the row has the facts of its storing; otherwise those of `event` are made up. */
  readonly hasFacts: boolean;
  /** Whether the row says that it was stored before the ledger kept such facts. */
  readonly isFromBefore: boolean;
};

/** The part that the ids of all events of one request share: its time and its random bits (events/event-id.ts). */
export const requestOf = (eventId: string): string => eventId.slice(0, 14) + eventId.slice(18);

const hasInitiator = ({ fields }: { readonly fields: Fields }): boolean => {
  const { initiator_id: field } = fields;
  return field !== undefined && columnName("initiator_id", field) !== null;
};

const types = Object.keys(RECORDS) as RecordType[];

const TABLES: readonly LedgerTable[] = [
  ...new Set(types.filter((type) => hasInitiator(RECORDS[type])).map((type) => RECORDS[type].table)),
];

/** Record types of a request, of which it has one at most. Those of a result that was read have ids of their own. */
const SINGLE_TYPES = types.filter(
  (type) =>
    hasInitiator(RECORDS[type]) &&
    !RECORD_FACTS[type].hasPosition &&
    type !== "retrieved_usage" &&
    type !== "batch_file",
);
const LISTED_TYPES = types.filter((type) => RECORD_FACTS[type].hasPosition);

const ROWS_PER_PAGE = 2_000;
const REQUESTS_PER_QUERY = 400;

/** The ids of events that the person's requests may have, by request. Not each one has a row. */
export async function findEventIds(query: Query, selection: Selection): Promise<Map<string, Set<string>>> {
  /** Request → the ids of its interception; more than one only in edited rows. */
  const requests = new Map<string, Set<string>>();
  const events = new Map<string, Set<string>>();
  for (const table of TABLES) {
    await passTable(query, table, selection, (id, interceptionId) => {
      const request = requestOf(interceptionId);
      addTo(requests, request, interceptionId);
      if (!isCallTable(table) && isEventId(id)) addTo(events, requestOf(id), id);
    });
  }
  for (const request of requests.keys()) {
    for (const type of SINGLE_TYPES) addTo(events, request, singleEventId(request, type));
  }
  const ids = [...requests.values()].flatMap((set) => [...set]);
  for (const type of LISTED_TYPES) {
    for (let at = 0; at < ids.length; at += REQUESTS_PER_QUERY) {
      const sql = `SELECT r.id FROM json_each(?1) AS ids CROSS JOIN ${RECORDS[type].table} AS r ON r.interception_id = ids.value`;
      const rows = await query(sql, JSON.stringify(ids.slice(at, at + REQUESTS_PER_QUERY)));
      for (const { id } of rows) addTo(events, requestOf(String(id)), String(id));
    }
  }
  return events;
}

const singleEventId = (request: string, type: RecordType): string =>
  `${request.slice(0, 14)}8${RECORDS[type].code.toString(16)}00${request.slice(14)}`;

function addTo(sets: Map<string, Set<string>>, key: string, member: string): void {
  const set = sets.get(key);
  if (set) set.add(member);
  else sets.set(key, new Set([member]));
}

/** Visits the rows that name the person as initiator. */
async function passTable(
  query: Query,
  table: LedgerTable,
  { initiator, from, to }: Selection,
  visit: (id: string, interceptionId: string) => void,
): Promise<void> {
  const key = TABLE_KEYS[table];
  const columns = key.join(", ");
  const after = key.map((_, at) => `?${at + 4}`).join(", ");
  const interception = isCallTable(table) ? "id" : "interception_id";
  const sql = `SELECT id, ${interception} AS interception_id FROM ${table}
WHERE initiator_id = ?1 AND ${key[0]} >= ?2 AND ${key[0]} < ?3 AND (${columns}) > (${after})
ORDER BY ${columns} LIMIT ${ROWS_PER_PAGE}`;
  let last: readonly string[] = key.map(() => "");
  for (;;) {
    const rows = await query(sql, initiator, uuidPrefix(from), uuidPrefix(to), ...last);
    for (const row of rows) visit(String(row["id"]), String(row["interception_id"]));
    const end = rows.at(-1);
    if (!end || rows.length < ROWS_PER_PAGE) return;
    last = key.map((name) => String(end[name]));
  }
}

/** A seal of no event, so that the values of a row without a readable one are read too. */
const NO_FACTS = `${"A".repeat(22)}.0.q.`;

/** The events that have a row, by id. */
export async function loadRows(query: Query, ids: readonly string[]): Promise<Map<string, FoundRow>> {
  const seals = new Map<string, unknown>();
  const reading: Query = async (sql, ...parameters) =>
    (await query(sql, ...parameters)).map((row) => {
      const seal = row["seal_text"];
      seals.set(String(row["event_id"]), seal);
      return { ...row, seal_text: isReadable(seal) ? seal : NO_FACTS };
    });
  const rows = new Map<string, FoundRow>();
  for (const [id, event] of await loadEvents(reading, ids)) {
    const seal = seals.get(id);
    rows.set(id, {
      event: typeof event === "object" ? event : null,
      hasFacts: isReadable(seal),
      isFromBefore: seal === "",
    });
  }
  return rows;
}

const isReadable = (seal: unknown): boolean => typeof seal === "string" && parseSealText(seal) !== null;

/** By the time of the request, then by type and position. */
export const byRequest = (a: string, b: string): number => (requestOf(a) + a < requestOf(b) + b ? -1 : 1);
