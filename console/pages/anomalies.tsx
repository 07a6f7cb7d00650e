/** Patterns across many requests that the cron found. */
import type { VNode } from "preact";
import type { Anomaly } from "../api/types.ts";
import { DrillLink, Id, InterceptionLink } from "../parts/links.tsx";
import { ListPage } from "../parts/list-page.tsx";
import type { Column } from "../parts/table.tsx";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";
import { AnomalyCount, AnomalyDetails } from "./anomaly-details.tsx";
import { anomalyTitle } from "./attention.tsx";

export function Anomalies(): VNode {
  return (
    <ListPage
      path="/anomalies"
      title="Anomalies"
      about="Patterns that only many requests show. Every ten minutes, the records Worker searches the requests that began at least 15 minutes ago."
      noun={["anomaly", "anomalies"]}
      columns={COLUMNS}
      order={{ name: "newest day first", compare: (a, b) => (a.last_seen < b.last_seen ? 1 : -1) }}
      range={["seen_after", "seen_before"]}
      empty={<p>That is the usual state. Owner headers of single requests are on the page of overrides.</p>}
    />
  );
}

/** The filter of requests that a subject of this kind is. */
const SUBJECT_FILTERS: Readonly<Record<string, readonly [path: string, filter: string]>> = {
  chat_multiple_initiators: ["/live", "chat_id"],
  actor_multiple_owners: ["/live", "chat_id"],
  chat_multiple_actors: ["/live", "chat_id"],
  owner_many_actors: ["/overrides", "owner"],
  unverified_owner_claims: ["/overrides", "owner"],
  actor_many_owners: ["/overrides", "actor"],
  coder_agents_without_headers: ["/live", "actor"],
  owner_without_chat: ["/live", "actor"],
  unknown_usage_share: ["/live", "actor"],
  key_many_refusals: ["/refusals", "api_key_id"],
  provider_key_rejected: ["/refusals", "provider"],
  provider_key_leaked: ["/refusals", "provider"],
};

const COLUMNS: readonly Column<Anomaly>[] = [
  { key: "seen", head: "Last seen", isRowHeader: true, cell: (row) => <Time at={row.last_seen} /> },
  {
    key: "kind",
    head: "Pattern",
    cell: (row) => (
      <span>
        <code>
          <Text value={row.kind} max={60} />
        </code>{" "}
        {anomalyTitle(row.kind)}
      </span>
    ),
  },
  { key: "subject", head: "Subject", cell: (row) => <Subject row={row} /> },
  { key: "count", head: "Count", cell: (row) => <AnomalyCount kind={row.kind} count={row.count} /> },
  { key: "details", head: "Details", cell: (row) => <AnomalyDetails details={row.details} /> },
  // Not the first of the chat, for instance, but that of the second initiator in it.
  { key: "first", head: "Begins with", cell: (row) => <InterceptionLink id={row.first_interception_id} /> },
  { key: "last", head: "Last request", cell: (row) => <InterceptionLink id={row.last_interception_id} /> },
];

function Subject({ row }: { readonly row: Anomaly }): VNode {
  const [path, filter] = SUBJECT_FILTERS[row.kind] ?? [];
  const id = <Id value={row.subject} />;
  return path === undefined || filter === undefined ? (
    id
  ) : (
    <DrillLink path={path} query={{ [filter]: row.subject }}>
      {id}
    </DrillLink>
  );
}
