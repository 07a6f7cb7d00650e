import { beforeEach, describe, expect, it } from "vitest";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { fetchApi, fetchFault, fetchOk, items, part } from "../../support/in-workerd/api-client.ts";
import {
  ALICE,
  BOB,
  database,
  idAt,
  insert,
  interception,
  iso,
  modelThought,
  T0,
  toolUsage,
  used,
  userPrompt,
  wrapLedger,
  type Row,
} from "../../support/in-workerd/api-rows.ts";
import { END, PROMPT, START } from "../../support/in-workerd/events.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

beforeEach(emptyLedger);

const MINUTE = 60_000;

const idsOf = (list: unknown): unknown[] => items(list, "sessions").map((one) => part(one, "id"));

describe("GET /sessions", () => {
  it("returns a summary of the whole session in Coder's fields", async () => {
    const session = { client_session_id: "s1" };
    const first = interception(T0, {
      ...session,
      ...used(),
      model: "b-model",
      provider: "team-anthropic",
    });
    const second = interception(T0 + MINUTE, {
      ...session,
      ...used({ input_tokens: 5, cache_write_input_tokens: 7, cache_read_input_tokens: null }),
      model: "a-model",
      thread_root_id: String(first["id"]),
      metadata: "{}",
    });
    const third = interception(T0 + 2 * MINUTE, { ...session, model: null, usage: "unknown" });
    await insert("interceptions", [third, first, second]);
    await insert("user_prompts", [userPrompt(first, "First one"), userPrompt(second, "x".repeat(1001))]);
    expect(await fetchOk("/sessions")).toEqual({
      count: 1,
      count_is_capped: false,
      sessions: [
        {
          id: "s1",
          initiator: { id: ALICE, username: "alice", name: "alice", avatar_url: "" },
          providers: ["anthropic", "team-anthropic"],
          models: ["a-model", "b-model"],
          client: "Claude Code",
          metadata: { actor_name: "alice" },
          started_at: iso(T0),
          ended_at: iso(T0 + 2 * MINUTE + 900),
          agent_count: 1,
          threads: 2,
          token_usage_summary: {
            input_tokens: 15,
            output_tokens: 40,
            cache_read_input_tokens: 3,
            cache_write_input_tokens: 7,
          },
          last_prompt: "x".repeat(1000),
          last_active_at: iso(T0 + 2 * MINUTE),
          cursor: first["id"],
          first_interception_id: first["id"],
          interceptions: 3,
          usage_complete: false,
          initiator_source: "keys",
          actor_id: ALICE,
          identity_source: "keys",
          attribution: "authenticated",
          mixed: false,
          actor_ids: [ALICE],
          attributions: ["authenticated"],
          truncated_fields: ["last_prompt"],
        },
      ],
    });
  });

  // The attack: SQLite ends a text at its first NUL, so that the rest would appear on no page.
  it("shows the text after a NUL", async () => {
    const fields = { model: "\0other", client_session_id: "s" };
    await storeEvents(database, [
      { ...START, ...fields },
      { ...PROMPT, prompt: "\0delete it all" },
      { ...END, ...fields },
    ]);
    const [session] = items(await fetchOk("/sessions"), "sessions");
    expect(part(session, "last_prompt")).toBe("\ufffddelete it all");
    expect(part(session, "models")).toEqual(["\ufffdother"]);
  });

  it("names the lists that are incomplete: more than 20 names, or a name of more than 128 characters", async () => {
    const session = { client_session_id: "s" };
    const names = Array.from({ length: 21 }, (_, n) => `model-${String(n).padStart(2, "0")}`);
    await insert(
      "interceptions",
      names.map((model, n) => interception(T0 + n, { ...session, model, provider: "\u{1f600}".repeat(128) })),
    );
    await insert("interceptions", [
      interception(T0 + 100, { client_session_id: "t", actor_id: "x".repeat(129) }),
    ]);
    const [other, one] = items(await fetchOk("/sessions"), "sessions");
    expect(part(one, "truncated_fields")).toEqual(["models"]);
    expect(items(one, "models")).toHaveLength(20);
    expect(part(other, "truncated_fields")).toEqual(["actor_ids"]);
    expect(items(other, "actor_ids")).toEqual(["x".repeat(128)]);
    expect(items(one, "providers")).toContain("\u{1f600}".repeat(128));
  });

  it("names the owner as the directory does", async () => {
    const asserted = { client_session_id: "s", initiator_id: BOB, attribution: "asserted" };
    await insert("interceptions", [
      interception(T0, asserted),
      interception(T0 + 1, { ...asserted, initiator_name: "bob" }),
    ]);
    const [session] = items(await fetchOk("/sessions"), "sessions");
    expect(part(session, "initiator")).toEqual({ id: BOB, username: "bob", name: "bob", avatar_url: "" });
  });

  it("omits the end of an open session, and a prompt that was not recorded", async () => {
    await insert("interceptions", [
      interception(T0, { client_session_id: "s" }),
      interception(T0 + 1, { client_session_id: "s", outcome: null, ended_at: null, usage: null }),
    ]);
    const [session] = items(await fetchOk("/sessions"), "sessions");
    expect(session).not.toHaveProperty("ended_at");
    expect(session).not.toHaveProperty("last_prompt");
    expect(part(session, "usage_complete")).toBe(false);
  });

  it("does not give the actor's name to another initiator", async () => {
    await insert("interceptions", [interception(T0, { initiator_id: BOB, attribution: "asserted" })]);
    const [session] = items(await fetchOk("/sessions"), "sessions");
    expect(part(session, "initiator")).toEqual({ id: BOB, username: BOB, name: "", avatar_url: "" });
    expect(part(session, "metadata")).toEqual({ actor_name: "alice" });
  });

  it("groups by client session id, else thread root, else the interception itself", async () => {
    const root = interception(T0);
    const loop = interception(T0 + 1, { thread_root_id: String(root["id"]) });
    await insert("interceptions", [
      root,
      loop,
      interception(T0 + 2),
      interception(T0 + 3, { client_session_id: "s" }),
    ]);
    expect(idsOf(await fetchOk("/sessions"))).toEqual(["s", idAt(T0 + 2), idAt(T0)]);
  });

  it("returns the other rows when one has unreadable metadata", async () => {
    await insert("interceptions", [
      interception(T0, { metadata: "{broken" }),
      interception(T0 + 1, { metadata: null }),
    ]);
    const list = items(await fetchOk("/sessions"), "sessions");
    expect(list.map((one) => part(one, "metadata"))).toEqual([{}, {}]);
  });

  it("sums tokens beyond 64 bits", async () => {
    const columns = { ...used({ input_tokens: 2 ** 62 }), client_session_id: "s" };
    await insert(
      "interceptions",
      Array.from({ length: 3 }, (_, n) => interception(T0, columns, n)),
    );
    const [session] = items(await fetchOk("/sessions"), "sessions");
    expect(part(session, "token_usage_summary", "input_tokens")).toBe(3 * 2 ** 62);
    await fetchOk("/usage");
    await fetchOk("/sessions/s");
  });

  // The attack: thousands of requests under one session id, by an actor itself and for an owner that it names. Each was
  // compared with all of the others: 3,000 of each took 26 seconds.
  it("reads as many rows as there are, where two sessions share an id", async () => {
    const shared = { client_session_id: "s" };
    const rows = Array.from({ length: 400 }, (_, n) =>
      interception(T0 + n, n < 200 ? shared : { ...shared, attribution: "asserted", actor_id: "m" }),
    );
    await insert("interceptions", rows);
    let read = 0;
    const counting = wrapLedger({});
    const batch = async <T>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]> => {
      const results = await counting.batch<T>(statements);
      for (const { meta } of results) read += meta.rows_read;
      return results;
    };
    const list = await fetchOk("/sessions", {
      database: Object.assign(Object.create(counting) as D1Database, { batch }),
    });
    expect(part(list, "count")).toBe(2);
    // Some twenty columns and lists of each session.
    expect(read).toBeLessThan(20 * rows.length);
  });

  // The attack: each request names another model of 256 characters, until the list exceeds the size of one value and the
  // whole page fails.
  it("returns the page when a session names 9,000 models", async () => {
    const rows = Array.from({ length: 9000 }, (_, n) =>
      interception(
        T0,
        { client_session_id: "s", model: `${n}`.padEnd(256, "m"), provider: `${n}`.padEnd(256, "a") },
        n,
      ),
    );
    await insert("interceptions", rows);
    const [session] = items(await fetchOk("/sessions"), "sessions");
    expect(items(session, "models").length).toBe(20);
    expect(items(session, "providers").length).toBe(20);
    expect(part(session, "interceptions")).toBe(9000);
  });
});

