import { beforeEach, describe, expect, it } from "vitest";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { statementsFor } from "../../../src/records/ledger/write/statements.ts";
import { storeEvents } from "../../../src/records/ledger/write/store.ts";
import { allRows, emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { deliveries, eventsOf, idOf, shuffled, type Story } from "../../support/in-workerd/ledger-events.ts";
import { OWNER } from "../../support/in-workerd/values.ts";

const OTHER = "7f3c2a10-1234-4abc-9def-000000000002";

/** Hundreds of orders each: a bound for a hang, not for speed. */
const GENEROUS_MS = 60_000;

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

const CHAIN: readonly Story[] = [
  { n: 1, asks: ["a"] },
  { n: 2, brings: "a", asks: ["b", "b2"] },
  { n: 3, brings: "b2", asks: ["c"] },
  { n: 4, brings: "c", asks: ["d"] },
  { n: 5, brings: "d" },
];

/** Number of the interception → numbers of its parent and root. */
type Links = Readonly<Record<number, readonly [parent: number | null, root: number | null]>>;

async function links(stories: readonly Story[]): Promise<Links> {
  const { interceptions = [] } = await allRows(database);
  const numbers = new Map<unknown, number>(stories.map(({ n, at }) => [idOf(n, at), n]));
  const known = (id: unknown): number | null => (id === null ? null : (numbers.get(id) ?? -1));
  return Object.fromEntries(
    interceptions.map(({ id, thread_parent_id, thread_root_id }) => [
      known(id),
      [known(thread_parent_id), known(thread_root_id)],
    ]),
  );
}

const store = (events: readonly InterceptorEvent[]): Promise<void> => storeEvents(database, events);
const all = (stories: readonly Story[]): InterceptorEvent[] => stories.flatMap((story) => eventsOf(story));

/** What the rules say, worked out without SQL. */
function expected(stories: readonly Story[]): Links {
  const parentOf = (child: Story): Story | undefined =>
    stories
      .filter(({ n, initiator }) => n < child.n && initiator === child.initiator)
      .filter(({ asks = [] }) => child.brings != null && asks.includes(child.brings))
      .toSorted((a, b) => b.n - a.n)[0];
  const rootOf = (story: Story): Story => {
    const parent = parentOf(story);
    return parent ? rootOf(parent) : story;
  };
  return Object.fromEntries(
    stories.map((story) => {
      const parent = parentOf(story);
      return [story.n, [parent?.n ?? null, parent ? rootOf(story).n : null]];
    }),
  );
}

describe("a request that brings back a tool's result", () => {
  it("hangs under the interception that asked for the tool, and under where that chain began", async () => {
    for (const story of CHAIN) await store(eventsOf(story));
    expect(await links(CHAIN)).toEqual({
      1: [null, null],
      2: [1, 1],
      3: [2, 1],
      4: [3, 1],
      5: [4, 1],
    });
  });

  it("is of that chain's session, where the client names none", async () => {
    await store(all([...CHAIN, { n: 6, brings: "d", session: "named" }]));
    const { interceptions = [] } = await allRows(database);
    expect(interceptions.map(({ session_id }) => session_id)).toEqual([
      ...Array.from({ length: 5 }, () => idOf(1)),
      "named",
    ]);
  });

  it("hangs nowhere where nobody asked for the tool, or the call has no id", async () => {
    const stories: readonly Story[] = [
      { n: 1, asks: [null, "a"] },
      { n: 2, brings: "x" },
      { n: 3, brings: null },
    ];
    await store(all(stories));
    expect(await links(stories)).toEqual({ 1: [null, null], 2: [null, null], 3: [null, null] });
  });

  it("hangs under the latest before it where several asked for a tool under that id", async () => {
    const stories: readonly Story[] = [
      { n: 1, asks: ["call_0"] },
      { n: 2, brings: "call_0", asks: ["call_0"] },
      { n: 3, asks: ["call_0"] },
      { n: 4, brings: "call_0" },
      { n: 5, asks: ["call_0"] },
    ];
    await store(all(stories));
    expect(await links(stories)).toMatchObject({ 2: [1, 1], 4: [3, 3] });
  });

  it("never hangs under itself or what came after it", async () => {
    const stories: readonly Story[] = [
      { n: 1, asks: ["a"], brings: "a" },
      { n: 2, asks: ["b"], brings: "c" },
      { n: 3, asks: ["c"], brings: "b" },
    ];
    await store(all(stories));
    expect(await links(stories)).toEqual({ 1: [null, null], 2: [null, null], 3: [2, 2] });
  });
});

// The attack: tool call ids are no secrets (they stand in logs, traces and shared transcripts) and the one that a request
// brings back is whatever its sender writes. Linked by that alone, anyone could hang requests of their own into the
// thread of whoever's call id they have seen, and so into that user's session and record.
describe("whoever knows another initiator's tool call id", { timeout: GENEROUS_MS }, () => {
  const stories: readonly Story[] = [
    { n: 1, asks: ["a"] },
    { n: 2, initiator: OTHER, brings: "a", asks: ["b"] },
    { n: 3, brings: "b" },
  ];

  it("cannot hang a request into that thread, nor draw the other's requests into their own", async () => {
    await forSeedsAsync(20, async (seed) => {
      await emptyLedger();
      for (const call of deliveries(all(stories), seededRandom(seed))) await store(call);
      expect(await links(stories)).toEqual({ 1: [null, null], 2: [null, null], 3: [null, null] });
    });
  });
});

describe("a thread", { timeout: GENEROUS_MS }, () => {
  it("is the same for every order in which five interceptions of a chain are stored", async () => {
    const stories = CHAIN.map((story) => eventsOf(story));
    await store(stories.flat());
    const wanted = await allRows(database);
    const orders = permutations([0, 1, 2, 3, 4]);
    for (const order of orders) {
      await emptyLedger();
      for (const at of order) await store(stories[at] ?? []);
      expect({ order, rows: await allRows(database) }).toEqual({ order, rows: wanted });
    }
    expect(orders).toHaveLength(120);
  });

  it("is the same for every order of its events, one by one or in calls", async () => {
    await store(all(CHAIN));
    const wanted = await allRows(database);
    await forSeedsAsync(60, async (seed) => {
      await emptyLedger();
      const random = seededRandom(seed);
      const calls =
        seed % 2 === 0
          ? deliveries(all(CHAIN), random)
          : shuffled(all(CHAIN), random).map((event) => [event]);
      for (const call of calls) await store(call);
      expect(await allRows(database)).toEqual(wanted);
    });
  });

  it("is what the rules say for any web of calls, ids used again and several initiators", async () => {
    await forSeedsAsync(80, async (seed) => {
      await emptyLedger();
      const random = seededRandom(seed);
      const id = (): string => `call_${between(random, 0, 3)}`;
      const stories = Array.from({ length: 9 }, (_, n): Story => {
        const asks = Array.from({ length: between(random, 0, 2) }, id);
        return { n, asks, brings: random() < 0.8 ? id() : null, initiator: random() < 0.7 ? OWNER : OTHER };
      });
      for (const call of deliveries(all(stories), random)) await store(call);
      expect(await links(stories)).toEqual(expected(stories));
    });
  });

  it("is the same however small the statements are cut", async () => {
    await forSeedsAsync(20, async (seed) => {
      await emptyLedger();
      for (const call of deliveries(all(CHAIN), seededRandom(seed))) {
        const cut = statementsFor(call, 1).map(({ sql, json }) => database.prepare(sql).bind(json));
        await database.batch(cut);
      }
      expect(await links(CHAIN)).toEqual(expected(CHAIN));
    });
  });

  it("moves as a whole when in one call it gets a new beginning and a new end", async () => {
    const [first, second, third, fourth] = CHAIN.map((story) => eventsOf(story));
    await store([...(second ?? []), ...(third ?? [])]);
    await store([...(first ?? []), ...(fourth ?? [])]);
    expect(await links(CHAIN)).toEqual({ 1: [null, null], 2: [1, 1], 3: [2, 1], 4: [3, 1] });
  });

  it("stays whole when its beginning is forgotten and its rest delivered again", async () => {
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
