/** A table of rows with a caption, headers, and columns that sort where every row is there. */
import type { ComponentChildren, VNode } from "preact";
import { usePageQuery } from "../app/location.ts";

export type Column<Row> = {
  readonly key: string;
  readonly head: string;
  readonly cell: (row: Row) => ComponentChildren;
  readonly isNumber?: boolean;
  /** The first column that names the row is a header of it. */
  readonly isRowHeader?: boolean;
  /** The column has a figure in the row of totals. */
  readonly isSummed?: boolean;
  /** The value to sort by. Only for tables whose rows are all there. */
  readonly sort?: (row: Row) => number | string;
};

type TableProps<Row> = {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row, at: number) => string;
  readonly rowClass?: (row: Row) => string | undefined;
  /** The parameter of the address that names the order. */
  readonly sortName?: string;
  /** The order without that parameter: a column, after `-` from the largest down. */
  readonly defaultSort?: string;
  /** The last row: its name, and the sums of the columns that have one. */
  readonly total?: { readonly name: string; readonly row: Row } | null;
};

export function Table<Row>(props: TableProps<Row>): VNode {
  const { caption, columns, rowKey, rowClass, sortName = "sort", defaultSort = null, total = null } = props;
  const query = usePageQuery();
  const sort = query.get(sortName) ?? defaultSort;
  const rows = sorted(props.rows, columns, sort);
  return (
    <div class="table" tabIndex={0} role="region" aria-label={caption}>
      {/* The roles, because a narrow screen shows each row as a block, and blocks are no table. */}
      <table role="table" class="stacks">
        <caption>{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <Head key={column.key} column={column} sort={sort} href={sortHref(query.href, sortName)} />
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row, at) => (
            <tr key={rowKey(row, at)} class={rowClass?.(row)} role="row">
              {columns.map(({ key, head, cell, isNumber, isRowHeader }) =>
                isRowHeader ? (
                  <th key={key} scope="row" role="rowheader" data-label={head}>
                    {cell(row)}
                  </th>
                ) : (
                  <td key={key} class={isNumber ? "number" : undefined} role="cell" data-label={head}>
                    {cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
          {total && (
            <tr class="total" role="row">
              {columns.map(({ key, head, cell, isNumber, isRowHeader, isSummed }) =>
                isRowHeader ? (
                  <th key={key} scope="row" role="rowheader" data-label="">
                    {total.name}
                  </th>
                ) : (
                  <td key={key} class={isNumber ? "number" : undefined} role="cell" data-label={head}>
                    {isSummed && cell(total.row)}
                  </td>
                ),
              )}
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

type HeadProps<Row> = {
  readonly column: Column<Row>;
  readonly sort: string | null;
  readonly href: (sort: string) => string;
};

function Head<Row>({ column, sort, href }: HeadProps<Row>): VNode {
  const { key, head, isNumber } = column;
  const className = isNumber ? "number" : undefined;
  if (!column.sort)
    return (
      <th scope="col" class={className} role="columnheader">
        {head}
      </th>
    );
  const isDescending = sort === `-${key}`;
  const isAscending = sort === key;
  return (
    <th
      scope="col"
      role="columnheader"
      class={className}
      aria-sort={isDescending ? "descending" : isAscending ? "ascending" : "none"}
    >
      <a href={href(isDescending ? key : `-${key}`)} class="sort">
        {head}
        <span aria-hidden="true">{isDescending ? " ↓" : isAscending ? " ↑" : ""}</span>
      </a>
    </th>
  );
}

const sortHref =
  (href: (changes: Readonly<Record<string, string>>) => string, name: string) =>
  (sort: string): string =>
    href({ [name]: sort });

function sorted<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  sort: string | null,
): readonly Row[] {
  const column = columns.find(({ key }) => key === sort?.replace(/^-/, ""));
  const by = column?.sort;
  if (!by || sort === null) return rows;
  const sign = sort.startsWith("-") ? -1 : 1;
  return rows.toSorted((a, b) => sign * compare(by(a), by(b)));
}

const compare = (a: number | string, b: number | string): number =>
  typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
