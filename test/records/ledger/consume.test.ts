import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import {
  consumeBatch,
  LAST_ATTEMPT,
  MAX_LOGGED_CHARACTERS,
  MAX_BATCH_CHARACTERS,
  FINAL_ATTEMPT,
} from "../../../src/records/ledger/write/consume.ts";
import { sendEvents, toMessages } from "../../../src/events/queue-message.ts";
import type { LedgerDeps } from "../../../src/records/ledger/ledger.ts";
import { storeEvents, storesEvent } from "../../../src/records/ledger/write/store.ts";
import wranglerToml from "../../../wrangler.toml?raw";
import { END, everyEvent, REFUSED, START, TOOL } from "../../support/in-workerd/events.ts";
import { allRows, emptyLedger, type Rows } from "../../support/in-workerd/ledger-database.ts";
import { eventsOf } from "../../support/in-workerd/ledger-events.ts";
import { failingDatabase, keptBucket, linesOf, places } from "../../support/in-workerd/ledger-places.ts";

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

type Given = {
  readonly events?: readonly InterceptorEvent[];
  readonly body?: unknown;
  readonly attempts?: number;
};
type Result = {
  readonly acked: readonly string[];
  readonly retried: Readonly<Record<string, number | undefined>>;
};

/** One delivery of these messages, named m0, m1, …, as the queue sees its end. */
async function deliver(given: readonly Given[], to: LedgerDeps): Promise<Result> {
  const messages = given.map(({ events = [], body = JSON.stringify(events), attempts = 1 }, at) => ({
    id: `m${at}`,
    timestamp: 0,
    attempts,
    body,
  }));
  const batch = createMessageBatch("ai-events", messages);
  // The result tells who is to come again, but not when.
  const retries = batch.messages.map((message) => vi.spyOn(message, "retry"));
  const context = createExecutionContext();
  await consumeBatch(batch, to);
  const { ackAll, retryBatch, explicitAcks, retryMessages } = await getQueueResult(batch, context);
  expect([ackAll, retryBatch.retry]).toEqual([false, false]);
  const delays = retries.map((retry) => retry.mock.calls[0]?.[0]?.delaySeconds);
  return {
    acked: explicitAcks.toSorted(),
    retried: Object.fromEntries(retryMessages.map(({ msgId }) => [msgId, delays[Number(msgId.slice(1))]])),
  };
}

/** The rows that these events make when they are stored without further ado. The ledger is empty after. */
async function rowsFor(events: readonly InterceptorEvent[]): Promise<Rows> {
  await storeEvents(database, events);
  const rows = await allRows(database);
  await emptyLedger();
  return rows;
}

const EVENTS = [0, 1, 2].map((n) => eventsOf({ n, asks: [`c${n}`], brings: `c${n - 1}` }));
/** Whole in form, and yet no row: its tool has no name. */
const POISON = { ...TOOL, tool: null as unknown as string };

describe("a batch", () => {
  it("is stored, archived and done with", async () => {
    const { bucket, objects } = keptBucket();
    const wanted = await rowsFor(EVENTS.flat());
    const to = places({ database, archive: bucket });
    const result = await deliver(
      EVENTS.map((events) => ({ events })),
      to,
    );
    expect(result).toEqual({ acked: ["m0", "m1", "m2"], retried: {} });
    expect(await allRows(database)).toEqual(wanted);
    expect(await Promise.all(Array.from(objects.values(), linesOf))).toEqual([
      expect.arrayContaining(EVENTS.flat().map((event) => expect.objectContaining(event) as unknown)),
    ]);
    expect(to.complaints).toEqual([]);
  });

  it("H8 is the same rows when it comes again, and when its messages come with others", async () => {
    const wanted = await rowsFor(EVENTS.flat());
    const to = places({ database });
    const [a, b, c] = EVENTS.map((events) => ({ events }));
    if (!a || !b || !c) throw new Error("no events");
    await deliver([a, b], to);
    await deliver([a, b], to);
    await deliver([b, c, a, c], to);
    expect(await allRows(database)).toEqual(wanted);
  });

  it("is only archived where there is no database", async () => {
    const { bucket, objects } = keptBucket();
    const result = await deliver([{ events: everyEvent }], places({ archive: bucket }));
    expect(result.acked).toEqual(["m0"]);
    expect((await Promise.all(Array.from(objects.values(), linesOf))).flat()).toHaveLength(everyEvent.length);
  });

  it("of events that have no table is done with", async () => {
    const result = await deliver([{ events: [REFUSED] }], places({ database }));
    expect(result.acked).toEqual(["m0"]);
  });
});

