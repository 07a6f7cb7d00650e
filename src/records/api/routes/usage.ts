/** GET /usage: requests, tokens and cost, grouped by one key. */
import { Refusal } from "../../../shared/refusal.ts";
import { endpoint } from "../kit/endpoint.ts";
import { TOTAL_FILTERS } from "../filters.ts";
import type { Table } from "../../../shared/csv.ts";
import { invalidFilter } from "../kit/invalid-filter.ts";
import { checkCursors, LIMIT, OFFSET, type Page } from "../kit/page.ts";
import { oneOf, type Parameter } from "../kit/parameter.ts";
import type { Row } from "../kit/query-ledger.ts";
import { number, textOrNull } from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { readTimeRange, RANGE_FIELDS, RANGE_PARAMETERS } from "../kit/time-range.ts";
import { sql, type Sql } from "../kit/sql.ts";
import { toCounts, TOKEN_COLUMNS, TOKEN_FIELDS } from "../tokens.ts";
import { sumsSql, totalsSql } from "../totals.ts";
import { COST_FIELDS } from "../costs.ts";
import { GROUP_RULE, GROUP_WORDS, GROUPS, timeUnitOf, type GroupBy } from "../groups.ts";
import { EVIDENCE_FIELDS, evidenceSql, strongestName, toEvidence } from "../evidence.ts";

const AFTER_KEY: Parameter<string | null> = {
  schema: { type: "string" },
  description:
    "Cursor for `order=key`: the key of the last result on the previous page. Stable while rows are added.",
  rule: "must be a key, with order=key and no offset",
  absent: null,
  read: (text) => text,
};

const AFTER_SOURCE: Parameter<string | null> = {
  schema: { type: "string" },
  description: "The `source` of that result, for groups by initiator or actor: two sources can have one id.",
  rule: "must be a source, with after_key",
  absent: null,
  read: (text) => text,
};

const RESULT = {
  key: schema.withDescription(schema.orNull(schema.TEXT), "null where the request named no model."),
  source: schema.withDescription(
    schema.orNull(schema.TEXT),
    "The source of the initiator's or actor's id; null for other keys.",
  ),
  name: schema.withDescription(
    schema.orNull(schema.TEXT),
    "A name of the initiator or actor, where its strongest interceptions in the time range have one; null for other keys.",
  ),
  requests: schema.COUNT,
  ...TOKEN_FIELDS,
  unknown_usage: schema.withDescription(
    schema.COUNT,
    "Requests whose usage is not final: the token counts are a lower bound.",
  ),
  ...COST_FIELDS,
  ...EVIDENCE_FIELDS,
};

