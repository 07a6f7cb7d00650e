import { beforeEach, describe, expect, it } from "vitest";
import { fetchApi, fetchFault, fetchOk, items, part } from "../../support/in-workerd/api-client.ts";
import {
  ALICE,
  BOB,
  idAt,
  insert,
  interception,
  iso,
  T0,
  toolUsage,
  used,
  type Row,
} from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

beforeEach(emptyLedger);

/** An interception of the session `s`. */
const of = (at: number, agent: string | null = null, parent: string | null = null, over: Row = {}): Row =>
  interception(T0 + at, { client_session_id: "s", agent_id: agent, parent_agent_id: parent, ...over });

/** A tool call that starts an agent. */
const task = (row: Row, tool = "Task"): Row => toolUsage(row, 0, { tool });

/** The tree as agent → the agent above it. */
async function treeOf(path = "/sessions/s/agents"): Promise<unknown[]> {
  const agents = items(await fetchOk(path), "agents");
  return agents.map((one) => [part(one, "agent_id"), part(one, "parent_agent_id")]);
}

async function originsOf(): Promise<unknown[]> {
  const agents = items(await fetchOk("/sessions/s/agents"), "agents");
  return agents.map((one) => part(one, "spawned_by_interception_id"));
}

describe("GET /sessions/{session_id}/agents", () => {
  it("returns the main agent and a sub-agent with all figures", async () => {
    const main = of(0, null, null, used());
    const rows = [
      main,
      of(1000, "a", null, { ...used(), request_class: "review" }),
      of(2000, "a", null, { ...used(), request_class: "compact", prompt_count: 0 }),
      of(3000, "a", null, { request_class: "review", outcome: null, ended_at: null, usage: null }),
    ];
    await insert("interceptions", rows);
    await insert("tool_usages", [toolUsage(main, 0, { tool: "Task" }), toolUsage(main, 1, { tool: "Task" })]);
    const main_agent = {
      agent_id: null,
      parent_agent_id: null,
      stated_parent_agent_id: null,
      spawned_by_interception_id: null,
      first_interception_id: main["id"],
      started_at: iso(T0),
      last_active_at: iso(T0),
      ended_at: iso(T0 + 900),
      interceptions: 1,
      prompts: 1,
      request_classes: [],
      request_classes_are_capped: false,
      usage_complete: true,
      token_usage_summary: {
        input_tokens: 10,
        output_tokens: 20,
        cache_read_input_tokens: 3,
        cache_write_input_tokens: 0,
      },
    };
    const { ended_at: _, ...open } = main_agent;
    const evidence = { attribution: "authenticated", mixed: false };
    expect(await fetchOk("/sessions/s/agents")).toEqual({
      count: 2,
      ...evidence,
      agents: [
        { ...main_agent, ...evidence },
        {
          ...open,
          ...evidence,
          agent_id: "a",
          spawned_by_interception_id: main["id"],
          first_interception_id: idAt(T0 + 1000),
          started_at: iso(T0 + 1000),
          last_active_at: iso(T0 + 3000),
          interceptions: 3,
          prompts: 2,
          request_classes: ["compact", "review"],
          usage_complete: false,
          token_usage_summary: {
            input_tokens: 20,
            output_tokens: 40,
            cache_read_input_tokens: 6,
            cache_write_input_tokens: 0,
          },
        },
      ],
    });
  });

  it.each<[string, readonly Row[], readonly (readonly [string | null, string | null])[]]>([
    [
      "nests an agent below the one that started it",
      [of(0), of(1, "a"), of(2, "b", "a"), of(3, "c", "b")],
      [
        [null, null],
        ["a", null],
        ["b", "a"],
        ["c", "b"],
      ],
    ],
    [
      "takes an agent with an unknown parent to the main agent",
      [of(0), of(1, "a", "gone")],
      [
        [null, null],
        ["a", null],
      ],
    ],
    ["takes an agent that names itself to the main agent", [of(1, "a", "a")], [["a", null]]],
    [
      // A client that sends two agents as each other's parent must neither loop nor hide them.
      "breaks a cycle at its oldest agent",
      [of(1, "a", "c"), of(2, "b", "a"), of(3, "c", "b")],
      [
        ["a", null],
        ["b", "a"],
        ["c", "b"],
      ],
    ],
    [
      "keeps the parent that an agent named first",
      [of(1, "a"), of(2, "b"), of(3, "c"), of(4, "c", "a"), of(5, "c", "b")],
      [
        ["a", null],
        ["b", null],
        ["c", "a"],
      ],
    ],
    [
      "ignores a parent without an agent",
      [of(0), of(1, "a"), of(2, null, "a")],
      [
        [null, null],
        ["a", null],
      ],
    ],
    [
      "compares names exactly",
      [of(1, "a"), of(2, "b", "A")],
      [
        ["a", null],
        ["b", null],
      ],
    ],
  ])("%s", async (_, rows, tree) => {
    await insert("interceptions", rows);
    expect(await treeOf()).toEqual(tree);
  });

  it("shows the stated parent that it does not follow", async () => {
    await insert("interceptions", [of(1, "a", "gone")]);
    const [agent] = items(await fetchOk("/sessions/s/agents"), "agents");
    expect(part(agent, "stated_parent_agent_id")).toBe("gone");
  });

  // A client that sends another user's session and agent ids must not attach its agents to that user's tree.
  it("links no agents of another initiator or session", async () => {
    await insert("interceptions", [
      of(1, "a"),
      of(2, "b", "a", { initiator_id: BOB }),
      of(3, "c", "a", { client_session_id: "other" }),
    ]);
    expect(await treeOf(`/sessions/s/agents?initiator=${BOB}`)).toEqual([["b", null]]);
    expect(await treeOf(`/sessions/s/agents?initiator=${ALICE}`)).toEqual([["a", null]]);
    expect(await treeOf("/sessions/other/agents")).toEqual([["c", null]]);
    expect(await fetchFault("/sessions/s/agents")).toEqual([400, "initiator"]);
  });

  describe("the interception that started an agent", () => {
    const [first, second, sub, nested] = [of(0), of(10), of(20, "a"), of(30, "b", "a")];

    it.each<[string, readonly Row[], readonly unknown[]]>([
      ["is the only one of its parent that can have", [task(first)], [null, first["id"], null]],
      ["is one of the parent agent", [task(first), task(sub, "spawn_agent")], [null, first["id"], sub["id"]]],
      ["is not known if two can have", [task(first), task(second)], [null, null, null]],
      ["is not known without a call that starts agents", [task(first, "Bash")], [null, null, null]],
      ["is none that is newer", [task(nested)], [null, null, null]],
    ])("%s", async (_, calls, origins) => {
      await insert("interceptions", [first, second, sub, nested]);
      await insert("tool_usages", calls);
      expect(await originsOf()).toEqual(origins);
    });

    it("is not known if the stated parent is not", async () => {
      await insert("interceptions", [first, of(1, "a", "gone")]);
      await insert("tool_usages", [task(first)]);
      expect(await originsOf()).toEqual([null, null]);
    });
  });

  // A client can name a new agent and a new class with every request: the response and the memory stay bounded.
  it("pages 10,000 agents of one session, each exactly once", async () => {
    const rows = Array.from({ length: 10_000 }, (_, n) =>
      interception(T0, { client_session_id: "s", agent_id: `a${n}`, parent_agent_id: `a${n - 1}` }, n),
    );
    await insert("interceptions", rows);
    const seen: unknown[] = [];
    let query = "limit=1000";
    for (;;) {
      const { headers, json } = await fetchApi(`/sessions/s/agents?${query}`);
      expect(headers.get("x-total-count")).toBe("10000");
      seen.push(...items(json, "agents").map((one) => [part(one, "agent_id"), part(one, "parent_agent_id")]));
      const next = /^<\?([^>]+)>; rel="next"$/.exec(headers.get("link") ?? "")?.[1];
      if (next === undefined) break;
      query = next;
    }
    expect(seen).toEqual(rows.map((_, n) => [`a${n}`, n === 0 ? null : `a${n - 1}`]));
  });

  it("shows at most 20 request classes of an agent, the first ones", async () => {
    const rows = Array.from({ length: 25 }, (_, n) => of(n, "a", null, { request_class: `class-${10 + n}` }));
    await insert("interceptions", rows);
    const [agent] = items(await fetchOk("/sessions/s/agents"), "agents");
    expect(items(agent, "request_classes")).toEqual(rows.slice(0, 20).map((row) => row["request_class"]));
    expect(part(agent, "request_classes_are_capped")).toBe(true);
  });

  it("finds a session by the id of one of its interceptions, and decodes the id", async () => {
    await insert("interceptions", [
      of(0),
      interception(T0 + 1, { client_session_id: "a:b c", agent_id: "x" }),
    ]);
    expect(await treeOf(`/sessions/${idAt(T0)}/agents`)).toEqual([[null, null]]);
    expect(await treeOf("/sessions/a:b%20c/agents")).toEqual([["x", null]]);
    expect((await fetchApi("/sessions/none/agents")).status).toBe(404);
    expect((await fetchApi("/sessions/%ff/agents")).status).toBe(404);
    expect((await fetchApi("/sessions//agents")).status).toBe(404);
  });
});

describe("a session's threads", () => {
  it("name their agent, and the session counts the agents", async () => {
    await insert("interceptions", [of(0), of(1, "a"), of(2, "a", null, { thread_root_id: idAt(T0 + 1) })]);
    const session = await fetchOk("/sessions/s");
    expect(items(session, "threads").map((one) => part(one, "agent_id"))).toEqual([null, "a"]);
    expect(part(session, "agent_count")).toBe(2);
  });
});
