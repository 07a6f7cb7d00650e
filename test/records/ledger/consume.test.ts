import { createExecutionContext, createMessageBatch, getQueueResult } from "cloudflare:test";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import {
  consumeBatch,
  LOG_IF_ROOM_FROM_ATTEMPT,
  MAX_LOGGED_CHARACTERS,
  POSTPONED_S,
  LOG_ALWAYS_FROM_ATTEMPT,
} from "../../../src/records/ledger/write/consume.ts";
import { MAX_BATCH_CHARACTERS } from "../../../src/records/ledger/write/plan-batch.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { toLedgerEvents } from "../../../src/events/ledger-events.ts";
import { toMessages } from "../../support/messages.ts";
import { sendMessages } from "../../../src/gateway/sinks/queue.ts";
import type { LedgerDeps } from "../../../src/records/ledger/ledger.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import recordsToml from "../../../wrangler.records.toml?raw";
import { END, sentEvents, REFUSED, START, TOOL } from "../../support/in-workerd/events.ts";
import { allRows, emptyLedger, type Rows } from "../../support/in-workerd/ledger-database.ts";
import { allEventsOf, eventsOf } from "../../support/in-workerd/ledger-events.ts";
import {
  failingDatabase,
  memoryBucket,
  readLines,
  ledgerDeps,
} from "../../support/in-workerd/ledger-deps.ts";

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

type TestMessage = {
  readonly events?: readonly InterceptorEvent[];
  readonly body?: unknown;
  readonly attempts?: number;
};
type Result = {
  readonly acked: readonly string[];
  readonly retried: Readonly<Record<string, number | undefined>>;
};

/** Delivers the messages m0, m1, … in one batch, and returns their acknowledgements and retries. */
async function deliver(testMessages: readonly TestMessage[], deps: LedgerDeps): Promise<Result> {
  const messages = testMessages.map(({ events = [], body = JSON.stringify(events), attempts = 1 }, at) => ({
    id: `m${at}`,
    timestamp: 0,
    attempts,
    body,
  }));
  const batch = createMessageBatch("ai-events", messages);
  // The queue result lists the retries without their delays.
  const retries = batch.messages.map((message) => vi.spyOn(message, "retry"));
  const context = createExecutionContext();
  await consumeBatch(batch, deps);
  const { ackAll, retryBatch, explicitAcks, retryMessages } = await getQueueResult(batch, context);
  expect([ackAll, retryBatch.retry]).toEqual([false, false]);
  const delays = retries.map((retry) => retry.mock.calls[0]?.[0]?.delaySeconds);
  return {
    acked: explicitAcks.toSorted(),
    retried: Object.fromEntries(retryMessages.map(({ msgId }) => [msgId, delays[Number(msgId.slice(1))]])),
  };
}

/** The rows that these events make when stored directly. Leaves the ledger empty. */
async function rowsFor(events: readonly InterceptorEvent[]): Promise<Rows> {
  await storeEvents(database, events);
  const rows = await allRows(database);
  await emptyLedger();
  return rows;
}

const EVENTS = [0, 1, 2].map((n) => eventsOf({ n, toolCalls: [`c${n}`], resultOf: `c${n - 1}` }));
/** A valid event that D1 rejects: its tool has no name. */
const POISON = { ...TOOL, tool: null as unknown as string };