describe("a malformed message", () => {
  it.each([
    ["no JSON", "{"],
    ["no text", { record_type: "interception_start" }],
    ["no list", JSON.stringify(START)],
    ["a list of something else", JSON.stringify([{ secret: "sk-canary" }])],
    ["an id that is a path", JSON.stringify([{ ...START, interception_id: "../../sk-canary" }])],
  ])("(%s) is complained of without its content, dropped, and harms no other", async (_, body) => {
    const wanted = await rowsFor([START, END]);
    const to = places({ database });
    const result = await deliver([{ events: [START] }, { body }, { events: [END] }], to);
    expect(result).toEqual({ acked: ["m0", "m1", "m2"], retried: {} });
    expect(await allRows(database)).toEqual(wanted);
    expect(to.complaints).toEqual(["ledger: 1 malformed in message m1, dropped"]);
  });

  it("loses only what in it is no event", async () => {
    const to = places({ database });
    await deliver([{ body: JSON.stringify([START, 7, END]) }], to);
    const { interceptions = [] } = await allRows(database);
    expect(interceptions).toMatchObject([{ outcome: "completed", api_key_id: START.api_key_id }]);
    expect(to.complaints).toHaveLength(1);
  });
});

/** A statement that is its parameter. */
const BINDS = { bind: (json: string): string => json };

/** How many statements, and how many characters of parameters, each of the database's batches has. */
function countingDatabase(fails: boolean) {
  const batches: { readonly statements: number; readonly characters: number }[] = [];
  const batch = (bound: readonly string[]): Promise<readonly []> => {
    const characters = bound.reduce((sum, json) => sum + json.length, 0);
    batches.push({ statements: bound.length, characters });
    return fails ? Promise.reject(new Error("D1_ERROR: overloaded")) : Promise.resolve([]);
  };
  return { database: { prepare: () => BINDS, batch } as unknown as D1Database, batches };
}

describe("a batch of a hundred messages, each as large as they come", () => {
  const input = "x".repeat(16_384);
  const events = Array.from({ length: 100 }, (_, n) =>
    eventsOf({ n, asks: ["a", "b", "c", "d", "e", "f"] }).map((event) =>
      event.record_type === "tool_usage" ? { ...event, input } : event,
    ),
  );
  const bodies = events.map((own) => ({ body: toMessages(own)[0] ?? "", attempts: 3 }));

  it("is stored in portions, each far smaller than an isolate's memory", async () => {
    expect(bodies[0]?.body.length).toBeGreaterThan(100_000);
    const counting = countingDatabase(false);
    const { acked } = await deliver(bodies, places({ database: counting.database }));
    expect(acked).toHaveLength(100);
    expect(counting.batches.length).toBeGreaterThan(4);
    // What a row has beside its event is little.
    for (const { characters } of counting.batches)
      expect(characters).toBeLessThan(MAX_BATCH_CHARACTERS * 1.1);
  });

  it("has a row for each event", async () => {
    await deliver(bodies, places({ database }));
    const { interceptions = [], tool_usages: tools = [] } = await allRows(database);
    expect(interceptions).toHaveLength(100);
    expect(interceptions.every(({ outcome }) => outcome === "completed")).toBe(true);
    expect(tools).toHaveLength(600);
    expect(tools.every((row) => row["input"] === input)).toBe(true);
  });

  // https://developers.cloudflare.com/d1/platform/limits/
  it("takes under 1,000 statements also where each is stored by itself", async () => {
    const counting = countingDatabase(true);
    const { acked } = await deliver(bodies, places({ database: counting.database }));
    expect(acked).toEqual([]);
    const statements = counting.batches.reduce((sum, { statements: own }) => sum + own, 0);
    expect(statements).toBeGreaterThan(500);
    expect(statements).toBeLessThan(1000);
  });
});

