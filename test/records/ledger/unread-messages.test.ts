/** Messages that the consumer cannot read completely: of a newer gateway, or of another writer of the queue. */
import { beforeEach, describe, expect, it } from "vitest";
import { toPieceLine, toPieces } from "../../../src/events/message-pieces.ts";
import { toMessages } from "../../support/messages.ts";
import type { LedgerDeps } from "../../../src/records/ledger/ledger.ts";
import { consumeBatch, MAX_LOGGED_CHARACTERS } from "../../../src/records/ledger/write/consume.ts";
import {
  consumeDeadLetters,
  isDeadLetterQueue,
  PRINT_ALL_FROM_ATTEMPT,
  printUnconfigured,
} from "../../../src/records/ledger/write/dead-letter.ts";
import recordsToml from "../../../wrangler.records.toml?raw";
import { findEvents, readLoggedMessage } from "../../../tools/replay/logged-events.ts";
import { END, START } from "../../support/in-workerd/events.ts";
import { emptyLedger, rowsOf } from "../../support/in-workerd/ledger-database.ts";
import {
  failingDatabase,
  ledgerDeps,
  memoryBucket,
  readLines,
  type TestLedgerDeps,
} from "../../support/in-workerd/ledger-deps.ts";
import { toMessageBatch } from "../../support/in-workerd/message-batch.ts";
import { createQueueBroker, type QueueBroker } from "../../support/queue-broker.ts";

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

const QUEUES = {
  "ai-events": { maxBatchSize: 100, maxRetries: 100, retryDelay: 60, deadLetterQueue: "ai-events-dead" },
  "ai-events-dead": { maxBatchSize: 1, maxRetries: 100, retryDelay: 60 },
};

const brokerWith = (deps: LedgerDeps): QueueBroker =>
  createQueueBroker(QUEUES, async (delivered) => {
    const { batch, calls } = toMessageBatch(delivered);
    await (delivered.queue === "ai-events-dead" ? consumeDeadLetters : consumeBatch)(batch, deps);
    return calls;
  });

/** Delivers one message once to the consumer of events. */
async function deliver(body: string, attempts: number, deps: LedgerDeps): Promise<unknown> {
  const messages = [{ id: "m", timestamp: Date.UTC(2026, 10, 23, 12), attempts, body }];
  const { batch, calls } = toMessageBatch({ queue: "ai-events", messages });
  await consumeBatch(batch, deps);
  return calls["m"];
}

const LATER = { record_type: "cost_settled", interception_id: START.interception_id, micros: 7 };
const NEWER = [
  [
    "an event of a type that a newer version records",
    JSON.stringify({ version: 1, events: [START, LATER, END] }),
  ],
  ["a message of a newer version", JSON.stringify({ version: 2, events: [START, END], sealed: "…" })],
] as const;

const unreadKeys = (objects: ReadonlyMap<string, unknown>): string[] =>
  [...objects.keys()].filter((key) => key.startsWith("unread/"));

async function expectKnownEvents(): Promise<void> {
  expect(await rowsOf(database, "interceptions")).toMatchObject([
    { outcome: END.outcome, api_key_id: START.api_key_id },
  ]);
}