describe("a batch", () => {
  it("is stored, archived and acknowledged", async () => {
    const { bucket, objects } = memoryBucket();
    const expected = await rowsFor(EVENTS.flat());
    const deps = ledgerDeps({ database, archive: bucket });
    const result = await deliver(
      EVENTS.map((events) => ({ events })),
      deps,
    );
    expect(result).toEqual({ acked: ["m0", "m1", "m2"], retried: {} });
    expect(await allRows(database)).toEqual(expected);
    expect(await Promise.all(Array.from(objects.values(), readLines))).toEqual([
      expect.arrayContaining(
        toLedgerEvents(EVENTS.flat()).map((event) => expect.objectContaining(event) as unknown),
      ),
    ]);
    expect(deps.operatorErrors).toEqual([]);
  });

  it("makes the same rows where one message holds the events of many requests", async () => {
    const expected = await rowsFor(EVENTS.flat());
    // As requests that run at once write them: every start before every end.
    const mixed = EVENTS.flat().toSorted((a, b) => (a.record_type < b.record_type ? 1 : -1));
    expect((await deliver([{ events: mixed }], ledgerDeps({ database }))).acked).toEqual(["m0"]);
    expect(await allRows(database)).toEqual(expected);
  });

  it("H8 makes the same rows when it is redelivered, alone or with other messages", async () => {
    const expected = await rowsFor(EVENTS.flat());
    const deps = ledgerDeps({ database });
    const [a, b, c] = EVENTS.map((events) => ({ events }));
    if (!a || !b || !c) throw new Error("no events");
    await deliver([a, b], deps);
    await deliver([a, b], deps);
    await deliver([b, c, a, c], deps);
    expect(await allRows(database)).toEqual(expected);
  });

  it("is only archived without a database", async () => {
    const { bucket, objects } = memoryBucket();
    const result = await deliver([{ events: sentEvents }], ledgerDeps({ archive: bucket }));
    expect(result.acked).toEqual(["m0"]);
    expect((await Promise.all(Array.from(objects.values(), readLines))).flat()).toHaveLength(
      toLedgerEvents(sentEvents).length,
    );
  });

  it("of events without a table is acknowledged", async () => {
    const result = await deliver([{ events: [REFUSED] }], ledgerDeps({ database }));
    expect(result.acked).toEqual(["m0"]);
  });
});

/** A statement with its parameter. The queries of the journal and of open erasures have none. */
type Bound = { readonly json: string; readonly bind: (json: string) => Bound; readonly all: () => object };
const bound = (json: string): Bound => ({ json, bind: bound, all: () => ({ results: [] }) });

/** A database that counts the statements and the parameter characters of each batch. */
function countingDatabase(fails: boolean) {
  const batches: { readonly statements: number; readonly characters: number }[] = [];
  const batch = (statements: readonly Bound[]): Promise<readonly []> => {
    const characters = statements.reduce((sum, { json }) => sum + json.length, 0);
    batches.push({ statements: statements.length, characters });
    return fails ? Promise.reject(new Error("D1_ERROR: NOT NULL constraint failed")) : Promise.resolve([]);
  };
  return { database: { prepare: () => bound(""), batch } as unknown as D1Database, batches };
}

describe("a batch of a hundred messages of the maximum size", () => {
  const input = "x".repeat(16_384);
  const events = Array.from({ length: 100 }, (_, n) =>
    eventsOf({ n, toolCalls: ["a", "b", "c", "d", "e", "f"] }).map((event) =>
      event.record_type === "tool_usage" ? { ...event, input } : event,
    ),
  );
  const bodies = events.map((group) => ({ body: toMessages(group)[0] ?? "", attempts: 2 }));

  it("is stored in parts, each far smaller than an isolate's memory", async () => {
    expect(bodies[0]?.body.length).toBeGreaterThan(100_000);
    const counting = countingDatabase(false);
    const { acked } = await deliver(bodies, ledgerDeps({ database: counting.database }));
    expect(acked).toHaveLength(100);
    expect(counting.batches.length).toBeGreaterThan(4);
    // The computed fields add little to the events.
    for (const { characters } of counting.batches)
      expect(characters).toBeLessThan(MAX_BATCH_CHARACTERS * 1.1);
  });

  it("has a row for each event", async () => {
    await deliver(bodies, ledgerDeps({ database }));
    const { interceptions = [], tool_usages: tools = [] } = await allRows(database);
    expect(interceptions).toHaveLength(100);
    expect(interceptions.every(({ outcome }) => outcome === "completed")).toBe(true);
    expect(tools).toHaveLength(600);
    expect(tools.every((row) => row["input"] === input)).toBe(true);
  });

  // https://developers.cloudflare.com/d1/platform/limits/
  it("takes fewer than 1,000 statements when each message is stored by itself", async () => {
    const counting = countingDatabase(true);
    const messages = events.map((group, n) => ({
      events: [...group, ...allEventsOf({ n, toolCalls: ["a"], resultOf: "b" })],
      attempts: 3,
    }));
    const { acked } = await deliver(messages, ledgerDeps({ database: counting.database }));
    expect(acked).toEqual([]);
    const statements = counting.batches.reduce((sum, batch) => sum + batch.statements, 0);
    expect(statements).toBeGreaterThan(400);
    expect(statements).toBeLessThan(1000);
  });
});

