/** Events that were stored before the ledger kept the facts of storing. They have no leaf, and their number never grows. */
import { RECORDS, type LedgerTable, type RecordType } from "../../../events/fields.ts";
import { sealColumn, type Query } from "./rebuild.ts";
import { isSealedType } from "./schema.ts";

/** The tables of sealed events, each with its columns of seals. */
export const SEAL_COLUMNS: readonly (readonly [LedgerTable, string])[] = [
  ...new Map(
    (Object.keys(RECORDS) as RecordType[])
      .filter(isSealedType)
      .map((type) => [RECORDS[type].table, sealColumn(type)] as const)
      .map((column) => [column.join("."), column] as const),
  ).values(),
];

/** Retrieved usage that was copied for its interception is no event: its row has another id. */
export const EVENT_ROWS = "id GLOB '????????-????-????-????-????????????'";

/** Number by `table.column`. Reads every row, once when a log begins. */
export async function countUnsealed(query: Query): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const [table, column] of SEAL_COLUMNS) {
    const [row] = await query(
      `SELECT COUNT(*) AS events FROM ${table} WHERE ${column} = '' AND ${EVENT_ROWS}`,
    );
    counts[`${table}.${column}`] = Number(row?.["events"]);
  }
  return counts;
}
