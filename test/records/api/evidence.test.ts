/** Evidence never stronger than its weakest part: sessions, threads and sums of several actors, sources and attributions. */
import { beforeEach, describe, expect, it } from "vitest";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { fetchFault, fetchOk, items, part } from "../../support/in-workerd/api-client.ts";
import {
  ALICE,
  database,
  insert,
  interception,
  T0,
  toolUsage,
  type Row,
} from "../../support/in-workerd/api-rows.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import {
  eventsOf,
  idOf,
  type Evidence,
  type InterceptionSpec,
} from "../../support/in-workerd/ledger-events.ts";

beforeEach(emptyLedger);

const OWN: Evidence = {
  actor_id: ALICE,
  actor_kind: "user",
  identity_source: "coder",
  initiator_source: "coder",
  attribution: "authenticated",
};
const ASSERTED: Evidence = {
  actor_id: "mallory",
  actor_kind: "service",
  identity_source: "keys",
  initiator_source: "coder",
  attribution: "asserted",
};
const CLAIMED: Evidence = {
  ...ASSERTED,
  actor_id: "byok:0123456789abcdef0123456789abcdef",
  actor_kind: "unknown",
  identity_source: "byok",
  attribution: "claimed",
};
const JWT: Evidence = { ...OWN, identity_source: "jwt", initiator_source: "jwt" };

/** The victim's loop of two requests, and a request with their session id and tool call id, of these two. */
async function attack(victim: Evidence, attacker: Evidence, session: string | null = "s"): Promise<void> {
  const specs: readonly InterceptionSpec[] = [
    { n: 1, initiator: ALICE, session, toolCalls: ["call_0"], evidence: victim },
    { n: 2, initiator: ALICE, session, resultOf: "call_0", toolCalls: ["call_1"], evidence: victim },
    { n: 3, initiator: ALICE, session, resultOf: "call_0", toolCalls: ["evil"], evidence: attacker },
  ];
  await storeEvents(
    database,
    specs.flatMap((spec) => eventsOf(spec)),
  );
}

const of = (one: Evidence): unknown[] => [
  one.initiator_source,
  one.actor_id,
  one.identity_source,
  one.attribution,
  false,
];
const made = (row: Row): Row => ({ attribution: "asserted", actor_id: "mallory", ...row });
const firstName = async (): Promise<unknown> => part(items(await fetchOk("/usage"), "results")[0], "name");

const principal = (one: unknown): unknown[] =>
  ["initiator_source", "actor_id", "identity_source", "attribution", "mixed"].map((name) => part(one, name));

// The attack (H1, M3): a request that names the victim, with the victim's session id and a tool call id of theirs, was
// shown inside the victim's session and thread, under the victim's own name and `authenticated`.
describe("a request with other evidence for the same initiator, session and tool call", () => {
  const CASES: readonly (readonly [string, Evidence, Evidence, string])[] = [
    ["Finding H1: asserted beside authenticated", OWN, ASSERTED, "attribution"],
    ["claimed beside authenticated", OWN, CLAIMED, "attribution"],
    ["claimed beside asserted", ASSERTED, CLAIMED, "attribution"],
    ["asserted by another actor", ASSERTED, { ...ASSERTED, actor_id: "other" }, "actor"],
    [
      "asserted by that actor id of another source",
      ASSERTED,
      { ...ASSERTED, identity_source: "jwt" },
      "identity_source",
    ],
    ["Finding M3: the same id of another source", OWN, JWT, "initiator_source"],
  ];

  it.each(CASES)("is a session of its own: %s", async (_, victim, attacker, differing) => {
    await attack(victim, attacker);
    const listed = items(await fetchOk("/sessions"), "sessions");
    expect(listed.map(principal)).toEqual([of(attacker), of(victim)]);
    expect(listed.map((one) => part(one, "interceptions"))).toEqual([1, 2]);

    expect(await fetchFault(`/sessions/s?initiator=${ALICE}`)).toEqual([400, differing]);
    const query = `initiator=${ALICE}&initiator_source=${victim.initiator_source}&attribution=${victim.attribution}&actor=${victim.actor_id}&identity_source=${victim.identity_source}`;
    for (const path of [`/sessions/s?${query}`, `/sessions/${idOf(1)}`, `/sessions/${idOf(2)}`]) {
      const session = await fetchOk(path);
      expect([path, ...principal(session)]).toEqual([path, ...of(victim)]);
      const [thread, ...others] = items(session, "threads");
      expect(others).toEqual([]);
      const actions = items(thread, "agentic_actions");
      expect(actions.map((one) => part(one, "interception_id"))).toEqual([idOf(1), idOf(2)]);
      for (const action of actions)
        expect(["actor_id", "identity_source", "attribution"].map((name) => part(action, name))).toEqual([
          victim.actor_id,
          victim.identity_source,
          victim.attribution,
        ]);
    }
    const forged = await fetchOk(`/sessions/${idOf(3)}`);
    expect(principal(forged)).toEqual(of(attacker));
  });

  it.each(CASES)("is a session of its own where the client names none: %s", async (_, victim, attacker) => {
    await attack(victim, attacker, null);
    const listed = items(await fetchOk("/sessions"), "sessions");
    expect(listed.map((one) => [part(one, "id"), part(one, "attribution")])).toEqual([
      [idOf(3), attacker.attribution],
      [idOf(1), victim.attribution],
    ]);
  });

  it("is in no agent of the victim's session", async () => {
    const rows = [
      interception(T0, { client_session_id: "s" }),
      interception(T0 + 1, { client_session_id: "s", agent_id: "a" }),
      interception(T0 + 2, {
        client_session_id: "s",
        agent_id: "a",
        attribution: "asserted",
        actor_id: "mallory",
      }),
      interception(T0 + 3, { client_session_id: "s", agent_id: "b", identity_source: "jwt" }),
    ];
    await insert("interceptions", rows);
    await insert(
      "tool_usages",
      rows.map((row) => toolUsage(row, 0, { tool: "Agent" })),
    );
    const response = await fetchOk(`/sessions/${String(rows[0]?.["id"])}/agents`);
    expect([part(response, "attribution"), part(response, "mixed")]).toEqual(["authenticated", false]);
    expect(
      items(response, "agents").map((one) => [
        part(one, "agent_id"),
        part(one, "interceptions"),
        part(one, "attribution"),
      ]),
    ).toEqual([
      [null, 1, "authenticated"],
      ["a", 1, "authenticated"],
    ]);
  });

  it("does not vouch for texts that the victim never sent as a prompt", async () => {
    await insert("interceptions", [
      interception(T0, made({ prompt_hashes: '["h1"]' })),
      interception(T0 + 1, { client_session_id: "s", earlier_prompt_hashes: '["h1"]' }),
    ]);
    expect(items(await fetchOk("/sessions/s"), "unrecorded_prompts")).toHaveLength(1);
  });
});

