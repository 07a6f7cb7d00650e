import { describe, expect, it } from "vitest";
import {
  MAX_THOUGHTS,
  MAX_TOOL_CALLS,
  type ResponseReport,
} from "../../../src/gateway/provider/response-reader.ts";
import { MAX_TEXT, MAX_TEXTS } from "../../../src/gateway/provider/bounded-text.ts";
import { messagesReader } from "../../../src/gateway/provider/anthropic/messages-response.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import { createBoundedTexts } from "../../../src/gateway/provider/bounded-text.ts";
import { KEEP_ALL, KEEP_NONE } from "../../support/in-workerd/fixtures.ts";
import { afterEvents } from "../../support/in-workerd/readers.ts";

const call = (index: number, name: string, input: string): unknown => ({
  index,
  id: `call_${index}`,
  type: "function",
  function: { name, arguments: input },
});
const toolUse = (index: number, name: string, input: unknown): unknown => ({
  type: "tool_use",
  id: `call_${index}`,
  name,
  input,
});
const functionCall = (index: number, name: string, input: string): unknown => ({
  type: "function_call",
  id: `fc_${index}`,
  call_id: `call_${index}`,
  name,
  arguments: input,
});

/** For each dialect: its reader, and functions that write tool calls as a whole response and as a stream. */
const DIALECTS = [
  [
    "chat",
    chatReader,
    (calls: readonly Call[]) => ({
      choices: [{ message: { tool_calls: calls.map((args) => call(...args)) } }],
    }),
    (calls: readonly Call[]) =>
      calls.map((args) => ({ choices: [{ delta: { tool_calls: [call(...args)] } }] })),
  ],
  [
    "responses",
    responsesReader,
    (calls: readonly Call[]) => ({ output: calls.map((args) => functionCall(...args)) }),
    (calls: readonly Call[]) =>
      calls.flatMap(([index, name, input]) => [
        { type: "response.output_item.added", output_index: index, item: functionCall(index, name, "") },
        { type: "response.output_item.done", output_index: index, item: functionCall(index, name, input) },
      ]),
  ],
  [
    "messages",
    messagesReader,
    (calls: readonly Call[]) => ({
      content: calls.map(([index, name, input]) => toolUse(index, name, { input })),
    }),
    (calls: readonly Call[]) =>
      calls.flatMap(([index, name, input]) => [
        { type: "content_block_start", index, content_block: toolUse(index, name, {}) },
        { type: "content_block_delta", index, delta: { type: "input_json_delta", partial_json: input } },
        { type: "content_block_stop", index },
      ]),
  ],
] as const;

type Call = readonly [index: number, name: string, input: string];

const many = (count: number, input = "{}"): Call[] =>
  Array.from({ length: count }, (_, index) => [index, `tool_${index}`, input]);

/** The reports of the calls as a whole response and as a stream. */
function bothReports(
  [, createReader, whole, stream]: (typeof DIALECTS)[number],
  calls: readonly Call[],
  keep = KEEP_ALL,
): ResponseReport[] {
  const reader = createReader(keep);
  reader.body(whole(calls));
  return [reader.report(), afterEvents(createReader(keep), stream(calls))];
}

