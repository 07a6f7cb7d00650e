/** The filters that lists of the API have. They are the parameters of the page's address, under the API's names. */
import { PARAMETERS } from "../api/schema.ts";
import type { Path, Query } from "../api/types.ts";
import { CURSORS, type PageQuery } from "./location.ts";

/** Parameters that other controls of a page set, or that no list of the console offers. */
const NOT_FILTERS: ReadonlySet<string> = new Set(
  CURSORS.concat(
    ["started_after", "started_before", "seen_after", "seen_before", "q", "limit", "format", "order"],
    ["group_by", "then_by", "columns", "own_key_rejected", "per", "from", "content", "id"],
  ),
);

/** `values`: the words of a closed set, or null where any text is a value. */
export type Filter = { readonly name: string; readonly values: readonly string[] | null };

export const filtersOf = (path: Path): readonly Filter[] =>
  Object.entries(PARAMETERS[path] as Readonly<Record<string, readonly string[] | null>>)
    .filter(([name]) => !NOT_FILTERS.has(name))
    .map(([name, values]) => ({ name, values }));

/** The filters and cursors of the address that the endpoint has; others are of another part of the page. */
export function filtersIn(query: Pick<PageQuery, "entries">, path: Path): Query {
  const known: ReadonlySet<string> = new Set(Object.keys(PARAMETERS[path]));
  return Object.fromEntries(
    query.entries.filter(([name]) => known.has(name) && (!NOT_FILTERS.has(name) || CURSORS.includes(name))),
  );
}

/** The list of each page to which links lead with filters. */
const LIST_OF_PAGE: Readonly<Record<string, Path>> = {
  "/": "/usage",
  "/people": "/usage",
  "/people/one": "/usage",
  "/providers": "/usage",
  "/sessions": "/sessions",
  "/live": "/interceptions",
  "/overrides": "/overrides",
  "/passthroughs": "/passthroughs",
  "/refusals": "/refusals",
};

/** The filters of the address that another page has too, with values that it accepts. */
export function filtersFor(
  page: string,
  query: Pick<PageQuery, "entries">,
): Readonly<Record<string, string>> {
  const list = LIST_OF_PAGE[page];
  if (list === undefined) return {};
  const filters = new Map(filtersOf(list).map(({ name, values }) => [name, values]));
  return Object.fromEntries(
    query.entries.filter(([name, value]) => {
      const values = filters.get(name);
      return values !== undefined && (values === null || values.includes(value));
    }),
  );
}
