/** Reads the calls of a period from the ledger, and usage that was retrieved in it, page by page. */
import type { Query, Row } from "../../src/records/ledger/seal/rebuild.ts";
import { firstUuidAt } from "../../src/shared/uuid.ts";
import { interceptionOf, retrievedOf, type RecordedCall } from "./recorded-call.ts";

/** Milliseconds since 1970; `to` is not part of it. */
export type Period = { readonly from: number; readonly to: number };

const PAGE_ROWS = 1000;

/** A row's cost is that of its last correction. `id`: of the row. */
const costColumns = (alias: string, id: string): string => `
  IIF(fix.id IS NULL, ${alias}.cost_micros, fix.cost_micros) AS cost_micros,
  COALESCE(fix.cost_source, ${alias}.cost_source) AS cost_source,
  IIF(fix.id IS NULL, ${alias}.price_version, fix.price_version) AS price_version,
  COALESCE(fix.position + 1, 0) AS corrections
FROM page LEFT JOIN cost_corrections AS fix ON fix.interception_id = ${id}
  AND fix.id = (SELECT MAX(last.id) FROM cost_corrections AS last WHERE last.interception_id = ${id})`;

const TOKENS = "input_tokens, output_tokens, cache_read_input_tokens, cache_write_input_tokens, usage";

/** Parameters: the id after which the page begins, and the id before which it ends. */
const INTERCEPTIONS = `
WITH page AS (SELECT * FROM interceptions WHERE id > ?1 AND id < ?2 AND ended_at IS NOT NULL ORDER BY id LIMIT ${PAGE_ROWS})
SELECT page.id, provider, model, response_model, ${TOKENS}, usage_metadata, reported_cost, service_tier, speed, inference_geo,
  tool_call_count, ended_at, end_seal,
  (SELECT json_group_array(tool.metadata ->> 'kind') FROM tool_usages AS tool WHERE tool.interception_id = page.id) AS tool_kinds,
  (SELECT json_array(tried.provider, tried.sent_model) FROM upstream_attempts AS tried
    WHERE tried.interception_id = page.id ORDER BY tried.id DESC LIMIT 1) AS last_attempt,
  ${costColumns("page", "page.id")} ORDER BY page.id`;

const RETRIEVED = `
WITH page AS (SELECT * FROM retrieved_usages WHERE interception_id > ?1 AND interception_id < ?2 ORDER BY interception_id LIMIT ${PAGE_ROWS})
SELECT page.interception_id AS id, provider, NULL AS model, response_model, ${TOKENS}, metadata, price_terms, page.created_at, page.seal,
  ${costColumns("page", "page.interception_id")} ORDER BY page.interception_id`;

const KINDS: readonly { readonly sql: string; readonly read: (row: Row) => RecordedCall }[] = [
  { sql: INTERCEPTIONS, read: interceptionOf },
  { sql: RETRIEVED, read: retrievedOf },
];

export async function* readCalls(query: Query, { from, to }: Period): AsyncGenerator<RecordedCall> {
  for (const { sql, read } of KINDS) {
    for (let after = firstUuidAt(from); ;) {
      const rows = await query(sql, after, firstUuidAt(to));
      for (const row of rows) yield read(row);
      const last = rows.at(-1);
      if (!last || rows.length < PAGE_ROWS) break;
      after = String(last["id"]);
    }
  }
}
