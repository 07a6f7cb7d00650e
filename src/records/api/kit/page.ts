/** Paging: lists are ordered by id, newest first, and start at a cursor or an offset. The count stops at a cap. */
import type { Refusal } from "../../../shared/refusal.ts";
import { invalidFilter } from "./invalid-filter.ts";
import { number } from "./row-mapper.ts";
import type { Row } from "./query-ledger.ts";
import { integer, uuid } from "./parameter.ts";
import * as schema from "../../../shared/json-schema.ts";
import { sql, type Sql } from "./sql.ts";

/** One rule for every `limit`: an error names only the parameter, so a name cannot have two rules. */
export const LIMIT_RULE =
  "must be an integer from 1 to 1000 (for a session's threads: to 200); smaller where the response would exceed 8 MiB";

export const LIMIT = { ...integer(1, 1000, 100, "The maximum number of results."), rule: LIMIT_RULE };

export const OFFSET = {
  ...integer(
    0,
    100_000,
    0,
    "The number of results to skip. Prefer a cursor: an offset shifts while rows are added, and cannot be combined with one.",
  ),
  rule: "must be an integer from 0 to 100000, and 0 when a cursor is present",
};

export const cursor = (description: string) => ({
  ...uuid(description),
  rule: "must be a UUID of 36 characters, and the only cursor",
});

export const AFTER_ID = cursor(
  "Cursor: the id of the last result on the previous page. Stable while rows are added.",
);

/** Sorts after every id: the position of a list without a cursor. */
export const AFTER_EVERY_ID = "~";

export const COUNT_FIELDS = {
  count: schema.withDescription(schema.COUNT, "The number of matches on all pages, up to a cap."),
  count_is_capped: schema.withDescription(schema.FLAG, "Whether there are more matches than `count`."),
};

/** `matching` selects one row per match, without a limit. */
export function countSql(cap: number, matching: Sql): Sql {
  return sql`SELECT COUNT(*) AS count FROM (${matching} LIMIT ${cap + 1})`;
}

export function countFields(cap: number, rows: readonly Row[]): { count: number; count_is_capped: boolean } {
  const count = number(rows[0]?.["count"]);
  return { count: Math.min(count, cap), count_is_capped: count > cap };
}

/** @returns null where the request uses at most one of the cursors; else the refusal `filter_invalid`. */
export function checkCursors(cursors: Readonly<Record<string, unknown>>): Refusal | null {
  const used = Object.keys(cursors).filter((name) => cursors[name] !== null && cursors[name] !== 0);
  return used.length < 2
    ? null
    : invalidFilter(used.at(-1) ?? "", "must not be combined with another cursor");
}
