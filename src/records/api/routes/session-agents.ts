/** GET /sessions/{session_id}/agents: the agents of a session, in the order of their start. */
import { Refusal } from "../../../shared/refusal.ts";
import { AGENT, agentCountSql, agentsSql, toAgent } from "../agents.ts";
import { endpoint } from "../kit/endpoint.ts";
import { cursor, cutPage, LIMIT } from "../kit/page.ts";
import { number, text } from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { EVIDENCE_FIELDS, toEvidence } from "../evidence.ts";
import { findKey, SESSION_PARAMETERS } from "../session-key.ts";

export const sessionAgents = endpoint({
  path: "/sessions/{session_id}/agents",
  summary: "The agents of a session",
  description:
    "The main agent and the sub-agents that the client names in its headers, in the order of their start. A sub-agent is below the agent that started it, or below the main agent if that is not known.",
  filters: {},
  parameters: {
    ...SESSION_PARAMETERS,
    limit: LIMIT,
    after_id: cursor("Cursor: the `first_interception_id` of the last agent on the previous page."),
  },
  response: schema.object({
    count: schema.withDescription(
      schema.COUNT,
      "The number of agents on all pages, the main agent included.",
    ),
    ...EVIDENCE_FIELDS,
    agents: schema.list(AGENT),
  }),
  handle: async ({ limit, after_id, ...choice }, _, { id, query }) => {
    const key = await findKey(id, choice, query);
    if (key instanceof Refusal) return key;
    const page = { ...key, after: after_id ?? "", limit: limit + 1 };
    const parts = await query([agentsSql(page), agentCountSql(page)]);
    if (parts instanceof Refusal) return parts;
    const [agents, [counted]] = parts;
    const count = number(counted?.["agents"]);
    const shown = cutPage(agents, limit, { count, count_is_capped: false }, (last) => ({
      after_id: text(last["first_id"]),
    }));
    return { body: { count, ...toEvidence(counted), agents: shown.rows.map(toAgent) }, page: shown.page };
  },
});
