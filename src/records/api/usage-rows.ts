/**
 * The usage records of interceptions, in Coder's form. An interception's own usage stands in its row. A row of `token_usages`
 * is usage that was retrieved later, or the usage event of an earlier gateway.
 */
import { joined, sql, type Sql } from "./kit/sql.ts";
import { TOKEN_COLUMNS } from "./tokens.ts";

const counts = (alias: string): Sql =>
  joined(
    TOKEN_COLUMNS.map((name) => ({ text: `${alias}.${name}`, values: [] })),
    ", ",
  );

/** The id of an interception's usage event: its own with another version and code (event-id.ts). */
const ownId = (id: string): Sql => ({
  text: `SUBSTR(${id}, 1, 14) || '8200' || SUBSTR(${id}, 19)`,
  values: [],
});

/** `ids`: selects the interceptions' ids. */
export const usageRowsSql = (ids: Sql): Sql => sql`
  SELECT ${ownId("i.id")} AS id, i.id AS interception_id, i.provider_response_id, ${counts("i")}, i.usage,
    i.usage_metadata AS metadata, i.raw_usage, i.ended_at AS created_at
  FROM interceptions i WHERE i.id IN (${ids}) AND i.usage_metadata IS NOT NULL
  UNION ALL
  SELECT t.id, t.interception_id, t.provider_response_id, ${counts("t")}, t.usage, t.metadata, t.raw_usage, t.created_at
  FROM token_usages t WHERE t.interception_id IN (${ids}) AND (t.id <> ${ownId("t.interception_id")} OR NOT EXISTS (
    SELECT 1 FROM interceptions i WHERE i.id = t.interception_id AND i.usage_metadata IS NOT NULL))`;