/** Inserts `count` sessions of two interceptions each. All second interceptions are after all first ones. */
async function fill(count: number): Promise<void> {
  const rows: Row[] = [];
  for (let n = 0; n < count; n += 1) {
    rows.push(interception(T0 + n * MINUTE, { client_session_id: `s${n}` }));
    rows.push(interception(T0 + (n + count) * MINUTE, { client_session_id: `s${n}` }));
  }
  await insert("interceptions", rows);
}

describe("pages of the session list", () => {
  it.each(["after_id", "after_session_id"])(
    "repeat and skip no session by %s while sessions and interceptions are added",
    async (cursor) => {
      await fill(25);
      const seen: unknown[] = [];
      let query = "/sessions?limit=4";
      for (let page = 0; ; page += 1) {
        const sessions = items(await fetchOk(query), "sessions");
        if (sessions.length === 0) break;
        seen.push(...sessions.map((one) => part(one, "id")));
        const last = sessions.at(-1);
        query = `/sessions?limit=4&${cursor}=${String(part(last, cursor === "after_id" ? "cursor" : "id"))}`;
        await insert("interceptions", [
          interception(T0 + 3000 * MINUTE + page, { client_session_id: `new${page}` }),
          interception(T0 + 3001 * MINUTE + page, { client_session_id: `s${page}` }),
          interception(T0 + 3001 * MINUTE + page, { client_session_id: `s${24 - page}` }, 1),
        ]);
      }
      expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => `s${24 - n}`));
    },
  );

  it("start at an offset, as Coder's consumers page", async () => {
    await fill(5);
    expect(idsOf(await fetchOk("/sessions?limit=2&offset=3"))).toEqual(["s1", "s0"]);
  });

  it("count the matches on all pages, up to 1,000", async () => {
    await fill(5);
    expect(part(await fetchOk("/sessions?limit=1&offset=2"), "count")).toBe(5);
    await insert(
      "interceptions",
      Array.from({ length: 1000 }, (_, n) => interception(T0 - 5000, { client_session_id: `m${n}` }, n)),
    );
    const list = await fetchOk("/sessions?limit=1");
    expect([part(list, "count"), part(list, "count_is_capped")]).toEqual([1000, true]);
  });

  it("reject a cursor that is not a session's id", async () => {
    expect(await fetchFault("/sessions?after_session_id=none")).toEqual([400, "after_session_id"]);
  });

  // The attack: a session under another initiator's session id, long before or after theirs. Guessing the position of
  // such a cursor would skip the sessions between, or repeat them forever.
  it("reject a session id that several initiators share, and accept `after_id` instead", async () => {
    await insert("interceptions", [
      interception(T0, { client_session_id: "s", initiator_id: BOB }),
      interception(T0 + 1, { client_session_id: "between" }),
      interception(T0 + 2, { client_session_id: "s" }),
    ]);
    const [first] = items(await fetchOk("/sessions?limit=1"), "sessions");
    expect(await fetchFault("/sessions?limit=1&after_session_id=s")).toEqual([400, "after_session_id"]);
    const rest = await fetchOk(`/sessions?after_id=${String(part(first, "cursor"))}`);
    expect(idsOf(rest)).toEqual(["between", "s"]);
    const filtered = `/sessions?after_session_id=s&initiator=${ALICE}`;
    expect(idsOf(await fetchOk(filtered))).toEqual(["between"]);
  });
});

