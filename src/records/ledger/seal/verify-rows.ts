/** Finds rows that the log does not have: every row with a seal must be an event of a leaf, once. */
import { RECORDS } from "../../../events/fields.ts";
import { isCallTable, TABLE_KEYS } from "../tables.ts";
import { uuidTime } from "../../../shared/uuid.ts";
import { callEventId, eventIdBytes, isEventId } from "./entry.ts";
import type { AddFinding } from "./finding.ts";
import type { IdSet } from "./id-set.ts";
import type { StoredLogEntry } from "./log-entry.ts";
import type { Query } from "./rebuild.ts";
import { typeOfEvent } from "./schema.ts";
import { parseSealText } from "./sealed-facts.ts";
import { EVENT_ROWS, SEAL_SOURCES, sourceName, type SealSource } from "./unsealed.ts";

const ROWS_PER_PAGE = 2_000;
const LISTED = 20;

export type Logged = {
  readonly ids: IdSet;
  /** Events that the journal has and the log does not have yet. */
  readonly pending: ReadonlySet<string>;
  readonly entries: readonly StoredLogEntry[];
};

/** @returns the number of events from before the log. */
export async function passRows(query: Query, logged: Logged, add: AddFinding): Promise<number> {
  const begin = logged.entries.find((entry) => entry.kind === "begin");
  let total = 0;
  for (const source of SEAL_SOURCES) {
    let earlier = 0;
    // An inserted row is one of these; the newest ones, as rows come in the order of their ids.
    const newest: string[] = [];
    await passTable(query, source, (id, seal) => {
      const isItsEvent = isEventId(id) && tableOf(id) === source.table && typeof seal === "string";
      if (isItsEvent && (logged.ids.take(eventIdBytes(id)) || logged.pending.has(id))) return;
      // Without a log yet, every event is from before it.
      if (isItsEvent && isFromBefore(id, seal, begin?.at ?? Infinity)) {
        earlier += 1;
        newest.push(id);
        if (newest.length > LISTED) newest.shift();
      } else add("inserted", { eventId: id, detail: `${source.table} has a row without a leaf` });
    });
    total += earlier;
    const counted = begin?.unsealed[sourceName(source.type)] ?? 0;
    if (begin && earlier > counted)
      add("unsealed_added", {
        detail: `${sourceName(source.type)}: ${earlier}, at first ${counted}; the newest: ${newest.join(" ")}`,
      });
  }
  return total;
}

/** Its own word, which the number of such rows holds it to. */
const isFromBefore = (id: string, seal: string, begin: number): boolean =>
  uuidTime(id) < begin && (seal === "" || (parseSealText(seal)?.storedAt ?? Infinity) < begin);

const tableOf = (eventId: string): string | null => {
  const type = typeOfEvent(eventId);
  return type && RECORDS[type].table;
};

/** Visits every row with an event of the source, and every row without any. */
async function passTable(
  query: Query,
  { table, column, type }: SealSource,
  visit: (eventId: string, seal: unknown) => void,
): Promise<void> {
  const key = TABLE_KEYS[table];
  const parameters = key.map((_, at) => `?${at + 1}`).join(", ");
  const columns = key.join(", ");
  const isOfCall = isCallTable(table)
    ? `(${column} IS NOT NULL OR COALESCE(start_seal, end_seal) IS NULL)`
    : "TRUE";
  // Copies of retrieved usage are compared with it (derived-sql.ts).
  const isEvent = table === "token_usages" ? EVENT_ROWS : isOfCall;
  const sql = `SELECT ${columns}, ${column} AS seal_text, ${isEvent} AS is_event FROM ${table}
WHERE (${columns}) > (${parameters}) ORDER BY ${columns} LIMIT ${ROWS_PER_PAGE}`;
  let after: readonly string[] = key.map(() => "");
  for (;;) {
    const rows = await query(sql, ...after);
    for (const row of rows) {
      const id = String(row["id"]);
      if (row["is_event"]) visit(isCallTable(table) ? callEventId(type, id) : id, row["seal_text"]);
    }
    const last = rows.at(-1);
    if (!last || rows.length < ROWS_PER_PAGE) return;
    after = key.map((name) => String(last[name]));
  }
}
