/**
 * Bounds a response's size. Recorded conversations are large, and an isolate's memory is shared by all its requests. A
 * page that would exceed the bound is refused by its `limit`, before the content is read.
 */
import type { Refusal } from "../../../shared/refusal.ts";
import { invalidFilter } from "./invalid-filter.ts";
import { number } from "./row-mapper.ts";
import type { Row } from "./query-ledger.ts";
import { column, sql, type Sql } from "./sql.ts";

/** In bytes of UTF-8 as stored. In JSON, a control character takes six. */
const MAX_SIZE = 8 * 1024 * 1024;
/** The size of a row apart from its content, in bytes. */
const ROW = 512;

/** For the description of a `limit`. */
export const SIZE_NOTE = "Must be smaller where the response would exceed 8 MiB.";

/** The size of the interceptions that `ids` selects, with the rows that belong to them, as `size`. */
export function sizeSql(ids: Sql): Sql {
  return sql`WITH page AS (${ids}) SELECT (SELECT 2 * ${ROW} * COUNT(*) FROM page)
    + (SELECT TOTAL(${bytes("p", "prompt")}) + ${ROW} * COUNT(*) FROM user_prompts p
       WHERE p.interception_id IN (SELECT id FROM page))
    + (SELECT TOTAL(${bytes("u", "input")}) + TOTAL(${bytes("u", "invocation_error")}) + ${ROW} * COUNT(*) FROM tool_usages u
       WHERE u.interception_id IN (SELECT id FROM page))
    + (SELECT TOTAL(${bytes("m", "content")}) + ${ROW} * COUNT(*) FROM model_thoughts m
       WHERE m.interception_id IN (SELECT id FROM page)) AS size`;
}

/** For a response without content, which needs no bound. */
export const NO_SIZE: Sql = sql`SELECT 0 AS size`;

/** The length of a column in bytes. As a BLOB, because SQLite's length of a text ends at its first NUL. */
const bytes = (alias: string, name: string): Sql => sql`LENGTH(CAST(${column(alias, name)} AS BLOB))`;

/** `rows`: the result of `sizeSql`, or of `NO_SIZE`. */
export function checkSize(rows: readonly Row[]): Refusal | null {
  const fits = number(rows[0]?.["size"]) <= MAX_SIZE;
  return fits ? null : invalidFilter("limit", "is too large: the response would exceed 8 MiB");
}
