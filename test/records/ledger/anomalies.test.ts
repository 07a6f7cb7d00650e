/** The anomaly scan of the cron: the anomalies that it detects, and its behavior over several runs. */
import { beforeEach, describe, expect, it } from "vitest";
import type {
  InterceptionEnd,
  InterceptionStart,
  InterceptorEvent,
  RefusalEvent,
  UpstreamAttempt,
} from "../../../src/events/event.ts";
import type { Flag } from "../../../src/events/vocabulary.ts";
import {
  KEY_REFUSALS,
  MANY_ACTORS,
  MANY_OWNERS,
  SHARE_SPIKE,
} from "../../../src/records/ledger/maintain/anomalies.ts";
import { ANOMALY_SQL, PAGE_ROWS } from "../../../src/records/ledger/maintain/anomaly-sql.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { scanRefusals } from "../../../src/records/ledger/maintain/refusal-scan.ts";
import { runMaintenance } from "../../../src/records/ledger/maintain/cron.ts";
import { SETTLED_AFTER_MS, scanForAnomalies } from "../../../src/records/ledger/maintain/anomaly-scan.ts";
import { uuidV7, uuidPrefix, uuidTime } from "../../../src/shared/uuid.ts";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import { openGateway } from "../../support/in-workerd/gateway-harness.ts";
import {
  AGENTS,
  BODY,
  CENTRAL_CHAT,
  chatResponse,
  CLIENT_KEY,
  only,
  post,
} from "../../support/in-workerd/calls.ts";
import { ATTEMPT, END, REFUSED, START } from "../../support/in-workerd/events.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { shuffled, T0 } from "../../support/in-workerd/ledger-events.ts";
import { ledgerDeps } from "../../support/in-workerd/ledger-deps.ts";
import { OWNER } from "../../support/in-workerd/values.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const BOB = OWNER.replace(/1$/, "2");
const CAROL = OWNER.replace(/1$/, "3");
const CHAT = "0a0a0a0a-0000-4000-8000-00000000000a";
const OTHER_CHAT = "0a0a0a0a-0000-4000-8000-00000000000b";

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

type StartFields = Partial<Omit<InterceptionStart, "record_type">>;

let count = 0;
/** The start of an interception by the service account for Alice. Each call returns another interception. */
function startAt(at: number, over: StartFields = {}): InterceptionStart {
  count += 1;
  const id = uuidV7(at, `00000000-0000-4abc-8def-${count.toString(16).padStart(12, "0")}`);
  return { ...START, chat_id: null, interception_id: id, started_at: new Date(at).toISOString(), ...over };
}

/** The service account on its own account. */
const ownAccount: StartFields = {
  initiator_id: "ci-bot",
  initiator_source: "keys",
  attribution: "authenticated",
};
/** A caller that no source verified names the owner. */
const CLAIMED: StartFields = {
  actor_id: "byok:0123456789abcdef0123456789abcdef",
  actor_kind: "unknown",
  identity_source: "byok",
  attribution: "claimed",
};
const flagged = (...flags: Flag[]): StartFields => ({ flags });

type AnomalyRow = {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly count: number;
  readonly details: string;
  readonly first_interception_id: string;
  readonly last_interception_id: string;
  readonly first_seen: string;
  readonly last_seen: string;
};

async function anomalyRows(): Promise<readonly AnomalyRow[]> {
  return (await database.prepare("SELECT * FROM anomalies ORDER BY id").all<AnomalyRow>()).results;
}

/** Stores the events, runs the scan, and returns all anomalies. */
async function scan(events: readonly InterceptorEvent[], now = T0 + DAY): Promise<readonly AnomalyRow[]> {
  await storeEvents(database, events);
  await scanForAnomalies(database, now, () => undefined);
  return anomalyRows();
}

/** The kinds in alphabetical order. */
const kinds = (all: readonly AnomalyRow[]): string[] => all.map(({ kind }) => kind).toSorted();