describe("H5 when the database fails", () => {
  it("twice, the batch is stored by its third delivery", async () => {
    const expected = await rowsFor(EVENTS.flat());
    const deps = ledgerDeps({ database: failingDatabase(database, 2) });
    const messagesAt = (attempts: number): TestMessage[] => EVENTS.map((events) => ({ events, attempts }));
    expect(await deliver(messagesAt(1), deps)).toEqual({ acked: [], retried: { m0: 5, m1: 5, m2: 5 } });
    expect(await deliver(messagesAt(2), deps)).toEqual({ acked: [], retried: { m0: 10, m1: 10, m2: 10 } });
    // From the third delivery on, half of the messages are processed in each run.
    const third = await deliver(messagesAt(3), deps);
    const postponed = Object.keys(third.retried);
    expect(third).toEqual({
      acked: ["m0", "m1", "m2"].filter((id) => !postponed.includes(id)),
      retried: Object.fromEntries(postponed.map((id) => [id, POSTPONED_S])),
    });
    for (const id of postponed) {
      const events = EVENTS[Number(id.slice(1))] ?? [];
      expect((await deliver([{ events, attempts: 4 }], deps)).acked).toEqual(["m0"]);
    }
    expect(await allRows(database)).toEqual(expected);
    expect(deps.operatorErrors).toEqual([
      { event: "messages_not_stored", messages: 3, error: "Error: D1_ERROR: Network connection lost." },
      { event: "messages_not_stored", messages: 3, error: "Error: D1_ERROR: Network connection lost." },
    ]);
    expect(deps.fallbackEvents).toEqual([]);
  });

  it("for long, messages are retried with exponential backoff up to ten minutes", async () => {
    const deps = ledgerDeps({ database: failingDatabase(database, Infinity) });
    const delays = [];
    for (let attempts = 1; attempts < LOG_IF_ROOM_FROM_ATTEMPT; attempts += 1) {
      const { acked, retried } = await deliver([{ events: [START], attempts }], deps);
      expect(acked).toEqual([]);
      delays.push(retried["m0"]);
    }
    expect(delays.slice(0, 8)).toEqual([5, 10, 20, 40, 80, 160, 320, 600]);
    expect(new Set(delays.slice(8))).toEqual(new Set([600]));
    expect(deps.fallbackEvents).toEqual([]);
  });

  it.each([
    ["D1_ERROR: D1 DB is overloaded. Too many requests queued.", [30, 60, 120, 240, 480, 900, 900]],
    ["D1_ERROR: D1 DB is overloaded. Requests queued for too long.", [30, 60, 120, 240, 480, 900, 900]],
    ["D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.", [30, 60, 120, 240, 480, 900, 900]],
    ["D1_ERROR: D1 DB exceeded its CPU time limit and was reset.", [30, 60, 120, 240, 480, 900, 900]],
    [
      "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
      [30, 60, 120, 240, 480, 900, 900],
    ],
    ["D1_ERROR: D1 DB reset because its code was updated.", [5, 10, 20, 40, 80, 160, 320]],
  ])("by %j, messages are retried after %j seconds", async (message, expected) => {
    const deps = ledgerDeps({ database: failingDatabase(database, Infinity, message) });
    const delays = [];
    for (let attempts = 1; attempts <= expected.length; attempts += 1)
      delays.push((await deliver([{ events: [START], attempts }], deps)).retried["m0"]);
    expect(delays).toEqual(expected);
  });

  // A database that is down takes up to 30 s for each error, and a run has 15 minutes.
  it("by a failure of the database itself, no other message of the batch is tried", async () => {
    let batches = 0;
    const failing = failingDatabase(database, Infinity);
    const counting = new Proxy(failing, {
      get: (target, name) => {
        if (name === "batch") batches += 1;
        return Reflect.get(target, name) as unknown;
      },
    });
    const messages = Array.from({ length: 100 }, (_, n) => ({ events: eventsOf({ n }), attempts: 4 }));
    const { acked, retried } = await deliver(messages, ledgerDeps({ database: counting }));
    expect(acked).toEqual([]);
    expect(batches).toBe(1);
    expect(new Set(Object.values(retried))).toEqual(new Set([40]));
  });

  it("until the last attempt, the events go into the log and the archive, and the message is acknowledged", async () => {
    const { bucket, objects } = memoryBucket();
    const deps = ledgerDeps({ database: failingDatabase(database, Infinity), archive: bucket });
    const result = await deliver(
      [
        { events: sentEvents, attempts: LOG_IF_ROOM_FROM_ATTEMPT },
        { events: [END], attempts: 49 },
      ],
      deps,
    );
    expect(result).toEqual({ acked: ["m0"], retried: { m1: 600 } });
    expect(deps.fallbackEvents).toEqual(sentEvents);
    expect((await Promise.all(Array.from(objects.values(), readLines))).flat()).toHaveLength(
      toLedgerEvents(sentEvents).length,
    );
    expect(deps.operatorErrors).toContainEqual({
      event: "message_given_up",
      message_id: "m0",
      error: "Error: D1_ERROR: Network connection lost.",
    });
  });

  it("before the last attempt, nothing is archived: each delivery would be another object", async () => {
    const { bucket, objects } = memoryBucket();
    const deps = ledgerDeps({ database: failingDatabase(database, 2), archive: bucket });
    await deliver([{ events: [START], attempts: 5 }], deps);
    expect(objects.size).toBe(0);
  });
});

