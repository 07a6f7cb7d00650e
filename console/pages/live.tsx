/** Requests as they are recorded: the newest page, fetched again every few seconds while the page is visible. */
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Responses } from "../api/schema.ts";
import type { Interception, Query } from "../api/types.ts";
import { useApi, type Loaded } from "../api/use-api.ts";
import { CURSORS, usePageQuery } from "../app/location.ts";
import { Page } from "../app/page.tsx";
import { useRange } from "../app/range.tsx";
import { Attribution } from "../parts/attribution.tsx";
import { Command, firstRequest } from "../parts/command.tsx";
import { Dollars, Duration, inputOfCall, Tokens } from "../parts/figures.tsx";
import { filtersIn } from "../app/filter-names.ts";
import { Filters } from "../parts/filters.tsx";
import { DrillLink, Principal } from "../parts/links.tsx";
import { Outcome } from "../parts/outcome.tsx";
import { Pager } from "../parts/pager.tsx";
import { Empty, Loadable } from "../parts/states.tsx";
import { Table, type Column } from "../parts/table.tsx";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";

/** Each read of records is itself an event: no more of them than needed. */
const POLL_MS = 5000;
const LIMIT = 40;

export function Live(): VNode {
  const query = usePageQuery();
  const isFirst = !CURSORS.some((name) => query.get(name) !== null);
  const { started_after, started_before, words } = useRange();
  const isPast = started_before !== null && Date.parse(started_before) <= Date.now();
  const isPaused = query.get("paused") === "true" || !isFirst || isPast;
  const filters = { started_after, started_before, ...filtersIn(query, "/interceptions") };
  const requests = useNewest(filters, isPaused);
  const isFresh = useFresh(requests.data?.results ?? [], JSON.stringify(filters));
  return (
    <Page
      title="Requests"
      hasRange
      about={`Interceptions of ${words}, newest first, as the records Worker stores them: some seconds after the request.`}
    >
      <div class="live-bar">
        <Filters path="/interceptions" />
        {isFirst && !isPast && (
          <button type="button" onClick={() => query.set({ paused: isPaused ? null : "true" }, true)}>
            {isPaused ? "Resume updates" : "Pause updates"}
          </button>
        )}
      </div>
      <Loadable of={requests} what="requests" height={600}>
        {({ results, count, count_is_capped: isCapped }) =>
          results.length === 0 && isFirst ? (
            <Empty title={`No request in ${words} matches.`}>
              <p>Choose a longer range, remove a filter, or send a request; it appears here by itself:</p>
              <Command text={firstRequest()} label="A first request" />
            </Empty>
          ) : (
            <>
              <Table
                caption="Requests, newest first"
                columns={COLUMNS}
                rows={results}
                rowKey={({ id }) => id}
                rowClass={({ id }) => (isFresh(id) ? "fresh" : undefined)}
              />
              <Pager
                shown={results.length}
                count={count}
                isCapped={isCapped}
                next={requests.next}
                noun={["request", "requests"]}
              />
            </>
          )
        }
      </Loadable>
    </Page>
  );
}

type Requests = Loaded<Responses["/interceptions"]>;

/** One page of requests, read again every few seconds unless it is paused. */
function useNewest(filters: Query, isPaused: boolean): Requests {
  const requests = useApi("/interceptions", { ...filters, limit: LIMIT, content: "false" });
  const { reload } = requests;
  useEffect(() => {
    if (isPaused) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") reload();
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [isPaused, reload]);
  return requests;
}

/** Marks the rows that came after the first page of the list. `list`: its filters. */
function useFresh(rows: readonly Interception[], list: string): (id: string) => boolean {
  const first = useRef<{ readonly list: string; readonly id: string } | null>(null);
  const id = rows[0]?.id;
  if (id !== undefined && first.current?.list !== list) first.current = { list, id };
  const { current } = first;
  return (one) => current !== null && one > current.id;
}

const COLUMNS: readonly Column<Interception>[] = [
  {
    key: "time",
    head: "Time",
    isRowHeader: true,
    cell: (row) => (
      <DrillLink path={`/interceptions/${encodeURIComponent(row.id)}`}>
        <Time at={row.started_at} />
      </DrillLink>
    ),
  },
  {
    key: "initiator",
    head: "Initiator",
    cell: (row) => (
      <Principal id={row.initiator_id} source={row.initiator_source} name={row.initiator.name} />
    ),
  },
  { key: "attribution", head: "Attribution", cell: (row) => <Attribution word={row.attribution} /> },
  { key: "client", head: "Client", cell: (row) => <Text value={row.client} max={40} /> },
  { key: "cost", head: "Cost", isNumber: true, cell: (row) => <Dollars micros={row.cost_micros} /> },
  { key: "model", head: "Model", cell: (row) => <Model row={row} /> },
  { key: "outcome", head: "Outcome", cell: (row) => <Outcome word={row.outcome} status={row.status} /> },
  {
    key: "tokens",
    head: "Tokens in / out",
    isNumber: true,
    cell: (row) => <Tokens input={inputOfCall(row)} output={row.output_tokens} />,
  },
  { key: "duration", head: "Duration", isNumber: true, cell: (row) => <Duration ms={row.duration_ms} /> },
];

function Model({ row }: { readonly row: Interception }): VNode {
  return (
    <span class="principal">
      <Text value={row.model ?? "–"} max={60} />
      <span class="beside">
        <Text value={row.provider} max={40} />
      </span>
    </span>
  );
}
