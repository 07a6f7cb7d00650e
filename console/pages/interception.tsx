/** One request with everything that is recorded about it. */
import type { ComponentChildren, VNode } from "preact";
import { useRoute } from "preact-iso/router";
import { useApi } from "../api/use-api.ts";
import type { Interception as Row } from "../api/types.ts";
import { Page } from "../app/page.tsx";
import { useScope } from "../app/session.tsx";
import { Attribution, meaningOf } from "../parts/attribution.tsx";
import { WholeId } from "../parts/copy.tsx";
import { Count, Dollars, Duration, Facts, inputOfCall } from "../parts/figures.tsx";
import {
  actorNameIn,
  DrillLink,
  FilterLink,
  Id,
  InterceptionLink,
  NOT_KNOWN,
  Principal,
} from "../parts/links.tsx";
import { Outcome } from "../parts/outcome.tsx";
import { ContentHidden, Empty, Loadable, Note } from "../parts/states.tsx";
import { Table, type Column } from "../parts/table.tsx";
import { LongText, Text } from "../text/text.tsx";
import { visibleText } from "../text/visible.ts";
import { Time } from "../text/time.tsx";
import { Evidence } from "./overrides.tsx";
import { BudgetEvents } from "./budget-events.tsx";
import { isId } from "./ids.ts";

export function Interception(): VNode {
  const { params } = useRoute();
  const id = (params["id"] ?? "").toLowerCase();
  const found = useApi("/interceptions", isId(id) ? { id } : null);
  return (
    <Page
      title="Request"
      crumbs={[{ label: "Requests", path: "/live" }]}
      about={isId(id) ? <WholeId value={id} name="the id of the request" /> : <Id value={id} />}
    >
      {isId(id) ? (
        <Loadable of={found} what="the request" height={600}>
          {({ results: [row] }) => (row?.id === id ? <View row={row} /> : <Missing id={id} />)}
        </Loadable>
      ) : (
        <Missing id={null} />
      )}
    </Page>
  );
}

function Missing({ id }: { readonly id: string | null }): VNode {
  return (
    <>
      <Empty title="No request has this id.">
        <p>
          It may have been deleted by retention, be a refusal or a passthrough, or not be delivered yet:
          events arrive some seconds after a request.
        </p>
      </Empty>
      {id !== null && <BudgetEvents isOptional query={{ interception_id: id }} />}
    </>
  );
}

function View({ row }: { readonly row: Row }): VNode {
  const mayRead = useScope("content");
  return (
    <>
      <Facts
        facts={[
          ["Outcome", <Outcome word={row.outcome} status={row.status} error={row.error} />],
          ["Cost", <Dollars micros={row.cost_micros} />],
          ["Input tokens", <Count value={inputOfCall(row)} />],
          ["of them read from cache", <Count value={row.cache_read_input_tokens} />],
          ["of them written to cache", <Count value={row.cache_write_input_tokens} />],
          ["Output tokens", <Count value={row.output_tokens} />],
          ["Duration", <Duration ms={row.duration_ms} />],
          ["First byte after", <Duration ms={row.first_byte_ms} />],
        ]}
      />
      {row.usage_state !== null && row.usage_state !== "final" && row.outcome !== "refused" && (
        <Note>
          The token figures are {visibleText(row.usage_state)}: they are not the provider's closing figures.
        </Note>
      )}
      {row.cost_source !== null && row.cost_source !== "computed" && row.outcome !== "refused" && (
        <Note>The cost is {visibleText(row.cost_source)}.</Note>
      )}
      <Who row={row} />
      <What row={row} />
      <Attempts row={row} />
      <BudgetEvents isOptional query={{ interception_id: row.id }} />
      {!mayRead && <ContentHidden />}
      {mayRead && <Content row={row} />}
      <Seals id={row.id} />
    </>
  );
}

function Who({ row }: { readonly row: Row }): VNode {
  return (
    <section class="card">
      <h2>On whose account</h2>
      <Facts
        facts={[
          [
            "Initiator",
            <Principal id={row.initiator_id} source={row.initiator_source} name={row.initiator.name} />,
          ],
          [
            "Actor",
            <Principal
              id={row.actor_id}
              source={row.identity_source}
              name={actorNameIn(row.metadata)}
              as="actor"
            />,
          ],
          ["Attribution", <Attribution word={row.attribution} />],
          ["Credential", <FilterLink path="/live" name="api_key_id" value={row.api_key_id} />],
          ["Provider key", <Text value={`${row.credential_kind} ${row.credential_hint ?? ""}`} />],
        ]}
      />
      <p class="muted">{meaningOf(row.attribution)}</p>
      {hasOwner(row) && <OwnerHeader row={row} />}
      {row.flags.length > 0 && <Note>Flags: {visibleText(row.flags.join(", "))}</Note>}
      {row.delegation_chain.length > 0 && (
        <p>
          Delegated through <Text value={row.delegation_chain.join(" → ")} />
        </p>
      )}
    </section>
  );
}

/** Whether the request had an owner header. */
const hasOwner = ({ attribution, flags }: Row): boolean =>
  flags.includes("owner_rejected") || ["signed", "asserted", "claimed"].includes(attribution);

/** Why the owner header was accepted or rejected: the override has the time of its request. */
function OwnerHeader({ row }: { readonly row: Row }): VNode | null {
  const overrides = useApi("/overrides", {
    actor: row.actor_id,
    started_after: row.started_at,
    started_before: row.started_at,
    limit: 100,
  });
  const override = overrides.data?.results.find(({ interception_id: id }) => id === row.id);
  if (override === undefined) return null;
  return (
    <p>
      The owner header was <strong>{override.accepted ? "accepted" : "rejected"}</strong>:{" "}
      <Evidence row={override} />
    </p>
  );
}