describe("H5 where the database fails", () => {
  it("twice and then does not, the batch is stored with its third delivery", async () => {
    const wanted = await rowsFor(EVENTS.flat());
    const to = places({ database: failingDatabase(database, 2) });
    const given = (attempts: number): Given[] => EVENTS.map((events) => ({ events, attempts }));
    expect(await deliver(given(1), to)).toEqual({ acked: [], retried: { m0: 5, m1: 5, m2: 5 } });
    expect(await deliver(given(2), to)).toEqual({ acked: [], retried: { m0: 10, m1: 10, m2: 10 } });
    expect(await deliver(given(3), to)).toEqual({ acked: ["m0", "m1", "m2"], retried: {} });
    expect(await allRows(database)).toEqual(wanted);
    expect(to.complaints).toEqual([
      "ledger: 3 messages not stored: Error: D1_ERROR: overloaded",
      "ledger: 3 messages not stored: Error: D1_ERROR: overloaded",
    ]);
    expect(to.fallen).toEqual([]);
  });

  it("for long, messages come again ever later, but never later than ten minutes", async () => {
    const to = places({ database: failingDatabase(database, Infinity) });
    const delays = [];
    for (let attempts = 1; attempts < LAST_ATTEMPT; attempts += 1) {
      const { acked, retried } = await deliver([{ events: [START], attempts }], to);
      expect(acked).toEqual([]);
      delays.push(retried["m0"]);
    }
    expect(delays.slice(0, 8)).toEqual([5, 10, 20, 40, 80, 160, 320, 600]);
    expect(new Set(delays.slice(8))).toEqual(new Set([600]));
    expect(to.fallen).toEqual([]);
  });

  it("until the last attempt, the events go into the log and the archive, and the message is done with", async () => {
    const { bucket, objects } = keptBucket();
    const to = places({ database: failingDatabase(database, Infinity), archive: bucket });
    const result = await deliver(
      [
        { events: everyEvent, attempts: LAST_ATTEMPT },
        { events: [END], attempts: 49 },
      ],
      to,
    );
    expect(result).toEqual({ acked: ["m0"], retried: { m1: 600 } });
    expect(to.fallen).toEqual(everyEvent);
    expect((await Promise.all(Array.from(objects.values(), linesOf))).flat()).toHaveLength(everyEvent.length);
    expect(to.complaints).toContain("ledger: message m0 given up: Error: D1_ERROR: overloaded");
  });

  it("nothing is archived before: each delivery would be an object of its own", async () => {
    const { bucket, objects } = keptBucket();
    const to = places({ database: failingDatabase(database, 2), archive: bucket });
    await deliver([{ events: [START], attempts: 5 }], to);
    expect(objects.size).toBe(0);
  });
});

describe("where the archive fails", () => {
  it("the database has the rows, and the message comes again for the archive", async () => {
    const failing = { times: 2 };
    const { bucket, objects } = keptBucket(failing);
    const wanted = await rowsFor([START, END]);
    const to = places({ database, archive: bucket });
    expect((await deliver([{ events: [START, END] }], to)).retried).toEqual({ m0: 5 });
    expect(await allRows(database)).toEqual(wanted);
    expect((await deliver([{ events: [START, END], attempts: 2 }], to)).retried).toEqual({ m0: 10 });
    expect((await deliver([{ events: [START, END], attempts: 3 }], to)).acked).toEqual(["m0"]);
    expect(objects.size).toBe(1);
    expect(await allRows(database)).toEqual(wanted);
  });

  it("to the last, the events go into the log", async () => {
    const { bucket } = keptBucket({ times: Infinity });
    const to = places({ database, archive: bucket });
    const result = await deliver([{ events: [START], attempts: LAST_ATTEMPT }], to);
    expect(result.acked).toEqual(["m0"]);
    expect(to.fallen).toEqual([START]);
  });
});