describe.each(DIALECTS.map((dialect) => [dialect[0], dialect] as const))("bounds of %s", (_, dialect) => {
  it(`keeps the first ${MAX_TOOL_CALLS} calls and counts all`, () => {
    for (const keep of [KEEP_ALL, KEEP_NONE]) {
      for (const report of bothReports(dialect, many(MAX_TOOL_CALLS + 23), keep)) {
        expect(report.toolCallCount).toBe(MAX_TOOL_CALLS + 23);
        expect(report.toolCalls.map(({ name }) => name)).toEqual(
          many(MAX_TOOL_CALLS).map(([, name]) => name),
        );
      }
    }
  });

  it("counts 50,000 calls in bounded time", () => {
    for (const report of bothReports(dialect, many(50_000), KEEP_NONE))
      expect(report.toolCallCount).toBe(50_000);
  });

  it("truncates names to 128 characters and ids to 256", () => {
    const reader = dialect[1](KEEP_ALL);
    reader.body({
      choices: [{ message: { tool_calls: [{ id: "i".repeat(999), function: { name: "n".repeat(999) } }] } }],
      output: [{ type: "function_call", call_id: "i".repeat(999), name: "n".repeat(999) }],
      content: [{ type: "tool_use", id: "i".repeat(999), name: "n".repeat(999) }],
    });
    expect(reader.report().toolCalls).toMatchObject([
      { id: "i".repeat(256), name: "n".repeat(128), input: null },
    ]);
  });

  it("truncates an unknown kind to 128 characters, and uses it as the name of a call without one", () => {
    const reader = dialect[1](KEEP_ALL);
    reader.body({
      choices: [{ message: { tool_calls: [{ type: "k".repeat(999) }] } }],
      output: [{ type: `${"k".repeat(999)}_call` }],
      content: [{ type: `${"k".repeat(999)}_tool_use` }],
    });
    const kind = "k".repeat(128);
    expect(reader.report().toolCalls).toEqual([
      { id: null, name: kind, namespace: null, kind, input: null, error: null },
    ]);
  });

  it(`truncates a text to ${MAX_TEXT} characters`, () => {
    const long = "ü".repeat(MAX_TEXT + 5);
    for (const { toolCalls } of bothReports(dialect, [[0, "f", long]])) {
      expect(toolCalls[0]?.input).toHaveLength(MAX_TEXT);
    }
  });

  it(`drops a text that exceeds ${MAX_TEXTS} characters in total, and keeps a later one that fits`, () => {
    const fit = Math.floor(MAX_TEXTS / MAX_TEXT);
    const calls: Call[] = [...many(fit + 2, "x".repeat(MAX_TEXT)), [fit + 2, "last", "{}"]];
    for (const { toolCalls, toolCallCount } of bothReports(dialect, calls)) {
      expect(toolCallCount).toBe(fit + 3);
      expect(toolCalls.map(({ input }) => input?.length ?? null).slice(0, fit + 2)).toEqual([
        ...Array.from({ length: fit }, () => MAX_TEXT),
        null,
        null,
      ]);
      expect(toolCalls.at(-1)?.input).not.toBeNull();
    }
  });
});

/** A piece with the call's name, and one without. */
const twoPieces = ([index, name]: Call): unknown[] =>
  [{ name }, {}].map((fields) => ({
    choices: [
      { delta: { tool_calls: [{ index, id: `call_${index}`, function: { arguments: "x", ...fields } }] } },
    ],
  }));

it("chat: counts each call once, even past the limit of tracked calls", () => {
  for (const keep of [KEEP_ALL, KEEP_NONE]) {
    expect(afterEvents(chatReader(keep), many(1100).flatMap(twoPieces)).toolCallCount).toBe(1100);
  }
});

describe("createBoundedTexts", () => {
  const FIT = Math.floor(MAX_TEXTS / MAX_TEXT);
  const FULL = "x".repeat(MAX_TEXT);

  it("frees the room of a text that is replaced", () => {
    const open = createBoundedTexts();
    const first = open();
    for (let at = 0; at < 50; at += 1) first.set(FULL);
    const others = Array.from({ length: FIT - 1 }, () => open());
    for (const other of others) other.set(FULL);
    expect([first, ...others].map((each) => each.value()?.length)).toEqual(
      others.concat(first).map(() => MAX_TEXT),
    );
  });

  it("adds nothing to a dropped text until it is replaced", () => {
    const open = createBoundedTexts();
    const others = Array.from({ length: FIT }, () => open());
    const text = open();
    for (const other of others) other.set(FULL);
    text.add("y".repeat(MAX_TEXT));
    expect(text.value()).toBeNull();
    text.add("the end");
    expect(text.value()).toBeNull();
    text.set("replaced");
    expect(text.value()).toBe("replaced");
  });

  it("adds nothing past a text's bound", () => {
    const text = createBoundedTexts()();
    text.add("x".repeat(MAX_TEXT - 1));
    text.add("ab");
    text.add("c");
    expect(text.value()).toBe(`${"x".repeat(MAX_TEXT - 1)}a`);
  });

  it("ignores values that are not strings, and accepts an empty string", () => {
    const text = createBoundedTexts()();
    for (const value of [null, undefined, 7, {}, ["a"]]) {
      text.add(value);
      text.set(value);
    }
    expect(text.value()).toBeNull();
    text.add("");
    expect(text.value()).toBe("");
  });
});

