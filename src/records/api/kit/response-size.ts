/**
 * How much an answer may hold: what is recorded of a conversation is large, and the streams of others run in the same
 * memory. What would be larger is refused by its `limit`, before it is read.
 */
import type { Refusal } from "../../../shared/refusal.ts";
import { invalidFilter } from "./invalid-filter.ts";
import { number } from "./row-mapper.ts";
import type { Row } from "./query-ledger.ts";
import { column, sql, type Sql } from "./sql.ts";

/** Bytes of UTF-8 as they are stored: written out as JSON, a control character takes six. */
const MAX_SIZE = 8 * 1024 * 1024;
/** What a row costs whatever is in it. */
const ROW = 512;

export const TOO_LARGE = "Less where the answer would be over 8 MiB.";

/** `ids` selects the interceptions that are to be answered with all that belongs to them. */
export function sizeOf(ids: Sql): Sql {
  return sql`WITH page AS (${ids}) SELECT (SELECT 2 * ${ROW} * COUNT(*) FROM page)
    + (SELECT TOTAL(${bytes("p", "prompt")}) + ${ROW} * COUNT(*) FROM user_prompts p
       WHERE p.interception_id IN (SELECT id FROM page))
    + (SELECT TOTAL(${bytes("u", "input")}) + TOTAL(${bytes("u", "invocation_error")}) + ${ROW} * COUNT(*) FROM tool_usages u
       WHERE u.interception_id IN (SELECT id FROM page))
    + (SELECT TOTAL(${bytes("m", "content")}) + ${ROW} * COUNT(*) FROM model_thoughts m
       WHERE m.interception_id IN (SELECT id FROM page)) AS size`;
}

/** As a BLOB: the length of a text ends for SQLite at its first NUL. */
const bytes = (alias: string, name: string): Sql => sql`LENGTH(CAST(${column(alias, name)} AS BLOB))`;

export function checkSize(rows: readonly Row[]): Refusal | null {
  const fits = number(rows[0]?.["size"]) <= MAX_SIZE;
  return fits ? null : invalidFilter("limit", "is too much for one answer");
}
