import { beforeEach, describe, expect, it } from "vitest";
import { fetchOk, items, part } from "../../support/in-workerd/api-client.ts";
import {
  ALICE,
  BOB,
  idAt,
  insert,
  interception,
  iso,
  modelThought,
  override,
  ownUsageId,
  passthrough,
  T0,
  tokenUsage,
  toolUsage,
  used,
  userPrompt,
} from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

beforeEach(emptyLedger);

describe("GET /interceptions", () => {
  it("returns every column in JSON types, and every row that belongs to the interception", async () => {
    const one = interception(T0, {
      client_session_id: "s",
      chat_id: BOB,
      workspace_id: ALICE,
      usage_invalid: 1,
      initiator_id: BOB,
      attribution: "asserted",
      ...used(),
    });
    const unknown = [
      "outcome",
      "ended_at",
      "usage",
      "usage_invalid",
      "status",
      "model",
      "metadata",
      // Null too in the rows from before migration 0006.
      "worker_version",
      "provider_request_id",
      "provider_ray",
    ];
    const open = interception(T0 - 1, Object.fromEntries(unknown.map((name) => [name, null])));
    await insert("interceptions", [one, open]);
    await insert("user_prompts", [userPrompt(one, "Hi")]);
    await insert("tool_usages", [toolUsage(one, 1), toolUsage(one, 0, { input: null, truncated: 1 })]);
    await insert("model_thoughts", [modelThought(one, 1, "then"), modelThought(one, 0, "hm")]);
    const list = await fetchOk("/interceptions");
    const { usage_invalid: _flag, usage_metadata: _metadata, raw_usage, ...columns } = one;
    const owned = { interception_id: one["id"], created_at: iso(T0), provider_response_id: "msg_1" };
    expect(items(list, "results")[0]).toEqual({
      ...columns,
      session_id: "s",
      streaming: true,
      usage_invalid: true,
      usage_state: "final",
      own_key_rejected: false,
      prompt_hashes: [],
      delegation_chain: [],
      earlier_prompt_hashes: [],
      flags: [],
      metadata: { actor_name: "alice" },
      initiator: { id: BOB, username: BOB, name: "", avatar_url: "" },
      token_usages: [
        {
          ...owned,
          id: ownUsageId(one),
          created_at: one["ended_at"],
          metadata: { web_search_requests: 1 },
          input_tokens: 10,
          output_tokens: 20,
          cache_read_input_tokens: 3,
          cache_write_input_tokens: null,
          usage: "final",
          raw_usage,
        },
      ],
      user_prompts: [
        {
          ...owned,
          id: userPrompt(one, "")["id"],
          provider_response_id: null,
          metadata: {},
          prompt: "Hi",
          truncated: false,
        },
      ],
      tool_usages: [0, 1].map((position) => ({
        ...owned,
        id: toolUsage(one, position)["id"],
        metadata: { kind: "tool_use" },
        position,
        provider_tool_call_id: `toolu_${position}`,
        tool: "Bash",
        input: position === 0 ? null : '{"command":"ls"}',
        truncated: position === 0,
        server_url: null,
        injected: false,
        invocation_error: null,
      })),
      // Including responses without tool calls. A session shows thoughts next to tool calls only, as Coder's does.
      model_thoughts: ["hm", "then"].map((content, position) => ({
        ...owned,
        id: modelThought(one, position, content)["id"],
        metadata: {},
        position,
        content,
        truncated: false,
      })),
      cost_corrections: [],
      attempts: [],
    });
    const second = items(list, "results")[1];
    for (const name of unknown)
      expect([name, part(second, name)]).toEqual([name, name === "metadata" ? {} : null]);
  });

  it("pages newest first, by a cursor that is stable while rows are added", async () => {
    await insert(
      "interceptions",
      Array.from({ length: 23 }, (_, n) => interception(T0 + Math.floor(n / 3), {}, n)),
    );
    const seen: unknown[] = [];
    let query = "/interceptions?limit=5";
    for (let page = 0; ; page += 1) {
      const ids = items(await fetchOk(query), "results").map((one) => part(one, "id"));
      if (ids.length === 0) break;
      seen.push(...ids);
      query = `/interceptions?limit=5&after_id=${String(ids.at(-1))}`;
      await insert("interceptions", [interception(T0 + 5000 + page)]);
    }
    expect(seen).toEqual(Array.from({ length: 23 }, (_, n) => idAt(T0 + Math.floor((22 - n) / 3), 22 - n)));
  });

  it("returns only rows that belong to the page's interceptions", async () => {
    const rows = [interception(T0, used()), interception(T0 + 1, used())];
    await insert("interceptions", rows);
    await insert(
      "token_usages",
      rows.map((row) => tokenUsage(row)),
    );
    const page = items(await fetchOk("/interceptions?limit=1"), "results");
    const usages = items(page, 0, "token_usages");
    const newest = interception(T0 + 1);
    expect(usages.map((one) => [part(one, "id"), part(one, "interception_id")])).toEqual([
      [tokenUsage(newest)["id"], newest["id"]],
      [ownUsageId(newest), newest["id"]],
    ]);
  });

  it("accepts a cursor whose interception was deleted", async () => {
    await insert("interceptions", [interception(T0), interception(T0 + 2)]);
    const page = items(await fetchOk(`/interceptions?after_id=${idAt(T0 + 1).toUpperCase()}`), "results");
    expect(page.map((one) => part(one, "id"))).toEqual([idAt(T0)]);
  });

  it("caps the count at 10,000", async () => {
    await insert(
      "interceptions",
      Array.from({ length: 10_001 }, (_, n) => interception(T0, {}, n)),
    );
    const list = await fetchOk("/interceptions?limit=1");
    expect([part(list, "count"), part(list, "count_is_capped")]).toEqual([10_000, true]);
    const single = await fetchOk(
      `/interceptions?limit=1&q=${encodeURIComponent(`session_id:"${idAt(T0, 7)}"`)}`,
    );
    expect([part(single, "count"), part(single, "count_is_capped")]).toEqual([1, false]);
  });

  it.each([
    ["initiator", "initiator_id", BOB],
    ["actor", "actor_id", "bot"],
    ["client", "client", "Codex"],
    ["provider", "provider", "team-openai"],
    ["provider_name", "provider", "team-openai"],
    ["provider_type", "provider_type", "openai"],
    ["model", "model", "gpt"],
    ["attribution", "attribution", "signed"],
    ["outcome", "outcome", "orphaned"],
    ["session_id", "client_session_id", "s"],
    ["api_key_id", "api_key_id", "fedcba9876543210"],
    ["request_sha256", "request_sha256", "ab".repeat(32)],
    ["request_sha256", "upload_sha256", "ab".repeat(32)],
    ["chat_id", "chat_id", BOB],
    ["workspace_id", "workspace_id", BOB],
  ])("filters by %s on column %s alone, exactly", async (name, column, value) => {
    // An actor that is not the initiator has named it as an owner.
    const asserted = { attribution: "asserted" };
    const near = ["", " ", "x"].map((more, n) =>
      interception(T0 + n, { ...asserted, [column]: `${value}${more}` }),
    );
    const elsewhere = ["client", "model", "provider", "provider_type", "client_session_id", "chat_id"]
      .filter((other) => other !== column)
      .map((other, n) => interception(T0 + 100 + n, { [other]: value }));
    await insert("interceptions", [...near, ...elsewhere]);
    const results = items(await fetchOk(`/interceptions?${name}=${encodeURIComponent(value)}`), "results");
    expect(results.map((one) => part(one, "id"))).toEqual([idAt(T0)]);
  });

  it("filters interceptions that have not ended", async () => {
    await insert("interceptions", [interception(T0), interception(T0 + 1, { outcome: null })]);
    const open = items(await fetchOk("/interceptions?outcome=open"), "results");
    expect(open.map((one) => part(one, "id"))).toEqual([idAt(T0 + 1)]);
  });
});