const thinking = (text: string): unknown => ({ type: "thinking", thinking: text, signature: "" });
const summary = (...texts: readonly string[]): unknown => ({
  type: "reasoning",
  summary: texts.map((text) => ({ type: "summary_text", text })),
});

describe("bounds of thoughts", () => {
  const texts = Array.from({ length: MAX_THOUGHTS + 7 }, (_, at) => `thought ${at}`);

  it.each([
    ["messages, not streamed", messagesReader, { content: texts.map(thinking) }],
    ["responses, not streamed, in one item", responsesReader, { output: [summary(...texts)] }],
    [
      "responses, not streamed, in many items",
      responsesReader,
      { output: texts.map((text) => summary(text)) },
    ],
  ] as const)("keeps the first 100 thoughts and counts all: %s", (_, createReader, body) => {
    const reader = createReader(KEEP_ALL);
    reader.body(body);
    const { thoughts, thoughtCount } = reader.report();
    expect(thoughtCount).toBe(texts.length);
    expect(thoughts.map(({ text }) => text)).toEqual(texts.slice(0, MAX_THOUGHTS));
  });

  it("keeps a thought of 200,000 deltas up to its bound", () => {
    const reader = messagesReader(KEEP_ALL);
    reader.event(JSON.stringify({ type: "content_block_start", index: 0, content_block: thinking("") }), "");
    const delta = JSON.stringify({
      type: "content_block_delta",
      index: 0,
      delta: { type: "thinking_delta", thinking: "x" },
    });
    for (let at = 0; at < 200_000; at += 1) reader.event(delta, "");
    expect(reader.report().thoughts.map(({ text }) => text.length)).toEqual([MAX_TEXT]);
  });

  it("applies one total bound to thoughts and inputs", () => {
    const reader = messagesReader(KEEP_ALL);
    reader.body({
      content: [
        ...Array.from({ length: 20 }, () => thinking("x".repeat(MAX_TEXT))),
        toolUse(0, "f", { a: "y".repeat(MAX_TEXT) }),
      ],
    });
    const { thoughts, thoughtCount, toolCalls } = reader.report();
    expect(thoughtCount).toBe(20);
    expect(thoughts).toHaveLength(Math.floor(MAX_TEXTS / MAX_TEXT));
    expect(toolCalls).toMatchObject([{ name: "f", input: null }]);
  });

  it("counts a thought without text", () => {
    const reader = messagesReader(KEEP_ALL);
    reader.body({ content: [thinking(""), thinking("a"), { type: "thinking" }] });
    expect(reader.report()).toMatchObject({
      thoughtCount: 3,
      thoughts: [{ text: "a", source: "thinking" }],
    });
  });
});

// A pattern that restarts at each repetition, or backtracks over them, would take minutes for a megabyte.
describe.each(DIALECTS.map(([name, createReader]) => [name, createReader] as const))(
  "%s: events that attack the patterns",
  (_, createReader) => {
    const MIB = 1024 * 1024;

    it.each([
      ["blanks after a key", '"tool_calls"', " "],
      ["blanks after a colon", '"type" :', "\t"],
      ["keys", "", '"tool_calls":'],
      ["lists", "", '"tool_calls":[{"index":0,"function":{"arguments":"'],
      ["digits", '"tool_calls":[{"index":', "1"],
      ["one long piece", '"tool_calls":[{"index":0,"function":{"arguments":"', "x"],
      ["escapes", '"tool_calls":[{"index":0,"function":{"arguments":"', '\\"'],
      ["calls", "", '"function_call":{"arguments":"'],
      ["types", "", '"type":"response.'],
      ["types with blanks", "", '"type"  :  '],
      ["quotes", "", '"'],
      ["backslashes", "", "\\"],
      ["usage", "", '"usage": '],
      ["errors", "", '"error" :'],
    ])("reads a megabyte of %s", (_name, head, repeated) => {
      const data = head + repeated.repeat(MIB / repeated.length);
      for (const keep of [KEEP_NONE, KEEP_ALL]) {
        const reader = createReader(keep);
        reader.event('{"id":"a","model":"m","type":"message_start"}', "");
        reader.event(data, "");
        expect(reader.report()).toMatchObject({ toolCallCount: 0, thoughtCount: 0, error: null });
      }
    });
  },
);
