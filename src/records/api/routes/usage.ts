/** GET /usage: requests and tokens, grouped by one key. */
import { Refusal } from "../../../shared/refusal.ts";
import { endpoint } from "../kit/endpoint.ts";
import { PROPERTY_FILTERS } from "../filters.ts";
import { LIMIT } from "../kit/page.ts";
import { oneOf } from "../kit/parameter.ts";
import { number, textOrNull } from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { readTimeRange, RANGE_FIELDS, RANGE_PARAMETERS } from "../kit/time-range.ts";
import { sql } from "../kit/sql.ts";
import { toCounts, TOKEN_COLUMNS, TOKEN_FIELDS, totalsSql } from "../tokens.ts";

/** The unary plus keeps the planner from walking a whole index only because it has the groups in order. */
const KEYS = {
  initiator: sql`+i.initiator_id`,
  actor: sql`+i.actor_id`,
  client: sql`+i.client`,
  provider: sql`+i.provider`,
  model: sql`+i.model`,
  day: sql`SUBSTR(i.started_at, 1, 10)`,
};

export const usage = endpoint({
  path: "/usage",
  summary: "Requests and tokens, by initiator, actor, client, provider, model or day",
  description: "Most requests first. Days are in UTC.",
  filters: PROPERTY_FILTERS,
  parameters: {
    group_by: oneOf(
      ["initiator", "actor", "client", "provider", "model", "day"],
      "initiator",
      "The key to group by.",
    ),
    limit: LIMIT,
    ...RANGE_PARAMETERS,
  },
  csv: true,
  response: schema.object({
    group_by: schema.TEXT,
    ...RANGE_FIELDS,
    results: schema.list(
      schema.object({
        key: schema.withDescription(schema.orNull(schema.TEXT), "null where the request named no model."),
        requests: schema.COUNT,
        ...TOKEN_FIELDS,
        unknown_usage: schema.withDescription(
          schema.COUNT,
          "Requests whose usage is not final: the token counts are a lower bound.",
        ),
      }),
    ),
    results_are_capped: schema.withDescription(schema.FLAG, "Whether there are more results than `limit`."),
  }),
  handle: async ({ group_by, limit, ...times }, matches, { query, now }) => {
    const range = readTimeRange(times, now);
    const rows = await query([
      sql`SELECT ${KEYS[group_by]} AS key, COUNT(DISTINCT i.id) AS requests, ${totalsSql("t")},
          COUNT(DISTINCT CASE WHEN i.usage IS NOT 'final' THEN i.id END) AS unknown_usage
        FROM interceptions i LEFT JOIN token_usages t ON t.interception_id = i.id
        WHERE ${range.matches("i")} AND ${matches("i")}
        GROUP BY 1 ORDER BY requests DESC, key LIMIT ${limit + 1}`,
    ]);
    if (rows instanceof Refusal) return rows;
    const results = rows[0].slice(0, limit).map((row) => ({
      key: textOrNull(row["key"]),
      requests: number(row["requests"]),
      ...toCounts(row),
      unknown_usage: number(row["unknown_usage"]),
    }));
    const columns = ["key", "requests", ...TOKEN_COLUMNS, "unknown_usage"] as const;
    return {
      body: { group_by, ...range.fields, results, results_are_capped: rows[0].length > limit },
      table: {
        columns: [group_by, ...columns.slice(1)],
        rows: results.map((result) => columns.map((name) => result[name])),
      },
    };
  },
});
