/** Who read, deleted, held, erased or exported records, and events that had no valid MAC. */
import type { VNode } from "preact";
import { LEDGER_ACTIONS } from "../../src/events/vocabulary.ts";
import type { Responses } from "../api/schema.ts";
import type { Access } from "../api/types.ts";
import { hrefOf } from "../app/location.ts";
import { Count } from "../parts/figures.tsx";
import { Id, NOT_KNOWN } from "../parts/links.tsx";
import { ListPage } from "../parts/list-page.tsx";
import type { Column } from "../parts/table.tsx";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";

export function Accesses(): VNode {
  return (
    <ListPage
      path="/accesses"
      title="Access to records"
      about={
        <>
          Reads, deletions, holds, erasures and exports of records, this console's own reads included. See
          also <a href={hrefOf("/unauthenticated-events")}>events without a valid MAC</a>.
        </>
      }
      noun={["access", "accesses"]}
      columns={ACCESS_COLUMNS}
      empty={<p>Reads of recorded content appear here.</p>}
    />
  );
}

export function UnauthenticatedEvents(): VNode {
  return (
    <ListPage
      path="/unauthenticated-events"
      title="Events without a valid MAC"
      about="Events that reached the records Worker and were not stored as records, because nothing proves that the gateway sent them."
      noun={["event", "events"]}
      columns={EVENT_COLUMNS}
      empty={<p>Every event that arrived had a valid MAC, or none is required.</p>}
    />
  );
}

const ACCESS_COLUMNS: readonly Column<Access>[] = [
  { key: "time", head: "Time", isRowHeader: true, cell: (row) => <Time at={row.created_at} /> },
  {
    key: "action",
    head: "Action",
    cell: (row) => (
      <span title={(LEDGER_ACTIONS as Readonly<Record<string, string>>)[row.action]}>
        <Text value={row.action} />
      </span>
    ),
  },
  { key: "by", head: "By", cell: (row) => <Text value={row.by} max={80} /> },
  { key: "target", head: "Target", cell: (row) => <Text value={row.target} max={80} /> },
  {
    key: "parameters",
    head: "Parameters",
    cell: (row) => (
      <Text
        value={Object.entries(row.parameters)
          .map(([name, value]) => `${name}=${String(value)}`)
          .join(" ")}
        max={160}
      />
    ),
  },
  { key: "rows", head: "Rows", isNumber: true, cell: (row) => <Count value={row.rows} /> },
  {
    key: "cause",
    head: "Cause",
    cell: (row) => (row.cause === null ? NOT_KNOWN : <Text value={row.cause} max={80} />),
  },
];

type UnauthenticatedEvent = Responses["/unauthenticated-events"]["results"][number];

const EVENT_COLUMNS: readonly Column<UnauthenticatedEvent>[] = [
  { key: "time", head: "Received", isRowHeader: true, cell: (row) => <Time at={row.stored_at} /> },
  { key: "type", head: "Record type", cell: (row) => <Text value={row.record_type} /> },
  { key: "reason", head: "MAC", cell: (row) => <Text value={row.reason.replaceAll("_", " ")} /> },
  {
    key: "key",
    head: "Key",
    cell: (row) => (row.mac_key_id === null ? NOT_KNOWN : <Text value={row.mac_key_id} />),
  },
  { key: "id", head: "Claimed request", cell: (row) => <Id value={row.interception_id} /> },
];
