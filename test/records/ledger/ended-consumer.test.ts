/** The consumer under an in-memory queue that behaves as documented when a run exceeds its memory or time. */
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { toMessages } from "../../support/messages.ts";
import type { LedgerDeps } from "../../../src/records/ledger/ledger.ts";
import { consumeBatch } from "../../../src/records/ledger/write/consume.ts";
import { consumeDeadLetters } from "../../../src/records/ledger/write/dead-letter.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { findEvents } from "../../../tools/replay/logged-events.ts";
import { allRows, emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { failingDatabase, ledgerDeps, memoryBucket } from "../../support/in-workerd/ledger-deps.ts";
import { eventsOf } from "../../support/in-workerd/ledger-events.ts";
import { toMessageBatch } from "../../support/in-workerd/message-batch.ts";
import { createQueueBroker, type QueueBroker } from "../../support/queue-broker.ts";

const QUEUES = {
  "ai-events": { maxBatchSize: 100, maxRetries: 100, retryDelay: 60, deadLetterQueue: "ai-events-dead" },
  "ai-events-dead": { maxBatchSize: 1, maxRetries: 100, retryDelay: 60 },
};

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

/** The database. A batch whose parameters satisfy `endsRun` never settles and calls `end`. */
function endingDatabase(endsRun: (json: string) => boolean, end: () => void): D1Database {
  const parameters = new WeakMap<object, string>();
  const prepare = (sql: string): object => {
    const unbound = database.prepare(sql);
    const bind = (json?: string): D1PreparedStatement => {
      if (json === undefined) return unbound;
      const statement = unbound.bind(json);
      parameters.set(statement, json);
      return statement;
    };
    return Object.assign(Object.create(unbound) as D1PreparedStatement, { bind });
  };
  const batch = (statements: D1PreparedStatement[]): Promise<unknown> => {
    if (!statements.some((statement) => endsRun(parameters.get(statement) ?? "")))
      return database.batch(statements);
    end();
    return new Promise(() => undefined);
  };
  return { prepare, batch } as unknown as D1Database;
}

/** A queue whose consumer's run ends without a result where it stores what satisfies `endsRun`. */
function brokerWith(deps: LedgerDeps, endsRun: (json: string) => boolean): QueueBroker {
  return createQueueBroker(QUEUES, async (delivered) => {
    const { promise, resolve } = Promise.withResolvers<"ended">();
    const { batch, calls } = toMessageBatch(delivered);
    const consume = delivered.queue === "ai-events-dead" ? consumeDeadLetters : consumeBatch;
    const mortal = { ...deps, database: deps.database ?? endingDatabase(endsRun, () => resolve("ended")) };
    return Promise.race([promise, consume(batch, mortal).then(() => calls)]);
  });
}

const messageOf = (n: number, model = "gpt-9"): readonly InterceptorEvent[] =>
  eventsOf({ n }).map((event) => ("model" in event ? { ...event, model } : event));
const send = (broker: QueueBroker, events: readonly InterceptorEvent[]): string =>
  broker.send("ai-events", toMessages(events)[0] ?? "");

const POISON = "ends every run";
const holdsPoison = (json: string): boolean => json.includes(POISON);
const poison = messageOf(1000, POISON);

describe("a message that ends every run", () => {
  it("is left alone after some deliveries; the others of its batch are stored, and it is archived unmodified", async () => {
    const { bucket, objects } = memoryBucket();
    const deps = ledgerDeps({ archive: bucket });
    const broker = brokerWith(deps, holdsPoison);
    const others = Array.from({ length: 99 }, (_, n) => messageOf(n));
    const ids = [...others.slice(0, 50), poison, ...others.slice(50)].map((events) => send(broker, events));
    await broker.run();

    const rows = await allRows(database);
    await emptyLedger();
    await storeEvents(database, others.flat());
    expect(rows).toEqual(await allRows(database));

    const innocent = ids.filter((_, at) => at !== 50);
    const attempts = innocent.map((id) => broker.acknowledged.get(id) ?? Infinity);
    // Half of the innocent ones leave the batch in every second delivery.
    expect(Math.max(...attempts)).toBeLessThan(40);
    expect([...broker.dead]).toEqual([ids[50]]);
    expect([...broker.lost]).toEqual([]);

    const keys = [...objects.keys()].filter((key) => key.startsWith("unread/"));
    expect(keys).toEqual([expect.stringMatching(/^unread\/dt=2026-11-23\/hour=12\/[0-9a-f]{32}\.json$/)]);
    expect(new TextDecoder().decode(objects.get(keys[0] ?? "")?.bytes)).toBe(toMessages(poison)[0]);
    expect(deps.operatorErrors).toContainEqual({
      event: "message_archived",
      message_id: ids[50],
      key: keys[0],
    });
  });

  it("is printed unmodified without an archive, in pieces that replay joins", async () => {
    const long = poison.map((event) =>
      event.record_type === "interception_end" ? { ...event, error_message: 'é"\n\0'.repeat(4000) } : event,
    );
    const deps = ledgerDeps();
    const broker = brokerWith(deps, holdsPoison);
    const ids = [long, messageOf(1)].map((events) => send(broker, events));
    const printedPerRun: number[] = [];
    await broker.run(() => {
      printedPerRun.push(deps.printed.length);
      return false;
    });
    expect([...broker.dead]).toEqual([ids[0]]);
    expect(broker.acknowledged.has(ids[0] ?? "")).toBe(true);
    // Logpush keeps 16,384 characters of one run.
    for (const [at, end] of printedPerRun.entries()) {
      const lines = deps.printed.slice(printedPerRun[at - 1] ?? 0, end);
      expect(lines.join("").length).toBeLessThan(15_000);
    }
    expect(deps.printed.length).toBeGreaterThan(8);
    expect(findEvents(deps.printed.join("\n"))).toEqual({ events: long, broken: 0, unknown: 0 });
    // One lost delivery loses nothing: each line but the last is printed by two of them.
    for (const line of new Set(deps.printed.slice(0, -1)))
      expect(deps.printed.filter((other) => other === line).length).toBe(2);
  });

  it("does not keep the messages that arrive later from being stored and acknowledged", async () => {
    const deps = ledgerDeps();
    const later: string[] = [];
    const broker: QueueBroker = createQueueBroker(QUEUES, async (delivered) => {
      // Every batch has new messages beside the one that ends runs.
      if (delivered.queue === "ai-events" && later.length < 200)
        for (let n = 0; n < 4; n += 1) later.push(send(broker, messageOf(later.length)));
      const { promise, resolve } = Promise.withResolvers<"ended">();
      const { batch, calls } = toMessageBatch(delivered);
      const consume = delivered.queue === "ai-events-dead" ? consumeDeadLetters : consumeBatch;
      const mortal = { ...deps, database: endingDatabase(holdsPoison, () => resolve("ended")) };
      return Promise.race([promise, consume(batch, mortal).then(() => calls)]);
    });
    const bad = send(broker, poison);
    await broker.run();
    expect([...broker.dead]).toEqual([bad]);
    expect(Math.max(...later.map((id) => broker.acknowledged.get(id) ?? Infinity))).toBeLessThan(20);
    expect((await allRows(database))["interceptions"]).toHaveLength(200);
  });
});

const rowsIn = (json: string): number => json.split('"interception_id"').length - 1;

describe("a batch that is too large for one run", () => {
  it("is stored in smaller groups", async () => {
    const deps = ledgerDeps();
    const broker = brokerWith(deps, (json) => rowsIn(json) > 8);
    const ids = Array.from({ length: 100 }, (_, n) => send(broker, messageOf(n)));
    await broker.run();
    expect([...broker.dead]).toEqual([]);
    expect(broker.acknowledged.size).toBe(100);
    expect(Math.max(...ids.map((id) => broker.acknowledged.get(id) ?? Infinity))).toBeLessThan(100);
  });
});

describe("after an outage of the database", () => {
  it("the messages are acknowledged within a few deliveries, although all are suspects", async () => {
    const failing = failingDatabase(database, 12);
    const deps = ledgerDeps({ database: failing });
    const broker = brokerWith(deps, () => false);
    const ids = Array.from({ length: 100 }, (_, n) => send(broker, messageOf(n)));
    await broker.run();
    const attempts = ids.map((id) => broker.acknowledged.get(id) ?? Infinity);
    expect(Math.min(...attempts)).toBe(13);
    expect(Math.max(...attempts)).toBeLessThan(13 + 12);
  });
});