describe("anomalies of a chat", () => {
  it("reports no anomaly for one owner with several requests of one actor", async () => {
    const events = [0, 1, 2].map((n) => startAt(T0 + n, { chat_id: CHAT }));
    expect(await scan(events)).toEqual([]);
  });

  // The attack (M10): an unknown caller with a credential of their own takes part in the victim's chat, for the victim.
  it.each<[string, StartFields]>([
    ["another actor", { actor_id: "mallory" }],
    ["an actor of that id in another source", { identity_source: "jwt" }],
    ["a caller that no source verified", { ...CLAIMED }],
    ["an actor whose owner was rejected", { actor_id: "mallory", ...flagged("owner_rejected") }],
  ])("reports a new actor for the same owner: %s", async (_, over) => {
    const events = [startAt(T0, { chat_id: CHAT }), startAt(T0 + 1, { chat_id: CHAT, ...over })];
    const anomaly = (await scan(events)).find(({ kind }) => kind === "chat_multiple_actors");
    expect(anomaly).toMatchObject({
      subject: CHAT,
      count: 2,
      first_interception_id: events[1]?.interception_id,
    });
    expect(JSON.parse(anomaly?.details ?? "")).toMatchObject({ actors: ["keys:ci-bot", expect.any(String)] });
  });

  it("reports two owners that different actors assert", async () => {
    const events = [
      startAt(T0, { chat_id: CHAT }),
      startAt(T0 + 1000, { chat_id: CHAT, actor_id: "other-bot", initiator_id: BOB }),
      startAt(T0 + 2000, { chat_id: CHAT }),
    ];
    const all = await scan(events);
    expect(kinds(all)).toEqual(["chat_multiple_actors", "chat_multiple_initiators"]);
    expect(all.filter(({ kind }) => kind === "chat_multiple_initiators")).toEqual([
      {
        id: expect.stringMatching(new RegExp(`^${uuidPrefix(T0 - (T0 % DAY))}-8[0-9a-f]{3}-8[0-9a-f]{3}-`)),
        kind: "chat_multiple_initiators",
        subject: CHAT,
        first_interception_id: events[1]?.interception_id,
        last_interception_id: events[2]?.interception_id,
        count: 2,
        details: JSON.stringify({
          initiators: [`coder:${OWNER}`, `coder:${BOB}`],
          actors: ["keys:ci-bot", "keys:other-bot"],
        }),
        first_seen: "2026-11-23T12:00:01.000Z",
        last_seen: "2026-11-23T12:00:02.000Z",
      },
    ]);
  });

  // The attack: a caller with a key of their own puts requests into another user's chat.
  it("reports a request on another actor's own account", async () => {
    const mallory = { actor_id: "mallory", initiator_id: "mallory", attribution: "authenticated" } as const;
    const all = await scan([startAt(T0, { chat_id: CHAT }), startAt(T0 + 1, { chat_id: CHAT, ...mallory })]);
    expect(kinds(all)).toEqual(["chat_multiple_actors", "chat_multiple_initiators"]);
    for (const { details } of all) expect(details).toContain("mallory");
  });

  it("reports an actor that changes the owner, or omits it", async () => {
    for (const other of [{ initiator_id: BOB }, ownAccount]) {
      database = await emptyLedger();
      const all = await scan([startAt(T0, { chat_id: CHAT }), startAt(T0 + 1, { chat_id: CHAT, ...other })]);
      expect(kinds(all)).toEqual(["actor_multiple_owners", "chat_multiple_initiators"]);
      expect(all.map(({ subject, count: owners }) => [subject, owners])).toEqual([
        [CHAT, 2],
        [CHAT, 2],
      ]);
    }
  });

  it("reports no anomaly for a request whose owner was rejected", async () => {
    const all = await scan([
      startAt(T0, { chat_id: CHAT }),
      startAt(T0 + 1, { chat_id: CHAT, ...ownAccount, ...flagged("owner_rejected") }),
      startAt(T0 + 2, { chat_id: CHAT }),
    ]);
    expect(all).toEqual([]);
  });

  it("reports no further anomaly for a later request whose owner was rejected", async () => {
    await scan([startAt(T0, { chat_id: CHAT }), startAt(T0 + 1, { chat_id: CHAT, initiator_id: BOB })]);
    const rejected = startAt(T0 + DAY, { chat_id: CHAT, ...ownAccount, ...flagged("owner_rejected") });
    expect(await scan([rejected], T0 + 2 * DAY)).toHaveLength(2);
  });

  it("detects a second owner days later, and reports one anomaly per day on which the chat continues", async () => {
    expect(await scan([startAt(T0, { chat_id: CHAT })])).toEqual([]);
    const next = await scan([startAt(T0 + 3 * DAY, { chat_id: CHAT, initiator_id: BOB })], T0 + 4 * DAY);
    expect(kinds(next)).toEqual(["actor_multiple_owners", "chat_multiple_initiators"]);
    const last = await scan([startAt(T0 + 4 * DAY, { chat_id: CHAT })], T0 + 5 * DAY);
    expect(new Set(last.map(({ id }) => id)).size).toBe(4);
  });

  it("counts at most ten of very many owners", async () => {
    const owners = Array.from({ length: 60 }, (_, n) => BOB.replace(/..$/, String(n + 10)));
    const all = await scan(owners.map((initiator_id, n) => startAt(T0 + n, { chat_id: CHAT, initiator_id })));
    expect(all.map(({ kind, count: initiators }) => [kind, initiators]).toSorted()).toEqual([
      ["actor_many_owners", 60],
      ["actor_multiple_owners", 10],
      ["chat_multiple_initiators", 10],
    ]);
  });

  // The attack: one actor with many owners fills the bounded list of pairs, so that a second actor is not in it.
  it("reports a second actor beside one with very many owners", async () => {
    const owners = Array.from({ length: 30 }, (_, n) => BOB.replace(/..$/, String(n + 10)));
    const all = await scan([
      ...owners.map((initiator_id, n) => startAt(T0 + n, { chat_id: CHAT, initiator_id })),
      startAt(T0 + 100, { chat_id: CHAT, actor_id: "mallory" }),
    ]);
    expect(kinds(all)).toContain("chat_multiple_actors");
  });

  it("ignores rows without flags: only the end event has arrived, or the row is older than flags", async () => {
    const ends = [OWNER, BOB].map((initiator_id, n) => {
      const { interception_id, started_at } = startAt(T0 + n);
      return { ...END, interception_id, started_at, initiator_id, chat_id: CHAT };
    });
    expect(await scan(ends)).toEqual([]);
  });
});

