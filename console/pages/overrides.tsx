/** Owner headers: who named whom, on what evidence, and why some were rejected. */
import type { VNode } from "preact";
import {
  ASSERTION_RULES,
  DIRECTORY_RESULTS,
  OWNER_REJECTIONS,
  SIGNATURE_RESULTS,
} from "../../src/events/vocabulary.ts";
import type { Override } from "../api/types.ts";
import { Attribution, AttributionWords } from "../parts/attribution.tsx";
import { Id, InterceptionLink, NOT_KNOWN, Principal } from "../parts/links.tsx";
import { ListPage } from "../parts/list-page.tsx";
import type { Column } from "../parts/table.tsx";
import { formatCount } from "../text/format.ts";
import { meaningIn } from "../text/meaning.ts";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";

export function Overrides(): VNode {
  return (
    <ListPage
      path="/overrides"
      title="Overrides"
      about="Each owner header that a client sent: the actor that sent it, the owner it names, and what decided."
      noun={["owner header", "owner headers"]}
      columns={COLUMNS}
      empty={
        <p>
          Coder Agents names its user in <code>X-Coder-Owner-Id</code>. Such requests appear here, accepted or
          rejected.
        </p>
      }
    >
      <AttributionWords />
    </ListPage>
  );
}

const COLUMNS: readonly Column<Override>[] = [
  { key: "time", head: "Time", isRowHeader: true, cell: (row) => <Time at={row.created_at} /> },
  {
    key: "accepted",
    head: "Result",
    cell: (row) => (
      <span class={`outcome ${row.accepted ? "good" : "bad"}`}>{row.accepted ? "accepted" : "rejected"}</span>
    ),
  },
  {
    key: "actor",
    head: "Asserted by (actor)",
    cell: (row) => (
      <Principal id={row.actor_id} source={row.identity_source} name={row.actor_name} as="actor" />
    ),
  },
  {
    key: "owner",
    head: "Names (owner)",
    cell: (row) =>
      row.owner_id === null ? (
        <RejectedValue row={row} />
      ) : (
        <Principal id={row.owner_id} source={row.initiator_source} name={row.owner_username} />
      ),
  },
  {
    key: "counts",
    head: "Counts for",
    cell: (row) => (
      <Principal id={row.initiator_id} source={row.initiator_source} name={initiatorName(row)} />
    ),
  },
  { key: "evidence", head: "Evidence", cell: (row) => <Evidence row={row} /> },
  { key: "attribution", head: "Attribution", cell: (row) => <Attribution word={row.attribution} /> },
  { key: "client", head: "Client", cell: (row) => <Text value={row.client} max={40} /> },
  { key: "request", head: "Request", cell: (row) => <InterceptionLink id={row.interception_id} /> },
];

/** The name of the owner, or of the actor where the request counts for it. */
const initiatorName = (row: Override): string | null =>
  row.initiator_id === row.owner_id
    ? row.owner_username
    : row.initiator_id === row.actor_id
      ? row.actor_name
      : null;

/** The value of a rejected header is recorded nowhere, only what tells equal ones. */
function RejectedValue({ row }: { readonly row: Override }): VNode {
  if (row.value_sha256 === null) return NOT_KNOWN;
  return (
    <span class="muted">
      {formatCount(row.value_length ?? 0)} characters, SHA-256 <Id value={row.value_sha256} />
    </span>
  );
}

export function Evidence({ row }: { readonly row: Override }): VNode {
  if (row.reason !== null)
    return (
      <span>
        <code>
          <Text value={row.reason} max={60} />
        </code>{" "}
        {meaningIn(OWNER_REJECTIONS, row.reason)}
      </span>
    );
  return (
    <span>
      {row.rule !== null && <>rule: {meaningIn(ASSERTION_RULES, row.rule)}</>}
      {row.signature !== null && row.signature !== "off" && (
        <>; signature: {meaningIn(SIGNATURE_RESULTS, row.signature)}</>
      )}
      {row.directory !== null && row.directory !== "off" && (
        <>; directory: {meaningIn(DIRECTORY_RESULTS, row.directory)}</>
      )}
    </span>
  );
}
