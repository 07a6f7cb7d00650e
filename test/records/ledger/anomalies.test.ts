/** Watching for lies: what the cron finds odd in what the ledger holds, and how it goes about it. */
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptionStart, InterceptorEvent } from "../../../src/events/event.ts";
import { detectFlags, type Flag } from "../../../src/gateway/initiator/flags.ts";
import { MANY_ACTORS, SHARE_SPIKE } from "../../../src/records/ledger/maintain/anomalies.ts";
import { ANOMALY_SQL, PAGE_ROWS } from "../../../src/records/ledger/maintain/anomaly-sql.ts";
import { storeEvents } from "../../../src/records/ledger/write/store.ts";
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
import { END, START } from "../../support/in-workerd/events.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { shuffled, T0 } from "../../support/in-workerd/ledger-events.ts";
import { places } from "../../support/in-workerd/ledger-places.ts";
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

type Said = Partial<Omit<InterceptionStart, "record_type">>;

let count = 0;
/** An interception of the service's for Alice, begun at a time: another one each time it is called. */
function began(at: number, over: Said = {}): InterceptionStart {
  count += 1;
  const id = uuidV7(at, `00000000-0000-4abc-8def-${count.toString(16).padStart(12, "0")}`);
  return { ...START, chat_id: null, interception_id: id, started_at: new Date(at).toISOString(), ...over };
}

const itself: Said = { initiator_id: "ci-bot", attribution: "authenticated" };
const flagged = (...flags: Flag[]): Said => ({ flags });

