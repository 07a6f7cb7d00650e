/** Requests that the gateway refused, and requests that it forwarded without intercepting them. */
import type { VNode } from "preact";
import type { Passthrough, RefusalRow } from "../api/types.ts";
import { nameIn, useNames, type Named } from "../app/use-names.ts";
import { Attribution } from "../parts/attribution.tsx";
import { Duration } from "../parts/figures.tsx";
import { DrillLink, FilterLink, Id, NOT_KNOWN, Principal } from "../parts/links.tsx";
import { ListPage } from "../parts/list-page.tsx";
import { Outcome } from "../parts/outcome.tsx";
import type { Column } from "../parts/table.tsx";
import { Text } from "../text/text.tsx";
import { budgetOf } from "./accounts.ts";
import { Time } from "../text/time.tsx";

export function Refusals(): VNode {
  const [initiators, actors] = [useNames("initiator"), useNames("actor")];
  return (
    <ListPage
      path="/refusals"
      title="Refusals"
      about="Requests that the gateway did not forward. Each one with a verified actor is listed, and a bounded number of the others; the overview counts all."
      noun={["refusal", "refusals"]}
      columns={refusalColumns(initiators, actors)}
      empty={<p>No request was refused.</p>}
    />
  );
}

export function Passthroughs(): VNode {
  return (
    <ListPage
      path="/passthroughs"
      title="Passthroughs"
      about="Requests such as those for models, files and batches. Their bodies are not recorded."
      noun={["passthrough", "passthroughs"]}
      columns={PASSTHROUGH_COLUMNS}
      empty={<p>A client that lists models, for example, appears here.</p>}
    />
  );
}

const refusalColumns = (
  initiators: readonly Named[],
  actors: readonly Named[],
): readonly Column<RefusalRow>[] => [
  {
    key: "time",
    head: "Time",
    isRowHeader: true,
    cell: (row) =>
      // Without an initiator, the request was refused before it was recorded as one.
      row.initiator_id === null ? (
        <Time at={row.created_at} />
      ) : (
        <DrillLink path={`/interceptions/${encodeURIComponent(row.interception_id)}`}>
          <Time at={row.created_at} />
        </DrillLink>
      ),
  },
  {
    key: "reason",
    head: "Reason",
    cell: (row) => <FilterLink path="/refusals" name="reason" value={row.reason} />,
  },
  { key: "status", head: "Status", isNumber: true, cell: (row) => row.status },
  {
    key: "detail",
    head: "Detail",
    cell: (row) => <Detail row={row} />,
  },
  { key: "initiator", head: "Initiator", cell: (row) => <Initiator row={row} names={initiators} /> },
  { key: "actor", head: "Actor", cell: (row) => <Actor row={row} names={actors} /> },
  {
    key: "client",
    head: "Client",
    cell: (row) => (row.client === null ? NOT_KNOWN : <Text value={row.client} max={40} />),
  },
  {
    key: "provider",
    head: "Provider",
    cell: (row) => <FilterLink path="/refusals" name="provider" value={row.provider} />,
  },
  {
    key: "route",
    head: "Route",
    cell: (row) => <Text value={`${row.method} ${row.route ?? ""}`} max={60} />,
  },
  {
    key: "key",
    head: "Credential",
    cell: (row) => <FilterLink path="/refusals" name="api_key_id" value={row.api_key_id} />,
  },
];

/** The rule of a budget is a link to its accounts. */
function Detail({ row: { detail } }: { readonly row: RefusalRow }): VNode {
  if (detail === null) return NOT_KNOWN;
  const budget = budgetOf(detail);
  return budget === null ? (
    <Text value={detail} max={120} />
  ) : (
    <DrillLink path="/budgets" query={{ budget }}>
      <Text value={detail} max={120} />
    </DrillLink>
  );
}

type WhoProps = { readonly row: RefusalRow; readonly names: readonly Named[] };

function Initiator({ row, names }: WhoProps): VNode {
  const { initiator_id: id, initiator_source: source } = row;
  return <Principal id={id} source={source} name={nameIn(names, id, source)} />;
}

function Actor({ row, names }: WhoProps): VNode {
  const { actor_id: id, identity_source: source } = row;
  return (
    <>
      <Principal id={id} source={source} name={nameIn(names, id, source)} as="actor" />
      {id !== null && !row.actor_verified && <span class="muted"> not verified</span>}
    </>
  );
}

const PASSTHROUGH_COLUMNS: readonly Column<Passthrough>[] = [
  { key: "time", head: "Time", isRowHeader: true, cell: (row) => <Time at={row.started_at} /> },
  { key: "route", head: "Route", cell: (row) => <Text value={`${row.method} ${row.route}`} max={80} /> },
  {
    key: "provider",
    head: "Provider",
    cell: (row) => <FilterLink path="/passthroughs" name="provider_name" value={row.provider} />,
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
  {
    key: "outcome",
    head: "Outcome",
    cell: (row) => <Outcome word={row.outcome} status={row.status} error={row.error} />,
  },
  { key: "duration", head: "Duration", isNumber: true, cell: (row) => <Duration ms={row.duration_ms} /> },
  {
    key: "objects",
    head: "Objects",
    cell: (row) => (row.object_ids[0] === undefined ? NOT_KNOWN : <Id value={row.object_ids[0]} />),
  },
];
