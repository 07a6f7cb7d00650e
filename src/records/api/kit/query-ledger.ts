/** Runs queries against the ledger's database (D1). */
import { Refusal } from "../../../shared/refusal.ts";
import { truncate } from "../../../shared/text.ts";
import type { Sql, Value } from "./sql.ts";

export type Row = Readonly<Record<string, Value>>;

type RowsOf<Queries extends readonly Sql[]> = { readonly [At in keyof Queries]: readonly Row[] };

/**
 * Returns the rows of each query, all from one snapshot. Never rejects: refuses `ledger_unavailable` where there is no
 * database or it fails.
 */
export type QueryLedger = <const Queries extends readonly Sql[]>(
  queries: Queries,
) => Promise<RowsOf<Queries> | Refusal>;

const MAX_DETAIL = 200;

export function createQueryLedger(database: D1Database | null): QueryLedger {
  return async <const Queries extends readonly Sql[]>(queries: Queries) => {
    if (database === null) return new Refusal("ledger_unavailable", { detail: "LEDGER is not bound" });
    try {
      // A batch is one transaction: a page and the rows that belong to it come from the same snapshot.
      const results = await database.batch<Row>(
        queries.map(({ text, values }) => database.prepare(text).bind(...values)),
      );
      // D1 returns one result per query, in the same order.
      return results.map((result) => result.results) as unknown as RowsOf<Queries>;
    } catch (error) {
      // D1's message names tables and columns. It has no values, because those are bound.
      const message = error instanceof Error ? error.message : "unknown";
      return new Refusal("ledger_unavailable", { detail: truncate(message, MAX_DETAIL) });
    }
  };
}
