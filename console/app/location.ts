/** The page's address as state: filters, time range and cursors are its query, so that a link shows the same rows. */
import { useCallback, useMemo } from "preact/hooks";
import { useLocation } from "preact-iso/router";

export const BASE = "/console";

export type Changes = Readonly<Record<string, string | null>>;

export type PageQuery = {
  /** The path below the console, beginning with a slash. */
  readonly path: string;
  readonly get: (name: string) => string | null;
  readonly entries: readonly (readonly [string, string])[];
  /** The address of this page with other parameters. */
  readonly href: (changes: Changes) => string;
  readonly set: (changes: Changes, replace?: boolean) => void;
};

/** They name a page of the rows that the other parameters select. */
export const CURSORS = ["after_id", "after_session_id", "after_key", "after_source", "before_id", "offset"];

export function usePageQuery(): PageQuery {
  const { url, route } = useLocation();
  const { pathname, search } = useMemo(() => new URL(url, location.origin), [url]);
  const href = useCallback(
    (changes: Changes): string => withChanges(pathname, search, changes),
    [pathname, search],
  );
  return useMemo(() => {
    const parameters = new URLSearchParams(search);
    return {
      path: pathname.slice(BASE.length) || "/",
      get: (name) => parameters.get(name),
      entries: [...parameters],
      href,
      set: (changes, replace = false) => route(href(changes), replace),
    };
  }, [pathname, search, href, route]);
}

function withChanges(pathname: string, search: string, changes: Changes): string {
  const parameters = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) parameters.delete(name);
    else parameters.set(name, value);
  }
  const text = parameters.toString();
  return text === "" ? pathname : `${pathname}?${text}`;
}

/** The parameters without cursors: what a changed filter begins with. */
export const withoutCursors: Changes = Object.fromEntries(CURSORS.map((name) => [name, null]));

/** The address of another page of the console. */
export function hrefOf(path: string, query: Changes = {}): string {
  return withChanges(`${BASE}${path}`, "", query);
}
