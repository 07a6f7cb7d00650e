/** The four token counts of every response about usage, under Coder's names. */
import { json, number } from "./kit/row-mapper.ts";
import { totalOf } from "../rollups/contribution-sql.ts";
import type { Row } from "./kit/query-ledger.ts";
import * as schema from "../../shared/json-schema.ts";
import { joined, sql, type Sql } from "./kit/sql.ts";

export const TOKEN_COLUMNS = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_write_input_tokens",
] as const;

export type TokenCounts = Readonly<Record<(typeof TOKEN_COLUMNS)[number], number>>;

export const TOKEN_FIELDS = {
  input_tokens: schema.withDescription(
    schema.COUNT,
    "Without cached tokens. Like the other three, the sum of the known counts.",
  ),
  output_tokens: schema.COUNT,
  cache_read_input_tokens: schema.COUNT,
  cache_write_input_tokens: schema.COUNT,
};

export const TOKEN_USAGE = schema.object({
  ...TOKEN_FIELDS,
  metadata: schema.withDescription(
    schema.METADATA,
    "Sums of the dialects' named extras, such as `web_search_requests`.",
  ),
});

/** Sums over interceptions with this alias. TOTAL, because SUM fails when a sum exceeds 64 bits. */
export function tokenSumsSql(alias: string): Sql {
  return joined(
    TOKEN_COLUMNS.map(
      (name) => sql`TOTAL(${{ text: totalOf(name, alias), values: [] }}) AS ${{ text: name, values: [] }}`,
    ),
    ", ",
  );
}

export function toCounts(row: Row | undefined): TokenCounts {
  return {
    input_tokens: number(row?.["input_tokens"]),
    output_tokens: number(row?.["output_tokens"]),
    cache_read_input_tokens: number(row?.["cache_read_input_tokens"]),
    cache_write_input_tokens: number(row?.["cache_write_input_tokens"]),
  };
}

export type TokenUsage = TokenCounts & { readonly metadata: Readonly<Record<string, number>> };

/** The sums of several token usages. */
export function sumUsages(usages: readonly Row[]): TokenUsage {
  const metadata: Record<string, number> = {};
  for (const usage of usages) {
    for (const [name, value] of Object.entries(json(usage["metadata"]))) {
      if (typeof value === "number") metadata[name] = (metadata[name] ?? 0) + value;
    }
  }
  const sum = (name: (typeof TOKEN_COLUMNS)[number]): number =>
    usages.reduce((total, usage) => total + number(usage[name]), 0);
  return {
    input_tokens: sum("input_tokens"),
    output_tokens: sum("output_tokens"),
    cache_read_input_tokens: sum("cache_read_input_tokens"),
    cache_write_input_tokens: sum("cache_write_input_tokens"),
    metadata,
  };
}
