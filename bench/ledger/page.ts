/** The figures and plans as a page. */

type Figures = { readonly ms: number; readonly rowsRead: number };

export type Asked = {
  readonly path: string;
  readonly search: string;
  readonly after: Figures;
  /** null: it was not waited for. */
  readonly before: Figures | null;
  /** One for each query that it takes, in SQLite's words. */
  readonly plans: readonly string[];
};

export function page(
  asked: readonly Asked[],
  { rows, perSecond, bytes }: { readonly rows: number; readonly perSecond: number; readonly bytes: number },
): string {
  const perRow = (bytes / rows).toFixed(0);
  const lines = asked.map(({ path, search, before, after }) => {
    const cells = [`\`${path}${search === "" ? "" : `?${search}`}\``];
    for (const figures of [before, after]) cells.push(time(figures), count(figures));
    return `| ${cells.join(" | ")} |`;
  });
  const plans = asked.map(
    ({ path, search, plans: all }) =>
      `### \`${path}${search === "" ? "" : `?${search}`}\`\n\n${all.map((plan) => `\`\`\`\n${plan}\n\`\`\``).join("\n\n")}`,
  );
  return `# The API's queries

Written by \`npm run bench:ledger\`: ${rows.toLocaleString("en")} interceptions with what belongs to them in wrangler's local D1,
before the indices of the migrations and with them. Times are SQLite's own, in milliseconds, all queries
of an answer together, the median of five; rows read are what D1 bills. Milliseconds are this machine's, ratios and rows
are not.

Stored ${perSecond.toFixed(0)} interceptions a second, ${perRow} bytes each without the indices.

| question | before, ms | rows read | with indices, ms | rows read |
| --- | ---: | ---: | ---: | ---: |
${lines.join("\n")}

A default query reads a page, or the span of time that it adds up (30 days unless told), never the whole of a table:
\`SEARCH … USING PRIMARY KEY (id<?)\` walks back from the newest until a page is full, \`(id>? AND id<?)\` reads a span.
\`test/records/api/query-plans.test.ts\` holds that.

## Plans

${plans.join("\n\n")}
`;
}

const time = (figures: Figures | null): string =>
  figures === null ? "not waited for" : figures.ms.toFixed(figures.ms < 10 ? 1 : 0);
const count = (figures: Figures | null): string =>
  figures === null ? "–" : figures.rowsRead.toLocaleString("en");
