/** GET /providers/attempts: the recorded attempts, by provider, key and how they ended. */
import { ATTEMPT_REASONS, meanings, wordsOf } from "../../../events/vocabulary.ts";
import * as schema from "../../../shared/json-schema.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { firstUuidAt } from "../../../shared/uuid.ts";
import { endpoint } from "../kit/endpoint.ts";
import { LIMIT, OFFSET, type Page } from "../kit/page.ts";
import { equals } from "../kit/parameter.ts";
import type { Row } from "../kit/query-ledger.ts";
import { number, text, textOrNull } from "../kit/row-mapper.ts";
import { sql } from "../kit/sql.ts";
import { readTimeRange, RANGE_FIELDS, RANGE_PARAMETERS } from "../kit/time-range.ts";

const COLUMNS = ["provider_name", "key_hint", "reason", "attempts", "last_started_at"] as const;

export const providerAttempts = endpoint({
  path: "/providers/attempts",
  summary: "Attempts at providers, by key and how they ended",
  description:
    "Of requests that had several attempts, another model id than the client's, or AI Gateway as their provider: only their attempts are recorded. Keys that were rejected or limited, open circuits and caps show here where another attempt followed. The time is that of the request.",
  filters: { provider_name: equals("provider", "The configured provider.") },
  parameters: { limit: LIMIT, offset: OFFSET, ...RANGE_PARAMETERS },
  csv: true,
  response: schema.object({
    ...RANGE_FIELDS,
    count: schema.withDescription(schema.COUNT, "The number of results on all pages."),
    results: schema.list(
      schema.object({
        provider_name: schema.TEXT,
        key_hint: schema.withDescription(
          schema.orNull(schema.TEXT),
          "The first and last characters of the central key; null for a client's own key, and for a short one.",
        ),
        reason: {
          type: "string",
          enum: wordsOf(ATTEMPT_REASONS),
          description: `How the attempts ended. ${meanings(ATTEMPT_REASONS)}`,
        },
        attempts: schema.COUNT,
        last_started_at: schema.withDescription(schema.TIME, "When the last of them began."),
      }),
    ),
  }),
  handle: async ({ limit, offset, ...times }, matches, { query, now }) => {
    const range = readTimeRange(times, now);
    const rows = await query([
      sql`WITH grouped AS MATERIALIZED (
          SELECT t.provider, t.key_hint, t.reason, COUNT(*) AS attempts, MAX(t.started_at) AS last_started_at
          FROM upstream_attempts t
          WHERE t.interception_id >= ${firstUuidAt(range.from)} AND t.interception_id < ${firstUuidAt(range.to + 1)}
            AND ${matches("t")}
          GROUP BY 1, 2, 3)
        SELECT total.groups, shown.* FROM (SELECT COUNT(*) AS groups FROM grouped) total
        LEFT JOIN (SELECT * FROM grouped ORDER BY provider, key_hint, reason LIMIT ${limit + 1} OFFSET ${offset}) shown
        ORDER BY shown.provider, shown.key_hint, shown.reason`,
    ]);
    if (rows instanceof Refusal) return rows;
    const found = rows[0].filter(({ reason }) => reason !== null);
    const results = found.slice(0, limit).map(toResult);
    const count = number(rows[0][0]?.["groups"]);
    const next = found.length > limit ? { ...range.fields, offset: String(offset + limit) } : null;
    const page: Page = { total: count, next };
    return {
      body: { ...range.fields, count, results },
      table: { columns: COLUMNS, rows: results.map((result) => COLUMNS.map((name) => result[name])) },
      page,
    };
  },
});

const toResult = (row: Row) => ({
  provider_name: text(row["provider"]),
  key_hint: textOrNull(row["key_hint"]),
  reason: text(row["reason"]),
  attempts: number(row["attempts"]),
  last_started_at: text(row["last_started_at"]),
});