type Found = {
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

async function found(): Promise<readonly Found[]> {
  return (await database.prepare("SELECT * FROM anomalies ORDER BY id").all<Found>()).results;
}

/** Stores them, lets the cron look, and hands on what it found. */
async function look(events: readonly InterceptorEvent[], now = T0 + DAY): Promise<readonly Found[]> {
  await storeEvents(database, events);
  await scanForAnomalies(database, now, () => undefined);
  return found();
}

const kinds = (all: readonly Found[]): string[] => all.map(({ kind }) => kind).toSorted();

describe("a chat", () => {
  it("of one owner is as it should be, however many requests and actors it has", async () => {
    const events = [0, 1, 2].map((n) => began(T0 + n, { chat_id: CHAT, actor_id: `bot-${n % 2}` }));
    expect(await look(events)).toEqual([]);
  });

  it("of two owners, each named by another actor", async () => {
    const events = [
      began(T0, { chat_id: CHAT }),
      began(T0 + 1000, { chat_id: CHAT, actor_id: "other-bot", initiator_id: BOB }),
      began(T0 + 2000, { chat_id: CHAT }),
    ];
    expect(await look(events)).toEqual([
      {
        id: expect.stringMatching(new RegExp(`^${uuidPrefix(T0 - (T0 % DAY))}-8[0-9a-f]{3}-8[0-9a-f]{3}-`)),
        kind: "chat_multiple_initiators",
        subject: CHAT,
        first_interception_id: events[1]?.interception_id,
        last_interception_id: events[2]?.interception_id,
        count: 2,
        details: JSON.stringify({ initiators: [OWNER, BOB], actors: ["ci-bot", "other-bot"] }),
        first_seen: "2026-11-23T12:00:01.000Z",
        last_seen: "2026-11-23T12:00:02.000Z",
      },
    ]);
  });

  // The attack: whoever calls with a key of their own puts their requests into somebody else's chat.
  it("of which somebody else speaks on their own account", async () => {
    const mallory = { actor_id: "mallory", initiator_id: "mallory", attribution: "authenticated" } as const;
    const all = await look([began(T0, { chat_id: CHAT }), began(T0 + 1, { chat_id: CHAT, ...mallory })]);
    expect(kinds(all)).toEqual(["chat_multiple_initiators"]);
    expect(all[0]?.details).toContain("mallory");
  });

  it("whose owner one actor switches, also to nobody", async () => {
    for (const other of [{ initiator_id: BOB }, itself]) {
      database = await emptyLedger();
      const all = await look([began(T0, { chat_id: CHAT }), began(T0 + 1, { chat_id: CHAT, ...other })]);
      expect(kinds(all)).toEqual(["chat_multiple_initiators", "actor_multiple_owners"]);
      expect(all.map(({ subject, count: owners }) => [subject, owners])).toEqual([
        [CHAT, 2],
        [CHAT, 2],
      ]);
    }
  });

  it("whose owner did not count for a while is no other's", async () => {
    const all = await look([
      began(T0, { chat_id: CHAT }),
      began(T0 + 1, { chat_id: CHAT, ...itself, ...flagged("owner_rejected") }),
      began(T0 + 2, { chat_id: CHAT }),
    ]);
    expect(all).toEqual([]);
  });

  it("is not told anew by a request whose owner did not count", async () => {
    await look([began(T0, { chat_id: CHAT }), began(T0 + 1, { chat_id: CHAT, initiator_id: BOB })]);
    const rejected = began(T0 + DAY, { chat_id: CHAT, ...itself, ...flagged("owner_rejected") });
    expect(await look([rejected], T0 + 2 * DAY)).toHaveLength(2);
  });

  it("is known again days later, and told anew on each day on which it goes on", async () => {
    expect(await look([began(T0, { chat_id: CHAT })])).toEqual([]);
    const next = await look([began(T0 + 3 * DAY, { chat_id: CHAT, initiator_id: BOB })], T0 + 4 * DAY);
    expect(kinds(next)).toEqual(["chat_multiple_initiators", "actor_multiple_owners"]);
    const last = await look([began(T0 + 4 * DAY, { chat_id: CHAT })], T0 + 5 * DAY);
    expect(new Set(last.map(({ id }) => id)).size).toBe(4);
  });

  it("of very many owners is looked at no further than need be", async () => {
    const owners = Array.from({ length: 60 }, (_, n) => BOB.replace(/..$/, String(n + 10)));
    const all = await look(owners.map((initiator_id, n) => began(T0 + n, { chat_id: CHAT, initiator_id })));
    expect(all.map(({ kind, count: seen }) => [kind, seen]).toSorted()).toEqual([
      ["chat_multiple_initiators", 10],
      ["actor_multiple_owners", 10],
    ]);
  });

  it("is nobody's where only an end has come, or the row is older than flags", async () => {
    const ends = [OWNER, BOB].map((initiator_id, n) => {
      const { interception_id, started_at } = began(T0 + n);
      return { ...END, interception_id, started_at, initiator_id, chat_id: CHAT };
    });
    expect(await look(ends)).toEqual([]);
  });
});

const asserting = (actors: number, at = T0, over: Said = {}): InterceptionStart[] =>
  Array.from({ length: actors }, (_, n) => began(at + n, { actor_id: `bot-${n}`, ...over }));

describe("an owner", () => {
  it(`is odd from the ${MANY_ACTORS + 1}th actor of a day on`, async () => {
    expect(await look(asserting(MANY_ACTORS))).toEqual([]);
    const events = asserting(MANY_ACTORS + 1, T0 + 1000);
    const [one, ...more] = await look(events, T0 + DAY + HOUR);
    expect(more).toEqual([]);
    expect(one).toMatchObject({
      kind: "owner_many_actors",
      subject: OWNER,
      count: MANY_ACTORS + 1,
      first_interception_id: events.at(-1)?.interception_id,
      last_interception_id: events.at(-1)?.interception_id,
    });
    expect(JSON.parse(one?.details ?? "")).toEqual({ actors: ["bot-0", "bot-1", "bot-2", "bot-3"] });
  });

  it("also where each assertion is signed, and where they come in bit by bit", async () => {
    for (const event of asserting(MANY_ACTORS + 1, T0, { attribution: "signed" })) await look([event]);
    expect(kinds(await found())).toEqual(["owner_many_actors"]);
  });

  it("is not, where those are days apart, or each on its own account", async () => {
    const days = asserting(6).map((event, n) => {
      const { interception_id, started_at } = began(T0 + n * DAY);
      return { ...event, interception_id, started_at };
    });
    expect(await look(days, T0 + 6 * DAY)).toEqual([]);
    expect(await look(asserting(9, T0, { attribution: "authenticated" }), T0 + 6 * DAY)).toEqual([]);
  });
});

const agents = (headers: Record<string, string>): readonly Flag[] =>
  detectFlags(true, new Headers(headers), { owner: "none" });

describe("Coder Agents without its headers", () => {
  const naked = { ...itself, ...flagged("coder_agents_without_headers") };

  it("is counted by actor and day, each request once, however often and in how many steps it is looked at", async () => {
    const events = [0, 1, 2].map((n) => began(T0 + n, naked));
    await look(events.slice(0, 1));
    await look(events.slice(1), T0 + DAY + 1);
    await database.prepare("DELETE FROM upkeep_cursors").run();
    const all = await look([], T0 + DAY + 2);
    expect(all.map(({ kind, subject, count: requests }) => [kind, subject, requests])).toEqual([
      ["coder_agents_without_headers", "ci-bot", 3],
    ]);
    expect(all[0]?.first_interception_id).toBe(events[0]?.interception_id);
    expect(all[0]?.last_interception_id).toBe(events[2]?.interception_id);
    const hours = await database.prepare("SELECT SUM(requests) AS requests FROM attribution_hours").first();
    expect(hours).toEqual({ requests: 3 });
  });

  it("is a flag of a request that names neither owner nor chat", () => {
    expect(agents({})).toEqual(["coder_agents_without_headers"]);
    expect(agents({ "x-coder-owner-id": " ", "x-coder-chat-id": "" })).toEqual([
      "coder_agents_without_headers",
    ]);
    expect(agents({ "x-coder-chat-id": "no-chat" })).toEqual([]);
    expect(detectFlags(true, new Headers({ "x-coder-owner-id": OWNER }), { owner: "overrides" })).toEqual([]);
    expect(detectFlags(false, new Headers(), { owner: "none" })).toEqual([]);
  });

  it.each([
    ["Coder Agents, naming nobody", AGENTS, {}, ["coder_agents_without_headers"]],
    ["Coder Agents with a chat", { ...AGENTS, "x-coder-chat-id": CHAT }, {}, []],
    ["Coder Agents with an owner", { ...AGENTS, "x-coder-owner-id": OWNER }, {}, []],
    ["an owner that does not count", { ...AGENTS, "x-coder-owner-id": "x" }, {}, ["owner_rejected"]],
    ["another client", CLIENT_KEY, {}, []],
    [
      "one that a gateway speaks for",
      { ...AGENTS, "x-coder-ai-gateway-key": "k".repeat(32) },
      { DELEGATION: { keys: ["GATEWAY_KEY"] }, GATEWAY_KEY: "k".repeat(32) },
      [],
    ],
  ] as const)("is on the start's event: %s", async (_, headers, vars, flags) => {
    const house = await openGateway({ provider: chatResponse, vars });
    const { events } = await house.exchange(CENTRAL_CHAT, post(BODY, { ...headers }));
    expect(only(events, "interception_start").flags).toEqual(flags);
  });
});

describe("a sudden rise of asserted owners", () => {
  const hourAt = T0 - (T0 % HOUR);
  const own = { attribution: "authenticated", initiator_id: "ci-bot" } as const;

  /** Hours of requests, from so many ago on, a share of them asserted. */
  const before = (hours: number, each: number, share: number): InterceptionStart[] =>
    Array.from({ length: hours * each }, (_, n) => {
      const at = hourAt - hours * HOUR + Math.floor(n / each) * HOUR + (n % each);
      return began(at, n % each < each * share ? {} : own);
    });
  const now = (asserted: number, others: number): InterceptionStart[] =>
    Array.from({ length: asserted + others }, (_, n) => began(hourAt + n, n < asserted ? {} : own));

  it("over the week before is told, with both shares", async () => {
    await look(before(60, 10, 0.1), hourAt);
    const all = await look(now(40, 10), hourAt + HOUR);
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
  ])("is none where there is %s", async (_, hours, each, share, asserted, others) => {
    expect(SHARE_SPIKE.requests).toBe(50);
    await look(before(hours, each, share), hourAt);
    expect(await look(now(asserted, others), hourAt + HOUR)).toEqual([]);
  });

  it("is told of an hour as soon as it is odd, and counted on", async () => {
    await look(before(60, 10, 0.1), hourAt);
    await look(now(50, 0), hourAt + 20 * MINUTE);
    const more = Array.from({ length: 10 }, (_, n) => began(hourAt + 30 * MINUTE + n));
    const all = await look(more, hourAt + HOUR);
    expect(all.map(({ count: requests }) => requests)).toEqual([60]);
  });

  it("signed owners are no rise: they are what it should be", async () => {
    await look(before(60, 10, 0.1), hourAt);
    const signed = now(50, 0).map((event) => ({ ...event, attribution: "signed" as const }));
    expect(await look(signed, hourAt + HOUR)).toEqual([]);
  });
});

const keyOf = ({ id, count: seen }: Found): string => `${id} ${seen}`;

/** Several of everything. */
function story(random: () => number): InterceptionStart[] {
  const pick = <T>(some: readonly T[]): T => some[between(random, 0, some.length - 1)] as T;
  return Array.from({ length: 120 }, () => {
    const owner = pick([OWNER, BOB, CAROL]);
    const actor_id = pick(["a", "b", "c", "d", "e"]);
    const chat_id = pick([null, CHAT, OTHER_CHAT]);
    const at = T0 + between(random, 0, 2 * DAY);
    const flags: readonly Flag[] = random() < 0.2 ? ["coder_agents_without_headers"] : [];
    return began(
      at,
      random() < 0.5 ? { initiator_id: owner, actor_id, chat_id } : { ...itself, actor_id, chat_id, flags },
    );
  });
}

describe("the cron's way through the ledger", () => {
  it("finds the same however it is cut into runs, and however often it begins anew", async () => {
    await forSeedsAsync(6, async (seed) => {
      const random = seededRandom(seed);
      const events = story(random);
      database = await emptyLedger();
      const wanted = await look(events, T0 + 3 * DAY);
      expect(wanted.length).toBeGreaterThan(5);

      database = await emptyLedger();
      // In the order of time, as the ledger fills: in each run a piece, and now and then all from the beginning.
      const sorted = events.toSorted((a, b) => (a.interception_id < b.interception_id ? -1 : 1));
      while (sorted.length > 0) {
        const piece = sorted.splice(0, between(random, 1, 40));
        const last = uuidTime(piece.at(-1)?.interception_id ?? "");
        await look(piece, last + SETTLED_AFTER_MS + 1);
        if (random() < 0.3) await database.prepare("DELETE FROM upkeep_cursors").run();
      }
      // Days on which a chat went on before it was odd are not told in hindsight.
      const again = await look([], T0 + 3 * DAY);
      expect(wanted.map(keyOf)).toEqual(expect.arrayContaining(again.map(keyOf)));
      const ofOwners = (all: readonly Found[]): string[] =>
        all.filter(({ kind }) => /^(?:owner_of|coder_agents)/.test(kind)).map(keyOf);
      expect(ofOwners(again)).toEqual(ofOwners(wanted));
    });
  });

  it("leaves alone what may not have arrived yet, and looks at it when it has", async () => {
    const events = [began(T0, { chat_id: CHAT }), began(T0, { chat_id: CHAT, initiator_id: BOB })];
    expect(await look(shuffled(events, seededRandom(1)), T0 + SETTLED_AFTER_MS)).toEqual([]);
    expect(await look([], T0 + SETTLED_AFTER_MS + 1)).toHaveLength(2);
  });

  it("looks at what comes late when its chat goes on", async () => {
    await look([began(T0 + HOUR, { chat_id: CHAT })]);
    await look([began(T0, { chat_id: CHAT, initiator_id: BOB })]);
    expect(await found()).toEqual([]);
    expect(await look([began(T0 + 2 * HOUR, { chat_id: CHAT })], T0 + 2 * DAY)).toHaveLength(2);
  });

  it("goes on where it stopped, in pages, and does so much at most in one run", async () => {
    const many = Array.from({ length: 2 * PAGE_ROWS + 10 }, (_, n) => began(T0 + n, { chat_id: null }));
    await storeEvents(database, many);
    const asked: string[] = [];
    const counting = through((sql) => void asked.push(sql));
    await scanForAnomalies(counting, T0 + DAY, () => undefined);
    expect(asked.filter((sql) => sql === ANOMALY_SQL.page)).toHaveLength(3);
    expect(asked.length).toBeLessThan(25);
    const cursor = await database.prepare("SELECT cursor FROM upkeep_cursors").first("cursor");
    expect(cursor).toBe(many.at(-1)?.interception_id);
    asked.length = 0;
    await scanForAnomalies(counting, T0 + DAY, () => undefined);
    expect(asked).toEqual([ANOMALY_SQL.page]);
  });

  it("says so where it stood still, and begins no earlier than a week ago", async () => {
    const events = [began(T0, { chat_id: CHAT }), began(T0, { chat_id: CHAT, initiator_id: BOB })];
    expect(await look(events, T0 + SHARE_SPIKE.days * DAY + 1)).toEqual([]);
    expect(await look([], T0 + SHARE_SPIKE.days * DAY)).toHaveLength(2);
  });

  // The attack: rows that make the run fail would hide whatever comes behind them.
  it("gets past a page in which everything is odd", async () => {
    const events = Array.from({ length: PAGE_ROWS }, (_, n) => {
      const chat_id = CHAT.replace(/.{4}$/, (n >> 1).toString(16).padStart(4, "0"));
      const initiator_id = OWNER.replace(/.{4}$/, n.toString(16).padStart(4, "0"));
      return began(T0 + n, { chat_id, initiator_id, actor_id: "x".repeat(96) });
    });
    const all = await look(events);
    expect(all).toHaveLength(PAGE_ROWS);
    expect(await look([began(T0 + DAY, { chat_id: CHAT })], T0 + 2 * DAY)).not.toHaveLength(0);
  });

  it("reads no more of a page's chats than fits, and the first two of each before the third of any", async () => {
    const chats = Array.from({ length: PAGE_ROWS }, (_, n) =>
      CHAT.replace(/.{4}$/, n.toString(16).padStart(4, "0")),
    );
    const speakers = ["a", "b", "c", "d", "e", "f"];
    for (const [nth, actor_id] of speakers.entries())
      await storeEvents(
        database,
        chats.map((chat_id) => began(T0 + nth, { chat_id, actor_id })),
      );
    const asked = database.prepare(ANOMALY_SQL.pairs).bind(JSON.stringify(chats));
    const { results } = await asked.all<{ readonly chat_id: string }>();
    expect(results.length).toBeLessThanOrEqual(5 * PAGE_ROWS);
    const each = [...Map.groupBy(results, ({ chat_id: chat }) => chat).values()].map(({ length }) => length);
    expect([each.length, Math.min(...each), Math.max(...each)]).toEqual([PAGE_ROWS, 5, 5]);
  });

  it("writes nothing of a page that it cannot write whole", async () => {
    const events = [
      began(T0, itself),
      began(T0 + 1, { ...itself, ...flagged("coder_agents_without_headers") }),
    ];
    await storeEvents(database, events);
    const broken = through((sql) => {
      if (sql === ANOMALY_SQL.cursor) throw new Error("D1_ERROR: overloaded");
    });
    await expect(scanForAnomalies(broken, T0 + DAY, () => undefined)).rejects.toThrow("overloaded");
    expect(await found()).toEqual([]);
    expect((await database.prepare("SELECT * FROM attribution_hours").all()).results).toEqual([]);
    expect(await look([])).toHaveLength(1);
  });

  it("is part of the upkeep; its failure is seen, and keeps nothing else from its work", async () => {
    const events = [began(T0, { chat_id: CHAT }), began(T0 + 1, { chat_id: CHAT, initiator_id: BOB })];
    await storeEvents(database, events);
    const to = places({ database });
    await runMaintenance(to, T0 + HOUR);
    expect(kinds(await found())).toEqual(["chat_multiple_initiators", "actor_multiple_owners"]);
    const broken = through((sql) => {
      if (sql === ANOMALY_SQL.page) throw new Error("D1_ERROR: no such table: upkeep_cursors");
    });
    const failing = places({ database: broken, retentionDays: 1 });
    await expect(runMaintenance(failing, T0 + 10 * DAY)).rejects.toThrow("no such table");
    expect(failing.complaints).toContain(
      "ledger: upkeep failed: Error: D1_ERROR: no such table: upkeep_cursors",
    );
    expect(await found()).toEqual([]);
  });

  it("RETENTION_DAYS forgets its tables with the rest, a day at a time", async () => {
    const events = story(seededRandom(7));
    await look(events, T0 + 3 * DAY);
    await runMaintenance(places({ database, retentionDays: 60 }), T0 + 61 * DAY);
    const days = new Set((await found()).map(({ id }) => id.slice(0, 13)));
    // That day has begun before then, and goes whole.
    expect([...days]).toEqual([uuidPrefix(T0 - (T0 % DAY) + 2 * DAY)]);
    await runMaintenance(places({ database, retentionDays: 60 }), T0 + 70 * DAY);
    for (const table of ["anomalies", "owner_actors", "attribution_hours"])
      expect((await database.prepare(`SELECT 1 FROM ${table}`).all()).results).toEqual([]);
  });
});

/** The database, with each statement's text told before it is prepared. */
function through(told: (sql: string) => void): D1Database {
  return new Proxy(database, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (name === "prepare")
        return (sql: string) => {
          told(sql);
          return target.prepare(sql);
        };
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

describe("each look finds its rows by an index", () => {
  const PARAMETERS: Readonly<Record<keyof typeof ANOMALY_SQL, readonly string[]>> = {
    page: ["01", "02"],
    owners: ["[]"],
    hours: ["[]"],
    manyActors: [JSON.stringify([{ day: "a", owner_id: "b" }])],
    week: ["01", "02"],
    pairs: [JSON.stringify([CHAT])],
    anomalies: ["[]"],
    cursor: ["01"],
  };
  /** Lists that were handed in or made on the way. */
  const OWN = /^(?:SCAN|SEARCH) (?:json_each|told|pairs|\(subquery)/;
  const NARROW = /^SEARCH \w+ USING (?:PRIMARY KEY|(?:COVERING )?INDEX \w+) \(.*[=<>]/;

  async function broad(name: keyof typeof ANOMALY_SQL): Promise<string[]> {
    const statement = database.prepare(`EXPLAIN QUERY PLAN ${ANOMALY_SQL[name]}`).bind(...PARAMETERS[name]);
    const { results } = await statement.all<{ detail: string }>();
    const steps = results.map(({ detail }) => detail);
    return steps.filter((step) => /^(?:SCAN|SEARCH) /.test(step) && !OWN.test(step) && !NARROW.test(step));
  }
  const names = Object.keys(ANOMALY_SQL) as (keyof typeof ANOMALY_SQL)[];

  it.each(names)("%s", async (name) => {
    expect(await broad(name)).toEqual([]);
  });

  it("also once SQLite has counted what there is", async () => {
    await look(story(seededRandom(3)), T0 + 3 * DAY);
    await database.prepare("ANALYZE").run();
    for (const name of names) expect([name, await broad(name)]).toEqual([name, []]);
  });

  it("and of a chat as many rows as it has speakers, not as many as it has requests", async () => {
    const events = Array.from({ length: 3000 }, (_, n) =>
      began(T0 + n, { chat_id: CHAT, initiator_id: n % 2 ? OWNER : BOB }),
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
