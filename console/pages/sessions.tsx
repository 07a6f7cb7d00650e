/** Sessions, newest first. */
import type { VNode } from "preact";
import { useApi } from "../api/use-api.ts";
import type { SessionSummary } from "../api/types.ts";
import { CURSORS, usePageQuery } from "../app/location.ts";
import { Page } from "../app/page.tsx";
import { useRange } from "../app/range.tsx";
import { useScope } from "../app/session.tsx";
import { Attribution } from "../parts/attribution.tsx";
import { Command, firstRequest } from "../parts/command.tsx";
import { Count, inputOf, Tokens } from "../parts/figures.tsx";
import { filtersIn } from "../app/filter-names.ts";
import { Filters } from "../parts/filters.tsx";
import { DrillLink, Id, Principal } from "../parts/links.tsx";
import { Pager } from "../parts/pager.tsx";
import { ContentHidden, Empty, Loadable } from "../parts/states.tsx";
import { Table, type Column } from "../parts/table.tsx";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";

const LIMIT = 50;

export function Sessions(): VNode {
  const query = usePageQuery();
  const range = useRange();
  const mayRead = useScope("content");
  const sessions = useApi("/sessions", {
    started_after: range.started_after,
    started_before: range.started_before,
    ...filtersIn(query, "/sessions"),
    limit: LIMIT,
  });
  const isFirst = !CURSORS.some((name) => query.get(name) !== null);
  return (
    <Page
      title="Sessions"
      hasRange
      about="Conversations with their requests, of one initiator, actor and attribution each."
    >
      <Filters path="/sessions" />
      {!mayRead && <ContentHidden />}
      <Loadable of={sessions} what="sessions" height={500}>
        {({ sessions: rows, count, count_is_capped: isCapped }) =>
          rows.length === 0 && isFirst ? (
            <Empty title={`No sessions in ${range.words} match.`}>
              <p>Choose a longer range or remove a filter, or send a request:</p>
              <Command text={firstRequest()} label="A first request" />
            </Empty>
          ) : (
            <>
              <Table
                caption="Sessions, newest first"
                columns={COLUMNS}
                rows={rows}
                rowKey={(row) => row.cursor}
              />
              <Pager
                shown={rows.length}
                count={count}
                isCapped={isCapped}
                next={sessions.next}
                noun={["session", "sessions"]}
              />
            </>
          )
        }
      </Loadable>
    </Page>
  );
}

const COLUMNS: readonly Column<SessionSummary>[] = [
  {
    key: "session",
    head: "Session",
    isRowHeader: true,
    // Several sessions can have one id: the first interception is the key to exactly one.
    cell: (row) => (
      <DrillLink path={`/sessions/${row.first_interception_id}`}>
        {row.last_prompt ? <Text value={row.last_prompt} max={90} /> : <Id value={row.id} />}
      </DrillLink>
    ),
  },
  { key: "started", head: "Started", cell: (row) => <Time at={row.started_at} /> },
  {
    key: "initiator",
    head: "Initiator",
    cell: ({ initiator, initiator_source: source }) => (
      <Principal id={initiator.id} source={source} name={initiator.name || initiator.username} />
    ),
  },
  {
    key: "attribution",
    head: "Attribution",
    cell: ({ attribution, mixed }) => <Attribution word={attribution} isMixed={mixed} />,
  },
  { key: "client", head: "Client", cell: ({ client }) => <Text value={client} max={40} /> },
  { key: "models", head: "Models", cell: ({ models }) => <Text value={models.join(", ")} max={80} /> },
  { key: "requests", head: "Requests", isNumber: true, cell: (row) => <Count value={row.interceptions} /> },
  { key: "agents", head: "Agents", isNumber: true, cell: (row) => <Count value={row.agent_count} /> },
  {
    key: "tokens",
    head: "Tokens in / out",
    isNumber: true,
    cell: ({ token_usage_summary: sum, usage_complete: isComplete }) => (
      <Tokens input={inputOf(sum)} output={sum.output_tokens} isIncomplete={!isComplete} />
    ),
  },
  { key: "active", head: "Last active", cell: (row) => <Time at={row.last_active_at} /> },
];
