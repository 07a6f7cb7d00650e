/** People and services: what each spent, what their budgets have left, and the trend. */
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { useApi } from "../api/use-api.ts";
import type { Account, Query, SpendRow, UsageRow } from "../api/types.ts";
import { usePageQuery } from "../app/location.ts";
import { Page } from "../app/page.tsx";
import { useRange } from "../app/range.tsx";
import { Attribution } from "../parts/attribution.tsx";
import { CsvLink } from "../parts/csv-link.tsx";
import { Cost, Count, inputOf, Tokens } from "../parts/figures.tsx";
import { filtersIn } from "../app/filter-names.ts";
import { Filters } from "../parts/filters.tsx";
import { Principal } from "../parts/links.tsx";
import { Meter } from "../parts/meter.tsx";
import { Sparkline } from "../parts/sparkline.tsx";
import { Empty, Loadable, Note } from "../parts/states.tsx";
import { Table, type Column } from "../parts/table.tsx";
import { formatCount, formatDollars } from "../text/format.ts";
import { visibleText } from "../text/visible.ts";
import { accountKey, BUDGET_LIMIT, subjectKey } from "./accounts.ts";

const LIMIT = 500;

export function People(): VNode {
  const query = usePageQuery();
  const range = useRange();
  const as = query.get("as") === "actor" ? "actor" : "initiator";
  const selection = {
    ...filtersIn(query, "/usage"),
    started_after: range.started_after,
    started_before: range.started_before,
  };
  const usage = useApi("/usage", { ...selection, group_by: as, limit: LIMIT });
  const trend = useApi("/spend", { ...selection, group_by: as, then_by: "day", limit: 1000 });
  const budgets = useApi("/budgets", { limit: BUDGET_LIMIT });
  const accounts = useMemo(() => Map.groupBy(budgets.data?.results ?? [], accountKey), [budgets.data]);
  const trends = useMemo(() => trendsOf(trend.data?.results ?? [], range.days), [trend.data, range]);
  return (
    <Page
      title="People and services"
      hasRange
      about={`Who made requests in ${range.words}, and what they cost.`}
    >
      <Counted as={as} />
      <Filters path="/usage" />
      <Loadable of={usage} what="people and services" height={420}>
        {({ results, results_are_capped, count }) =>
          results.length === 0 ? (
            <Empty title="No request matches." />
          ) : (
            <>
              <Table
                caption={`${as === "actor" ? "Actors" : "Initiators"}, the dearest first`}
                columns={columnsOf(as, accounts, trends).filter(
                  ({ key }) => key !== "trend" || range.days.length > 1,
                )}
                rows={results}
                rowKey={({ source, key }) => `${source} ${key}`}
                defaultSort="-cost"
                total={results.length < 2 ? null : totalOf(results, results_are_capped)}
              />
              <SpendFiles query={selection} by={as} />
              {results_are_capped && (
                <Note>
                  {formatCount(results.length)} of {formatCount(count)} are shown, those with the most
                  requests. Add a filter to see others.
                </Note>
              )}
              {trend.data?.results_are_capped === true && (
                <Note>The trend is incomplete: it has more days and people than one response holds.</Note>
              )}
            </>
          )
        }
      </Loadable>
    </Page>
  );
}

const SUMMED = [
  "cost_micros",
  "unpriced",
  "requests",
  "input_tokens",
  "cache_read_input_tokens",
  "cache_write_input_tokens",
  "output_tokens",
  "unknown_usage",
] as const;

function totalOf(
  rows: readonly UsageRow[],
  isPart: boolean,
): { readonly name: string; readonly row: UsageRow } | null {
  const [first] = rows;
  if (!first) return null;
  const sums = SUMMED.map((name) => [name, rows.reduce((sum, row) => sum + row[name], 0)] as const);
  return {
    name: isPart ? "Total of those shown" : "Total",
    row: { ...first, ...(Object.fromEntries(sums) as Pick<UsageRow, (typeof SUMMED)[number]>) },
  };
}

type SpendFilesProps = { readonly query: Query; readonly by: "initiator" | "actor" };

