/** GET /passthroughs: its rows, filters and pages. */
import { beforeEach, describe, expect, it } from "vitest";
import { fetchOk, items, part } from "../../support/in-workerd/api-client.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { ALICE, BOB, idAt, insert, iso, passthrough, T0 } from "../../support/in-workerd/api-rows.ts";

beforeEach(async () => {
  await emptyLedger();
});

const idsOf = (body: unknown): unknown[] => items(body, "results").map((one) => part(one, "id"));

/** Of a gateway on Bob's account. */
const deleted = passthrough(T0 + 1, {
  actor_id: "coder-agents",
  actor_kind: "service",
  initiator_id: BOB,
  initiator_name: "bob",
  attribution: "asserted",
  client: "Coder Agents",
  chat_id: "0a0a0a0a-0000-4000-8000-00000000000a",
  workspace_id: "0b0b0b0b-0000-4000-8000-00000000000b",
  method: "DELETE",
  provider: "openai",
  provider_type: "openai",
  route: "/files",
  outcome: "upstream_error",
  status: 404,
  api_key_id: "fedcba9876543210",
  object_ids: '["file-1","file-2"]',
});
const NO_END = { outcome: null, status: null, duration_ms: null, result_count: null, ended_at: null };
const open = passthrough(T0 + 2, { ...NO_END, provider_request_id: null, provider_ray: null });
const orphaned = passthrough(T0 + 3, { ...NO_END, outcome: "orphaned" });
const endAlone = passthrough(T0 + 4, { api_key_id: null, metadata: null });

describe("GET /passthroughs", () => {
  it("returns every column, the newest first, with the names that the ledger knows", async () => {
    await insert("passthroughs", [passthrough(T0), deleted]);
    const alice = { id: ALICE, username: "alice", name: "alice", avatar_url: "" };
    expect(await fetchOk("/passthroughs")).toEqual({
      count: 2,
      count_is_capped: false,
      results: [
        {
          ...deleted,
          own_key_rejected: false,
          object_ids: ["file-1", "file-2"],
          metadata: { actor_name: "alice" },
          initiator: { id: BOB, username: "bob", name: "bob", avatar_url: "" },
        },
        {
          ...passthrough(T0),
          own_key_rejected: false,
          object_ids: [],
          metadata: { actor_name: "alice" },
          initiator: alice,
        },
      ],
    });
  });

  it("returns a start without an end, and an end without a start", async () => {
    await insert("passthroughs", [open, orphaned, endAlone]);
    expect(items(await fetchOk("/passthroughs"), "results")).toMatchObject([
      { id: idAt(T0 + 4), outcome: "completed", api_key_id: null, metadata: {}, started_at: iso(T0 + 4) },
      { id: idAt(T0 + 3), outcome: "orphaned", status: null, ended_at: null },
      { id: idAt(T0 + 2), outcome: null, status: null, ended_at: null, api_key_id: "0123456789abcdef" },
    ]);
  });

  it.each([
    [`initiator=${BOB}`, [1]],
    [`initiator=${ALICE.toUpperCase()}`, [4, 3, 2, 0]],
    ["actor=coder-agents", [1]],
    ["client=Coder%20Agents", [1]],
    ["provider=openai", [1]],
    ["provider_name=anthropic", [4, 3, 2, 0]],
    ["provider_type=openai", [1]],
    ["route=/files", [1]],
    ["method=DELETE", [1]],
    ["method=PUT", []],
    ["status=404", [1]],
    ["status=200&method=GET", [4, 0]],
    ["attribution=asserted", [1]],
    ["outcome=completed", [4, 0]],
    ["outcome=orphaned", [3]],
    ["outcome=open", [2]],
    ["chat_id=0A0A0A0A-0000-4000-8000-00000000000A", [1]],
    ["api_key_id=fedcba9876543210", [1]],
    ["api_key_id=0123456789abcdef", [3, 2, 0]],
    // Whole ids, in their case, wherever they stand in the list.
    ["object_id=file-1", [1]],
    ["object_id=file-2", [1]],
    ["object_id=file-", []],
    ["object_id=FILE-1", []],
    ["object_id=%22", []],
    ["object_id=file-1&method=GET", []],
    ["workspace_id=0b0b0b0b-0000-4000-8000-00000000000b", [1]],
    [`started_after=${iso(T0 + 3)}`, [4, 3]],
    [`started_before=${iso(T0 + 1)}`, [1, 0]],
    [`after_id=${idAt(T0 + 2)}`, [1, 0]],
    ["limit=2&offset=1", [3, 2]],
  ])("filters by %s", async (query, expected) => {
    await insert("passthroughs", [passthrough(T0), deleted, open, orphaned, endAlone]);
    expect(idsOf(await fetchOk(`/passthroughs?${query}`))).toEqual(expected.map((n) => idAt(T0 + n)));
  });

  it("pages through all rows by cursor, each once, while rows are added", async () => {
    await insert(
      "passthroughs",
      Array.from({ length: 25 }, (_, n) => passthrough(T0, {}, n)),
    );
    const seen: unknown[] = [];
    let after = "";
    for (let added = 0; added < 10; added += 1) {
      const ids = idsOf(await fetchOk(`/passthroughs?limit=4${after}`));
      seen.push(...ids);
      if (ids.length < 4) break;
      after = `&after_id=${String(ids.at(-1))}`;
      await insert("passthroughs", [passthrough(T0 + 1, {}, added)]);
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => idAt(T0, 24 - n)));
  });
});
