import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { MAX_CONTENT } from "../../src/events/redaction.ts";
import { toJsonWithin } from "../../src/events/truncate-event.ts";
import { readMessage } from "../../src/events/read-message.ts";
import { MESSAGE_BYTES, sendEvents, toMessages } from "../../src/events/queue-message.ts";
import {
  END,
  everyEvent,
  HOSTILE_TEXTS,
  PROMPT,
  START,
  THOUGHT,
  TOOL,
  withTexts,
} from "../support/in-workerd/events.ts";

const bytes = (text: string): number => new TextEncoder().encode(text).length;
const readAll = (messages: readonly string[]): InterceptorEvent[] =>
  messages.flatMap((message) => [...readMessage(message).events]);

type Call = readonly { readonly body: unknown; readonly contentType: unknown }[];

/** A queue that keeps each call's messages, as far as the ledger uses one. */
function keptQueue(): { readonly queue: Queue; readonly calls: Call[] } {
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

const manyTools = (count: number, input: string): InterceptorEvent[] =>
  Array.from({ length: count }, (_, position) => ({ ...TOOL, position, input }));

describe("a group of events", () => {
  it("is one message, whose events are those, in their order", async () => {
    const { queue, calls } = keptQueue();
    await sendEvents(queue, everyEvent);
    expect(calls).toHaveLength(1);
    expect(calls[0]).toEqual([{ body: JSON.stringify(everyEvent), contentType: "text" }]);
    expect(readAll(toMessages(everyEvent))).toEqual(everyEvent);
  });

  it("with nothing in it is no message", async () => {
    const { queue, calls } = keptQueue();
    await sendEvents(queue, []);
    expect(calls).toEqual([]);
  });

  it.each([
    ["ASCII", "x"],
    ["two bytes", "é"],
    ["three bytes", "東"],
    ["four bytes", "🗼"],
    ["escapes", "\u0001"],
    ["quotes", '"'],
    ["half a pair", "\ud800"],
  ])("of much content in %s becomes messages that the queue takes, with all of it", async (_, unit) => {
    const events = manyTools(100, unit.repeat(5000 / unit.length));
    const messages = toMessages(events);
    expect(messages.length).toBeGreaterThan(1);
    expect(Math.max(...messages.map(bytes))).toBeLessThanOrEqual(MESSAGE_BYTES);
    expect(readAll(messages)).toEqual(events);
    // As few as it takes: no two neighbours would fit into one.
    messages.slice(1).forEach((message, at) => {
      expect(bytes(message) + bytes(messages[at] ?? "")).toBeGreaterThan(MESSAGE_BYTES);
    });
  });

  it("goes in calls of at most 256,000 bytes", async () => {
    const { queue, calls } = keptQueue();
    const events = manyTools(60, "x".repeat(16_000));
    await sendEvents(queue, events);
    const sizes = calls.map((call) => call.reduce((sum, { body }) => sum + bytes(String(body)) + 100, 0));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(256_000);
    expect(calls.every((call) => call.every(({ contentType }) => contentType === "text"))).toBe(true);
    expect(readAll(calls.flat().map(({ body }) => String(body)))).toEqual(events);
  });
});

describe("the largest events there can be", () => {
  const worst = "\u0001".repeat(MAX_CONTENT);

  it.each<[string, InterceptorEvent]>([
    ["a prompt", { ...PROMPT, prompt: worst }],
    ["a thought", { ...THOUGHT, content: worst }],
    ["an end", { ...END, error_message: worst }],
  ])("%s of nothing but escapes fits as it is", (_, event) => {
    expect(readAll(toMessages([event]))).toEqual([event]);
  });

  it("a tool with input and error of nothing but escapes is cut, says so, and leaves the others alone", () => {
    const large = { ...TOOL, input: worst, invocation_error: worst };
    const messages = toMessages([START, large, END]);
    expect(Math.max(...messages.map(bytes))).toBeLessThanOrEqual(MESSAGE_BYTES);
    const [start, cut, end] = readAll(messages);
    expect([start, end]).toEqual([START, END]);
    expect(cut).toEqual({
      ...TOOL,
      input: worst.slice(0, 8192),
      invocation_error: worst.slice(0, 8192),
      truncated: true,
    });
  });
});

describe("JSON within a number of bytes", () => {
  it("is the event's own where that fits, to the byte", () => {
    const event = { ...PROMPT, prompt: "é".repeat(3000) };
    const size = bytes(JSON.stringify(event));
    expect(toJsonWithin(event, size)).toBe(JSON.stringify(event));
    expect(toJsonWithin(event, size - 1)).not.toBe(JSON.stringify(event));
  });

  it("is cut between characters", () => {
    const event = { ...PROMPT, prompt: `x${"🗼".repeat(3000)}` };
    const cut = JSON.parse(toJsonWithin(event, 6000)) as typeof PROMPT;
    expect(cut.prompt.length).toBeGreaterThan(500);
    expect(cut.prompt.isWellFormed()).toBe(true);
    expect(event.prompt.startsWith(cut.prompt)).toBe(true);
    expect(cut.truncated).toBe(true);
  });

  it("is of any event, however hostile its texts", () => {
    for (const event of everyEvent) {
      for (const text of HOSTILE_TEXTS.filter(({ length }) => length < 100)) {
        const hostile = withTexts(event, text);
        expect(JSON.parse(toJsonWithin(hostile, 20_000))).toEqual(hostile);
      }
    }
  });

  it("is refused where even without content there is too much", () => {
    expect(() => toJsonWithin({ ...START, model: "x".repeat(1000) }, 900)).toThrow(RangeError);
  });
});

describe("a message that is read", () => {
  it.each([
    ["no text", { events: [START] }],
    ["no JSON", "{"],
    ["empty", ""],
    ["null", "null"],
    ["an object", JSON.stringify(START)],
    ["a text", JSON.stringify(JSON.stringify([START]))],
  ])("has nothing in it where it is %s", (_, body) => {
    expect(readMessage(body)).toEqual({ events: [], malformed: 1 });
  });

  it("has what in it is an event", () => {
    const body = JSON.stringify([START, null, 7, { record_type: "interception_end" }, END]);
    expect(readMessage(body)).toEqual({ events: [START, END], malformed: 3 });
  });
});
