import { beforeEach, describe, expect, it } from "vitest";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { toLedgerEvents } from "../../../src/events/ledger-events.ts";
import { statementsOf, storeEvents } from "../../support/in-workerd/store-events.ts";
import { allRows, emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import {
  deliveries,
  eventsOf,
  idOf,
  shuffled,
  type Evidence,
  type InterceptionSpec,
} from "../../support/in-workerd/ledger-events.ts";
import { OWNER } from "../../support/in-workerd/values.ts";

const OTHER = "7f3c2a10-1234-4abc-9def-000000000002";

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

const CHAIN: readonly InterceptionSpec[] = [
  { n: 1, toolCalls: ["a"] },
  { n: 2, resultOf: "a", toolCalls: ["b", "b2"] },
  { n: 3, resultOf: "b2", toolCalls: ["c"] },
  { n: 4, resultOf: "c", toolCalls: ["d"] },
  { n: 5, resultOf: "d" },
];

/** Number of the interception → numbers of its parent and root. */
type Links = Readonly<Record<number, readonly [parent: number | null, root: number | null]>>;

async function links(specs: readonly InterceptionSpec[]): Promise<Links> {
  const { interceptions = [] } = await allRows(database);
  const numbers = new Map<unknown, number>(specs.map(({ n, at }) => [idOf(n, at), n]));
  const known = (id: unknown): number | null => (id === null ? null : (numbers.get(id) ?? -1));
  return Object.fromEntries(
    interceptions.map(({ id, thread_parent_id, thread_root_id }) => [
      known(id),
      [known(thread_parent_id), known(thread_root_id)],
    ]),
  );
}

const store = (events: readonly InterceptorEvent[]): Promise<number> => storeEvents(database, events);
const all = (specs: readonly InterceptionSpec[]): InterceptorEvent[] =>
  specs.flatMap((spec) => toLedgerEvents(eventsOf(spec)));

/** The links by the rules, computed without SQL. */
function expectedLinks(specs: readonly InterceptionSpec[]): Links {
  const parentOf = (child: InterceptionSpec): InterceptionSpec | undefined =>
    specs
      .filter(({ n, initiator }) => n < child.n && initiator === child.initiator)
      .filter(({ toolCalls = [] }) => child.resultOf != null && toolCalls.includes(child.resultOf))
      .toSorted((a, b) => b.n - a.n)[0];
  const rootOf = (spec: InterceptionSpec): InterceptionSpec => {
    const parent = parentOf(spec);
    return parent ? rootOf(parent) : spec;
  };
  return Object.fromEntries(
    specs.map((spec) => {
      const parent = parentOf(spec);
      return [spec.n, [parent?.n ?? null, parent ? rootOf(spec).n : null]];
    }),
  );
}

describe("a request with a tool's result", () => {
  it("is the child of the interception with that tool call, in the thread where the chain began", async () => {
    for (const spec of CHAIN) await store(eventsOf(spec));
    expect(await links(CHAIN)).toEqual({
      1: [null, null],
      2: [1, 1],
      3: [2, 1],
      4: [3, 1],
      5: [4, 1],
    });
  });

  it("belongs to the chain's session unless the client sends a session id", async () => {
    await store(all([...CHAIN, { n: 6, resultOf: "d", session: "named" }]));
    const { interceptions = [] } = await allRows(database);
    expect(interceptions.map(({ session_id }) => session_id)).toEqual([
      ...Array.from({ length: 5 }, () => idOf(1)),
      "named",
    ]);
  });

  it("has no parent when no interception made the tool call, or the call has no id", async () => {
    const specs: readonly InterceptionSpec[] = [
      { n: 1, toolCalls: [null, "a"] },
      { n: 2, resultOf: "x" },
      { n: 3, resultOf: null },
    ];
    await store(all(specs));
    expect(await links(specs)).toEqual({ 1: [null, null], 2: [null, null], 3: [null, null] });
  });

  it("is the child of the latest earlier interception when several made a call with that id", async () => {
    const specs: readonly InterceptionSpec[] = [
      { n: 1, toolCalls: ["call_0"] },
      { n: 2, resultOf: "call_0", toolCalls: ["call_0"] },
      { n: 3, toolCalls: ["call_0"] },
      { n: 4, resultOf: "call_0" },
      { n: 5, toolCalls: ["call_0"] },
    ];
    await store(all(specs));
    expect(await links(specs)).toMatchObject({ 2: [1, 1], 4: [3, 3] });
  });

  it("is never the child of itself or of a later interception", async () => {
    const specs: readonly InterceptionSpec[] = [
      { n: 1, toolCalls: ["a"], resultOf: "a" },
      { n: 2, toolCalls: ["b"], resultOf: "c" },
      { n: 3, toolCalls: ["c"], resultOf: "b" },
    ];
    await store(all(specs));
    expect(await links(specs)).toEqual({ 1: [null, null], 2: [null, null], 3: [2, 2] });
  });
});

// The attack: tool call ids are not secret (they appear in logs, traces and shared transcripts), and the client chooses the
// id that a request carries. Linked by the id alone, a caller could attach requests to the thread of any user whose call id
// they have seen, and so to that user's session and record.
describe("a caller who knows another initiator's tool call id", () => {
  const specs: readonly InterceptionSpec[] = [
    { n: 1, toolCalls: ["a"] },
    { n: 2, initiator: OTHER, resultOf: "a", toolCalls: ["b"] },
    { n: 3, resultOf: "b" },
  ];

  it("cannot attach a request to that thread, nor take the other's requests into their own", async () => {
    await forSeedsAsync(20, async (seed) => {
      await emptyLedger();
      for (const call of deliveries(all(specs), seededRandom(seed))) await store(call);
      expect(await links(specs)).toEqual({ 1: [null, null], 2: [null, null], 3: [null, null] });
    });
  });
});

// The attack (H1): a request that only claims to be for the victim carries a tool call id of the victim's, such as `call_0`
// at a provider that numbers them. Linked by the initiator's id, it was a child in the victim's own thread. M3: a second
// person, known to another source under the same id, did the same.
describe("a request with weaker or other evidence for the same initiator id", () => {
  const own: Evidence = {
    actor_id: OWNER,
    actor_kind: "user",
    identity_source: "coder",
    initiator_source: "coder",
    attribution: "authenticated",
  };
  const asserted: Evidence = {
    actor_id: "ci-bot",
    actor_kind: "service",
    identity_source: "keys",
    initiator_source: "coder",
    attribution: "asserted",
  };
  const claimed: Evidence = {
    ...asserted,
    actor_id: "byok:0123456789abcdef0123456789abcdef",
    actor_kind: "unknown",
    identity_source: "byok",
    attribution: "claimed",
  };
  const ofOtherSource: Evidence = { ...own, identity_source: "jwt", initiator_source: "jwt" };

  it.each<[string, Evidence, Evidence]>([
    ["Finding H1: asserted beside authenticated", own, asserted],
    ["claimed beside authenticated", own, claimed],
    ["claimed beside asserted", asserted, claimed],
    ["asserted beside signed", { ...asserted, attribution: "signed" }, asserted],
    ["asserted by another actor", asserted, { ...asserted, actor_id: "mallory" }],
    ["asserted by an actor of that id in another source", asserted, { ...asserted, identity_source: "jwt" }],
    ["Finding M3: the same id from another source", own, ofOtherSource],
    ["an owner with the same id in another source", asserted, { ...asserted, initiator_source: "access" }],
  ])("is in no thread of the other, in any order: %s", async (_, victim, attacker) => {
    const specs: readonly InterceptionSpec[] = [
      { n: 1, toolCalls: ["call_0"], evidence: victim },
      { n: 2, toolCalls: ["call_0"], resultOf: "call_0", evidence: attacker },
      { n: 3, toolCalls: ["call_1"], resultOf: "call_0", evidence: victim },
      { n: 4, resultOf: "call_0", evidence: attacker },
      { n: 5, resultOf: "call_1", evidence: attacker },
      { n: 6, resultOf: "call_1", evidence: victim },
    ];
    const expected = {
      1: [null, null],
      2: [null, null],
      3: [1, 1],
      4: [2, 2],
      5: [null, null],
      6: [3, 1],
    };
    await forSeedsAsync(10, async (seed) => {
      await emptyLedger();
      for (const call of deliveries(all(specs), seededRandom(seed))) await store(call);
      expect(await links(specs)).toEqual(expected);
    });
    await forSeedsAsync(10, async (seed) => {
      await emptyLedger();
      for (const event of shuffled(all(specs), seededRandom(seed))) await store([event]);
      expect(await links(specs)).toEqual(expected);
    });
  });

  it("links a tool call by its interception, also where the call is stored first and alone", async () => {
    const [first = [], second = []] = [
      eventsOf({ n: 1, toolCalls: ["a"], evidence: own }),
      eventsOf({ n: 2, resultOf: "a", evidence: own }),
    ];
    const [start, end, , tool] = first;
    for (const event of [tool, ...second, start]) await store(event ? [event] : []);
    expect(await links([{ n: 1 }, { n: 2 }])).toEqual({ 1: [null, null], 2: [1, 1] });
    await store(end ? [end] : []);
    expect(await links([{ n: 1 }, { n: 2 }])).toEqual({ 1: [null, null], 2: [1, 1] });
  });
});

describe("a thread", () => {
  it("is the same for every order of the five interceptions of a chain", async () => {
    const specs = CHAIN.map((spec) => eventsOf(spec));
    await store(specs.flat());
    const expected = await allRows(database);
    const orders = permutations([0, 1, 2, 3, 4]);
    for (const order of orders) {
      await emptyLedger();
      for (const at of order) await store(specs[at] ?? []);
      expect({ order, rows: await allRows(database) }).toEqual({ order, rows: expected });
    }
    expect(orders).toHaveLength(120);
  });

  it("is the same for random orders of its events, one by one or in groups", async () => {
    await store(all(CHAIN));
    const expected = await allRows(database);
    await forSeedsAsync(60, async (seed) => {
      await emptyLedger();
      const random = seededRandom(seed);
      const calls =
        seed % 2 === 0
          ? deliveries(all(CHAIN), random)
          : shuffled(all(CHAIN), random).map((event) => [event]);
      for (const call of calls) await store(call);
      expect(await allRows(database)).toEqual(expected);
    });
  });

  it("follows the rules for random calls with repeated ids and several initiators", async () => {
    await forSeedsAsync(80, async (seed) => {
      await emptyLedger();
      const random = seededRandom(seed);
      const id = (): string => `call_${between(random, 0, 3)}`;
      const specs = Array.from({ length: 9 }, (_, n): InterceptionSpec => {
        const toolCalls = Array.from({ length: between(random, 0, 2) }, id);
        return {
          n,
          toolCalls,
          resultOf: random() < 0.8 ? id() : null,
          initiator: random() < 0.7 ? OWNER : OTHER,
        };
      });
      for (const call of deliveries(all(specs), random)) await store(call);
      expect(await links(specs)).toEqual(expectedLinks(specs));
    });
  });

  it("is the same for any size of the statements", async () => {
    await forSeedsAsync(20, async (seed) => {
      await emptyLedger();
      for (const call of deliveries(all(CHAIN), seededRandom(seed))) {
        const cut = statementsOf(call, 1).map(({ sql, json }) => database.prepare(sql).bind(json));
        await database.batch(cut);
      }
      expect(await links(CHAIN)).toEqual(expectedLinks(CHAIN));
    });
  });

  it("moves completely when one call adds a new beginning and a new end", async () => {
    const [first, second, third, fourth] = CHAIN.map((spec) => eventsOf(spec));
    await store([...(second ?? []), ...(third ?? [])]);
    await store([...(first ?? []), ...(fourth ?? [])]);
    expect(await links(CHAIN)).toEqual({ 1: [null, null], 2: [1, 1], 3: [2, 1], 4: [3, 1] });
  });

  it("keeps its links when its beginning has expired and the rest is delivered again", async () => {
    await store(all(CHAIN));
    await database.batch([
      database.prepare("DELETE FROM tool_usages WHERE interception_id <= ?1").bind(idOf(2)),
      database.prepare("DELETE FROM interceptions WHERE id <= ?1").bind(idOf(2)),
    ]);
    const before = await allRows(database);
    await store(all(CHAIN.slice(2)).filter((event) => event.record_type !== "tool_usage"));
    const { interceptions = [] } = await allRows(database);
    const parents = (rows: typeof interceptions): unknown[] => rows.map((row) => row["thread_parent_id"]);
    expect(parents(interceptions)).toEqual(parents(before["interceptions"] ?? []));
  });
});

function permutations<T>(values: readonly T[]): T[][] {
  if (values.length <= 1) return [[...values]];
  return values.flatMap((value, at) => permutations(values.toSpliced(at, 1)).map((rest) => [value, ...rest]));
}

describe("a thread whose older rows are deleted by age", () => {
  it("keeps its parent where an older call with the same id arrives late", async () => {
    const specs: readonly InterceptionSpec[] = [
      { n: 1, toolCalls: ["a"] },
      { n: 2, toolCalls: ["a"] },
      { n: 3, resultOf: "a" },
    ];
    await store(all(specs.slice(1)));
    await database.prepare("DELETE FROM tool_usages").run();
    await store(all(specs.slice(0, 1)));
    expect((await links(specs))[3]).toEqual([2, 2]);
  });

  it("has the deleted parent as its root, also where that one's events arrive again", async () => {
    const specs: readonly InterceptionSpec[] = [
      { n: 1, toolCalls: ["a"] },
      { n: 2, resultOf: "a", toolCalls: ["b"] },
      { n: 3, resultOf: "b" },
    ];
    const first = all(specs.slice(0, 1));
    await store(first);
    await database.prepare("DELETE FROM interceptions").run();
    const again = first.filter(({ record_type }) => record_type === "tool_usage");
    await store([...again, ...all(specs.slice(1))]);
    expect(await links(specs)).toEqual({ 2: [1, 1], 3: [2, 1] });
  });
});
