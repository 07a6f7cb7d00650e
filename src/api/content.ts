/**
 * How much an answer may hold: what is recorded of a conversation is large, and the streams of others run in the same
 * memory. What would be larger is refused by its `limit`, before it is read.
 */
import type { Refusal } from "../refusal.ts";
import { badFilter } from "./bad-filter.ts";
import { number } from "./record.ts";
import type { Row } from "./ledger.ts";
import { sql, type Sql } from "./sql.ts";

/** Characters. */
const MAX_SIZE = 16 * 1024 * 1024;
/** What a row costs whatever is in it. */
const ROW = 512;

export const TOO_LARGE = "Less where the answer would be over 16 Mi characters.";

/** `ids` selects the interceptions that are to be answered with all that belongs to them. */
export function sizeOf(ids: Sql): Sql {
  return sql`WITH page AS (${ids}) SELECT (SELECT 2 * ${ROW} * COUNT(*) FROM page)
    + (SELECT TOTAL(LENGTH(p.prompt)) + ${ROW} * COUNT(*) FROM user_prompts p
       WHERE p.interception_id IN (SELECT id FROM page))
    + (SELECT TOTAL(LENGTH(u.input)) + ${ROW} * COUNT(*) FROM tool_usages u
       WHERE u.interception_id IN (SELECT id FROM page))
    + (SELECT TOTAL(LENGTH(m.content)) + ${ROW} * COUNT(*) FROM model_thoughts m
       WHERE m.interception_id IN (SELECT id FROM page)) AS size`;
}

export function checkSize(rows: readonly Row[]): Refusal | null {
  const fits = number(rows[0]?.["size"]) <= MAX_SIZE;
  return fits ? null : badFilter("limit", "is too much for one answer");
}
