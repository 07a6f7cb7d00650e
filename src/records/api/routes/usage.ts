/** GET /usage: requests and tokens, grouped by one key. */
import { Refusal } from "../../../shared/refusal.ts";
import { endpoint } from "../kit/endpoint.ts";
import { TOTAL_FILTERS } from "../filters.ts";
import { invalidFilter } from "../kit/invalid-filter.ts";
import { checkCursors, LIMIT, OFFSET, type Page } from "../kit/page.ts";
import { oneOf, type Parameter } from "../kit/parameter.ts";
import type { Row } from "../kit/query-ledger.ts";
import { number, textOrNull } from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { readTimeRange, RANGE_FIELDS, RANGE_PARAMETERS } from "../kit/time-range.ts";
import { sql, type Sql } from "../kit/sql.ts";
import { toCounts, TOKEN_COLUMNS, TOKEN_FIELDS, totalsSql } from "../tokens.ts";
import { actorName } from "../user-dto.ts";

/** The unary plus keeps the planner from walking a whole index only because it has the groups in order. */
const KEYS = {
  initiator: sql`+i.initiator_id`,
  actor: sql`+i.actor_id`,
  client: sql`+i.client`,
  provider: sql`+i.provider`,
  model: sql`+i.model`,
  day: sql`SUBSTR(i.started_at, 1, 10)`,
};

type GroupBy = keyof typeof KEYS;

/** One of a group's names. Most rows without a name have `{}`, which is the greater text. */
const NAMES: Readonly<Partial<Record<GroupBy, Sql>>> = {
  initiator: sql`MAX(i.initiator_name) AS owner_name,
    MIN(CASE WHEN i.actor_id = i.initiator_id THEN NULLIF(i.metadata, '{}') END) AS actor_metadata`,
  actor: sql`NULL AS owner_name, MIN(NULLIF(i.metadata, '{}')) AS actor_metadata`,
};
const NO_NAME = sql`NULL AS owner_name, NULL AS actor_metadata`;

const AFTER_KEY: Parameter<string | null> = {
  schema: { type: "string" },
  description:
    "Cursor for `order=key`: the key of the last result on the previous page. Stable while rows are added.",
  rule: "must be a key, with order=key and no offset",
  absent: null,
  read: (text) => text,
};

const RESULT = {
  key: schema.withDescription(schema.orNull(schema.TEXT), "null where the request named no model."),
  name: schema.withDescription(
    schema.orNull(schema.TEXT),
    "A name of the initiator or actor, where one is known in the time range; null for other keys.",
  ),
  requests: schema.COUNT,
  ...TOKEN_FIELDS,
  unknown_usage: schema.withDescription(
    schema.COUNT,
    "Requests whose usage is not final: the token counts are a lower bound.",
  ),
};

export const usage = endpoint({
  path: "/usage",
  summary: "Requests and tokens, by initiator, actor, client, provider, model or day",
  description:
    "Most requests first, or by key. Days are in UTC. To read every group exactly once, use `order=key` and follow the `Link` header: its time range stays the same.",
  filters: TOTAL_FILTERS,
  parameters: {
    group_by: oneOf(
      ["initiator", "actor", "client", "provider", "model", "day"],
      "initiator",
      "The key to group by.",
    ),
    order: oneOf(["requests", "key"], "requests", "The order of the groups."),
    limit: LIMIT,
    offset: OFFSET,
    after_key: AFTER_KEY,
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
  handle: async ({ group_by, order, limit, offset, after_key, ...times }, matches, { query, now }) => {
    const refusal =
      checkCursors({ after_key, offset }) ??
      (after_key !== null && order !== "key" ? invalidFilter("after_key", "requires order=key") : null);
    if (refusal) return refusal;
    const range = readTimeRange(times, now);
    const groups = sql`SELECT ${KEYS[group_by]} AS key, COUNT(DISTINCT i.id) AS requests, ${totalsSql("t")},
        COUNT(DISTINCT CASE WHEN i.usage IS NOT 'final' THEN i.id END) AS unknown_usage,
        ${NAMES[group_by] ?? NO_NAME}
      FROM interceptions i LEFT JOIN token_usages t ON t.interception_id = i.id
      WHERE ${range.matches("i")} AND ${matches("i")} GROUP BY 1`;
    const rows = await query([pageSql(groups, { order, limit, offset, after_key })]);
    if (rows instanceof Refusal) return rows;
    const found = rows[0].filter((row) => row["requests"] !== null);
    const results = found.slice(0, limit).map(toResult);
    const count = number(rows[0][0]?.["groups"]);
    const hasMore = found.length > limit;
    const position =
      order === "key" ? { after_key: results.at(-1)?.key ?? "" } : { offset: String(offset + limit) };
    const page: Page = { total: count, next: hasMore ? { ...range.fields, ...position } : null };
    const named = group_by in NAMES;
    const columns = ["key", ...(named ? (["name"] as const) : []), "requests", ...COUNTED] as const;
    const heads = [group_by, ...(named ? [`${group_by}_name`] : []), "requests", ...COUNTED];
    return {
      body: { group_by, ...range.fields, count, results, results_are_capped: hasMore },
      table: { columns: heads, rows: results.map((result) => columns.map((name) => result[name])) },
      page,
    };
  },
});

const COUNTED = [...TOKEN_COLUMNS, "unknown_usage"] as const;

type Position = {
  readonly order: "requests" | "key";
  readonly limit: number;
  readonly offset: number;
  readonly after_key: string | null;
};

/**
 * One page of the groups and one more, each with the number of all groups; that number alone where the page is empty.
 * The groups are computed once. A null key sorts last, so no page begins after it.
 */
function pageSql(groups: Sql, { order, limit, offset, after_key }: Position): Sql {
  const after = after_key === null ? sql`1` : sql`(key > ${after_key} OR key IS NULL)`;
  const by = order === "key" ? sql`key NULLS LAST` : sql`requests DESC, key`;
  return sql`WITH grouped AS MATERIALIZED (${groups})
    SELECT total.groups, shown.* FROM (SELECT COUNT(*) AS groups FROM grouped) total
    LEFT JOIN (SELECT * FROM grouped WHERE ${after} ORDER BY ${by} LIMIT ${limit + 1} OFFSET ${offset}) shown
    ORDER BY ${by}`;
}

function toResult(row: Row) {
  return {
    key: textOrNull(row["key"]),
    name: textOrNull(row["owner_name"]) ?? actorName(row["actor_metadata"]),
    requests: number(row["requests"]),
    ...toCounts(row),
    unknown_usage: number(row["unknown_usage"]),
  };
}