const assertions = (actors: number, at = T0, over: StartFields = {}): InterceptionStart[] =>
  Array.from({ length: actors }, (_, n) => startAt(at + n, { actor_id: `bot-${n}`, ...over }));

describe("anomalies of an owner", () => {
  it(`reports an owner from actor ${MANY_ACTORS + 1} of a day on`, async () => {
    expect(await scan(assertions(MANY_ACTORS))).toEqual([]);
    const events = assertions(MANY_ACTORS + 1, T0 + 1000);
    const [anomaly, ...others] = await scan(events, T0 + DAY + HOUR);
    expect(others).toEqual([]);
    expect(anomaly).toMatchObject({
      kind: "owner_many_actors",
      subject: OWNER,
      count: MANY_ACTORS + 1,
      first_interception_id: events.at(-1)?.interception_id,
      last_interception_id: events.at(-1)?.interception_id,
    });
    expect(JSON.parse(anomaly?.details ?? "")).toEqual({
      owner: `coder:${OWNER}`,
      actors: ["keys:bot-0", "keys:bot-1", "keys:bot-2", "keys:bot-3"],
    });
  });

  it("reports signed assertions that arrive one per run", async () => {
    for (const event of assertions(MANY_ACTORS + 1, T0, { attribution: "signed" })) await scan([event]);
    expect(kinds(await anomalyRows())).toEqual(["owner_many_actors"]);
  });

  it("reports no anomaly for assertions on different days, or for actors on their own account", async () => {
    const days = assertions(6).map((event, n) => {
      const { interception_id, started_at } = startAt(T0 + n * DAY);
      return { ...event, interception_id, started_at };
    });
    expect(await scan(days, T0 + 6 * DAY)).toEqual([]);
    expect(await scan(assertions(9, T0, { attribution: "authenticated" }), T0 + 6 * DAY)).toEqual([]);
  });
});

describe("anomalies of Coder Agents without its headers", () => {
  const withoutHeaders = { ...ownAccount, ...flagged("coder_agents_without_headers") };

  it("counts each request once per actor and day, in several runs and after a reset of the cursor", async () => {
    const events = [0, 1, 2].map((n) => startAt(T0 + n, withoutHeaders));
    await scan(events.slice(0, 1));
    await scan(events.slice(1), T0 + DAY + 1);
    await database.prepare("DELETE FROM upkeep_cursors").run();
    const all = await scan([], T0 + DAY + 2);
    expect(all.map(({ kind, subject, count: requests }) => [kind, subject, requests])).toEqual([
      ["coder_agents_without_headers", "ci-bot", 3],
    ]);
    expect(all[0]?.first_interception_id).toBe(events[0]?.interception_id);
    expect(all[0]?.last_interception_id).toBe(events[2]?.interception_id);
    const hours = await database.prepare("SELECT SUM(requests) AS requests FROM attribution_hours").first();
    expect(hours).toEqual({ requests: 3 });
  });

  it.each([
    ["Coder Agents without both headers", AGENTS, {}, ["coder_agents_without_headers"]],
    ["Coder Agents with a chat", { ...AGENTS, "x-coder-chat-id": CHAT }, {}, []],
    ["Coder Agents with an owner", { ...AGENTS, "x-coder-owner-id": OWNER }, {}, ["owner_without_chat"]],
    [
      "Coder Agents with an owner and a chat",
      { ...AGENTS, "x-coder-owner-id": OWNER, "x-coder-chat-id": CHAT },
      {},
      [],
    ],
    ["a rejected owner", { ...AGENTS, "x-coder-owner-id": "x" }, {}, ["owner_rejected"]],
    ["another client", CLIENT_KEY, {}, []],
    [
      "a request with a delegation key",
      { ...AGENTS, "x-coder-ai-gateway-key": "k-secret-0123456789-abcdefghijklmn" },
      { DELEGATION: { keys: ["GATEWAY_KEY"] }, GATEWAY_KEY: "k-secret-0123456789-abcdefghijklmn" },
      [],
    ],
  ] as const)("writes the flags of the start event: %s", async (_, headers, vars, flags) => {
    const gateway = await openGateway({ provider: chatResponse, vars });
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, { ...headers }));
    expect(only(events, "interception_start").flags).toEqual(flags);
  });
});

