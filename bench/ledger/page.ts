/** The costs and plans as a Markdown page. */

type Cost = { readonly ms: number; readonly rowsRead: number };

export type MeasuredQuery = {
  readonly path: string;
  readonly search: string;
  /** With the indices. */
  readonly after: Cost;
  /** Without the indices; null: too slow to measure. */
  readonly before: Cost | null;
  /** SQLite's plan of each SQL query. */
  readonly plans: readonly string[];
};

type Database = { readonly rows: number; readonly perSecond: number; readonly bytes: number };

export function page(queries: readonly MeasuredQuery[], { rows, perSecond, bytes }: Database): string {
  const bytesPerRow = (bytes / rows).toFixed(0);
  const lines = queries.map((query) => {
    const cells = [`\`${urlOf(query)}\``];
    for (const cost of [query.before, query.after]) cells.push(time(cost), count(cost));
    return `| ${cells.join(" | ")} |`;
  });
  const plans = queries.map(
    (query) =>
      `### \`${urlOf(query)}\`\n\n${query.plans.map((plan) => `\`\`\`\n${plan}\n\`\`\``).join("\n\n")}`,
  );
  return `\`npm run bench:ledger\` wrote this page. It stores ${rows.toLocaleString("en")} interceptions with their other events
in wrangler's local D1, and measures without and with the indices of the migrations.

- Times are SQLite's own, in milliseconds: all SQL queries of one response together, the median of five runs. They depend
  on the machine; the ratios and the rows read do not.
- D1 bills the rows read.

The database stored ${perSecond.toFixed(0)} interceptions per second, with ${bytesPerRow} bytes each without the indices.

| query | without indices, ms | rows read | with indices, ms | rows read |
| --- | ---: | ---: | ---: | ---: |
${lines.join("\n")}

A default query reads one page or one time range (30 days by default), never a whole table.
\`SEARCH … USING PRIMARY KEY (id<?)\` reads backwards from the newest row until a page is full. \`(id>? AND id<?)\` reads a
range. \`test/records/api/query-plans.test.ts\` checks this.

## Plans

${plans.join("\n\n")}
`;
}

const urlOf = ({ path, search }: MeasuredQuery): string => (search === "" ? path : `${path}?${search}`);
const time = (cost: Cost | null): string =>
  cost === null ? "not measured" : cost.ms.toFixed(cost.ms < 10 ? 1 : 0);
const count = (cost: Cost | null): string => (cost === null ? "–" : cost.rowsRead.toLocaleString("en"));
