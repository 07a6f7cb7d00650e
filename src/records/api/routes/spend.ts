/** GET /spend: what calls cost, by one or two keys, the dearest groups first. */
import * as schema from "../../../shared/json-schema.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { EVIDENCE_FIELDS, evidenceSql, strongestName } from "../evidence.ts";
import { TOTAL_FILTERS } from "../filters.ts";
import { COST_FIELDS } from "../costs.ts";
import { GROUP_RULE, GROUP_WORDS, GROUPS, timeUnitOf, type Group, type GroupBy } from "../groups.ts";
import type { Table } from "../../../shared/csv.ts";
import { endpoint } from "../kit/endpoint.ts";
import { invalidFilter } from "../kit/invalid-filter.ts";
import { LIMIT, OFFSET, type Page } from "../kit/page.ts";
import { oneOf } from "../kit/parameter.ts";
import { dollars } from "../kit/money.ts";
import { number } from "../kit/row-mapper.ts";
import { sql, type Sql } from "../kit/sql.ts";
import { readTimeRange, RANGE_FIELDS, RANGE_PARAMETERS } from "../kit/time-range.ts";
import { TOKEN_COLUMNS, TOKEN_FIELDS } from "../tokens.ts";
import { sumsSql, totalsSql } from "../totals.ts";
import { focusTable } from "../focus.ts";
import { toSpendResult, type SpendResult } from "../spend-result.ts";

const NOT_GROUPED: Group = {
  key: sql`NULL`,
  source: sql`NULL`,
  name: sql`NULL`,
  columns: [],
  isPrincipal: false,
};

const keyFields = (which: string) => ({
  key: schema.withDescription(schema.orNull(schema.TEXT), `The ${which} key's value.`),
  source: schema.withDescription(schema.orNull(schema.TEXT), "The source of an initiator's or actor's id."),
  name: schema.withDescription(schema.orNull(schema.TEXT), "The name of an initiator or actor."),
});

const RESULT = {
  ...keyFields("first"),
  second: schema.withDescription(
    schema.orNull(schema.object(keyFields("second"))),
    "The second key; null without `then_by`.",
  ),
  ...COST_FIELDS,
  requests: schema.COUNT,
  ...TOKEN_FIELDS,
  ...EVIDENCE_FIELDS,
};

export const spend = endpoint({
  path: "/spend",
  summary: "The cost of calls, by one or two of initiator, actor, client, provider, model, day and hour",
  description:
    "Groups with the highest cost first. Days and hours are in UTC; hours need a range of at most 7 days. `columns=focus` with CSV has the columns of FOCUS 1.2 (FinOps Open Cost and Usage Specification), a charge for each group of a day: it requires `then_by=day`.",
  filters: TOTAL_FILTERS,
  parameters: {
    group_by: { ...oneOf(GROUP_WORDS, "initiator", "The first key."), rule: GROUP_RULE },
    then_by: { ...oneOf(GROUP_WORDS, null, "The second key."), rule: GROUP_RULE },
    columns: oneOf(["own", "focus"], "own", "The columns of CSV."),
    limit: LIMIT,
    offset: OFFSET,
    ...RANGE_PARAMETERS,
  },
  csv: true,
  response: schema.object({
    group_by: schema.TEXT,
    then_by: schema.orNull(schema.TEXT),
    ...RANGE_FIELDS,
    count: schema.withDescription(schema.COUNT, "The number of groups on all pages."),
    results: schema.list(schema.object(RESULT)),
    results_are_capped: schema.withDescription(schema.FLAG, "Whether there are more results after these."),
  }),
  handle: async ({ group_by, then_by, columns, limit, offset, ...times }, matches, { query, now, sent }) => {
    if (then_by === group_by) return invalidFilter("then_by", "must not be group_by");
    if (columns === "focus" && then_by !== "day") return invalidFilter("columns", "requires then_by=day");
    const range = readTimeRange(times, now);
    const [first, second] = [GROUPS[group_by], then_by === null ? NOT_GROUPED : GROUPS[then_by]];
    const dimensions = [...new Set([...first.columns, ...second.columns])];
    const by = timeUnitOf([group_by, ...(then_by === null ? [] : [then_by])], range);
    if (by instanceof Refusal) return by;
    const totals = totalsSql({ range, matches, sent, columns: dimensions, by });
    const rows = await query([pageSql(groupSql(first, second, totals), limit, offset)]);
    if (rows instanceof Refusal) return rows;
    const found = rows[0].filter((row) => row["requests"] !== null);
    const results = found.slice(0, limit).map((row) => toSpendResult(row, then_by !== null));
    const hasMore = found.length > limit;
    const count = number(rows[0][0]?.["groups"]);
    const page: Page = {
      total: count,
      next: hasMore ? { ...range.fields, offset: String(offset + limit) } : null,
    };
    return {
      body: { group_by, then_by, ...range.fields, count, results, results_are_capped: hasMore },
      table: columns === "focus" ? focusTable(group_by, results) : toTable(group_by, then_by, results),
      page,
    };
  },
});

/** By attribution first: an initiator whose requests have all been moved elsewhere is no evidence. */
const groupSql = (first: Group, second: Group, totals: Sql): Sql => sql`
  SELECT key, source, then_key, then_source, ${sumsSql("i")}, ${evidenceSql("i")},
    ${strongestName("i", sql`i.name`)} AS name, ${strongestName("i", sql`i.then_name`)} AS then_name
  FROM (
    SELECT ${first.key} AS key, ${first.source} AS source, ${second.key} AS then_key, ${second.source} AS then_source,
      i.attribution, MIN(${first.name}) AS name, MIN(${second.name}) AS then_name, ${sumsSql("i")}
    FROM (${totals}) i GROUP BY 1, 2, 3, 4, 5 HAVING TOTAL(i.requests) > 0
  ) i GROUP BY 1, 2, 3, 4`;

function pageSql(groups: Sql, limit: number, offset: number): Sql {
  const by = sql`cost_micros DESC, requests DESC, key, source, then_key, then_source`;
  return sql`WITH grouped AS MATERIALIZED (${groups})
    SELECT total.groups, shown.* FROM (SELECT COUNT(*) AS groups FROM grouped) total
    LEFT JOIN (SELECT * FROM grouped ORDER BY ${by} LIMIT ${limit + 1} OFFSET ${offset}) shown ORDER BY ${by}`;
}

const namesOf = (word: GroupBy): string[] =>
  GROUPS[word].isPrincipal ? [word, `${word}_name`, `${word}_source`] : [word];

const cellsOf = (word: GroupBy, { key, name, source }: Pick<SpendResult, "key" | "name" | "source">) =>
  GROUPS[word].isPrincipal ? [key, name, source] : [key];

/** Dollars beside micro-dollars: a spreadsheet adds them up. */
function toTable(group_by: GroupBy, then_by: GroupBy | null, results: readonly SpendResult[]): Table {
  return {
    columns: [
      ...namesOf(group_by),
      ...(then_by === null ? [] : namesOf(then_by)),
      "cost_usd",
      "cost_micros",
      "unpriced",
      "requests",
      ...TOKEN_COLUMNS,
      "attribution",
      "mixed",
    ],
    rows: results.map((result) => [
      ...cellsOf(group_by, result),
      ...(then_by === null || result.second === null ? [] : cellsOf(then_by, result.second)),
      dollars(result.cost_micros),
      result.cost_micros,
      result.unpriced,
      result.requests,
      ...TOKEN_COLUMNS.map((name) => result[name]),
      result.attribution,
      String(result.mixed),
    ]),
  };
}
