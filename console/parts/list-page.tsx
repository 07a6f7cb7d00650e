/** A page with one list of the API: filters, the rows of one page, and the links to the next. */
import type { ComponentChildren, VNode } from "preact";
import type { Responses } from "../api/schema.ts";
import type { Path, Query } from "../api/types.ts";
import { useApi, type Loaded } from "../api/use-api.ts";
import { CURSORS, usePageQuery } from "../app/location.ts";
import { Page } from "../app/page.tsx";
import { useRange } from "../app/range.tsx";
import { filtersIn } from "../app/filter-names.ts";
import { Filters } from "./filters.tsx";
import { Pager } from "./pager.tsx";
import { Empty, Loadable } from "./states.tsx";
import { Table, type Column } from "./table.tsx";

/** The lists whose rows stand in `results`. */
type ListPath = {
  [P in Path]: Responses[P] extends {
    readonly count_is_capped: boolean;
    readonly results: readonly unknown[];
  }
    ? P
    : never;
}[Path];
type RowOf<P extends ListPath> = Responses[P]["results"][number];

type ListPageProps<P extends ListPath> = {
  readonly path: P;
  readonly title: string;
  readonly about: ComponentChildren;
  readonly noun: readonly [string, string];
  readonly columns: readonly Column<RowOf<P>>[];
  /** The API's order, where it is another one than newest first, and the order of the rows of a page. */
  readonly order?: { readonly name: string; readonly compare: (a: RowOf<P>, b: RowOf<P>) => number };
  /** The names of the parameters for the time range. */
  readonly range?: readonly [after: string, before: string];
  readonly empty: ComponentChildren;
  readonly children?: ComponentChildren;
};

const LIMIT = 50;

export function ListPage<P extends ListPath>(props: ListPageProps<P>): VNode {
  const {
    path,
    title,
    about,
    noun,
    columns,
    order,
    range: names = ["started_after", "started_before"],
  } = props;
  const query = usePageQuery();
  const range = useRange();
  const times: Query = { [names[0]]: range.started_after, [names[1]]: range.started_before };
  const list = useApi<ListPath>(path, { ...times, ...filtersIn(query, path), limit: LIMIT });
  const isFirst = !CURSORS.some((name) => query.get(name) !== null);
  return (
    <Page title={title} hasRange about={about}>
      {props.children}
      <Filters path={path} />
      <Loadable of={list as Loaded<NonNullable<(typeof list)["data"]>>} what={noun[1]} height={500}>
        {({ results, count, count_is_capped: isCapped }) =>
          results.length === 0 && isFirst ? (
            <Empty title={`No ${noun[1]} in ${range.words} match.`}>{props.empty}</Empty>
          ) : (
            <>
              <Table<RowOf<P>>
                caption={`${title}, ${order?.name ?? "newest first"}`}
                columns={columns}
                rows={inOrder(results as readonly RowOf<P>[], order?.compare)}
                rowKey={(row) => row.id}
              />
              <Pager shown={results.length} count={count} isCapped={isCapped} next={list.next} noun={noun} />
            </>
          )
        }
      </Loadable>
    </Page>
  );
}

const inOrder = <Row,>(rows: readonly Row[], compare?: (a: Row, b: Row) => number): readonly Row[] =>
  compare ? rows.toSorted(compare) : rows;