describe("filters of the session list", () => {
  it("list a whole session where any of its interceptions matches, at the first match", async () => {
    await insert("interceptions", [
      interception(T0, { client_session_id: "old" }),
      interception(T0 + MINUTE, { client_session_id: "other", model: "wanted" }),
      interception(T0 + 2 * MINUTE, { client_session_id: "old", model: "wanted" }),
      interception(T0 + 3 * MINUTE, { client_session_id: "old" }),
      interception(T0 + 4 * MINUTE, { client_session_id: "never" }),
    ]);
    const list = items(await fetchOk("/sessions?model=wanted"), "sessions");
    expect(list.map((one) => part(one, "id"))).toEqual(["old", "other"]);
    expect(part(list[0], "interceptions")).toBe(3);
    expect(part(list[0], "started_at")).toBe(iso(T0));
    expect(part(list[0], "cursor")).toBe(idAt(T0 + 2 * MINUTE));
    const next = await fetchOk(`/sessions?model=wanted&limit=1&after_id=${String(part(list[0], "cursor"))}`);
    expect(idsOf(next)).toEqual(["other"]);
    expect(part(next, "count")).toBe(2);
    expect(idsOf(await fetchOk("/sessions?model=wanted&limit=1&after_session_id=old"))).toEqual(["other"]);
  });

  it("list a session that started before the time range", async () => {
    await insert("interceptions", [
      interception(T0, { client_session_id: "long" }),
      interception(T0 + 60 * MINUTE, { client_session_id: "long" }),
      interception(T0, { client_session_id: "short" }, 1),
    ]);
    expect(idsOf(await fetchOk(`/sessions?started_after=${iso(T0 + MINUTE)}`))).toEqual(["long"]);
    expect(idsOf(await fetchOk(`/sessions?started_before=${iso(T0 + MINUTE)}`))).toEqual(["short", "long"]);
  });

  it("list the same sessions of a time range with and without a filter that matches all", async () => {
    const many = Array.from({ length: 60 }, (_, n) =>
      interception(T0 + n * 7 * MINUTE, {
        client_session_id: n % 4 === 0 ? null : `s${(n * 5) % 7}`,
        own_key_rejected: n % 11 === 0 ? 1 : 0,
      }),
    );
    await insert("interceptions", many);
    const at = (n: number, fraction = ""): string => iso(T0 + n * 7 * MINUTE).replace("Z", `${fraction}Z`);
    const ranges = [
      `started_after=${at(20)}`,
      `started_after=${at(20, "1")}`,
      `started_before=${at(40)}`,
      `started_before=${at(40, "9")}`,
      `started_after=${at(20)}&started_before=${at(40)}`,
      `started_after=${at(20)}&started_before=${at(40)}&after_id=${idAt(T0 + 35 * 7 * MINUTE)}`,
      `started_after=${at(20)}&after_id=${idAt(T0 + 15 * 7 * MINUTE)}`,
      `started_after=${at(20)}&limit=3&offset=2`,
      `started_after=${at(70)}`,
    ];
    for (const range of ranges) {
      const alone = await fetchOk(`/sessions?${range}`);
      expect([range, alone]).toEqual([range, await fetchOk(`/sessions?${range}&provider=anthropic`)]);
    }
    const list = items(await fetchOk(`/sessions?${ranges[4] ?? ""}`), "sessions");
    expect(list.length).toBeGreaterThan(8);
    expect(idsOf(await fetchOk(`/sessions?${ranges[8] ?? ""}`))).toEqual([]);
  });
});

