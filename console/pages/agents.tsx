/** The agents of a session as a tree: the main agent and those that it, or they, started. */
import type { VNode } from "preact";
import { useApi } from "../api/use-api.ts";
import type { Agent, Interception } from "../api/types.ts";
import { Attribution } from "../parts/attribution.tsx";
import { Count, inputOf, Tokens } from "../parts/figures.tsx";
import { InterceptionLink } from "../parts/links.tsx";
import { Loadable, Note } from "../parts/states.tsx";
import { Table, type Column } from "../parts/table.tsx";
import { formatCount } from "../text/format.ts";
import { Text } from "../text/text.tsx";
import { Time } from "../text/time.tsx";
import { RequestsCost } from "./thread.tsx";

type Placed = { readonly agent: Agent; readonly depth: number };

const LIMIT = 200;
const MAX_DEPTH = 12;

type AgentsProps = {
  readonly sessionKey: string;
  /** All requests of the session; empty where they are not known. */
  readonly requests: readonly Interception[];
};

export function Agents({ sessionKey, requests }: AgentsProps): VNode {
  const agents = useApi("/sessions/{session_id}/agents", { session_id: sessionKey, limit: LIMIT });
  return (
    <Loadable of={agents} what="the agents" height={90}>
      {({ agents: rows, count }) => (
        <>
          <Table
            caption={`Agents (${formatCount(count)})`}
            columns={columnsOf(requests)}
            rows={inTreeOrder(rows)}
            rowKey={({ agent }) => agent.agent_id ?? "main"}
          />
          {count > rows.length && <Note>The first {formatCount(rows.length)} agents are shown.</Note>}
        </>
      )}
    </Loadable>
  );
}

/** Each agent after the one above it. The names are the client's: an agent whose parent is unknown, or itself, is a root. */
function inTreeOrder(agents: readonly Agent[]): readonly Placed[] {
  const ids = new Set(agents.map(({ agent_id: id }) => id));
  const parentOf = ({ agent_id: id, parent_agent_id: parent }: Agent): string | null | undefined =>
    id === null || parent === id || !ids.has(parent) ? undefined : parent;
  const children = Map.groupBy(agents, parentOf);
  const placed: Placed[] = [];
  const seen = new Set<Agent>();
  const place = (agent: Agent, depth: number): void => {
    if (seen.has(agent)) return;
    seen.add(agent);
    placed.push({ agent, depth });
    for (const child of children.get(agent.agent_id) ?? []) place(child, Math.min(depth + 1, MAX_DEPTH));
  };
  for (const root of children.get(undefined) ?? []) place(root, 0);
  // A circle of parents has no root.
  for (const agent of agents) place(agent, 0);
  return placed;
}

const columnsOf = (requests: readonly Interception[]): readonly Column<Placed>[] => [
  {
    key: "agent",
    head: "Agent",
    isRowHeader: true,
    cell: ({ agent, depth }) => (
      <span style={{ paddingInlineStart: `${depth * 18}px` }}>
        {depth > 0 && (
          <>
            <span aria-hidden="true" class="muted">
              └{" "}
            </span>
            <span class="visually-hidden">level {depth}: </span>
          </>
        )}
        {agent.agent_id === null ? "Main agent" : <Text value={agent.agent_id} max={60} />}
      </span>
    ),
  },
  {
    key: "spawned",
    head: "Started by",
    cell: ({ agent }) =>
      agent.spawned_by_interception_id === null ? (
        <Parent agent={agent} />
      ) : (
        <InterceptionLink id={agent.spawned_by_interception_id} />
      ),
  },
  {
    key: "requests",
    head: "Requests",
    isNumber: true,
    cell: ({ agent }) => <Count value={agent.interceptions} />,
  },
  {
    key: "tokens",
    head: "Tokens in / out",
    isNumber: true,
    cell: ({ agent: { token_usage_summary: sum, usage_complete: isComplete } }) => (
      <Tokens input={inputOf(sum)} output={sum.output_tokens} isIncomplete={!isComplete} />
    ),
  },
  {
    key: "attribution",
    head: "Attribution",
    cell: ({ agent }) => <Attribution word={agent.attribution} isMixed={agent.mixed} />,
  },
  {
    key: "cost",
    head: "Cost",
    isNumber: true,
    cell: ({ agent }) => (
      <RequestsCost requests={requests.filter((one) => one.agent_id === agent.agent_id)} />
    ),
  },
  { key: "started", head: "Started", cell: ({ agent }) => <Time at={agent.started_at} /> },
];

/** Where no request of the parent is known that started the agent. */
function Parent({ agent }: { readonly agent: Agent }): VNode {
  const { agent_id: id, parent_agent_id: parent } = agent;
  if (id === null) return <span class="muted">–</span>;
  return parent === null ? <>main agent</> : <Text value={parent} max={60} />;
}