/** The files that finance works with. */
function SpendFiles({ query, by }: SpendFilesProps): VNode {
  const file = (then: "model" | "day" | "provider" | null): VNode => (
    <CsvLink
      path="/spend"
      query={{ ...query, group_by: by, then_by: then, limit: 1000 }}
      name={then === null ? `spend by ${by}` : `spend by ${by} and ${then}`}
    >
      {then === null ? `By ${by}` : `and ${then}`}
    </CsvLink>
  );
  return (
    <p class="actions">
      Spend as CSV, in dollars: {file(null)} {file("model")} {file("provider")} {file("day")}
      <span class="muted">The files count cached input tokens in columns of their own.</span>
    </p>
  );
}

function Counted({ as }: { readonly as: "initiator" | "actor" }): VNode {
  const query = usePageQuery();
  return (
    <div class="segments" role="group" aria-label="Who is counted">
      <a href={query.href({ as: null })} aria-current={as === "initiator" ? "true" : undefined}>
        On whose account (initiators)
      </a>
      <a href={query.href({ as: "actor" })} aria-current={as === "actor" ? "true" : undefined}>
        With whose credential (actors)
      </a>
    </div>
  );
}

/** Micro-dollars for each day of the range, by principal. */
function trendsOf(
  rows: readonly SpendRow[],
  days: readonly string[],
): ReadonlyMap<string, readonly number[]> {
  const at = new Map(days.map((day, index) => [day, index]));
  const trends = new Map<string, number[]>();
  for (const { source, key, second, cost_micros: micros } of rows) {
    const index = at.get(second?.key ?? "");
    if (index === undefined) continue;
    const name = subjectKey(source, key);
    const values = trends.get(name) ?? days.map(() => 0);
    values[index] = micros;
    trends.set(name, values);
  }
  return trends;
}

function columnsOf(
  as: "initiator" | "actor",
  accounts: ReadonlyMap<string, readonly Account[]>,
  trends: ReadonlyMap<string, readonly number[]>,
): readonly Column<UsageRow>[] {
  return [
    {
      key: "who",
      head: as === "actor" ? "Actor" : "Initiator",
      isRowHeader: true,
      cell: ({ key, source, name }) => <Principal id={key} source={source} name={name} as={as} />,
      sort: ({ name, key }) => name ?? key ?? "",
    },
    {
      key: "cost",
      head: "Cost",
      isNumber: true,
      isSummed: true,
      cell: ({ cost_micros: micros, unpriced }) => <Cost micros={micros} unpriced={unpriced} />,
      sort: (row) => row.cost_micros,
    },
    {
      key: "trend",
      head: "Cost by day",
      cell: (row) => <Trend row={row} values={trends.get(subjectKey(row.source, row.key)) ?? []} />,
    },
    {
      key: "budgets",
      head: "Budgets",
      cell: (row) => <Budgets accounts={accounts.get(subjectKey(row.source, row.key)) ?? []} />,
    },
    {
      key: "requests",
      head: "Requests",
      isNumber: true,
      isSummed: true,
      cell: (row) => <Count value={row.requests} />,
      sort: (row) => row.requests,
    },
    {
      key: "tokens",
      head: "Tokens in / out",
      isNumber: true,
      isSummed: true,
      cell: (row) => (
        <Tokens input={inputOf(row)} output={row.output_tokens} isIncomplete={row.unknown_usage > 0} />
      ),
      sort: (row) => inputOf(row) + row.output_tokens,
    },
    {
      key: "attribution",
      head: "Attribution",
      cell: ({ attribution, mixed }) => <Attribution word={attribution} isMixed={mixed} />,
    },
  ];
}

function Trend({ row, values }: { readonly row: UsageRow; readonly values: readonly number[] }): VNode {
  const most = Math.max(...values, 0);
  return (
    <Sparkline
      values={values}
      label={`Cost by day of ${visibleText(row.name ?? row.key ?? "unknown").slice(0, 60)}: at most ${formatDollars(most)}`}
    />
  );
}

function Budgets({ accounts }: { readonly accounts: readonly Account[] }): VNode {
  return (
    <>
      {accounts.map(({ budget, spent, reserved, limit }) => (
        <span key={budget} class="budget">
          <span class="muted">{visibleText(budget).slice(0, 40)}</span>
          <Meter
            used={(spent ?? 0) + (reserved ?? 0)}
            limit={limit}
            label={`Used of the budget ${visibleText(budget).slice(0, 40)}`}
          />
        </span>
      ))}
    </>
  );
}
