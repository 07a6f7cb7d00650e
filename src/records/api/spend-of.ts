/** The sums of one principal's calls, for the principal itself. */
import type { PrincipalSpend } from "../../events/records-service.ts";
import { Refusal } from "../../shared/refusal.ts";
import { initiatorSourceSql } from "./evidence.ts";
import type { QueryLedger } from "./kit/query-ledger.ts";
import { number } from "./kit/row-mapper.ts";
import { column, sql, type Condition } from "./kit/sql.ts";
import { readTimeRange } from "./kit/time-range.ts";
import { TOKEN_COLUMNS } from "./tokens.ts";
import { sumsSql, totalsSql } from "./totals.ts";

/** `from`, `now`: milliseconds since 1970. null where the ledger fails. */
export async function spendOf(
  query: QueryLedger,
  { source, id }: { readonly source: string; readonly id: string },
  { from, now }: { readonly from: number; readonly now: number },
): Promise<PrincipalSpend | null> {
  const range = readTimeRange({ started_after: { ms: from, isExact: true }, started_before: null }, now);
  const matches: Condition = (alias) =>
    sql`${column(alias, "initiator_id")} = ${id} AND ${initiatorSourceSql(alias)} = ${source}`;
  const sent = new Map([
    ["initiator", id],
    ["initiator_source", source],
  ]);
  const totals = totalsSql({
    range,
    matches,
    sent,
    columns: ["initiator_id", "initiator_source"],
  });
  const rows = await query([sql`SELECT ${sumsSql("i")} FROM (${totals}) i`]);
  if (rows instanceof Refusal) return null;
  const [[row]] = rows;
  const [input, output, read, written] = TOKEN_COLUMNS.map((name) => number(row?.[name]));
  return {
    requests: number(row?.["requests"]),
    input_tokens: input ?? 0,
    output_tokens: output ?? 0,
    cache_read_input_tokens: read ?? 0,
    cache_write_input_tokens: written ?? 0,
    cost_micros: number(row?.["cost_micros"]),
    unpriced: number(row?.["unpriced"]),
  };
}
