import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { eventText } from "../../src/events/event-text.ts";
import { MAX_CONTENT } from "../../src/events/redaction.ts";
import { toJsonWithin } from "../../src/events/json-within.ts";
import { isReadWhole, MESSAGE_BYTES, readMessage } from "../../src/events/queue-message.ts";
import { toMessages } from "../support/messages.ts";
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

const manyTools = (count: number, input: string): InterceptorEvent[] =>
  Array.from({ length: count }, (_, position) => ({ ...TOOL, position, input }));

describe("the messages of a group of events", () => {
  it("are one text that holds the events in their order", () => {
    const texts = everyEvent.map(eventText).join(",");
    expect(toMessages(everyEvent)).toEqual([`{"version":1,"events":[${texts}]}`]);
    expect(readAll(toMessages(everyEvent))).toEqual(everyEvent);
  });

  it("are none for no events", () => {
    expect(toMessages([])).toEqual([]);
  });

  it.each([
    ["ASCII", "x"],
    ["two bytes", "é"],
    ["three bytes", "東"],
    ["four bytes", "🗼"],
    ["escapes", "\u0001"],
    ["quotes", '"'],
    ["half of a surrogate pair", "\ud800"],
  ])("are within the queue's limit and complete, for much content in %s", (_, unit) => {
    const events = manyTools(100, unit.repeat(5000 / unit.length));
    const messages = toMessages(events);
    expect(messages.length).toBeGreaterThan(1);
    expect(Math.max(...messages.map(bytes))).toBeLessThanOrEqual(MESSAGE_BYTES);
    expect(readAll(messages)).toEqual(events);
    // As few as possible: two neighbors would not fit into one message.
    messages.slice(1).forEach((message, at) => {
      expect(bytes(message) + bytes(messages[at] ?? "")).toBeGreaterThan(MESSAGE_BYTES);
    });
  });
});

describe("the largest events", () => {
  const worst = "\u0001".repeat(MAX_CONTENT);

  it.each<[string, InterceptorEvent]>([
    ["a prompt", { ...PROMPT, prompt: worst }],
    ["a thought", { ...THOUGHT, content: worst }],
    ["an end", { ...END, error_message: worst }],
  ])("%s whose content is all escapes is not truncated", (_, event) => {
    expect(readAll(toMessages([event]))).toEqual([event]);
  });

  it("a tool whose input and error are all escapes is truncated and marked; the other events are unchanged", () => {
    const large = { ...TOOL, input: worst, invocation_error: worst };
    const messages = toMessages([START, large, END]);
    expect(Math.max(...messages.map(bytes))).toBeLessThanOrEqual(MESSAGE_BYTES);
    const [start, tool, end] = readAll(messages);
    expect([start, end]).toEqual([START, END]);
    expect(tool).toEqual({
      ...TOOL,
      input: worst.slice(0, 8192),
      invocation_error: worst.slice(0, 8192),
      truncated: true,
    });
  });
});

describe("toJsonWithin", () => {
  it("returns the event's JSON unchanged when it fits, exact to one byte", () => {
    const event = { ...PROMPT, prompt: "é".repeat(3000) };
    const size = bytes(JSON.stringify(event));
    expect(toJsonWithin(event, size)).toBe(JSON.stringify(event));
    expect(toJsonWithin(event, size - 1)).not.toBe(JSON.stringify(event));
  });

  it("truncates between characters and marks the event", () => {
    const event = { ...PROMPT, prompt: `x${"🗼".repeat(3000)}` };
    const cut = JSON.parse(toJsonWithin(event, 6000)) as typeof PROMPT;
    expect(cut.prompt.length).toBeGreaterThan(500);
    expect(cut.prompt.isWellFormed()).toBe(true);
    expect(event.prompt.startsWith(cut.prompt)).toBe(true);
    expect(cut.truncated).toBe(true);
  });

  it("returns every event with short hostile texts unchanged", () => {
    for (const event of everyEvent) {
      for (const text of HOSTILE_TEXTS.filter(({ length }) => length < 100)) {
        const hostile = withTexts(event, text);
        expect(JSON.parse(toJsonWithin(hostile, 20_000))).toEqual(hostile);
      }
    }
  });

  it("throws when the event is too large even without content", () => {
    expect(() => toJsonWithin({ ...START, model: "x".repeat(1000) }, 900)).toThrow(RangeError);
  });
});

describe("readMessage", () => {
  it.each([
    ["not a text", { version: 1, events: [START] }],
    ["not JSON", "{"],
    ["empty", ""],
    ["null", "null"],
    ["an event", JSON.stringify(START)],
    ["a text", JSON.stringify(JSON.stringify([START]))],
    ["an object without a version", JSON.stringify({ events: [START] })],
    ["an object whose version is not a positive integer", JSON.stringify({ version: "2", events: [START] })],
    ["version 1 without a list", JSON.stringify({ version: 1, events: START })],
  ])("returns no events and one malformed entry for a body that is %s", (_, body) => {
    expect(readMessage(body)).toEqual({ events: [], unknown: 0, malformed: 1, mac: null });
  });

  // A message of a gateway from before the version was added, which may be in the queue at the upgrade.
  it("reads a plain array", () => {
    expect(readMessage(JSON.stringify(everyEvent))).toEqual({
      events: everyEvent,
      unknown: 0,
      malformed: 0,
      mac: null,
    });
  });

  const later = { record_type: "cost_settled", interception_id: START.interception_id, micros: 7 };

  it("returns the entries that are events, and counts those of a newer version and the others", () => {
    const entries = [
      START,
      null,
      7,
      { record_type: "interception_end" },
      END,
      later,
      { ...TOOL, position: -1 },
    ];
    for (const body of [JSON.stringify(entries), JSON.stringify({ version: 1, events: entries })])
      expect(readMessage(body)).toEqual({ events: [START, END], unknown: 1, malformed: 4, mac: null });
  });

  it.each([
    ["known events only", { version: 2, events: [START, END] }, [START, END], 1],
    ["events of both kinds", { version: 3, events: [START, later, later] }, [START], 2],
    ["entries of another form", { version: 2, events: [["start"]] }, [], 1],
    ["no list", { version: 2, records: "…" }, [], 1],
  ])("never calls a message of a newer version complete, with %s", (_, message, events, unknown) => {
    const content = readMessage(JSON.stringify(message));
    expect(content).toEqual({ events, unknown, malformed: 0, mac: null });
    expect(isReadWhole(content)).toBe(false);
  });
});
