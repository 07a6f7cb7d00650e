/** Computes again what the ledger derives from its events: threads, claims of retrieved usage, totals, recorded deletions. */
import { RECORDS, type LedgerTable } from "../../../events/fields.ts";
import { firstUuidAt, uuidTime } from "../../../shared/uuid.ts";
import { errorText } from "../error-text.ts";
import { DERIVED_ROWS, DERIVED_TOTALS, type Boundaries } from "./derived-sql.ts";
import { eventIdBytes, isEventId } from "./entry.ts";
import type { AddFinding } from "./finding.ts";
import type { IdSet } from "./id-set.ts";
import type { Purges } from "./purges.ts";
import type { Query } from "./rebuild.ts";
import { typeOfEvent } from "./schema.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The first complete period after a moment, as an RFC 3339 prefix of this length; empty where nothing was deleted. */
const firstComplete = (at: number, period: number, length: number): string =>
  at > 0 ? new Date(Math.ceil(at / period) * period).toISOString().slice(0, length) : "";

function boundariesOf({ before }: Purges): Boundaries {
  const idBefore = (table: LedgerTable): string => (before(table) > 0 ? firstUuidAt(before(table)) : "");
  return {
    interceptions: idBefore("interceptions"),
    tool_usages: idBefore("tool_usages"),
    retrieved_usages: new Date(before("retrieved_usages")).toISOString(),
    cost_corrections: idBefore("cost_corrections"),
    hours: firstComplete(
      Math.max(before("interceptions"), before("cost_corrections"), before("rollup_hours")),
      HOUR_MS,
      13,
    ),
    days: firstComplete(Math.max(before("rollup_hours"), before("rollup_days")), DAY_MS, 10),
  };
}

/** Each statement reads its tables once; run it on a copy. */
export async function passDerived(
  query: Query,
  { purges, now }: { readonly purges: Purges; readonly now: number },
  add: AddFinding,
): Promise<void> {
  // Interceptions from before the boundary are not stored: one in the future would stop all recording.
  for (const { job, cursor } of await query(
    "SELECT job, cursor FROM upkeep_cursors WHERE job GLOB 'purge of *'",
  )) {
    const id = String(cursor);
    if (!isEventId(id) || uuidTime(id) > now)
      add("derived_altered", { detail: `the boundary of deletion: ${String(job)}` });
  }
  const boundaries = JSON.stringify(boundariesOf(purges));
  const differences = async (sql: string): ReturnType<Query> => {
    try {
      return await (sql.includes("?1") ? query(sql, boundaries) : query(sql));
    } catch (error) {
      // A value that is not JSON ends a statement.
      add("unreadable", { detail: `a comparison: ${errorText(error)}` });
      return [];
    }
  };
  for (const { table, sql } of DERIVED_ROWS) {
    for (const row of await differences(sql))
      add("derived_altered", { detail: `${table} ${String(row["id"])}: ${String(row["detail"])}` });
  }
  for (const sql of DERIVED_TOTALS) {
    for (const row of await differences(sql))
      add("totals_altered", { detail: `dimension ${String(row["id"])}: ${String(row["detail"])}` });
  }
}

/** Counts the rows that recorded deletions deleted, by table. */
export class GoneRows {
  readonly #rows = new Map<LedgerTable, number>();
  /** Ends whose row had no start so far: its leaf may follow. */
  #ends: string[] = [];

  add(eventId: string): void {
    const type = typeOfEvent(eventId);
    if (type === null) return;
    const { table } = RECORDS[type];
    if (type === "interception_end" || type === "passthrough") this.#ends.push(eventId);
    else this.#rows.set(table, (this.#rows.get(table) ?? 0) + 1);
  }

  /**
   * A deletion may have deleted more rows than those with a leaf: rows from before the log, and copies. It cannot have deleted
   * fewer. `ids`: all leaves.
   */
  compare(purges: Purges, ids: IdSet, add: AddFinding): void {
    for (const end of this.#ends) {
      const start = startOf(end);
      if (ids.has(eventIdBytes(start.id))) continue;
      this.#rows.set(start.table, (this.#rows.get(start.table) ?? 0) + 1);
    }
    this.#ends = [];
    // Records of deletions that were deleted themselves no longer tell how many rows.
    if (purges.before("ledger_accesses") > 0) return;
    for (const [table, gone] of this.#rows) {
      const recorded = purges.rows(table);
      if (gone > recorded)
        add("overdeleted", {
          detail: `${table}: ${gone} rows are gone, ${recorded} deletions are on record`,
        });
    }
  }
}

/** The start of an end's call. */
function startOf(end: string): { readonly id: string; readonly table: LedgerTable } {
  const type = typeOfEvent(end) === "interception_end" ? "interception_start" : "passthrough_start";
  const { code, table } = RECORDS[type];
  return { id: `${end.slice(0, 15)}${code.toString(16)}${end.slice(16)}`, table };
}