/** An interception with its end. */
const served = (at: number, start: StartFields, end: Partial<InterceptionEnd>): InterceptorEvent[] => {
  const one = startAt(at, start);
  const { interception_id, started_at, actor_id, initiator_id, attribution } = one;
  const caller = { interception_id, started_at, actor_id, initiator_id, attribution };
  return [one, { ...END, ...caller, chat_id: null, error: null, ...end, record_type: "interception_end" }];
};

const ownersOf = (n: number): string[] =>
  Array.from({ length: n }, (_, at) => OWNER.replace(/.{4}$/, at.toString(16).padStart(4, "0")));
const naming = (names: readonly string[], at: number, over: StartFields = {}): InterceptionStart[] =>
  names.map((initiator_id, n) => startAt(at + n, { initiator_id, ...over }));
const ofPerson = (source: string, names: readonly string[]): InterceptionStart[] =>
  naming(names, T0, { identity_source: source, actor_kind: "user" });

describe("anomalies of an actor", () => {
  const hourAt = T0 - (T0 % HOUR);

  // The attack (M10): 2,000 owners by one stolen key in half an hour, each request without a chat.
  it("Finding M10: reports very many owners of one key, without any header but the owner's", async () => {
    const all = await scan(naming(ownersOf(2000), T0, flagged("owner_without_chat")));
    expect(all.map(({ kind, subject, count: value }) => [kind, subject, value]).toSorted()).toEqual([
      ["actor_many_owners", "ci-bot", 1000],
      ["owner_without_chat", "ci-bot", 2000],
    ]);
    expect(JSON.parse(all.find(({ kind }) => kind === "actor_many_owners")?.details ?? "")).toEqual({
      hour: "2026-11-23T12:00:00.000Z",
      actor: "keys:ci-bot",
      busiest_hour_before: 0,
    });
  });

  it.each<[string, number, StartFields, readonly string[]]>([
    ["a person with three", MANY_OWNERS.person, { actor_kind: "user" }, []],
    ["a person with four", MANY_OWNERS.person + 1, { actor_kind: "user" }, ["actor_many_owners"]],
    ["a service with twenty", MANY_OWNERS.service, {}, []],
    ["a service with more", MANY_OWNERS.service + 1, {}, ["actor_many_owners"]],
    ["a service with signatures", MANY_OWNERS.service + 1, { attribution: "signed" }, ["actor_many_owners"]],
  ])("compares the owners of an hour with a bound: %s", async (_, n, over, expected) => {
    const names = ownersOf(n);
    // One per run, as an attacker would try to stay below a page's bound.
    for (const event of naming(names, hourAt, over)) await scan([event]);
    expect(kinds(await anomalyRows())).toEqual(expected);
  });

  it("compares a service with three times its busiest hour of the week before", async () => {
    await scan(naming(ownersOf(20), hourAt - 2 * HOUR), hourAt);
    await scan(naming(ownersOf(50), hourAt - HOUR), hourAt);
    const first = await anomalyRows();
    expect(first.map(({ count: value }) => value)).toEqual([]);
    await scan(naming(ownersOf(150), hourAt), hourAt + HOUR);
    expect(await anomalyRows()).toEqual([]);
    const all = await scan(naming(ownersOf(151), hourAt + 10 * MINUTE), hourAt + 2 * HOUR);
    expect(all.map(({ kind, count: value }) => [kind, value])).toEqual([["actor_many_owners", 151]]);
  });

  it("keeps two actors with one id apart", async () => {
    const [a, b, c, d] = ownersOf(4) as [string, string, string, string];
    expect(await scan([...ofPerson("keys", [a, b]), ...ofPerson("jwt", [c, d])])).toEqual([]);
  });

  // The attack (M2): whole responses whose usage the gateway never sees.
  it.each<[string, number, number, Partial<InterceptionEnd>, readonly string[]]>([
    ["Finding M2: a fifth of a day", 40, 10, {}, ["unknown_usage_share"]],
    [
      "a fifth of a day, disconnected",
      40,
      10,
      { outcome: "cancelled", status: null },
      ["unknown_usage_share"],
    ],
    ["less than a fifth", 41, 10, {}, []],
    ["few", 0, 9, {}, []],
    ["failed", 0, 30, { outcome: "upstream_error" }, []],
    ["refused", 0, 30, { outcome: "refused" }, []],
  ])("reports the share of unknown usage: %s", async (_, known, unknown, end, expected) => {
    const events = [
      ...Array.from({ length: known }, (__, n) => served(T0 + n, ownAccount, {})),
      ...Array.from({ length: unknown }, (__, n) =>
        served(T0 + HOUR + n, ownAccount, { usage: "unknown", ...end }),
      ),
    ];
    const all = await scan(events.flat());
    expect(kinds(all)).toEqual(expected);
    await database.prepare("DELETE FROM upkeep_cursors").run();
    expect(await scan([])).toEqual(all);
  });
});

