/** One person or service: what they used by day, model and client, their budgets, and the way to their requests. */
import type { VNode } from "preact";
import { useApi } from "../api/use-api.ts";
import type { Query, UsageRow } from "../api/types.ts";
import { filtersIn } from "../app/filter-names.ts";
import { usePageQuery } from "../app/location.ts";
import { Page } from "../app/page.tsx";
import { useRange } from "../app/range.tsx";
import { useDrillLink } from "../app/use-link.ts";
import { Attribution } from "../parts/attribution.tsx";
import { CsvLink } from "../parts/csv-link.tsx";
import { Cost, Count, Facts, inputOf } from "../parts/figures.tsx";
import { isElsewhere } from "../parts/elsewhere.tsx";
import { Filters } from "../parts/filters.tsx";
import { DrillLink, Id, OWN_FILTERS, Principal } from "../parts/links.tsx";
import { Empty, Loadable, Note } from "../parts/states.tsx";
import { Table, type Column } from "../parts/table.tsx";
import { BUDGET_LIMIT } from "./accounts.ts";
import { formatCount } from "../text/format.ts";
import { Text } from "../text/text.tsx";
import { AccountsTable } from "./accounts-table.tsx";
import { BudgetEvents } from "./budget-events.tsx";
import { UsageCharts } from "./overview-charts.tsx";

export function Person(): VNode {
  const query = usePageQuery();
  const range = useRange();
  const as = query.get("as") === "actor" ? "actor" : "initiator";
  const [id, source] = [query.get("id") ?? "", query.get("source") ?? ""];
  const sourceName = as === "actor" ? "identity_source" : "initiator_source";
  const who = { [as]: id, ...(source === "" ? {} : { [sourceName]: source }) };
  const selection: Query = {
    ...filtersIn(query, "/usage"),
    ...who,
    started_after: range.started_after,
    started_before: range.started_before,
  };
  const total = useApi("/usage", { ...selection, group_by: as, limit: 10 });
  const trend = useApi("/usage", { ...selection, group_by: range.plots.unit, order: "key", limit: 1000 });
  const name = total.data?.results.find((row) => row.name !== null)?.name ?? null;
  return (
    <Page
      title={name ?? id}
      hasRange
      crumbs={[
        {
          label: "People and services",
          path: "/people",
          query: { ...OWN_FILTERS[as], ...(as === "actor" ? { as } : {}) },
        },
      ]}
      about={
        <>
          {as === "actor" ? "Actor" : "Initiator"} <Id value={id} /> from the source <Text value={source} />,
          in {range.words}.
        </>
      }
    >
      <Lists who={who} />
      <Filters path="/usage" without={[as, sourceName]} />
      <Loadable of={total} what="usage" height={90}>
        {({ results }) =>
          results[0] === undefined ? <Empty title="No request in this range." /> : <Total row={results[0]} />
        }
      </Loadable>
      {source !== "" && <Limits id={id} source={source} as={as} />}
      <Loadable of={trend} what="usage over time" height={260}>
        {({ results }) => (
          <div class="charts">
            <UsageCharts rows={results} times={range.plots} query={selection} />
          </div>
        )}
      </Loadable>
      <div class="columns">
        <Groups by="model" query={selection} who={who} />
        <Groups by="client" query={selection} who={who} />
        <Groups by={as === "actor" ? "initiator" : "actor"} query={selection} who={who} />
      </div>
    </Page>
  );
}

type Who = Readonly<Record<string, string>>;

/** The lists with this principal's rows. */
function Lists({ who }: { readonly who: Who }): VNode {
  const link = useDrillLink();
  return (
    <p class="actions">
      <a href={link("/sessions", who)}>Sessions</a>
      <a href={link("/live", who)}>Requests</a>
      <a href={link("/overrides", who)}>Overrides</a>
      <a href={link("/refusals", who)}>Refusals</a>
    </p>
  );
}