describe("GET /overrides", () => {
  const rejected = override(T0 + 1, {
    accepted: 0,
    owner_id: null,
    initiator_id: "coder-agents",
    attribution: "authenticated",
    reason: "version",
    value_length: 36,
    value_sha256: "0123456789abcdef",
  });

  it("returns accepted and rejected assertions, newest first", async () => {
    await insert("initiator_overrides", [override(T0), rejected]);
    expect(await fetchOk("/overrides")).toEqual({
      count: 2,
      count_is_capped: false,
      results: [
        { ...rejected, delegation_chain: [], accepted: false, actor_name: null },
        { ...override(T0), delegation_chain: [], accepted: true, actor_name: null },
      ],
    });
  });

  it("names the actor where its passthrough is recorded", async () => {
    await insert("initiator_overrides", [override(T0), rejected]);
    await insert("passthroughs", [passthrough(T0 + 1, { metadata: '{"actor_name":"CI bot"}' })]);
    const results = items(await fetchOk("/overrides"), "results");
    expect(results.map((one) => part(one, "actor_name"))).toEqual(["CI bot", null]);
  });

  it("names the actor where its interception is recorded", async () => {
    await insert("initiator_overrides", [override(T0), rejected]);
    await insert("interceptions", [interception(T0, { metadata: '{"actor_name":"CI bot"}' })]);
    const results = items(await fetchOk("/overrides"), "results");
    expect(results.map((one) => part(one, "actor_name"))).toEqual([null, "CI bot"]);
  });

  it.each([
    ["accepted=true", [idAt(T0)]],
    ["accepted=false", [idAt(T0 + 1)]],
    ["reason=version", [idAt(T0 + 1)]],
    ["reason=form", []],
    [`owner=${ALICE}`, [idAt(T0)]],
    ["actor=coder-agents", [idAt(T0 + 1), idAt(T0)]],
    ["initiator=coder-agents", [idAt(T0 + 1)]],
    ["provider=openai", [idAt(T0 + 1), idAt(T0)]],
    [`started_after=${iso(T0 + 1)}`, [idAt(T0 + 1)]],
    [`started_before=${iso(T0)}`, [idAt(T0)]],
    [`after_id=${idAt(T0 + 1)}`, [idAt(T0)]],
    ["limit=1&offset=1", [idAt(T0)]],
  ])("filters by %s", async (query, ids) => {
    await insert("initiator_overrides", [override(T0), rejected]);
    const results = items(await fetchOk(`/overrides?${query}`), "results");
    expect(results.map((one) => part(one, "id"))).toEqual(ids);
  });
});
