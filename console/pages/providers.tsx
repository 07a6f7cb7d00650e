/** Providers: failures and percentiles of latency, by provider, by model and over time. */
import type { ComponentChildren, VNode } from "preact";
import { useApi } from "../api/use-api.ts";
import type { ProviderAttempts, ProviderRow, Query } from "../api/types.ts";
import { usePageQuery } from "../app/location.ts";
import { Page } from "../app/page.tsx";
import { useRange } from "../app/range.tsx";
import { CsvLink } from "../parts/csv-link.tsx";
import { Count, Duration } from "../parts/figures.tsx";
import { filtersIn } from "../app/filter-names.ts";
import { Filters } from "../parts/filters.tsx";
import { DrillLink, NOT_KNOWN } from "../parts/links.tsx";
import { Empty, Loadable, Note } from "../parts/states.tsx";
import { Table, type Column } from "../parts/table.tsx";
import { formatCount, formatShare, plural } from "../text/format.ts";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";
import { FailuresChart, LatencyCharts } from "./provider-charts.tsx";
import { LEAST_CALLS } from "./percentiles.ts";

const LIMIT = 200;

export function Providers(): VNode {
  const query = usePageQuery();
  const range = useRange();
  const selection: Query = {
    ...filtersIn(query, "/usage"),
    started_after: range.started_after,
    started_before: range.started_before,
  };
  const byProvider = useApi("/providers", { ...selection, group_by: "provider", limit: LIMIT });
  const byTime = useApi("/providers", { ...selection, group_by: range.plots.unit, limit: 1000 });
  return (
    <Page title="Providers" hasRange about={`How the AI APIs responded in ${range.words}.`}>
      <Filters path="/usage" />
      <Loadable of={byProvider} what="providers" height={220}>
        {({ results, results_are_capped }) =>
          results.length === 0 ? (
            <Empty title="No call of a provider matches in this range." />
          ) : (
            <>
              <Table caption="By provider" columns={columnsOf("provider")} rows={results} rowKey={keyOf} />
              <Below rows={results} isCapped={results_are_capped} by="provider" query={selection} />
            </>
          )
        }
      </Loadable>
      <Loadable of={byTime} what="providers over time" height={260}>
        {({ results }) => (
          <div class="charts">
            <FailuresChart rows={results} times={range.plots} query={selection} />
            <LatencyCharts rows={results} times={range.plots} query={selection} />
          </div>
        )}
      </Loadable>
      <Models query={selection} />
      <Attempts query={selection} />
    </Page>
  );
}

function Models({ query }: { readonly query: Query }): VNode {
  const models = useApi("/providers", { ...query, group_by: "provider_model", limit: LIMIT });
  return (
    <Loadable of={models} what="models" height={220}>
      {({ results, results_are_capped }) => (
        <>
          <Table
            caption="By provider and model"
            columns={columnsOf("provider_model")}
            rows={results}
            rowKey={keyOf}
            sortName="sort_models"
          />
          <Below rows={results} isCapped={results_are_capped} by="provider_model" query={query} />
        </>
      )}
    </Loadable>
  );
}

/** The states of keys, circuits and caps, as far as attempts show them. */
function Attempts({
  query: { started_after, started_before, provider_name },
}: {
  readonly query: Query;
}): VNode {
  const query: Query = { started_after, started_before, provider_name };
  const attempts = useApi("/providers/attempts", { ...query, limit: LIMIT });
  return (
    <Loadable of={attempts} what="attempts" height={160}>
      {({ results, count }) =>
        results.length === 0 ? (
          <p class="muted">No request was sent more than once in this range.</p>
        ) : (
          <>
            <Table
              caption="Attempts by key and how they ended"
              columns={ATTEMPT_COLUMNS}
              rows={results}
              rowKey={({ provider_name: name, key_hint: key, reason }) => JSON.stringify([name, key, reason])}
              sortName="sort_attempts"
            />
            <p>
              <CsvLink
                path="/providers/attempts"
                query={{ ...query, limit: 1000 }}
                name="attempts by key and how they ended"
              />{" "}
              <span class="muted">
                Of requests that were sent more than once, or with another model id. The other filters do not
                apply.
              </span>
            </p>
            {count > results.length && (
              <Note>Only the first {formatCount(results.length)} are shown, by their provider.</Note>
            )}
          </>
        )
      }
    </Loadable>
  );
}

const ATTEMPT_COLUMNS: readonly Column<ProviderAttempts>[] = [
  {
    key: "provider",
    head: "Provider",
    isRowHeader: true,
    cell: (row) => <Text value={row.provider_name} max={60} />,
  },
  {
    key: "key",
    head: "Provider key",
    cell: ({ key_hint: hint }) => (hint === null ? NOT_KNOWN : <Text value={hint} max={20} />),
  },
  { key: "reason", head: "End", cell: ({ reason }) => reason.replaceAll("_", " ") },
  {
    key: "attempts",
    head: "Attempts",
    isNumber: true,
    cell: (row) => <Count value={row.attempts} />,
    sort: (row) => row.attempts,
  },
  {
    key: "last",
    head: "Last",
    cell: (row) => <Time at={row.last_started_at} />,
    sort: (row) => Date.parse(row.last_started_at),
  },
];

const keyOf = ({ provider_name: provider, key }: ProviderRow): string => JSON.stringify([provider, key]);

type Grouping = "provider" | "provider_model";

type BelowProps = {
  readonly rows: readonly ProviderRow[];
  readonly isCapped: boolean;
  readonly by: Grouping;
  readonly query: Query;
};