describe("anomalies of callers that no source verified", () => {
  it("counts the requests that name an owner, accepted or not", async () => {
    const keys = Array.from({ length: 5 }, (_, n) => ({ ...CLAIMED, actor_id: `byok:${n}` }));
    const rejected = { ...flagged("owner_rejected"), attribution: "unverified" } as const;
    const all = await scan([
      ...keys.map((key, n) => startAt(T0 + n, key)),
      startAt(T0 + 10, { ...CLAIMED, ...rejected, initiator_id: "byok:0" }),
    ]);
    expect(all.map(({ kind, subject, count: value }) => [kind, subject, value]).toSorted()).toEqual([
      ["unverified_owner_claims", OWNER, 5],
      ["unverified_owner_claims", "rejected", 1],
    ]);
  });
});

const refused = (n: number, over: Partial<RefusalEvent> = {}, from = T0): RefusalEvent[] =>
  Array.from({ length: n }, (_, at) => {
    const { interception_id } = startAt(from + at);
    return {
      ...REFUSED,
      actor_id: "ci-bot",
      identity_source: "keys",
      actor_verified: true,
      ...over,
      interception_id,
    };
  });
const scanKeys = async (events: readonly InterceptorEvent[]): Promise<readonly AnomalyRow[]> => {
  await storeEvents(database, events);
  await scanRefusals(database, T0 + DAY, () => undefined);
  return anomalyRows();
};

describe("anomalies of keys", () => {
  it("reports a credential whose requests are refused more than once a minute, in any number of runs", async () => {
    expect(await scanKeys(refused(KEY_REFUSALS))).toEqual([]);
    const [one, ...others] = await scanKeys(refused(1, { reason: "not_found" }, T0 + MINUTE));
    expect(others).toEqual([]);
    expect(one).toMatchObject({
      kind: "key_many_refusals",
      subject: "0123456789abcdef",
      count: KEY_REFUSALS + 1,
    });
    expect(JSON.parse(one?.details ?? "")).toMatchObject({ actor: "keys:ci-bot", reasons: ["not_found"] });
    await database.prepare("DELETE FROM upkeep_cursors").run();
    expect((await scanKeys([])).map(({ count: value }) => value)).toEqual([KEY_REFUSALS + 1]);
  });

  it("reports no anomaly for the refusals of many keys, or without one", async () => {
    const many = refused(2 * KEY_REFUSALS).map((event, n) => ({ ...event, api_key_id: n % 2 ? "a" : "b" }));
    expect(await scanKeys(many)).toEqual([]);
    expect(await scanKeys(refused(KEY_REFUSALS + 1, { api_key_id: null }))).toEqual([]);
  });

  it.each([
    ["rejected", "provider_key_rejected", "upstream_key_rejected"],
    ["leaked in a response", "provider_key_leaked", "upstream_key_leaked"],
  ])("reports a central key that a provider %s, each one by itself", async (_, kind, error) => {
    const rejected = { outcome: "upstream_error", error } as const;
    const hints = ["sk-a...0001", "sk-a...0002", "sk-a...0001"];
    const all = await scan(
      hints.flatMap((credential_hint, n) =>
        served(T0 + n, { ...ownAccount, credential_hint }, { ...rejected, credential_hint }),
      ),
    );
    expect(all.map((found) => [found.kind, found.subject, found.count]).toSorted()).toEqual([
      [kind, START.provider, 1],
      [kind, START.provider, 2],
    ]);
  });

  it("reports a central key that a provider rejected before another one was used", async () => {
    const events = served(T0, { ...ownAccount, credential_hint: "sk-a...0001" }, {});
    const interception_id = events[0]?.interception_id ?? "";
    const attempts = (["key_rejected", "used"] as const).map((reason, position) => ({
      ...ATTEMPT,
      interception_id,
      position,
      provider: START.provider,
      key_hint: `sk-a...000${position + 1}`,
      reason,
    }));
    const all = await scan([...events, ...attempts]);
    expect(all).toMatchObject([{ kind: "provider_key_rejected", subject: START.provider, count: 1 }]);
    expect(JSON.parse(all[0]?.details ?? "")).toMatchObject({ credential_hint: "sk-a...0001" });
  });

  it("reports each key that was rejected, at its own provider, also where the last attempt was rejected", async () => {
    const rejected = { outcome: "upstream_error", error: "upstream_key_rejected" } as const;
    const events = served(T0, { ...ownAccount, credential_hint: "sk-a...0001" }, rejected);
    const interception_id = events[0]?.interception_id ?? "";
    const keys = ["openai sk-a...0001", "openai sk-a...0001", "openai sk-a...0002", "aws AKIA...0003"];
    const rejections = keys.map((name, position) => {
      const [provider = "", key_hint = ""] = name.split(" ");
      const reason = "key_rejected" as const;
      return { ...ATTEMPT, interception_id, position, provider, key_hint, reason, status: 403 };
    });
    const unsent = {
      ...rejections[0],
      position: 5,
      key_hint: "without a token",
      status: null,
    } as UpstreamAttempt;
    const attempts = [...rejections, unsent];
    const all = await scan([...events, ...attempts]);
    const found = all.map(({ subject, count: requests, details }) => {
      const { credential_hint: hint } = JSON.parse(details) as Record<string, string>;
      return `${subject} ${hint} ${requests}`;
    });
    expect(found.toSorted()).toEqual(["aws AKIA...0003 1", "openai sk-a...0001 1", "openai sk-a...0002 1"]);
  });

  // The attack (H3): a key that comes back in a stream. The client has a part of that stream, so the operator must know.
  it("Finding H3: reports the responses that were withheld or cut for a secret, in any number of runs", async () => {
    const leaked = { outcome: "upstream_error", error: "upstream_key_leaked" } as const;
    const found = async (at: number) =>
      (await scan(served(at, ownAccount, leaked))).map((one) => [one.kind, one.subject, one.count]);
    expect(await found(T0)).toEqual([["provider_key_leaked", START.provider, 1]]);
    expect(await found(T0 + MINUTE)).toEqual([["provider_key_leaked", START.provider, 2]]);
  });
});