// Two versions run at once during a deployment: https://developers.cloudflare.com/workers/configuration/versions-and-deployments/gradual-deployments/
describe.each(NEWER)("%s", (_, body) => {
  it("is archived unmodified, and its known events are stored", async () => {
    const { bucket, objects } = memoryBucket();
    const deps = ledgerDeps({ database, archive: bucket });
    expect(await deliver(body, 1, deps)).toBe("ack");
    await expectKnownEvents();
    const [key = ""] = unreadKeys(objects);
    expect(key).toMatch(/^unread\/dt=2026-11-23\/hour=12\/[0-9a-f]{32}\.json$/);
    expect(new TextDecoder().decode(objects.get(key)?.bytes)).toBe(body);
    const archived = [...objects].filter(([name]) => name !== key).map(([, object]) => object);
    expect((await Promise.all(archived.map(readLines))).flat()).toMatchObject([START, END]);
    expect(deps.operatorErrors).toEqual([
      { event: "events_unknown", message_id: "m", events: 1 },
      { event: "message_archived", message_id: "m", key },
    ]);
  });

  it("is retried while the archive fails", async () => {
    const { bucket, objects } = memoryBucket();
    const put = bucket.put.bind(bucket) as (key: string, ...rest: unknown[]) => Promise<R2Object>;
    const failing = (key: string, ...rest: unknown[]): Promise<R2Object> =>
      key.startsWith("unread/")
        ? Promise.reject(new Error("put: internal error (10001)"))
        : put(key, ...rest);
    const archive = { put: failing, head: bucket.head.bind(bucket) } as unknown as R2Bucket;
    const deps = ledgerDeps({ database, archive });
    expect(await deliver(body, 3, deps)).toEqual({ retry: 20 });
    expect(unreadKeys(objects)).toEqual([]);
    expect(deps.operatorErrors).toContainEqual({
      event: "message_not_archived",
      message_id: "m",
      error: "Error: put: internal error (10001)",
    });
  });

  it("is retried without an archive, and its known events are stored at once", async () => {
    const deps = ledgerDeps({ database });
    expect(await deliver(body, 1, deps)).toEqual({ retry: 5 });
    expect(await deliver(body, 99, deps)).toEqual({ retry: 600 });
    await expectKnownEvents();
    expect(deps.printed).toEqual([]);
  });

  it("is not given up at its last attempt while the database fails: the log's lines would lack the rest", async () => {
    const deps = ledgerDeps({ database: failingDatabase(database, Infinity) });
    expect(await deliver(body, 99, deps)).toEqual({ retry: 600 });
    expect(deps.fallbackEvents).toEqual([]);
  });

  it("is printed unmodified by the dead-letter consumer, where no newer version takes it", async () => {
    const deps = ledgerDeps({ database });
    const broker = brokerWith(deps);
    const id = broker.send("ai-events", body);
    await broker.run();
    expect([...broker.dead]).toEqual([id]);
    expect([...broker.lost]).toEqual([]);
    expect(findEvents(deps.printed.join("\n"))).toEqual({ events: [START, END], broken: 0, unknown: 1 });
    expect(JSON.parse(deps.printed[0] ?? "")).toMatchObject({ text: body });
    expect(deps.operatorErrors.slice(-2)).toEqual([
      { event: "dead_letter_not_stored", message_id: id, error: "not read completely" },
      { event: "message_printed", message_id: id, pieces: 1 },
    ]);
  });
});

const MALFORMED = [
  ["not JSON", "{"],
  ["an event without a list", JSON.stringify(START)],
  ["a list of other objects", JSON.stringify([{ secret: "sk-canary" }])],
  ["an id that is a path", JSON.stringify([{ ...START, interception_id: "../../sk-canary" }])],
] as const;

describe("a malformed message", () => {
  it.each(MALFORMED)(
    "(%s) is printed unmodified and acknowledged; the others are stored",
    async (_, body) => {
      const deps = ledgerDeps({ database });
      const broker = brokerWith(deps);
      const ids = [toMessages([START])[0] ?? "", body, toMessages([END])[0] ?? ""].map((each) =>
        broker.send("ai-events", each),
      );
      await broker.run();
      expect([...broker.acknowledged.values()]).toEqual([1, 1, 1]);
      await expectKnownEvents();
      expect(deps.printed.map((line) => JSON.parse(line) as unknown)).toEqual([
        { message: "interception ledger fallback", queue_message: ids[1], piece: 0, pieces: 1, text: body },
      ]);
      expect(deps.operatorErrors).toEqual([
        { event: "events_malformed", message_id: ids[1], events: 1 },
        { event: "message_printed", message_id: ids[1], pieces: 1 },
      ]);
    },
  );

  it("is archived unmodified where there is an archive", async () => {
    const { bucket, objects } = memoryBucket();
    const deps = ledgerDeps({ database, archive: bucket });
    expect(await deliver("{", 1, deps)).toBe("ack");
    expect(unreadKeys(objects)).toHaveLength(1);
    expect(deps.printed).toEqual([]);
  });

  it("keeps the events beside the entries that are not", async () => {
    const deps = ledgerDeps({ database });
    expect(await deliver(JSON.stringify([START, 7, END]), 1, deps)).toBe("ack");
    await expectKnownEvents();
    expect(findEvents(deps.printed.join("\n"))).toMatchObject({ events: [START, END], unknown: 1 });
  });

  // The attack: another writer of the queue floods the log, which keeps 16,384 characters of a run.
  it("is printed only while the run's log has room; later it reaches the dead-letter queue", async () => {
    const body = JSON.stringify(["x".repeat(6000)]);
    const deps = ledgerDeps({ database });
    const broker = brokerWith(deps);
    for (let n = 0; n < 20; n += 1) broker.send("ai-events", body);
    const lengths: number[] = [];
    await broker.run(() => {
      lengths.push(deps.printed.join("").length);
      return false;
    });
    for (const [at, length] of lengths.entries())
      expect(length - (lengths[at - 1] ?? 0)).toBeLessThanOrEqual(MAX_LOGGED_CHARACTERS);
    expect(new Set(deps.printed).size).toBe(20);
    expect(broker.acknowledged.size).toBe(20);
  });

  it("that is not text is kept, too", async () => {
    const deps: TestLedgerDeps = ledgerDeps({ database });
    for (const body of [{ record_type: "x" }, new Uint8Array([1, 2, 255]).buffer, undefined, 7n, [START]]) {
      const message = { id: "m", timestamp: new Date(0), attempts: 1, body, ack: () => undefined, retry };
      await consumeBatch({ queue: "ai-events", messages: [message] } as unknown as MessageBatch, deps);
    }
    const texts = deps.printed.map((line) => (JSON.parse(line) as { text: string }).text);
    expect(texts).toEqual([
      '{"record_type":"x"}',
      '{"base64":"AQL/"}',
      "undefined",
      "7",
      JSON.stringify([START]),
    ]);
  });
});

