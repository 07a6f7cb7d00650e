/** GET /providers: how providers respond: requests, failures and percentiles of latency. */
import { FAILURES, LATENCY_MEASURES, type Failure } from "../../rollups/latency-sql.ts";
import { Refusal } from "../../../shared/refusal.ts";
import * as schema from "../../../shared/json-schema.ts";
import { TOTAL_FILTERS } from "../filters.ts";
import { GROUP_RULE, GROUPS, timeUnitOf, type GroupBy } from "../groups.ts";
import type { Table } from "../../../shared/csv.ts";
import { endpoint } from "../kit/endpoint.ts";
import { LIMIT, OFFSET, type Page } from "../kit/page.ts";
import { oneOf } from "../kit/parameter.ts";
import type { Row } from "../kit/query-ledger.ts";
import { number, textOrNull } from "../kit/row-mapper.ts";
import { sql } from "../kit/sql.ts";
import { readTimeRange, RANGE_FIELDS, RANGE_PARAMETERS } from "../kit/time-range.ts";
import { DURATION, FIRST_BYTE, PERCENTILES, toPercentiles } from "../percentiles.ts";
import { sumsSql, totalsSql } from "../totals.ts";

/** The keys of each grouping: a provider alone, or with another key. */
const KEYS = {
  provider: ["provider"],
  provider_model: ["provider", "model"],
  provider_client: ["provider", "client"],
  provider_day: ["provider", "day"],
  provider_hour: ["provider", "hour"],
  day: ["day"],
  hour: ["hour"],
} as const satisfies Readonly<Record<string, readonly GroupBy[]>>;
type Grouping = keyof typeof KEYS;
const GROUPINGS = Object.keys(KEYS) as readonly Grouping[];

const failures = Object.keys(FAILURES) as readonly Failure[];
const nameOf = (failure: Failure): string => failure.replace("failed_", "");

const RESULT = {
  provider_name: schema.withDescription(
    schema.orNull(schema.TEXT),
    "null where the groups are by time alone.",
  ),
  key: schema.withDescription(
    schema.orNull(schema.TEXT),
    "The model, client, day or hour; null where the groups are by provider alone, and for requests that named no model.",
  ),
  requests: schema.COUNT,
  failures: schema.withDescription(
    schema.object(
      Object.fromEntries(
        failures.map((failure) => [
          nameOf(failure),
          schema.withDescription(schema.COUNT, `${FAILURES[failure]}.`),
        ]),
      ),
    ),
    "Calls that did not complete.",
  ),
  first_byte_ms: schema.withDescription(
    PERCENTILES,
    "From the request's arrival to the first byte of the response's body.",
  ),
  duration_ms: schema.withDescription(
    PERCENTILES,
    "From the request's arrival to the end of the call, of calls that the gateway did not refuse.",
  ),
};

export const providers = endpoint({
  path: "/providers",
  summary: "Requests, failures and latency of providers, by model, client, day or hour",
  description:
    "Groups with the most requests first, unless they are grouped by time. Percentiles are estimated from counts in fixed ranges of milliseconds, which the totals keep for each hour. Within a range, a percentile is interpolated. Above the last range, it is the lower bound of that range. Calls from before these counts existed are counted in `requests` only.",
  filters: TOTAL_FILTERS,
  parameters: {
    group_by: { ...oneOf(GROUPINGS, "provider_model", "The keys to group by."), rule: GROUP_RULE },
    limit: LIMIT,
    offset: OFFSET,
    ...RANGE_PARAMETERS,
  },
  csv: true,
  response: schema.object({
    group_by: schema.TEXT,
    ...RANGE_FIELDS,
    count: schema.withDescription(schema.COUNT, "The number of groups on all pages."),
    results: schema.list(schema.object(RESULT)),
    results_are_capped: schema.withDescription(schema.FLAG, "Whether there are more results after these."),
  }),
  handle: async ({ group_by, limit, offset, ...times }, matches, { query, now, sent }) => {
    const range = readTimeRange(times, now);
    const words: readonly GroupBy[] = KEYS[group_by];
    const by = timeUnitOf(words, range);
    if (by instanceof Refusal) return by;
    const columns = words.flatMap((word) => GROUPS[word].columns);
    const measures = ["requests", ...LATENCY_MEASURES] as const;
    const [provider, key] =
      words[0] === "provider" ? [GROUPS.provider.key, keyOf(words[1])] : [NONE, keyOf(words[0])];
    const grouped = sql`SELECT ${provider} AS provider, ${key} AS key, ${sumsSql("i", measures)}
      FROM (${totalsSql({ range, matches, sent, columns, by, measures })}) i GROUP BY 1, 2 HAVING TOTAL(i.requests) > 0`;
    const order = by === null ? sql`requests DESC, provider, key` : sql`key, provider`;
    const rows = await query([
      sql`WITH grouped AS MATERIALIZED (${grouped})
        SELECT total.groups, shown.* FROM (SELECT COUNT(*) AS groups FROM grouped) total
        LEFT JOIN (SELECT * FROM grouped ORDER BY ${order} LIMIT ${limit + 1} OFFSET ${offset}) shown ORDER BY ${order}`,
    ]);
    if (rows instanceof Refusal) return rows;
    const found = rows[0].filter((row) => row["requests"] !== null);
    const results = found.slice(0, limit).map(toResult);
    const hasMore = found.length > limit;
    const count = number(rows[0][0]?.["groups"]);
    const next = hasMore ? { ...range.fields, offset: String(offset + limit) } : null;
    const page: Page = { total: count, next };
    return {
      body: { group_by, ...range.fields, count, results, results_are_capped: hasMore },
      table: toTable(words, results),
      page,
    };
  },
});

const NONE = sql`NULL`;
const keyOf = (word: GroupBy | undefined) => (word === undefined ? NONE : GROUPS[word].key);

type Result = ReturnType<typeof toResult>;

const toResult = (row: Row) => ({
  provider_name: textOrNull(row["provider"]),
  key: textOrNull(row["key"]),
  requests: number(row["requests"]),
  failures: Object.fromEntries(failures.map((failure) => [nameOf(failure), number(row[failure])])),
  first_byte_ms: toPercentiles(row, FIRST_BYTE),
  duration_ms: toPercentiles(row, DURATION),
});

const latencyColumns = (name: string): string[] =>
  ["calls", "p50", "p95", "p99"].map((each) => `${name}_${each}`);

/** The columns of the keys have the keys' names. */
const toTable = (words: readonly GroupBy[], results: readonly Result[]): Table => ({
  columns: [
    ...words,
    "requests",
    ...failures,
    ...latencyColumns("first_byte_ms"),
    ...latencyColumns("duration_ms"),
  ],
  rows: results.map(({ provider_name, key, requests, failures: failed, first_byte_ms, duration_ms }) => [
    ...(words[0] === "provider" ? [provider_name] : []),
    ...(words.length > 1 || words[0] !== "provider" ? [key] : []),
    requests,
    ...failures.map((failure) => failed[nameOf(failure)] ?? 0),
    ...[first_byte_ms, duration_ms].flatMap(({ calls, p50, p95, p99 }) => [calls, p50, p95, p99]),
  ]),
});
