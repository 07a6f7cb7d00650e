/** Patterns across many requests that the cron found. */
import type { VNode } from "preact";
import type { Anomaly } from "../api/types.ts";
import { Count } from "../parts/figures.tsx";
import { DrillLink, Id, InterceptionLink } from "../parts/links.tsx";
import { ListPage } from "../parts/list-page.tsx";
import type { Column } from "../parts/table.tsx";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";
import { anomalyTitle } from "./attention.tsx";

export function Anomalies(): VNode {
  return (
    <ListPage
      path="/anomalies"
      title="Anomalies"
      about="Patterns that only many requests show. The records Worker searches for them every ten minutes."
      noun={["anomaly", "anomalies"]}
      columns={COLUMNS}
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
  { key: "count", head: "Count", isNumber: true, cell: (row) => <Count value={row.count} /> },
  { key: "details", head: "Details", cell: (row) => <Text value={detailsOf(row)} max={160} /> },
  { key: "first", head: "First request", cell: (row) => <InterceptionLink id={row.first_interception_id} /> },
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

const detailsOf = ({ details }: Anomaly): string =>
  Object.entries(details)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