const retry = (): never => {
  throw new Error("not expected");
};

describe("readLoggedMessage of npm run replay", () => {
  it("reads a message as it was archived", () => {
    const logged = [START, END].map((event) => ({ kind: "complete", event, mac: null }));
    expect(readLoggedMessage(NEWER[0][1])).toEqual({ logged, logMacs: [], broken: 0, unknown: 1 });
    expect(readLoggedMessage("{")).toEqual({ logged: [], logMacs: [], broken: 0, unknown: 1 });
  });
});

describe("a dead letter", () => {
  const events = [START, { ...END, error_message: "q".repeat(40_000) }];
  const body = toMessages(events)[0] ?? "";
  const complete = { events, broken: 0, unknown: 0 };

  const deliverDead = async (
    attempts: number,
    consume: (batch: MessageBatch) => unknown,
  ): Promise<unknown> => {
    const messages = [{ id: "m", timestamp: 0, attempts, body }];
    const { batch, calls } = toMessageBatch({ queue: "ai-events-dead", messages });
    await consume(batch);
    return calls["m"];
  };

  // The parts of a delivery follow from its attempt alone, so that no state can be wrong.
  it("is printed completely although the configuration or the archive becomes valid or invalid in between", async () => {
    const deps = ledgerDeps({ database: failingDatabase(database, Infinity) });
    const { bucket } = memoryBucket({ times: Infinity });
    const consumers = [
      (batch: MessageBatch) => consumeDeadLetters(batch, deps),
      (batch: MessageBatch) => batch.messages.forEach((message) => printUnconfigured(message, 600, deps)),
      (batch: MessageBatch) => consumeDeadLetters(batch, { ...deps, archive: bucket }),
    ];
    for (let attempts = 1; attempts <= 100; attempts += 1) {
      const consume = consumers[attempts % 3] ?? (() => undefined);
      if ((await deliverDead(attempts, consume)) === "ack") break;
    }
    expect(deps.operatorErrors.at(-1)).toMatchObject({ event: "message_printed" });
    expect(findEvents(deps.printed.join("\n"))).toEqual(complete);
  });

  // Whether the attempts of the first queue count in the dead-letter queue is not documented.
  it.each([95, 102])(
    "is printed completely by its first delivery, if that is attempt %d",
    async (attempts) => {
      const deps = ledgerDeps({ database });
      expect(await deliverDead(attempts, (batch) => consumeDeadLetters(batch, deps))).toBe("ack");
      expect(findEvents(deps.printed.join("\n"))).toEqual(complete);
    },
  );

  it("is printed within the deliveries of its queue, even if each character is an escape", () => {
    const pieces = toPieces("m", "\u0001".repeat(128_000));
    // Each piece is a delivery until everything is printed at once.
    expect(pieces.map(({ text }) => text).join("")).toHaveLength(128_000);
    expect(Math.max(...pieces.map((piece) => toPieceLine(piece).length))).toBeLessThan(7500);
    const [, retries] =
      /ai-events-dead"\nmax_batch_size = 1\n[^[]*max_retries = (\d+)/.exec(recordsToml) ?? [];
    expect(PRINT_ALL_FROM_ATTEMPT).toBeLessThan(Number(retries));
  });

  it("is recognized by the name that wrangler.records.toml gives to the queue behind the first one", () => {
    const [, name = ""] = /^dead_letter_queue = "(.+)"$/m.exec(recordsToml) ?? [];
    expect(isDeadLetterQueue(name, null)).toBe(true);
    expect(recordsToml).toContain(`[[queues.consumers]]\nqueue = "${name}"\n`);
  });
});

describe("findEvents with a message in pieces", () => {
  it("counts a message that lacks a piece as broken, and joins pieces in any order", async () => {
    const deps = ledgerDeps();
    const broker = brokerWith({ ...deps, database: failingDatabase(database, Infinity) });
    const text = "q".repeat(16_000);
    const events = [START, { ...END, error_message: text }];
    broker.send("ai-events-dead", toMessages(events)[0] ?? "");
    await broker.run();
    const lines = [...new Set(deps.printed)];
    expect(lines.length).toBeGreaterThan(2);
    expect(findEvents(lines.toReversed().join("\n"))).toEqual({ events, broken: 0, unknown: 0 });
    for (const missing of lines)
      expect(findEvents(lines.filter((line) => line !== missing).join("\n"))).toEqual({
        events: [],
        broken: 1,
        unknown: 0,
      });
  });
});
