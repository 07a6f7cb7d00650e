/** Requests, tokens, dollars, errors and attribution over time, and what needs attention. */
import type { VNode } from "preact";
import { useApi, type Loaded } from "../api/use-api.ts";
import type { Query, UsageRow } from "../api/types.ts";
import { usePageQuery } from "../app/location.ts";
import { Page } from "../app/page.tsx";
import { useRange } from "../app/range.tsx";
import type { Range } from "../app/range-of.ts";
import { Attribution, AttributionWords } from "../parts/attribution.tsx";
import { Command, firstRequest } from "../parts/command.tsx";
import { Cost, Count, Facts, inputOf } from "../parts/figures.tsx";
import { filtersIn } from "../app/filter-names.ts";
import { Filters } from "../parts/filters.tsx";
import { Empty, Loadable, Note } from "../parts/states.tsx";
import { formatCount, plural } from "../text/format.ts";
import { Attention } from "./attention.tsx";
import { AttributionChart, RefusalsChart, UsageCharts } from "./overview-charts.tsx";
import { FailuresChart } from "./provider-charts.tsx";

export function Overview(): VNode {
  const query = usePageQuery();
  const range = useRange();
  const filters = filtersIn(query, "/usage");
  const selection: Query = {
    ...filters,
    started_after: range.started_after,
    started_before: range.started_before,
  };
  const usage = useApi("/usage", { ...selection, group_by: range.plots.unit, order: "key", limit: 1000 });
  return (
    <Page title="Overview" hasRange about={<>Requests through the gateway in {range.words}.</>}>
      <Attention range={range} />
      <Filters path="/usage" />
      <Loadable of={usage} what="usage" height={700}>
        {({ results, results_are_capped }) =>
          results.length === 0 ? (
            <NoRequests />
          ) : (
            <>
              <Totals rows={results} />
              {results_are_capped && (
                <Note>
                  Only the first {formatCount(results.length)} {range.plots.unit}s are shown. Choose a shorter
                  range.
                </Note>
              )}
              <div class="charts">
                <UsageCharts rows={results} times={range.plots} query={selection} />
                <AttributionCard range={range} query={selection} />
                <ProviderErrors range={range} query={selection} />
                <Refusals range={range} />
              </div>
              <AttributionWords />
            </>
          )
        }
      </Loadable>
    </Page>
  );
}

function NoRequests(): VNode {
  return (
    <Empty title="No request matches in this range.">
      <p>
        Choose a longer range or remove a filter. If the gateway has no requests yet, send one; it appears
        here some seconds later:
      </p>
      <Command text={firstRequest()} label="A first request" />
    </Empty>
  );
}

function Totals({ rows }: { readonly rows: readonly UsageRow[] }): VNode {
  const sum = (of: (row: UsageRow) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const unpriced = sum((row) => row.unpriced);
  const unknown = sum((row) => row.unknown_usage);
  return (
    <>
      <Facts
        facts={[
          ["Requests", <Count value={sum((row) => row.requests)} />],
          ["Cost", <Cost micros={sum((row) => row.cost_micros)} unpriced={0} />],
          ["Input tokens", <Count value={sum(inputOf)} />],
          ["Output tokens", <Count value={sum((row) => row.output_tokens)} />],
        ]}
      />
      {(unpriced > 0 || unknown > 0) && (
        <Note>
          {unpriced > 0 &&
            `${plural(unpriced, "call has", "calls have")} no known price and ${unpriced === 1 ? "adds" : "add"} nothing to the cost. `}
          {unknown > 0 &&
            `${plural(unknown, "call has", "calls have")} no token figures, such as refused and failed calls, and ${unknown === 1 ? "adds" : "add"} nothing to the tokens.`}
        </Note>
      )}
    </>
  );
}

type PartProps = { readonly range: Range; readonly query: Query };

function AttributionCard({ range, query }: PartProps): VNode {
  const attribution = useApi("/attribution", query);
  return (
    <Loadable of={attribution} what="attribution" height={240}>
      {(data) => (
        <AttributionChart
          rows={data.results}
          days={range.days}
          query={query}
          note={
            data.attribution !== null && (
              <p class="muted">
                Over the whole range: <Attribution word={data.attribution} isMixed={data.mixed} />
              </p>
            )
          }
        />
      )}
    </Loadable>
  );
}

function ProviderErrors({ range, query }: PartProps): VNode {
  const failures = useApi("/providers", { ...query, group_by: range.plots.unit, limit: 1000 });
  return (
    <Loadable of={failures} what="errors of providers" height={240}>
      {({ results }) => <FailuresChart rows={results} times={range.plots} query={query} />}
    </Loadable>
  );
}

/** Refusals have no filters in common with usage: the chart is of all. */
function Refusals({ range }: { readonly range: Range }): VNode {
  const query = {
    started_after: range.started_after,
    started_before: range.started_before,
    per: range.plots.unit,
    limit: 1000,
  };
  const counts = useApi("/refusals/counts", query);
  return (
    <Loadable of={counts as Loaded<NonNullable<(typeof counts)["data"]>>} what="refusals" height={240}>
      {({ results, count }) => (
        <RefusalsChart rows={results} times={range.plots} query={query} isCapped={count > results.length} />
      )}
    </Loadable>
  );
}
