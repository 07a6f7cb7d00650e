/**
 * Events that were stored before the log began, and have no leaf. Their number is in the log's first entry, so that none can be
 * added later: it can only fall.
 */
import { RECORDS, type LedgerTable, type RecordType } from "../../../events/fields.ts";
import { sealColumn, type Query } from "./rebuild.ts";
import { isSealedType, typeOfEvent } from "./schema.ts";

/** A table of sealed events and one of its columns of seals, with a type whose events are there. */
export type SealSource = {
  readonly table: LedgerTable;
  readonly column: string;
  readonly type: RecordType;
};

export const sourceName = (type: RecordType): string => `${RECORDS[type].table}.${sealColumn(type)}`;

export const SEAL_SOURCES: readonly SealSource[] = [
  ...new Map(
    (Object.keys(RECORDS) as RecordType[])
      .filter(isSealedType)
      .map(
        (type) => [sourceName(type), { table: RECORDS[type].table, column: sealColumn(type), type }] as const,
      ),
  ).values(),
];

/** Retrieved usage that was copied for its interception is no event: its row has another id. */
export const EVENT_ROWS = "id GLOB '????????-????-????-????-????????????'";

/** Number by `table.column`, without the events that the journal has. Reads every row, once when a log begins. */
export async function countUnsealed(query: Query): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  // Before the rows: an event that is stored in between is counted rather than missed.
  for (const row of await query("SELECT event_ids FROM journal")) {
    for (const id of JSON.parse(String(row["event_ids"])) as readonly string[]) {
      const type = typeOfEvent(id);
      if (type !== null && isSealedType(type)) counts[sourceName(type)] = (counts[sourceName(type)] ?? 0) - 1;
    }
  }
  for (const { table, column, type } of SEAL_SOURCES) {
    const [row] = await query(
      `SELECT COUNT(*) AS events FROM ${table} WHERE ${column} IS NOT NULL AND ${EVENT_ROWS}`,
    );
    // Below zero where rows that the journal names are gone.
    counts[sourceName(type)] = Math.max(0, (counts[sourceName(type)] ?? 0) + Number(row?.["events"]));
  }
  return counts;
}
