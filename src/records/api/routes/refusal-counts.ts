/** GET /refusals/counts: how many requests the gateway refused, by reason and minute, hour or day. */
import { UNCONFIRMED_KEY } from "../../../events/vocabulary.ts";
import * as schema from "../../../shared/json-schema.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { endpoint } from "../kit/endpoint.ts";
import { LIMIT, OFFSET, type Page } from "../kit/page.ts";
import { oneOf } from "../kit/parameter.ts";
import type { Row } from "../kit/query-ledger.ts";
import { number, text } from "../kit/row-mapper.ts";
import { sql, type Condition, type Sql } from "../kit/sql.ts";
import { RANGE_FIELDS, RANGE_PARAMETERS, readTimeRange, type TimeRange } from "../kit/time-range.ts";
import { REASONS, refusalFilters } from "./refusals.ts";

/** The characters that the times of one period share, and the rest of its first one. */
const PERIODS = {
  minute: { length: 16, rest: ":00.000Z" },
  hour: { length: 13, rest: ":00:00.000Z" },
  day: { length: 10, rest: "T00:00:00.000Z" },
} as const;

const COLUMNS = ["time", "reason", "refusals", "verified", "unverified"] as const;

export const refusalCounts = endpoint({
  path: "/refusals/counts",
  summary: "The number of refused requests, by reason and time",
  description:
    "Newest period first. `verified` is the number of refusals with a verified actor, which `/refusals` lists. `unverified` is the number of all others, as each isolate of the gateway counted them; those that `/refusals` also lists are among them. Refusals of the records API are not counted. The time is that of the refusal. A range is extended to whole minutes.",
  filters: refusalFilters(
    [...REASONS, UNCONFIRMED_KEY],
    "The refusal's code, as in `x-interceptor-error`, or `own_key_unconfirmed`: failed calls with a client's own key that is not known to work.",
  ),
  parameters: {
    per: oneOf(["minute", "hour", "day"], "hour", "The period of one result, in UTC."),
    limit: LIMIT,
    offset: OFFSET,
    ...RANGE_PARAMETERS,
  },
  csv: true,
  response: schema.object({
    per: schema.TEXT,
    ...RANGE_FIELDS,
    count: schema.withDescription(schema.COUNT, "The number of results on all pages."),
    results: schema.list(
      schema.object({
        time: schema.withDescription(schema.TIME, "The start of the period."),
        reason: schema.TEXT,
        refusals: schema.withDescription(schema.COUNT, "The sum of `verified` and `unverified`."),
        verified: schema.COUNT,
        unverified: schema.COUNT,
      }),
    ),
  }),
  handle: async ({ per, limit, offset, ...times }, matches, { query, now }) => {
    const range = toMinutes(readTimeRange(times, now).fields);
    const { length, rest } = PERIODS[per];
    const periods = periodsSql(length, range, matches);
    const rows = await query([
      sql`WITH grouped AS MATERIALIZED (${periods})
        SELECT total.periods, shown.* FROM (SELECT COUNT(*) AS periods FROM grouped) total
        LEFT JOIN (SELECT * FROM grouped ORDER BY period DESC, reason LIMIT ${limit + 1} OFFSET ${offset}) shown
        ORDER BY shown.period DESC, shown.reason`,
    ]);
    if (rows instanceof Refusal) return rows;
    const found = rows[0].filter(({ period }) => period !== null);
    const results = found.slice(0, limit).map((row) => toResult(row, rest));
    const count = number(rows[0][0]?.["periods"]);
    const next = found.length > limit ? { ...range, offset: String(offset + limit) } : null;
    const page: Page = { total: count, next };
    return {
      body: { per, ...range, count, results },
      table: { columns: COLUMNS, rows: results.map((result) => COLUMNS.map((name) => result[name])) },
      page,
    };
  },
});

const MINUTE_MS = 60_000;

/** Extends a range to whole minutes: counts are no finer. */
function toMinutes({ started_after, started_before }: TimeRange["fields"]): TimeRange["fields"] {
  const startOf = (time: string): number => Math.floor(Date.parse(time) / MINUTE_MS) * MINUTE_MS;
  return {
    started_after: new Date(startOf(started_after)).toISOString(),
    started_before: new Date(startOf(started_before) + MINUTE_MS - 1).toISOString(),
  };
}

/** One row per period and reason. Rows without a verified actor are counted by `refusal_counts` alone. */
function periodsSql(length: number, range: TimeRange["fields"], matches: Condition): Sql {
  const { started_after: from, started_before: to } = range;
  return sql`SELECT period, reason, SUM(verified) AS verified, SUM(unverified) AS unverified FROM (
      SELECT SUBSTR(r.created_at, 1, ${length}) AS period, r.reason, COUNT(*) AS verified, 0 AS unverified
      FROM refusals r
      WHERE r.actor_verified = 1 AND r.created_at >= ${from} AND r.created_at <= ${to} AND ${matches("r")}
      GROUP BY 1, 2
      UNION ALL
      SELECT SUBSTR(c.minute, 1, ${length}), c.reason, 0, SUM(c.refusals) FROM refusal_counts c
      WHERE c.minute >= ${from} AND c.minute <= ${to} AND ${matches("c")}
      GROUP BY 1, 2
    ) counted GROUP BY 1, 2`;
}

function toResult(row: Row, rest: string) {
  const [verified, unverified] = [number(row["verified"]), number(row["unverified"])];
  return {
    time: `${text(row["period"])}${rest}`,
    reason: text(row["reason"]),
    refusals: verified + unverified,
    verified,
    unverified,
  };
}