describe("a poisoned message", () => {
  it("holds up those delivered with it twice at most, and then only itself", async () => {
    const wanted = await rowsFor([...(EVENTS[0] ?? []), ...(EVENTS[1] ?? [])]);
    const to = places({ database });
    const given = (attempts: number): Given[] => [
      { events: EVENTS[0] ?? [], attempts },
      { events: [POISON], attempts },
      { events: EVENTS[1] ?? [], attempts },
    ];
    expect((await deliver(given(1), to)).acked).toEqual([]);
    expect((await deliver(given(2), to)).acked).toEqual([]);
    const third = await deliver(given(3), to);
    expect(third.acked).toEqual(["m0", "m2"]);
    expect(third.retried).toEqual({ m1: 20 });
    expect(await allRows(database)).toEqual(wanted);
  });

  it("ends in the log", async () => {
    const to = places({ database });
    const last = await deliver(
      [
        { events: [POISON], attempts: LAST_ATTEMPT },
        { events: [START], attempts: 3 },
      ],
      to,
    );
    expect(last.acked).toEqual(["m0", "m1"]);
    expect(to.fallen).toEqual([POISON]);
    expect(to.complaints.join()).not.toContain(String(POISON.input));
  });
});

describe("the last attempt", () => {
  it("comes before the queue's own, after which a message would be lost", () => {
    const [, retries] = /^max_retries = (\d+)$/m.exec(wranglerToml) ?? [];
    // The first delivery is no retry, and what is said in the last one must still count.
    expect(FINAL_ATTEMPT).toBeLessThan(Number(retries));
  });

  // The failure: after a day without a database messages come to their end by the hundred, all in one run's log.
  it("of many messages puts no more into one run's log than it takes; the others come again, and end there too", async () => {
    const to = places({ database: failingDatabase(database, Infinity) });
    const all = Array.from({ length: 30 }, (_, n) => eventsOf({ n }));
    let waiting = all;
    let runs = 0;
    for (let attempts = LAST_ATTEMPT; waiting.length > 0; attempts += 1) {
      const before = to.fallen.length;
      const { acked, retried } = await deliver(
        waiting.map((events) => ({ events, attempts })),
        to,
      );
      runs += 1;
      expect(acked.length).toBeGreaterThan(0);
      expect(JSON.stringify(to.fallen.slice(before)).length).toBeLessThanOrEqual(MAX_LOGGED_CHARACTERS);
      expect(Object.values(retried).every((delay) => delay === 600)).toBe(true);
      waiting = waiting.filter((_, at) => `m${at}` in retried);
    }
    expect(to.fallen).toEqual(all.flat());
    expect(runs).toBeGreaterThan(2);
  });

  it("of a message that is larger than that is its last all the same, and so is the very last of each", async () => {
    const to = places({ database: failingDatabase(database, Infinity) });
    const large = [{ ...TOOL, input: "x".repeat(MAX_LOGGED_CHARACTERS + 1) }];
    expect((await deliver([{ events: large, attempts: LAST_ATTEMPT }], to)).acked).toEqual(["m0"]);
    const last = { events: large, attempts: FINAL_ATTEMPT };
    expect((await deliver([last, last, last], to)).acked).toEqual(["m0", "m1", "m2"]);
  });
});

describe("what the sink's end sends", () => {
  it("the consumer stores", async () => {
    const bodies: unknown[] = [];
    const queue = {
      send: (body: unknown) => void bodies.push(body),
      sendBatch: (messages: Iterable<MessageSendRequest>) =>
        void bodies.push(...Array.from(messages, ({ body }) => body)),
    } as unknown as Queue;
    const events = everyEvent.filter(storesEvent);
    const wanted = await rowsFor(events);
    await sendEvents(queue, events);
    const result = await deliver(
      bodies.map((body) => ({ body })),
      places({ database }),
    );
    expect(result.acked).toHaveLength(bodies.length);
    expect(await allRows(database)).toEqual(wanted);
  });
});
