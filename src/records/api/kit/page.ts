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

/** Which part of a list a response has, for its headers. */
export type Page = {
  /** The number of matches on all pages; null where the count stopped at its cap. */
  readonly total: number | null;
  /** The parameters that select the next page instead of this one; null on the last page. */
  readonly next: Readonly<Record<string, string>> | null;
  /** The same for the previous page. Only threads can be read backwards. */
  readonly prev?: Readonly<Record<string, string>> | null;
};

/** Parameters that say where a page begins. A link to another page replaces them. */
const POSITIONS = ["offset", "after_id", "after_session_id", "after_key", "after_source", "before_id"];

/**
 * The headers that tell whether a response is complete. CSV has no other place for it: an extra line would be read as a row.
 * `Link` is RFC 8288's, with references relative to the request's URL (§3.1), because the Host header is the client's.
 * `X-Total-Count` is absent where the total is unknown, as in GitLab's API, so that a cap is not mistaken for a count.
 * `search`: the request's query string.
 */
export function setPageHeaders(headers: Headers, { total, next, prev = null }: Page, search: string): void {
  if (total !== null) headers.set("x-total-count", String(total));
  const links = Object.entries({ prev, next }).flatMap(([relation, position]) => {
    if (position === null) return [];
    const parameters = new URLSearchParams(search);
    for (const name of POSITIONS) parameters.delete(name);
    for (const [name, value] of Object.entries(position)) parameters.set(name, value);
    return [`<?${parameters.toString()}>; rel="${relation}"`];
  });
  if (links.length > 0) headers.set("link", links.join(", "));
}

/**
 * The page of a list whose query read one row more than `limit`. `position`: the parameters of the page after a row.
 * @returns the rows without that one, and what the headers say.
 */
export function cutPage(
  rows: readonly Row[],
  limit: number,
  { count, count_is_capped }: CountFields,
  position: (last: Row) => Readonly<Record<string, string>>,
): { readonly rows: readonly Row[]; readonly page: Page } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const next = rows.length > limit && last ? position(last) : null;
  return { rows: shown, page: { total: count_is_capped ? null : count, next } };
}

export type CountFields = { readonly count: number; readonly count_is_capped: boolean };

/** `matching` selects one row per match, without a limit. */
export function countSql(cap: number, matching: Sql): Sql {
  return sql`SELECT COUNT(*) AS count FROM (${matching} LIMIT ${cap + 1})`;
}

export function countFields(cap: number, rows: readonly Row[]): CountFields {
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
