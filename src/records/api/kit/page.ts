/** How lists are cut into pages: newest first by id, from a cursor or an offset, with a count that stops at a cap. */
import type { Refusal } from "../../../shared/refusal.ts";
import { invalidFilter } from "./invalid-filter.ts";
import { number } from "./row-mapper.ts";
import type { Row } from "./query-ledger.ts";
import { uuid, whole } from "./parameter.ts";
import * as schema from "../../../shared/json-schema.ts";
import { sql, type Sql } from "./sql.ts";

/** One sentence for every limit there is: who sent a bad one is told by the parameter's name alone. */
export const LIMIT_RULE =
  "a whole number from 1 to 1000, for a session's threads to 200; less where the answer would be over 8 MiB";

export const LIMIT = { ...whole(1, 1000, 100, "So many at most."), rule: LIMIT_RULE };

export const OFFSET = {
  ...whole(
    0,
    100_000,
    0,
    "Leaves out so many. Shifts while rows are added, and is not taken beside a cursor: prefer the cursor.",
  ),
  rule: "a whole number from 0 to 100000, and 0 beside a cursor",
};

export const cursor = (description: string) => ({
  ...uuid(description),
  rule: "a UUID of 36 characters, with no other cursor beside it",
});

export const AFTER_ID = cursor(
  "Cursor: the id of the last one on the page before. Stable while rows are added.",
);

/** Sorts behind every id: a list without a cursor begins here. */
export const PAST_ALL = "~";

export const COUNT_FIELDS = {
  count: schema.withDescription(schema.COUNT, "How many match, on all pages; counted up to a cap."),
  count_is_capped: schema.withDescription(schema.FLAG, "There are more than `count`."),
};

/** `matching` selects one row for each that counts, unlimited. */
export function countSql(cap: number, matching: Sql): Sql {
  return sql`SELECT COUNT(*) AS count FROM (${matching} LIMIT ${cap + 1})`;
}

export function countFields(cap: number, rows: readonly Row[]): { count: number; count_is_capped: boolean } {
  const count = number(rows[0]?.["count"]);
  return { count: Math.min(count, cap), count_is_capped: count > cap };
}

/** null where at most one way of paging is used. */
export function checkCursors(cursors: Readonly<Record<string, unknown>>): Refusal | null {
  const used = Object.keys(cursors).filter((name) => cursors[name] !== null && cursors[name] !== 0);
  return used.length < 2 ? null : invalidFilter(used.at(-1) ?? "", "is not taken beside another cursor");
}
