/** Below a list: how many rows match, and the links to the next page and back to the newest rows. */
import type { VNode } from "preact";
import { CURSORS, usePageQuery, withoutCursors } from "../app/location.ts";
import { formatCount } from "../text/format.ts";
import { Note } from "./states.tsx";

type PagerProps = {
  readonly shown: number;
  readonly count: number;
  readonly isCapped: boolean;
  readonly next: Readonly<Record<string, string>> | null;
  /** The name of one row and of several. */
  readonly noun: readonly [string, string];
};

export function Pager({ shown, count, isCapped, next, noun }: PagerProps): VNode {
  const query = usePageQuery();
  const isFirst = !CURSORS.some((name) => query.get(name) !== null);
  const cursors = Object.fromEntries(Object.entries(next ?? {}).filter(([name]) => CURSORS.includes(name)));
  const word = noun[count === 1 ? 0 : 1];
  return (
    <>
      <nav class="pager" aria-label="Pages of the list">
        <span>
          {formatCount(shown)} of {formatCount(count)}
          {isCapped && "+"} {word}
        </span>
        {!isFirst && <a href={query.href(withoutCursors)}>Newest</a>}
        {next !== null && <a href={query.href({ ...withoutCursors, ...cursors })}>Next page</a>}
      </nav>
      {isCapped && (
        <Note>
          More than {formatCount(count)} {word} match. Counting stops there; each page is complete.
        </Note>
      )}
    </>
  );
}