function What({ row }: { readonly row: Row }): VNode {
  const facts: readonly (readonly [string, ComponentChildren])[] = [
    [
      "Session",
      <DrillLink path={`/sessions/${encodeURIComponent(row.id)}`}>
        <Id value={row.session_id} />
      </DrillLink>,
    ],
    ["Client", <FilterLink path="/live" name="client" value={row.client} />],
    ["Provider", <FilterLink path="/live" name="provider_name" value={row.provider} />],
    ["Model", <FilterLink path="/live" name="model" value={row.model} />],
    ["Route", <Text value={row.route} />],
    ["Started", <Time at={row.started_at} />],
    ["Ended", <Time at={row.ended_at} />],
    ["Chat", <FilterLink path="/live" name="chat_id" value={row.chat_id} />],
    ["Workspace", <FilterLink path="/live" name="workspace_id" value={row.workspace_id} />],
    ["Agent", row.agent_id === null ? NOT_KNOWN : <Text value={row.agent_id} />],
    [
      "Previous request",
      row.thread_parent_id === null ? NOT_KNOWN : <InterceptionLink id={row.thread_parent_id} />,
    ],
    ["Country", row.client_country === null ? NOT_KNOWN : <Text value={row.client_country} />],
    ["User agent", row.user_agent === null ? NOT_KNOWN : <Text value={row.user_agent} />],
    [
      "Provider's request id",
      row.provider_request_id === null ? NOT_KNOWN : <Text value={row.provider_request_id} />,
    ],
  ];
  return (
    <section class="card">
      <h2>What was called</h2>
      <Facts facts={facts} />
    </section>
  );
}

type Attempt = Row["attempts"][number];

const ATTEMPT_COLUMNS: readonly Column<Attempt>[] = [
  { key: "started", head: "Sent", isRowHeader: true, cell: (one) => <Time at={one.started_at} /> },
  { key: "provider", head: "Provider", cell: (one) => <Text value={one.provider} max={40} /> },
  {
    key: "key",
    head: "Provider key",
    cell: (one) => (one.key_hint === null ? NOT_KNOWN : <Text value={one.key_hint} max={20} />),
  },
  { key: "reason", head: "End", cell: (one) => visibleText(one.reason.replaceAll("_", " ")).slice(0, 40) },
  { key: "status", head: "Status", isNumber: true, cell: (one) => one.status ?? NOT_KNOWN },
  { key: "waited", head: "Waited before", isNumber: true, cell: (one) => <Duration ms={one.waited_ms} /> },
  { key: "took", head: "Duration", isNumber: true, cell: (one) => <Duration ms={one.duration_ms} /> },
];

const SENT_MODEL: Column<Attempt> = {
  key: "model",
  head: "Model sent",
  cell: (one) => (one.sent_model === null ? "the client's" : <Text value={one.sent_model} max={64} />),
};

const AI_GATEWAY_LOG: Column<Attempt> = {
  key: "log",
  head: "AI Gateway log",
  cell: (one) =>
    one.ai_gateway_log_id === null ? NOT_KNOWN : <Text value={one.ai_gateway_log_id} max={64} />,
};

/** Only of a request that was sent more than once, with another model id than the client's, or to Cloudflare AI Gateway. */
function Attempts({ row: { attempts } }: { readonly row: Row }): VNode | null {
  if (attempts.length === 0) return null;
  return (
    <section class="card">
      <h2>Attempts</h2>
      <Table
        caption="Attempts, in their order"
        columns={[
          ...ATTEMPT_COLUMNS,
          ...(attempts.some((one) => one.sent_model !== null) ? [SENT_MODEL] : []),
          ...(attempts.some((one) => one.ai_gateway_log_id !== null) ? [AI_GATEWAY_LOG] : []),
        ]}
        rows={attempts}
        rowKey={({ id }) => id}
      />
    </section>
  );
}

function Content({ row }: { readonly row: Row }): VNode {
  const isEmpty =
    row.error_message === null &&
    [row.user_prompts, row.tool_usages, row.model_thoughts].every(({ length }) => length === 0);
  return (
    <section class="card">
      <h2>Content</h2>
      {isEmpty && <p class="muted">Nothing is recorded. Prompts, tool inputs and thoughts need RECORDING.</p>}
      {row.error_message !== null && <LongText value={row.error_message} label="Error message" />}
      {row.user_prompts.map(({ id, prompt, truncated }) => (
        <div key={id}>
          <h3>Prompt{truncated && " (cut)"}</h3>
          <LongText value={prompt} label="Prompt" />
        </div>
      ))}
      {row.model_thoughts.map(({ id, content, truncated }) => (
        <div key={id}>
          <h3>Thought{truncated && " (cut)"}</h3>
          <LongText value={content} label="Thought" />
        </div>
      ))}
      {row.tool_usages.map(({ id, tool, input, truncated }) => (
        <div key={id}>
          <h3>
            Tool call: <Text value={tool} max={80} />
            {truncated && " (cut)"}
          </h3>
          {input === null ? (
            <p class="muted">The input is not recorded.</p>
          ) : (
            <LongText value={input} label="Tool input" />
          )}
        </div>
      ))}
    </section>
  );
}

function Seals({ id }: { readonly id: string }): VNode {
  return (
    <p class="actions">
      <DrillLink path="/seals" query={{ request: id }}>
        Verify the seals of its start and its end
      </DrillLink>
    </p>
  );
}
