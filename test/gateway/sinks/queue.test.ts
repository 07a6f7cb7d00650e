import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { eventText } from "../../../src/events/event-text.ts";
import { readMessage } from "../../../src/events/queue-message.ts";
import { toMessages } from "../../support/messages.ts";
import { sendMessages } from "../../../src/gateway/sinks/queue.ts";
import { everyEvent, TOOL } from "../../support/in-workerd/events.ts";

const bytes = (text: string): number => new TextEncoder().encode(text).length;

type Call = readonly { readonly body: unknown; readonly contentType: unknown }[];

/** A queue that keeps the messages of each call. */
function recordingQueue(): { readonly queue: Queue; readonly calls: Call[] } {
  const calls: Call[] = [];
  const queue = {
    send: (body: unknown, options?: QueueSendOptions) => {
      calls.push([{ body, contentType: options?.contentType }]);
      return Promise.resolve();
    },
    sendBatch: (messages: Iterable<MessageSendRequest>) => {
      calls.push(Array.from(messages, ({ body, contentType }) => ({ body: body as unknown, contentType })));
      return Promise.resolve();
    },
  };
  return { queue: queue as unknown as Queue, calls };
}

describe("sendMessages", () => {
  it("sends a small group as one text message", async () => {
    const { queue, calls } = recordingQueue();
    await sendMessages(queue, toMessages(everyEvent));
    const texts = everyEvent.map(eventText).join(",");
    expect(calls).toEqual([[{ body: `{"version":1,"events":[${texts}]}`, contentType: "text" }]]);
  });

  it("sends nothing for no events", async () => {
    const { queue, calls } = recordingQueue();
    await sendMessages(queue, []);
    expect(calls).toEqual([]);
  });

  it("sends a large group in calls of at most 256,000 bytes, as text, in order", async () => {
    const { queue, calls } = recordingQueue();
    const events: InterceptorEvent[] = Array.from({ length: 60 }, (_, position) => ({
      ...TOOL,
      position,
      input: "x".repeat(16_000),
    }));
    await sendMessages(queue, toMessages(events));
    const sizes = calls.map((call) => call.reduce((sum, { body }) => sum + bytes(String(body)) + 100, 0));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(256_000);
    expect(calls.every((call) => call.every(({ contentType }) => contentType === "text"))).toBe(true);
    expect(calls.flat().flatMap(({ body }) => readMessage(body).events)).toEqual(events);
  });

  it.each([
    ["send", 1],
    ["sendBatch", 60],
  ] as const)("rejects when %s rejects, and sends no more", async (method, count) => {
    const { queue, calls } = recordingQueue();
    const failing = { ...queue, [method]: () => Promise.reject(new Error("Too Many Requests")) } as Queue;
    const events = Array.from({ length: count }, (_, position) => ({
      ...TOOL,
      position,
      input: "x".repeat(16_000),
    }));
    await expect(sendMessages(failing, toMessages(events))).rejects.toThrow("Too Many Requests");
    expect(calls).toEqual([]);
  });
});