describe("a spike of asserted owners", () => {
  const hourAt = T0 - (T0 % HOUR);
  const ownFields = { attribution: "authenticated", initiator_id: "ci-bot" } as const;

  /** `each` requests in each of the `hours` before this one, a share of them asserted. */
  const before = (hours: number, each: number, share: number): InterceptionStart[] =>
    Array.from({ length: hours * each }, (_, n) => {
      const at = hourAt - hours * HOUR + Math.floor(n / each) * HOUR + (n % each);
      return startAt(at, n % each < each * share ? {} : ownFields);
    });
  const now = (asserted: number, others: number): InterceptionStart[] =>
    Array.from({ length: asserted + others }, (_, n) => startAt(hourAt + n, n < asserted ? {} : ownFields));

  it("reports a higher share than in the week before, with both shares", async () => {
    await scan(before(60, 10, 0.1), hourAt);
    const all = await scan(now(40, 10), hourAt + HOUR);
    expect(all).toHaveLength(1);
    expect(all[0]).toMatchObject({ kind: "asserted_share_spike", subject: "asserted", count: 40 });
    expect(JSON.parse(all[0]?.details ?? "")).toEqual({
      hour: "2026-11-23T12:00:00.000Z",
      requests: 50,
      share: 0.8,
      share_before: 0.1,
    });
  });

  it.each([
    ["no more than a quarter of all requests", 60, 10, 0.5, 37, 13],
    ["no week to compare with", 60, 8, 0.1, 40, 10],
    ["too few requests in the hour", 60, 10, 0.1, 39, 10],
    ["a fall", 60, 10, 0.9, 10, 40],
  ])("reports no anomaly with %s", async (_, hours, each, share, asserted, others) => {
    expect(SHARE_SPIKE.requests).toBe(50);
    await scan(before(hours, each, share), hourAt);
    expect(await scan(now(asserted, others), hourAt + HOUR)).toEqual([]);
  });

  it("reports an hour as soon as its share spikes, and updates the count", async () => {
    await scan(before(60, 10, 0.1), hourAt);
    await scan(now(50, 0), hourAt + 20 * MINUTE);
    const more = Array.from({ length: 10 }, (_, n) => startAt(hourAt + 30 * MINUTE + n));
    const all = await scan(more, hourAt + HOUR);
    expect(all.map(({ count: requests }) => requests)).toEqual([60]);
  });

  it("ignores signed owners", async () => {
    await scan(before(60, 10, 0.1), hourAt);
    const signed = now(50, 0).map((event) => ({ ...event, attribution: "signed" as const }));
    expect(await scan(signed, hourAt + HOUR)).toEqual([]);
  });
});

const keyOf = ({ id, count: value }: AnomalyRow): string => `${id} ${value}`;