describe("GET /sessions/{session_id}", () => {
  it("returns Coder's session with its threads, actions, thoughts and tool calls", async () => {
    const session = { client_session_id: "s1" };
    const root = interception(T0, { ...session, ...used(), model: null, credential_hint: null });
    const loop = interception(T0 + 1000, {
      ...session,
      ...used({ usage_metadata: '{"web_search_requests":2,"x":1}' }),
      thread_root_id: String(root["id"]),
      prompt_count: 0,
      usage: "partial",
      outcome: "cancelled",
    });
    const alone = interception(T0 + 2000, session);
    await insert("interceptions", [alone, loop, root]);
    await insert("user_prompts", [userPrompt(root, "List the files")]);
    await insert("model_thoughts", [
      modelThought(root, 1, "then this"),
      modelThought(root, 0, "first that"),
      modelThought(alone, 0, "no tool"),
    ]);
    await insert("tool_usages", [
      toolUsage(root, 1, { tool: "Read", input: null, provider_response_id: null }),
      toolUsage(root, 0),
    ]);
    const usage = {
      input_tokens: 10,
      output_tokens: 20,
      cache_read_input_tokens: 3,
      cache_write_input_tokens: 0,
    };
    const call = (position: number, over: object): unknown => ({
      id: toolUsage(root, position)["id"],
      interception_id: root["id"],
      provider_response_id: "msg_1",
      server_url: "",
      tool: "Bash",
      injected: false,
      input: '{"command":"ls"}',
      metadata: { kind: "tool_use" },
      created_at: iso(T0),
      ...over,
    });
    const thread = {
      model: "claude-x",
      provider: "anthropic",
      credential_kind: "centralized",
      credential_hint: "sk-a...xyz1",
      actor_id: ALICE,
      identity_source: "keys",
      attribution: "authenticated",
      mixed: false,
      agent_id: null,
      outcome: "completed",
      usage_complete: true,
    };
    expect(await fetchOk("/sessions/s1")).toEqual({
      id: "s1",
      initiator: { id: ALICE, username: "alice", name: "alice", avatar_url: "" },
      providers: ["anthropic"],
      models: ["claude-x"],
      client: "Claude Code",
      metadata: { actor_name: "alice" },
      page_started_at: iso(T0),
      page_ended_at: iso(T0 + 2900),
      started_at: iso(T0),
      ended_at: iso(T0 + 2900),
      first_interception_id: root["id"],
      interceptions: 3,
      usage_complete: false,
      initiator_source: "keys",
      actor_id: ALICE,
      identity_source: "keys",
      attribution: "authenticated",
      mixed: false,
      actor_ids: [ALICE],
      attributions: ["authenticated"],
      truncated_fields: [],
      thread_count: 2,
      agent_count: 1,
      unrecorded_prompts: [],
      unrecorded_prompts_are_capped: false,
      token_usage_summary: {
        input_tokens: 20,
        output_tokens: 40,
        cache_read_input_tokens: 6,
        cache_write_input_tokens: 0,
        metadata: { web_search_requests: 3, x: 1 },
      },
      threads: [
        {
          ...thread,
          id: root["id"],
          prompt: "List the files",
          model: "",
          credential_hint: "",
          started_at: iso(T0),
          ended_at: iso(T0 + 1900),
          outcome: "cancelled",
          usage_complete: false,
          token_usage: {
            ...usage,
            input_tokens: 20,
            output_tokens: 40,
            cache_read_input_tokens: 6,
            metadata: { web_search_requests: 3, x: 1 },
          },
          agentic_actions: [
            {
              interception_id: root["id"],
              actor_id: ALICE,
              identity_source: "keys",
              attribution: "authenticated",
              model: "",
              token_usage: { ...usage, metadata: { web_search_requests: 1 } },
              thinking: [{ text: "first that" }, { text: "then this" }],
              tool_calls: [call(0, {}), call(1, { tool: "Read", input: "", provider_response_id: "" })],
            },
          ],
        },
        {
          ...thread,
          id: alone["id"],
          started_at: iso(T0 + 2000),
          ended_at: iso(T0 + 2900),
          token_usage: {
            input_tokens: 0,
            output_tokens: 0,
            cache_read_input_tokens: 0,
            cache_write_input_tokens: 0,
            metadata: {},
          },
          agentic_actions: [],
        },
      ],
    });
  });

  it("omits the end of an open thread", async () => {
    const root = interception(T0, { client_session_id: "s" });
    const open = {
      client_session_id: "s",
      thread_root_id: String(root["id"]),
      outcome: null,
      ended_at: null,
    };
    await insert("interceptions", [root, interception(T0 + 1, { ...open, usage: null })]);
    const [thread] = items(await fetchOk("/sessions/s"), "threads");
    expect(thread).not.toHaveProperty("ended_at");
    expect([part(thread, "outcome"), part(thread, "usage_complete")]).toEqual([null, false]);
  });

  it("pages whole threads forwards and backwards", async () => {
    const rows = Array.from({ length: 7 }, (_, n) => interception(T0 + n, { client_session_id: "s" }));
    const loops = rows.map((row, n) =>
      interception(T0 + 100 + n, { client_session_id: "s", thread_root_id: String(row["id"]) }),
    );
    await insert("interceptions", [...rows, ...loops]);
    const threads = async (query: string): Promise<unknown[]> => {
      const page = await fetchOk(`/sessions/s?${query}`);
      expect(part(page, "interceptions")).toBe(14);
      return items(page, "threads").map((one) => rows.findIndex(({ id }) => id === part(one, "id")));
    };
    const at = (n: number): string => String(rows[n]?.["id"]);
    expect(await threads("limit=3")).toEqual([0, 1, 2]);
    expect(await threads(`limit=3&after_id=${at(2)}`)).toEqual([3, 4, 5]);
    expect(await threads(`limit=3&after_id=${at(5)}`)).toEqual([6]);
    expect(await threads(`limit=3&after_id=${at(6)}`)).toEqual([]);
    expect(await threads(`limit=2&before_id=${at(6)}`)).toEqual([4, 5]);
    expect(await threads(`before_id=${at(0)}`)).toEqual([]);
    const [first] = items(await fetchOk("/sessions/s?limit=1"), "threads");
    expect(part(first, "ended_at")).toBe(iso(T0 + 1000));
    expect(await fetchOk(`/sessions/s?after_id=${at(6)}`)).not.toHaveProperty("page_started_at");
  });

  it("returns one thread where its first interception was deleted or is in another session", async () => {
    const gone = idAt(T0 - MINUTE);
    await insert("interceptions", [
      interception(T0, { client_session_id: "s", thread_root_id: gone, model: "second" }),
      interception(T0 + 1, { client_session_id: "s", thread_root_id: gone }),
    ]);
    const threads = items(await fetchOk("/sessions/s"), "threads");
    expect(threads.map((one) => [part(one, "id"), part(one, "model")])).toEqual([[gone, "second"]]);
  });

  // The attack: Bob's client sends Alice's session id. If the id alone were the key, his requests would be in her session.
  it("separates sessions of two initiators with one id, and requires `initiator`", async () => {
    const hers = interception(T0, { client_session_id: "shared" });
    const his = interception(T0 + 1, {
      client_session_id: "shared",
      initiator_id: BOB,
      actor_id: BOB,
      metadata: "{}",
    });
    await insert("interceptions", [hers, his]);
    await insert("tool_usages", [toolUsage(his, 0)]);
    const listed = items(await fetchOk("/sessions"), "sessions");
    expect(listed.map((one) => part(one, "initiator", "id"))).toEqual([BOB, ALICE]);
    expect(await fetchFault("/sessions/shared")).toEqual([400, "initiator"]);
    const { json } = await fetchApi("/sessions/shared");
    expect(part(json, "validations", 0, "detail")).toContain(
      "required when sessions of several initiators share the session id",
    );
    const session = await fetchOk(`/sessions/shared?initiator=${ALICE.toUpperCase()}`);
    expect(part(session, "interceptions")).toBe(1);
    expect(items(session, "threads").map((one) => part(one, "id"))).toEqual([hers["id"]]);
    const byId = await fetchOk(`/sessions/${String(his["id"])}`);
    expect(part(byId, "initiator", "id")).toBe(BOB);
    expect((await fetchApi("/sessions/shared?initiator=carol")).status).toBe(404);
  });

  it.each(["a/b", "..", "%2e", "a%2Fb", "\\", "?#&", "sessions", "%"])(
    "finds a session with id %j by the id of one of its interceptions",
    async (name) => {
      await insert("interceptions", [interception(T0, { client_session_id: name })]);
      const [listed] = items(await fetchOk("/sessions"), "sessions");
      const session = await fetchOk(`/sessions/${String(part(listed, "first_interception_id"))}`);
      expect(part(session, "id")).toBe(name);
    },
  );

  it("decodes the escapes of a session's id", async () => {
    await insert("interceptions", [interception(T0, { client_session_id: "a:b?c#d e" })]);
    expect(part(await fetchOk("/sessions/a%3Ab%3Fc%23d%20e"), "interceptions")).toBe(1);
  });

  it("responds 404 for an unknown session", async () => {
    expect((await fetchApi("/sessions/none")).status).toBe(404);
    expect((await fetchApi(`/sessions/${idAt(T0)}`)).status).toBe(404);
  });

  // The attack: megabytes of content, so that one response takes the memory that all requests of the isolate share.
  it("counts the full size of a text that begins with a NUL, and of an error in place of an input", async () => {
    // SQLite's length of a text ends at the first NUL: a text that begins with one has length 0.
    const rows = Array.from({ length: 40 }, (_, n) => interception(T0 + n, { client_session_id: "s" }));
    await insert("interceptions", rows);
    const hidden = `\u0000${"x".repeat(16_383)}`;
    for (const [at, row] of rows.entries()) {
      const text = at % 2 === 0 ? { input: hidden } : { input: null, invocation_error: hidden };
      await insert(
        "tool_usages",
        Array.from({ length: 20 }, (_, n) => toolUsage(row, n, text)),
      );
    }
    expect(await fetchFault("/interceptions?limit=40")).toEqual([400, "limit"]);
  });

  it("rejects a limit whose response would be too large, and serves smaller pages", async () => {
    const rows = Array.from({ length: 60 }, (_, n) => interception(T0 + n, { client_session_id: "s" }));
    await insert("interceptions", rows);
    const long = "x".repeat(16_384);
    for (const row of rows)
      await insert(
        "tool_usages",
        Array.from({ length: 20 }, (_, n) => toolUsage(row, n, { input: long })),
      );
    expect(await fetchFault("/sessions/s?limit=60")).toEqual([400, "limit"]);
    expect(await fetchFault("/interceptions?limit=60")).toEqual([400, "limit"]);
    expect(items(await fetchOk("/sessions/s?limit=20"), "threads").length).toBe(20);
    expect(items(await fetchOk("/interceptions?limit=20"), "results").length).toBe(20);
  });
});
