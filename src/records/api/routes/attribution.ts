/** GET /attribution: the strength of the evidence for initiators, day by day. */
import { Refusal } from "../../../shared/refusal.ts";
import { endpoint } from "../kit/endpoint.ts";
import { EVIDENCE_FIELDS, evidenceOf } from "../evidence.ts";
import { TOTAL_FILTERS } from "../filters.ts";
import { number, text } from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { readTimeRange, RANGE_FIELDS, RANGE_PARAMETERS } from "../kit/time-range.ts";
import { sql } from "../kit/sql.ts";
import { toCounts } from "../tokens.ts";
import { sumsSql, totalsSql } from "../totals.ts";

const NO_EVIDENCE = { attribution: null, mixed: false };

const COLUMNS = [
  "day",
  "attribution",
  "requests",
  "tokens",
  "share_of_requests",
  "share_of_tokens",
  "unknown_usage",
] as const;

export const attribution = endpoint({
  path: "/attribution",
  summary: "The share of requests and tokens per attribution, per day",
  description: "Newest day first. Days are in UTC. Shares are relative to the matching requests of that day.",
  filters: TOTAL_FILTERS,
  parameters: RANGE_PARAMETERS,
  csv: true,
  response: schema.object({
    ...RANGE_FIELDS,
    attribution: schema.withDescription(
      schema.orNull(schema.TEXT),
      "The weakest attribution in the time range; null where it has no requests.",
    ),
    mixed: EVIDENCE_FIELDS.mixed,
    results: schema.list(
      schema.object({
        day: schema.DAY,
        attribution: schema.TEXT,
        requests: schema.COUNT,
        tokens: schema.withDescription(
          schema.COUNT,
          "The sum of all four token counts, as far as they are known.",
        ),
        share_of_requests: schema.SHARE,
        share_of_tokens: schema.withDescription(
          schema.orNull(schema.SHARE),
          "null where no token counts of that day are known.",
        ),
        unknown_usage: schema.withDescription(schema.COUNT, "Requests whose usage is not final."),
      }),
    ),
  }),
  handle: async (values, matches, { query, now, sent }) => {
    const range = readTimeRange(values, now);
    const rows = await query([
      sql`SELECT i.time AS day, i.attribution, ${sumsSql("i")}
        FROM (${totalsSql({ range, matches, sent, columns: [], by: "day" })}) i
        GROUP BY 1, 2 HAVING TOTAL(i.requests) > 0 ORDER BY 1 DESC, 2`,
    ]);
    if (rows instanceof Refusal) return rows;
    const parts = rows[0].map((row) => ({
      day: text(row["day"]),
      attribution: text(row["attribution"]),
      requests: number(row["requests"]),
      tokens: Object.values(toCounts(row)).reduce((sum, count) => sum + count, 0),
      unknown_usage: number(row["unknown_usage"]),
    }));
    const words = parts.map(({ attribution: word }) => word);
    const results = withShares(parts);
    return {
      body: { ...range.fields, ...(parts.length === 0 ? NO_EVIDENCE : evidenceOf(words)), results },
      table: { columns: COLUMNS, rows: results.map((result) => COLUMNS.map((name) => result[name])) },
    };
  },
});

type Part = { readonly day: string; readonly requests: number; readonly tokens: number };
type Shares = { readonly share_of_requests: number; readonly share_of_tokens: number | null };

function withShares<P extends Part>(parts: readonly P[]): (P & Shares)[] {
  const days = Map.groupBy(parts, ({ day }) => day);
  return parts.map((part) => {
    const sameDay = days.get(part.day) ?? [];
    const requests = sameDay.reduce((sum, each) => sum + each.requests, 0);
    const tokens = sameDay.reduce((sum, each) => sum + each.tokens, 0);
    return {
      ...part,
      share_of_requests: rounded(part.requests / requests),
      share_of_tokens: tokens === 0 ? null : rounded(part.tokens / tokens),
    };
  });
}

const rounded = (share: number): number => Math.round(share * 1e6) / 1e6;