describe("when the archive fails", () => {
  it("the database has the rows, and the message is retried for the archive", async () => {
    const failing = { times: 2 };
    const { bucket, objects } = memoryBucket(failing);
    const expected = await rowsFor([START, END]);
    const deps = ledgerDeps({ database, archive: bucket });
    expect((await deliver([{ events: [START, END] }], deps)).retried).toEqual({ m0: 5 });
    expect(await allRows(database)).toEqual(expected);
    expect((await deliver([{ events: [START, END], attempts: 2 }], deps)).retried).toEqual({ m0: 10 });
    expect((await deliver([{ events: [START, END], attempts: 3 }], deps)).acked).toEqual(["m0"]);
    expect(objects.size).toBe(1);
    expect(await allRows(database)).toEqual(expected);
  });

  it("until the last attempt, the events go into the log", async () => {
    const { bucket } = memoryBucket({ times: Infinity });
    const deps = ledgerDeps({ database, archive: bucket });
    const result = await deliver([{ events: [START], attempts: LOG_IF_ROOM_FROM_ATTEMPT }], deps);
    expect(result.acked).toEqual(["m0"]);
    expect(deps.fallbackEvents).toEqual([START]);
  });
});

describe("a message that the database rejects", () => {
  it("delays the messages of its batch for some attempts, then only itself", async () => {
    const expected = await rowsFor([...(EVENTS[0] ?? []), ...(EVENTS[1] ?? [])]);
    const deps = ledgerDeps({ database });
    const bodies: Record<string, readonly InterceptorEvent[]> = {
      a: EVENTS[0] ?? [],
      bad: [POISON],
      b: EVENTS[1] ?? [],
    };
    const deliverAll = (names: readonly string[], attempts: number): Promise<Result> =>
      deliver(
        names.map((name) => ({ events: bodies[name] ?? [], attempts })),
        deps,
      );
    let left = Object.keys(bodies);
    expect(await deliverAll(left, 1)).toEqual({ acked: [], retried: { m0: 5, m1: 5, m2: 5 } });
    expect(await deliverAll(left, 2)).toEqual({ acked: [], retried: { m0: 10, m1: 10, m2: 10 } });
    for (let attempts = 3; left.length > 1; attempts += 1) {
      const { acked } = await deliverAll(left, attempts);
      left = left.filter((_, at) => !acked.includes(`m${at}`));
      expect(attempts).toBeLessThan(12);
    }
    expect(left).toEqual(["bad"]);
    expect(await allRows(database)).toEqual(expected);
  });

  it("goes into the log at its last attempt", async () => {
    const deps = ledgerDeps({ database });
    const last = await deliver([{ events: [POISON], attempts: LOG_IF_ROOM_FROM_ATTEMPT }], deps);
    expect(last.acked).toEqual(["m0"]);
    expect(deps.fallbackEvents).toEqual([POISON]);
    expect(JSON.stringify(deps.operatorErrors)).not.toContain(String(POISON.input));
  });
});