type Account = { readonly id: string; readonly source: string };

/** The budgets of the principal, and the events of these budgets in the range. */
function Limits({ id, source, as }: Account & { readonly as: "initiator" | "actor" }): VNode {
  const { started_after, started_before } = useRange();
  return (
    <>
      <Budgets id={id} source={source} />
      <BudgetEvents
        isOptional
        as={as}
        query={{ subject_id: id, subject_source: source, started_after, started_before }}
      />
    </>
  );
}

function Total({ row }: { readonly row: UsageRow }): VNode {
  return (
    <>
      <Facts
        facts={[
          ["Requests", <Count value={row.requests} />],
          ["Cost", <Cost micros={row.cost_micros} unpriced={row.unpriced} />],
          ["Input tokens", <Count value={inputOf(row)} />],
          ["Output tokens", <Count value={row.output_tokens} />],
          ["Attribution", <Attribution word={row.attribution} isMixed={row.mixed} />],
        ]}
      />
      {row.unknown_usage > 0 && (
        <Note>
          {formatCount(row.unknown_usage)} of the requests have no token figures and add nothing to the sums.
        </Note>
      )}
    </>
  );
}

function Budgets({ id, source }: Account): VNode {
  const budgets = useApi("/budgets", { limit: BUDGET_LIMIT });
  if (isElsewhere(budgets.error))
    return <p class="muted">Budgets are read from the gateway, which is not on this host.</p>;
  return (
    <Loadable of={budgets} what="budgets" height={60}>
      {({ results, results_are_capped: isCapped }) => {
        const own = results.filter((one) => one.subject_id === id && one.subject_source === source);
        return own.length === 0 ? (
          <p class="muted">
            {isCapped
              ? "No budget is known for this principal: only the accounts that have spent most were read."
              : "No budget has an account of this principal with calls in its period."}
          </p>
        ) : (
          <AccountsTable accounts={own} caption="Budgets" />
        );
      }}
    </Loadable>
  );
}

type GroupsProps = {
  readonly by: "model" | "client" | "actor" | "initiator";
  readonly query: Query;
  readonly who: Who;
};

function Groups({ by, query, who }: GroupsProps): VNode {
  const groups = useApi("/usage", { ...query, group_by: by, limit: 50 });
  const columns: readonly Column<UsageRow>[] = [
    { key: "key", head: by, isRowHeader: true, cell: (row) => <GroupName by={by} row={row} who={who} /> },
    {
      key: "cost",
      head: "Cost",
      isNumber: true,
      cell: (row) => <Cost micros={row.cost_micros} unpriced={row.unpriced} />,
      sort: (row) => row.cost_micros,
    },
    {
      key: "requests",
      head: "Requests",
      isNumber: true,
      cell: (row) => <Count value={row.requests} />,
      sort: (row) => row.requests,
    },
  ];
  return (
    <Loadable of={groups} what={`usage by ${by}`} height={160}>
      {({ results, results_are_capped }) => (
        <section>
          <Table
            caption={`By ${by}`}
            columns={columns}
            rows={results}
            rowKey={(row) => `${row.source} ${row.key}`}
            sortName={`sort_${by}`}
            defaultSort="-cost"
          />
          <CsvLink path="/spend" query={{ ...query, group_by: by, limit: 1000 }} name={`spend by ${by}`} />
          {results_are_capped && <Note>Only the first {formatCount(results.length)} are shown.</Note>}
        </section>
      )}
    </Loadable>
  );
}

function GroupName({ by, row, who }: Pick<GroupsProps, "by" | "who"> & { readonly row: UsageRow }): VNode {
  if (row.key === null) return <span class="muted">not known</span>;
  if (by === "model" || by === "client")
    return (
      <DrillLink path="/live" query={{ ...who, [by]: row.key }}>
        <Text value={row.key} max={80} />
      </DrillLink>
    );
  return <Principal id={row.key} source={row.source} name={row.name} as={by} />;
}