function Below({ rows, isCapped, by, query }: BelowProps): VNode {
  const measured = rows.reduce((sum, row) => sum + row.duration_ms.calls, 0);
  const requests = rows.reduce((sum, row) => sum + row.requests, 0);
  return (
    <>
      <p>
        <CsvLink
          path="/providers"
          query={{ ...query, group_by: by, limit: 1000 }}
          name={by === "provider" ? "providers" : "models by provider"}
        />{" "}
        <span class="muted">
          Percentiles are estimated from counts in fixed ranges of milliseconds. A median needs{" "}
          {LEAST_CALLS.p50} calls, a 95th {LEAST_CALLS.p95}, a 99th {LEAST_CALLS.p99}.
        </span>
      </p>
      {isCapped && (
        <Note>Only the first {formatCount(rows.length)} are shown, those with the most requests.</Note>
      )}
      {measured < requests && (
        <Note>
          {formatCount(requests - measured)} of {formatCount(requests)} requests have no latency and are not
          part of the error rate: the gateway refused them, they still run, or they are older than these
          counts.
        </Note>
      )}
    </>
  );
}

/** Calls that the client ended are no failures of the provider. */
const failuresOf = ({ failures }: ProviderRow): number =>
  failures.client_error + failures.rate_limited + failures.server_error + failures.broken;

/** Of the calls that the provider got and that have ended. */
const shareOf = (row: ProviderRow): number =>
  row.duration_ms.calls === 0 ? 0 : Math.min(1, failuresOf(row) / row.duration_ms.calls);

/** Lists have no filter by status: the error rate and the cancelled calls are links, single kinds of errors are not. */
const count = (head: string, name: keyof ProviderRow["failures"]): Column<ProviderRow> => ({
  key: name,
  head,
  isNumber: true,
  cell: ({ failures }) => <Count value={failures[name]} />,
  sort: ({ failures }) => failures[name],
});

type CallsProps = {
  readonly row: ProviderRow;
  readonly outcome: "upstream_error" | "cancelled";
  readonly count: number;
  readonly children: ComponentChildren;
};

/** The calls of a row that ended so, if there are any. */
function Calls({
  row: { provider_name: provider, key: model },
  outcome,
  count: calls,
  children,
}: CallsProps): VNode {
  if (calls === 0) return <>{children}</>;
  const query = { provider_name: provider, outcome, ...(model === null ? {} : { model }) };
  return (
    <DrillLink path="/live" query={query}>
      {children}
    </DrillLink>
  );
}

type PercentileProps = { readonly ms: number | null; readonly calls: number; readonly least: number };

/** Of fewer calls it would be the duration of one of them. */
function Percentile({ ms, calls, least }: PercentileProps): VNode {
  return ms === null || calls < least ? NOT_KNOWN : <Duration ms={ms} />;
}

const percentiles = (head: string, name: "first_byte_ms" | "duration_ms"): Column<ProviderRow> => ({
  key: name,
  head,
  isNumber: true,
  cell: ({ [name]: { calls, p50, p95, p99 } }) => (
    <span title={`Estimated from ${plural(calls, "call")}`}>
      <Percentile ms={p50} calls={calls} least={LEAST_CALLS.p50} /> <span class="muted">/</span>{" "}
      <Percentile ms={p95} calls={calls} least={LEAST_CALLS.p95} /> <span class="muted">/</span>{" "}
      <Percentile ms={p99} calls={calls} least={LEAST_CALLS.p99} />
    </span>
  ),
  sort: (row) => row[name].p95 ?? 0,
});

function columnsOf(by: Grouping): readonly Column<ProviderRow>[] {
  const model: Column<ProviderRow> = {
    key: "model",
    head: "Model",
    cell: ({ key }) => (key === null ? NOT_KNOWN : <Text value={key} max={80} />),
  };
  return [
    { key: "provider", head: "Provider", isRowHeader: true, cell: (row) => <Name row={row} by={by} /> },
    ...(by === "provider_model" ? [model] : []),
    {
      key: "requests",
      head: "Requests",
      isNumber: true,
      cell: (row) => <Count value={row.requests} />,
      sort: (row) => row.requests,
    },
    {
      key: "failed",
      head: "Error rate",
      isNumber: true,
      cell: (row) => (
        <Calls row={row} outcome="upstream_error" count={failuresOf(row) - row.failures.broken}>
          {formatShare(shareOf(row))}
        </Calls>
      ),
      sort: shareOf,
    },
    count("4xx", "client_error"),
    count("429", "rate_limited"),
    count("5xx, no response", "server_error"),
    count("Truncated, stalled", "broken"),
    {
      ...count("Cancelled", "cancelled"),
      cell: (row) => (
        <Calls row={row} outcome="cancelled" count={row.failures.cancelled}>
          <Count value={row.failures.cancelled} />
        </Calls>
      ),
    },
    percentiles("First byte p50 / p95 / p99", "first_byte_ms"),
    percentiles("Duration p50 / p95 / p99", "duration_ms"),
  ];
}

function Name({ row, by }: { readonly row: ProviderRow; readonly by: Grouping }): VNode {
  const { provider_name: provider, key } = row;
  if (provider === null) return NOT_KNOWN;
  const filter = {
    provider_name: provider,
    ...(by === "provider_model" && key !== null ? { model: key } : {}),
  };
  return (
    <DrillLink path="/live" query={filter}>
      <Text value={provider} max={60} />
    </DrillLink>
  );
}