export const usage = endpoint({
  path: "/usage",
  summary: "Requests, tokens and cost, by initiator, actor, client, provider, model, day or hour",
  description:
    "Most requests first, or by key. Days and hours are in UTC; hours need a range of at most 7 days. Initiators and actors are principals: one group per source and id. To read every group exactly once, use `order=key` and follow the `Link` header: its time range stays the same.",
  filters: TOTAL_FILTERS,
  parameters: {
    group_by: { ...oneOf(GROUP_WORDS, "initiator", "The key to group by."), rule: GROUP_RULE },
    order: oneOf(["requests", "key"], "requests", "The order of the groups."),
    limit: LIMIT,
    offset: OFFSET,
    after_key: AFTER_KEY,
    after_source: AFTER_SOURCE,
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
  handle: async ({ group_by, order, limit, offset, ...others }, matches, { query, now, sent }) => {
    const { after_key, after_source, ...times } = others;
    const position: Position = { order, limit, offset, after_key, after_source };
    const refusal = checkPosition(position);
    if (refusal) return refusal;
    const range = readTimeRange(times, now);
    const { key, source, name, columns } = GROUPS[group_by];
    const by = timeUnitOf([group_by], range);
    if (by instanceof Refusal) return by;
    const totals = { range, matches, sent, columns, by };
    // By attribution first: one whose requests have all been moved elsewhere is no evidence.
    const groups = sql`SELECT key, source, ${sumsSql("i")}, ${evidenceSql("i")},
        ${strongestName("i", sql`i.name`)} AS name
      FROM (
        SELECT ${key} AS key, ${source} AS source, i.attribution, MIN(${name}) AS name, ${sumsSql("i")}
        FROM (${totalsSql(totals)}) i GROUP BY 1, 2, 3 HAVING TOTAL(i.requests) > 0
      ) i GROUP BY 1, 2`;
    const rows = await query([pageSql(groups, position)]);
    if (rows instanceof Refusal) return rows;
    const found = rows[0].filter((row) => row["requests"] !== null);
    const results = found.slice(0, limit).map(toResult);
    const count = number(rows[0][0]?.["groups"]);
    const hasMore = found.length > limit;
    const next = nextPosition(position, results.at(-1));
    const page: Page = { total: count, next: hasMore ? { ...range.fields, ...next } : null };
    return {
      body: { group_by, ...range.fields, count, results, results_are_capped: hasMore },
      table: toTable(group_by, results),
      page,
    };
  },
});

const COUNTED = [...TOKEN_COLUMNS, "unknown_usage", "cost_micros", "unpriced"] as const;

type Result = ReturnType<typeof toResult>;

function toTable(group_by: GroupBy, results: readonly Result[]): Table {
  const named = GROUPS[group_by].isPrincipal;
  const columns = [
    "key",
    ...(named ? (["name"] as const) : []),
    "requests",
    ...COUNTED,
    ...(named ? (["source"] as const) : []),
    "attribution",
    "mixed",
  ] as const;
  const ofGroup: Readonly<Record<string, string>> = {
    key: group_by,
    name: `${group_by}_name`,
    source: `${group_by}_source`,
  };
  const toCell = (value: Result[keyof Result]) => (typeof value === "boolean" ? String(value) : value);
  return {
    columns: columns.map((name) => ofGroup[name] ?? name),
    rows: results.map((result) => columns.map((name) => toCell(result[name]))),
  };
}

type Position = {
  readonly order: "requests" | "key";
  readonly limit: number;
  readonly offset: number;
  readonly after_key: string | null;
  readonly after_source: string | null;
};

function checkPosition({ order, offset, after_key, after_source }: Position): Refusal | null {
  const refusal = checkCursors({ after_key, offset });
  if (refusal) return refusal;
  if (after_key === null && after_source !== null) return invalidFilter("after_source", "requires after_key");
  return after_key !== null && order !== "key" ? invalidFilter("after_key", "requires order=key") : null;
}

function nextPosition({ order, offset, limit }: Position, last: Result | undefined): Record<string, string> {
  if (order !== "key") return { offset: String(offset + limit) };
  const source = last?.source ?? null;
  return { after_key: last?.key ?? "", ...(source === null ? {} : { after_source: source }) };
}

/**
 * One page of the groups and one more, each with the number of all groups; that number alone where the page is empty.
 * The groups are computed once. A null key sorts last, so no page begins after it.
 */
function pageSql(groups: Sql, { order, limit, offset, after_key, after_source }: Position): Sql {
  const sameKey = after_source === null ? sql`0` : sql`key = ${after_key} AND source > ${after_source}`;
  const after = after_key === null ? sql`1` : sql`(key > ${after_key} OR key IS NULL OR ${sameKey})`;
  const by = order === "key" ? sql`key NULLS LAST, source` : sql`requests DESC, key, source`;
  return sql`WITH grouped AS MATERIALIZED (${groups})
    SELECT total.groups, shown.* FROM (SELECT COUNT(*) AS groups FROM grouped) total
    LEFT JOIN (SELECT * FROM grouped WHERE ${after} ORDER BY ${by} LIMIT ${limit + 1} OFFSET ${offset}) shown
    ORDER BY ${by}`;
}

function toResult(row: Row) {
  return {
    key: textOrNull(row["key"]),
    source: textOrNull(row["source"]),
    name: textOrNull(row["name"]),
    requests: number(row["requests"]),
    ...toCounts(row),
    unknown_usage: number(row["unknown_usage"]),
    cost_micros: number(row["cost_micros"]),
    unpriced: number(row["unpriced"]),
    ...toEvidence(row),
  };
}
