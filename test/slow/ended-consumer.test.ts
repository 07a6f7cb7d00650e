/** The consumer's process ends in the middle of a batch: every event is in the database exactly once, or in the log. */
import { afterEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { toMessages } from "../support/messages.ts";
import { findEvents } from "../../tools/replay/logged-events.ts";
import { allEventsOf } from "../support/in-workerd/ledger-events.ts";
import { startMortalConsumer, type End, type MortalConsumer } from "../support/mortal-consumer.ts";
import { createQueueBroker, type QueueBroker } from "../support/queue-broker.ts";

let consumer: MortalConsumer | undefined;
afterEach(async () => {
  await consumer?.close();
  consumer = undefined;
});

/** Wrangler starts the runtime again after each end, on a busy machine within some ten seconds. */
const WITHIN_MS = 900_000;

const eventsOf = (n: number): InterceptorEvent[] => allEventsOf({ n, toolCalls: ["a", "b"] });
const send = (broker: QueueBroker, events: readonly InterceptorEvent[]): string =>
  broker.send("ai-events", toMessages(events)[0] ?? "");

/** The rows that `count` interceptions of `eventsOf` make. */
const rowCounts = (count: number): Record<string, number> => ({
  interceptions: count,
  // Each end carries its usage.
  token_usages: 0,
  user_prompts: count,
  tool_usages: 2 * count,
  model_thoughts: 2 * count,
  initiator_overrides: 2 * count,
});

async function expectRows(count: number): Promise<void> {
  const rows = (await consumer?.rows()) ?? {};
  expect(Object.fromEntries(Object.entries(rows).map(([table, { length }]) => [table, length]))).toEqual(
    rowCounts(count),
  );
  for (const row of rows["interceptions"] ?? []) {
    expect(row["outcome"]).toBe("completed");
    expect(row["api_key_id"]).not.toBeNull();
    expect(row["raw_usage"]).not.toBeNull();
  }
}

describe("a consumer whose process ends", () => {
  it(
    "in the middle of a batch, again and again, loses no event and stores none twice",
    async () => {
      const running = (consumer = await startMortalConsumer());
      const ends: End[] = [
        { batch: 1, when: "before" },
        { batch: 1, when: "after" },
        { batch: 2, when: "after" },
        { batch: 3, when: "before" },
        null,
        { batch: 1, when: "after" },
      ];
      const results: unknown[] = [];
      const broker = createQueueBroker(
        { "ai-events": { maxBatchSize: 100, maxRetries: 100, retryDelay: 60 } },
        async (batch) => {
          const result = await running.deliver(batch, ends.shift() ?? null);
          results.push(result);
          return result;
        },
      );
      const ids = Array.from({ length: 40 }, (_, n) => send(broker, eventsOf(n)));
      await broker.run();
      expect(results.filter((result) => result === "ended").length).toBe(5);
      expect([...broker.acknowledged.keys()].toSorted()).toEqual(ids.toSorted());
      expect([...broker.lost]).toEqual([]);
      await expectRows(40);
    },
    WITHIN_MS,
  );

  it(
    "with one message, always, stores the others and prints that one from the dead-letter queue",
    async () => {
      const running = (consumer = await startMortalConsumer());
      const poison = eventsOf(1000).map((event) =>
        event.record_type === "prompt_usage" ? { ...event, prompt: `POISON ${"é\n".repeat(8000)}` } : event,
      );
      let ended = 0;
      const broker = createQueueBroker(
        {
          "ai-events": {
            maxBatchSize: 100,
            maxRetries: 16,
            retryDelay: 60,
            deadLetterQueue: "ai-events-dead",
          },
          "ai-events-dead": { maxBatchSize: 1, maxRetries: 100, retryDelay: 60 },
        },
        async (batch) => {
          const result = await running.deliver(batch, { holds: "POISON" });
          if (result === "ended") ended += 1;
          return result;
        },
      );
      const others = Array.from({ length: 12 }, (_, n) => eventsOf(n));
      const ids = [...others.slice(0, 6), poison, ...others.slice(6)].map((events) => send(broker, events));
      await broker.run();
      expect(ended).toBeGreaterThan(5);
      expect([...broker.dead]).toEqual([ids[6]]);
      expect([...broker.lost]).toEqual([]);
      expect([...broker.acknowledged.keys()].toSorted()).toEqual(ids.toSorted());
      await expectRows(12);
      expect(findEvents(running.printed.join("\n"))).toEqual({ events: poison, broken: 0, unknown: 0 });
    },
    WITHIN_MS,
  );
});
