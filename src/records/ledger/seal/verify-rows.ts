/** Finds rows that the log does not have: every row with a seal must be an event of a leaf, once. */
import { RECORDS, type RecordType } from "../../../events/fields.ts";
import { isCallTable, TABLE_KEYS } from "../tables.ts";
import { eventIdBytes } from "./entry.ts";
import type { AddFinding } from "./finding.ts";
import type { IdSet } from "./id-set.ts";
import type { StoredLogEntry } from "./log-entry.ts";
import { sealColumn, type Query } from "./rebuild.ts";
import { isSealedType, typeOfEvent } from "./schema.ts";
import { countUnsealed } from "./unsealed.ts";

const ROWS_PER_PAGE = 2_000;

/** `pending`: events that the journal has and the log does not have yet. */
export async function passRows(
  query: Query,
  logged: { readonly ids: IdSet; readonly pending: ReadonlySet<string> },
  add: AddFinding,
): Promise<void> {
  const seen = new Set<string>();
  for (const type of Object.keys(RECORDS) as RecordType[]) {
    const source = `${RECORDS[type].table}.${sealColumn(type)}`;
    if (!isSealedType(type) || seen.has(source)) continue;
    seen.add(source);
    await passTable(query, type, (id) => {
      const isItsTable = tableOf(id) === RECORDS[type].table;
      if (isItsTable && (logged.ids.take(eventIdBytes(id)) || logged.pending.has(id))) return;
      add("inserted", { eventId: id, detail: `${RECORDS[type].table} has a row without a leaf` });
    });
  }
}

const tableOf = (eventId: string): string | null => {
  const type = typeOfEvent(eventId);
  return type && RECORDS[type].table;
};

/** The id of the one event of this type that a call has. */
const callEventId = (type: RecordType, id: string): string =>
  `${id.slice(0, 14)}8${RECORDS[type].code.toString(16)}00${id.slice(18)}`;

async function passTable(query: Query, type: RecordType, visit: (eventId: string) => void): Promise<void> {
  const { table } = RECORDS[type];
  const key = TABLE_KEYS[table];
  const seal = sealColumn(type);
  const parameters = key.map((_, at) => `?${at + 1}`).join(", ");
  const columns = key.join(", ");
  const sql = `SELECT ${columns}, ${seal} AS seal_text FROM ${table}
WHERE (${columns}) > (${parameters}) ORDER BY ${columns} LIMIT ${ROWS_PER_PAGE}`;
  let after: readonly string[] = key.map(() => "");
  for (;;) {
    const rows = await query(sql, ...after);
    for (const row of rows) {
      const id = String(row["id"]);
      // Not of an event (null), or of one from before the log (empty).
      if (row["seal_text"]) visit(isCallTable(table) ? callEventId(type, id) : id);
    }
    const last = rows.at(-1);
    if (!last || rows.length < ROWS_PER_PAGE) return;
    after = key.map((name) => String(last[name]));
  }
}

/** The number of rows without a seal can only fall: no event is stored without one any more. */
export async function checkUnsealed(
  query: Query,
  entries: readonly StoredLogEntry[],
  add: AddFinding,
): Promise<number> {
  const begin = entries.find((entry) => entry.kind === "begin");
  const now = await countUnsealed(query);
  const before = begin?.unsealed;
  let total = 0;
  for (const [source, count] of Object.entries(now)) {
    total += count;
    if (before && count > (before[source] ?? 0))
      add("unsealed_added", { detail: `${source}: ${count}, at first ${before[source] ?? 0}` });
  }
  return total;
}
