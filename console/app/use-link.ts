/** Addresses of other pages, with what the reader has chosen on this one. */
import { useCallback } from "preact/hooks";
import { filtersFor } from "./filter-names.ts";
import { hrefOf, usePageQuery, type Changes } from "./location.ts";
import { useRangeQuery } from "./range.tsx";

export type LinkTo = (path: string, query?: Changes) => string;

/** Keeps the time range. */
export function useRangeLink(): LinkTo {
  const range = useRangeQuery();
  return useCallback(
    (path, query = {}) => hrefOf(path, { ...range, ...query }),
    // The object is another one each time.
    [JSON.stringify(range)],
  );
}

/** Keeps the time range, and the filters that the other page has too. */
export function useDrillLink(): LinkTo {
  const query = usePageQuery();
  const toRange = useRangeLink();
  return (path, changes = {}) => toRange(path, { ...filtersFor(path, query), ...changes });
}