/** Random interceptions with all kinds of anomalies. */
function randomStarts(random: () => number): InterceptionStart[] {
  const pick = <T>(values: readonly T[]): T => values[between(random, 0, values.length - 1)] as T;
  return Array.from({ length: 120 }, () => {
    const owner = pick([OWNER, BOB, CAROL]);
    const actor_id = pick(["a", "b", "c", "d", "e"]);
    const chat_id = pick([null, CHAT, OTHER_CHAT]);
    const at = T0 + between(random, 0, 2 * DAY);
    const flags: readonly Flag[] = random() < 0.2 ? ["coder_agents_without_headers"] : [];
    return startAt(
      at,
      random() < 0.5
        ? { initiator_id: owner, actor_id, chat_id }
        : { ...ownAccount, actor_id, chat_id, flags },
    );
  });
}

describe("a scan in several runs", () => {
  it("finds the same anomalies in any number of runs, and after resets of the cursor", async () => {
    await forSeedsAsync(6, async (seed) => {
      const random = seededRandom(seed);
      const events = randomStarts(random);
      database = await emptyLedger();
      const expected = await scan(events, T0 + 3 * DAY);
      expect(expected.length).toBeGreaterThan(5);

      database = await emptyLedger();
      // In the order of time, as the ledger fills: each run adds some rows, and some runs start from the beginning.
      const sorted = events.toSorted((a, b) => (a.interception_id < b.interception_id ? -1 : 1));
      while (sorted.length > 0) {
        const piece = sorted.splice(0, between(random, 1, 40));
        const last = uuidTime(piece.at(-1)?.interception_id ?? "");
        await scan(piece, last + SETTLED_AFTER_MS + 1);
        if (random() < 0.3) await database.prepare("DELETE FROM upkeep_cursors").run();
      }
      // A run does not report earlier days on which the chat continued before its anomaly began.
      const again = await scan([], T0 + 3 * DAY);
      expect(expected.map(keyOf)).toEqual(expect.arrayContaining(again.map(keyOf)));
      const withoutChats = (all: readonly AnomalyRow[]): string[] =>
        all.filter(({ kind }) => /^(?:owner_many_actors|coder_agents)/.test(kind)).map(keyOf);
      expect(withoutChats(expected)).not.toEqual([]);
      expect(withoutChats(again)).toEqual(withoutChats(expected));
    });
  });

  it("skips rows that are too recent, and scans them in a later run", async () => {
    const events = [startAt(T0, { chat_id: CHAT }), startAt(T0, { chat_id: CHAT, initiator_id: BOB })];
    expect(await scan(shuffled(events, seededRandom(1)), T0 + SETTLED_AFTER_MS)).toEqual([]);
    expect(await scan([], T0 + SETTLED_AFTER_MS + 1)).toHaveLength(2);
  });

  it("scans a late row with the next request of its chat", async () => {
    await scan([startAt(T0 + HOUR, { chat_id: CHAT })]);
    await scan([startAt(T0, { chat_id: CHAT, initiator_id: BOB })]);
    expect(await anomalyRows()).toEqual([]);
    expect(await scan([startAt(T0 + 2 * HOUR, { chat_id: CHAT })], T0 + 2 * DAY)).toHaveLength(2);
  });

  it("continues after its cursor, page by page, with a bounded number of statements", async () => {
    const many = Array.from({ length: 2 * PAGE_ROWS + 10 }, (_, n) => startAt(T0 + n, { chat_id: null }));
    await storeEvents(database, many);
    const statements: string[] = [];
    const counting = observed((sql) => void statements.push(sql));
    await scanForAnomalies(counting, T0 + DAY, () => undefined);
    expect(statements.filter((sql) => sql === ANOMALY_SQL.page)).toHaveLength(3);
    expect(statements.length).toBeLessThan(25);
    const cursor = await database.prepare("SELECT cursor FROM upkeep_cursors").first("cursor");
    expect(cursor).toBe(many.at(-1)?.interception_id);
    statements.length = 0;
    await scanForAnomalies(counting, T0 + DAY, () => undefined);
    expect(statements).toEqual([ANOMALY_SQL.page]);
  });

  it("starts no earlier than a week ago", async () => {
    const events = [startAt(T0, { chat_id: CHAT }), startAt(T0, { chat_id: CHAT, initiator_id: BOB })];
    expect(await scan(events, T0 + SHARE_SPIKE.days * DAY + 1)).toEqual([]);
    expect(await scan([], T0 + SHARE_SPIKE.days * DAY)).toHaveLength(2);
  });

  // The attack: rows that make a run fail would hide all later rows.
  it("completes a page in which every row is part of an anomaly", async () => {
    const events = Array.from({ length: PAGE_ROWS }, (_, n) => {
      const chat_id = CHAT.replace(/.{4}$/, (n >> 1).toString(16).padStart(4, "0"));
      const initiator_id = OWNER.replace(/.{4}$/, n.toString(16).padStart(4, "0"));
      return startAt(T0 + n, { chat_id, initiator_id, actor_id: "x".repeat(96) });
    });
    const all = await scan(events);
    // One per row, and the owners of the one actor.
    expect(all).toHaveLength(PAGE_ROWS + 1);
    expect(await scan([startAt(T0 + DAY, { chat_id: CHAT })], T0 + 2 * DAY)).not.toHaveLength(0);
  });

  it("reads a bounded number of pairs per page, the first pairs of every chat before further ones", async () => {
    const chats = Array.from({ length: PAGE_ROWS }, (_, n) =>
      CHAT.replace(/.{4}$/, n.toString(16).padStart(4, "0")),
    );
    const actors = ["a", "b", "c", "d", "e", "f"];
    for (const [nth, actor_id] of actors.entries())
      await storeEvents(
        database,
        chats.map((chat_id) => startAt(T0 + nth, { chat_id, actor_id })),
      );
    const query = database.prepare(ANOMALY_SQL.pairs).bind(JSON.stringify(chats));
    const { results } = await query.all<{ readonly chat_id: string }>();
    expect(results.length).toBeLessThanOrEqual(5 * PAGE_ROWS);
    const each = [...Map.groupBy(results, ({ chat_id: chat }) => chat).values()].map(({ length }) => length);
    expect([each.length, Math.min(...each), Math.max(...each)]).toEqual([PAGE_ROWS, 5, 5]);
  });

  it("rolls back a page that it cannot store completely", async () => {
    const events = [
      startAt(T0, ownAccount),
      startAt(T0 + 1, { ...ownAccount, ...flagged("coder_agents_without_headers") }),
    ];
    await storeEvents(database, events);
    const broken = observed((sql) => {
      if (sql === ANOMALY_SQL.cursor) throw new Error("D1_ERROR: overloaded");
    });
    await expect(scanForAnomalies(broken, T0 + DAY, () => undefined)).rejects.toThrow("overloaded");
    expect(await anomalyRows()).toEqual([]);
    expect((await database.prepare("SELECT * FROM attribution_hours").all()).results).toEqual([]);
    expect(await scan([])).toHaveLength(1);
  });

  it("runs in the cron; its failure is logged, and the other parts still run", async () => {
    const events = [startAt(T0, { chat_id: CHAT }), startAt(T0 + 1, { chat_id: CHAT, initiator_id: BOB })];
    await storeEvents(database, events);
    const deps = ledgerDeps({ database });
    await runMaintenance(deps, T0 + HOUR);
    expect(kinds(await anomalyRows())).toEqual(["actor_multiple_owners", "chat_multiple_initiators"]);
    const broken = observed((sql) => {
      if (sql === ANOMALY_SQL.page) throw new Error("D1_ERROR: no such table: upkeep_cursors");
    });
    const failing = ledgerDeps({ database: broken, retentionDays: 1 });
    await expect(runMaintenance(failing, T0 + 10 * DAY)).rejects.toThrow("no such table");
    expect(failing.operatorErrors).toContainEqual({
      event: "maintenance_failed",
      error: "Error: D1_ERROR: no such table: upkeep_cursors",
    });
    expect(await anomalyRows()).toEqual([]);
  });

  it("RETENTION_DAYS deletes its tables too, one day at a time", async () => {
    const events = randomStarts(seededRandom(7));
    await scan(events, T0 + 3 * DAY);
    await runMaintenance(ledgerDeps({ database, retentionDays: 60 }), T0 + 61 * DAY);
    const days = new Set((await anomalyRows()).map(({ id }) => id.slice(0, 13)));
    // A day is deleted as a whole once its beginning has expired.
    expect([...days]).toEqual([uuidPrefix(T0 - (T0 % DAY) + 2 * DAY)]);
    await runMaintenance(ledgerDeps({ database, retentionDays: 60 }), T0 + 70 * DAY);
    for (const table of ["anomalies", "actor_owners", "actor_hours", "attribution_hours"])
      expect((await database.prepare(`SELECT 1 FROM ${table}`).all()).results).toEqual([]);
  });
});

/** The database; `onPrepare` receives each statement before it is prepared. */
function observed(onPrepare: (sql: string) => void): D1Database {
  return new Proxy(database, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (name === "prepare")
        return (sql: string) => {
          onPrepare(sql);
          return target.prepare(sql);
        };
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

describe("the query of a chat's pairs", () => {
  it("reads as many rows as the chat has pairs, not as many as it has requests", async () => {
    const events = Array.from({ length: 3000 }, (_, n) =>
      startAt(T0 + n, { chat_id: CHAT, initiator_id: n % 2 ? OWNER : BOB }),
    );
    await storeEvents(database, events);
    const { results, meta } = await database
      .prepare(ANOMALY_SQL.pairs)
      .bind(JSON.stringify([CHAT]))
      .all();
    expect(results).toHaveLength(2);
    expect(meta.rows_read).toBeLessThan(40);
  });
});
