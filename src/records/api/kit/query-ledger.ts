/** Puts questions to the ledger's database: some queries in, their rows out, all as of one moment. */
import { Refusal } from "../../../shared/refusal.ts";
import type { Sql, Value } from "./sql.ts";

export type Row = Readonly<Record<string, Value>>;

type RowsOf<Queries extends readonly Sql[]> = { readonly [At in keyof Queries]: readonly Row[] };

/** Refuses `ledger_unavailable` where there is no database or it fails; never throws. */
export type QueryLedger = <const Queries extends readonly Sql[]>(
  queries: Queries,
) => Promise<RowsOf<Queries> | Refusal>;

export function createQueryLedger(database: D1Database | null): QueryLedger {
  return async <const Queries extends readonly Sql[]>(queries: Queries) => {
    if (database === null) return new Refusal("ledger_unavailable", { detail: "LEDGER is not bound" });
    try {
      // A batch is one transaction: a page and what belongs to it are of the same moment.
      const answers = await database.batch<Row>(
        queries.map(({ text, values }) => database.prepare(text).bind(...values)),
      );
      // One answer per query, in their order.
      return answers.map(({ results }) => results) as unknown as RowsOf<Queries>;
    } catch (error) {
      // What D1 says names tables and columns, and no value, as those are bound.
      const said = error instanceof Error ? error.message : "unknown";
      return new Refusal("ledger_unavailable", { detail: said.slice(0, 200) });
    }
  };
}