describe("a sum over several attributions", () => {
  it.each([
    [["authenticated"], "authenticated", false],
    [["authenticated", "signed"], "signed", true],
    [["signed", "asserted", "authenticated"], "asserted", true],
    [["unverified", "asserted"], "unverified", true],
    [["claimed", "authenticated", "unverified"], "claimed", true],
    [["a-later-word", "authenticated"], "claimed", true],
  ])("carries the weakest of %j", async (attributions, weakest, mixed) => {
    await insert(
      "interceptions",
      attributions.map((attribution, n) => interception(T0 + n, { attribution, initiator_source: "coder" })),
    );
    for (const group of ["initiator", "client", "provider", "day"]) {
      const results = items(await fetchOk(`/usage?group_by=${group}`), "results");
      expect(results.map((one) => [part(one, "attribution"), part(one, "mixed")])).toEqual([
        [weakest, mixed],
      ]);
    }
    const shares = await fetchOk("/attribution");
    expect([part(shares, "attribution"), part(shares, "mixed")]).toEqual([weakest, mixed]);
  });

  it("has no evidence where there are no requests", async () => {
    const shares = await fetchOk("/attribution");
    expect([part(shares, "attribution"), part(shares, "mixed")]).toEqual([null, false]);
  });

  // The attack: a claimed request with a name of the attacker's choice renames the account in the sums.
  it("has the name of its strongest requests, or none", async () => {
    const named = { initiator_source: "keys", attribution: "claimed", initiator_name: "AAA forged" };
    await insert("interceptions", [interception(T0), interception(T0 + 1, named)]);
    expect(await firstName()).toBe("alice");
    await emptyLedger();
    await insert("interceptions", [interception(T0, { metadata: "{}" }), interception(T0 + 1, named)]);
    expect(await firstName()).toBe(null);
  });
});

// M3: two people whom two sources know under one id.
describe("two principals with one id", () => {
  beforeEach(() =>
    insert("interceptions", [
      interception(T0, { identity_source: "jwt", metadata: '{"actor_name":"mallory"}' }),
      interception(T0 + 1, { identity_source: "coder" }),
      interception(T0 + 2, { identity_source: "keys", actor_id: "bot", attribution: "asserted" }),
    ]),
  );

  it("are two groups of the usage, and a person's own calls are in one with those on their behalf", async () => {
    const rows = items(await fetchOk("/usage"), "results").map((one) =>
      ["key", "source", "name", "requests", "attribution", "mixed"].map((name) => part(one, name)),
    );
    expect(rows).toEqual([
      [ALICE, "coder", "alice", 2, "asserted", true],
      [ALICE, "jwt", "mallory", 1, "authenticated", false],
    ]);
    const actors = items(await fetchOk("/usage?group_by=actor&order=key"), "results");
    expect(actors.map((one) => [part(one, "key"), part(one, "source")])).toEqual([
      [ALICE, "coder"],
      [ALICE, "jwt"],
      ["bot", "keys"],
    ]);
  });

  it("are each on a page of their own, exactly once", async () => {
    const seen: unknown[] = [];
    let after = "";
    for (let page = 0; page < 5; page += 1) {
      const [one] = items(await fetchOk(`/usage?order=key&limit=1${after}`), "results");
      if (one === undefined) break;
      seen.push([part(one, "key"), part(one, "source")]);
      after = `&after_key=${String(part(one, "key"))}&after_source=${String(part(one, "source"))}`;
    }
    expect(seen).toEqual([
      [ALICE, "coder"],
      [ALICE, "jwt"],
    ]);
    expect(await fetchFault("/usage?after_source=jwt")).toEqual([400, "after_source"]);
  });

  it.each([
    ["identity_source=jwt", 1],
    ["identity_source=keys", 1],
    ["initiator_source=coder", 2],
    [`initiator=${ALICE}&initiator_source=jwt`, 1],
    ["initiator_source=keys", 0],
  ])("are told apart by the filter %s", async (filter, count) => {
    for (const path of ["/interceptions", "/sessions"])
      expect([path, part(await fetchOk(`${path}?${filter}`), "count")]).toEqual([path, count]);
  });
});