const byId = (one: InterceptorEvent, other: InterceptorEvent): number =>
  eventId(one) < eventId(other) ? -1 : 1;

describe("the last attempt", () => {
  it("comes before the last delivery of the queue, after which a message would be lost", () => {
    const [, retries] = /^max_retries = (\d+)$/m.exec(recordsToml) ?? [];
    // The first delivery is not a retry, and the outcome of the last one must still count.
    expect(LOG_ALWAYS_FROM_ATTEMPT).toBeLessThan(Number(retries));
  });

  // The failure: after a day without a database, messages reach their last attempt by the hundred, all in one run's log.
  it("writes no more into one run's log than it accepts; the other messages are retried and logged later", async () => {
    const deps = ledgerDeps({ database: failingDatabase(database, Infinity) });
    const all = Array.from({ length: 30 }, (_, n) => eventsOf({ n }));
    let waiting = all;
    let runs = 0;
    for (let attempts = LOG_IF_ROOM_FROM_ATTEMPT; waiting.length > 0; attempts += 1) {
      const before = deps.fallbackEvents.length;
      const { acked, retried } = await deliver(
        waiting.map((events) => ({ events, attempts })),
        deps,
      );
      runs += 1;
      expect(acked.length).toBeGreaterThan(0);
      expect(JSON.stringify(deps.fallbackEvents.slice(before)).length).toBeLessThanOrEqual(
        MAX_LOGGED_CHARACTERS,
      );
      expect(Object.values(retried).every((delay) => delay === 600)).toBe(true);
      waiting = waiting.filter((_, at) => `m${at}` in retried);
    }
    // In the order in which the runs drew the messages.
    expect(deps.fallbackEvents.toSorted(byId)).toEqual(all.flat().toSorted(byId));
    expect(runs).toBeGreaterThan(2);
  });

  it("logs a message larger than that bound, and every message at its final attempt", async () => {
    const deps = ledgerDeps({ database: failingDatabase(database, Infinity) });
    const large = [{ ...TOOL, input: "x".repeat(MAX_LOGGED_CHARACTERS + 1) }];
    expect((await deliver([{ events: large, attempts: LOG_IF_ROOM_FROM_ATTEMPT }], deps)).acked).toEqual([
      "m0",
    ]);
    const last = { events: large, attempts: LOG_ALWAYS_FROM_ATTEMPT };
    expect((await deliver([last, last, last], deps)).acked).toEqual(["m0", "m1", "m2"]);
  });
});

describe("messages of the records sink", () => {
  it("are stored by the consumer", async () => {
    const bodies: unknown[] = [];
    const queue = {
      send: (body: unknown) => void bodies.push(body),
      sendBatch: (messages: Iterable<MessageSendRequest>) =>
        void bodies.push(...Array.from(messages, ({ body }) => body)),
    } as unknown as Queue;
    const events = sentEvents;
    const expected = await rowsFor(events);
    await sendMessages(queue, toMessages(events));
    const result = await deliver(
      bodies.map((body) => ({ body })),
      ledgerDeps({ database }),
    );
    expect(result.acked).toHaveLength(bodies.length);
    expect(await allRows(database)).toEqual(expected);
  });
});
