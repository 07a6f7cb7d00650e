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

/** For each dialect: a whole answer and a stream of these calls or thoughts, a thought being no chat's. */
const ANSWERS = [
  [
    "chat",
    chatReader,
    (calls: readonly Named[]) => ({
      choices: [{ message: { tool_calls: calls.map((one) => call(...one)) } }],
    }),
    (calls: readonly Named[]) =>
      calls.map((one) => ({ choices: [{ delta: { tool_calls: [call(...one)] } }] })),
  ],
  [
    "responses",
    responsesReader,
    (calls: readonly Named[]) => ({ output: calls.map((one) => functionCall(...one)) }),
    (calls: readonly Named[]) =>
      calls.flatMap((one) => [
        { type: "response.output_item.added", output_index: one[0], item: functionCall(one[0], one[1], "") },
        { type: "response.output_item.done", output_index: one[0], item: functionCall(...one) },
      ]),
  ],
  [
    "messages",
    messagesReader,
    (calls: readonly Named[]) => ({
      content: calls.map(([at, name, input]) => toolUse(at, name, { input })),
    }),
    (calls: readonly Named[]) =>
      calls.flatMap(([index, name, input]) => [
        { type: "content_block_start", index, content_block: toolUse(index, name, {}) },
        { type: "content_block_delta", index, delta: { type: "input_json_delta", partial_json: input } },
        { type: "content_block_stop", index },
      ]),
  ],
] as const;

type Named = readonly [index: number, name: string, input: string];

const many = (count: number, input = "{}"): Named[] =>
  Array.from({ length: count }, (_, index) => [index, `tool_${index}`, input]);

/** An answer's report, told whole and told as a stream. */
function bothWays(
  [, answer, whole, stream]: (typeof ANSWERS)[number],
  calls: readonly Named[],
  keep = KEEP_ALL,
): ResponseReport[] {
  const own = answer(keep);
  own.body(whole(calls));
  return [own.report(), afterEvents(answer(keep), stream(calls))];
}

describe.each(ANSWERS.map((one) => [one[0], one] as const))("bounds of %s", (_, one) => {
  it(`of many calls the first ${MAX_TOOL_CALLS} are kept, and all are counted`, () => {
    for (const keep of [KEEP_ALL, KEEP_NONE]) {
      for (const report of bothWays(one, many(MAX_TOOL_CALLS + 23), keep)) {
        expect(report.toolCallCount).toBe(MAX_TOOL_CALLS + 23);
        expect(report.toolCalls.map(({ name }) => name)).toEqual(
          many(MAX_TOOL_CALLS).map(([, name]) => name),
        );
      }
    }
  });

  it("50,000 calls are counted in bounded time", () => {
    for (const report of bothWays(one, many(50_000), KEEP_NONE)) expect(report.toolCallCount).toBe(50_000);
  });

  it("names are cut to 128 characters, ids to 256", () => {
    const own = one[1](KEEP_ALL);
    own.body({
      choices: [{ message: { tool_calls: [{ id: "i".repeat(999), function: { name: "n".repeat(999) } }] } }],
      output: [{ type: "function_call", call_id: "i".repeat(999), name: "n".repeat(999) }],
      content: [{ type: "tool_use", id: "i".repeat(999), name: "n".repeat(999) }],
    });
    expect(own.report().toolCalls).toMatchObject([
      { id: "i".repeat(256), name: "n".repeat(128), input: null },
    ]);
  });

  it("a kind of its own is cut to 128 characters, and is the name where there is none", () => {
    const own = one[1](KEEP_ALL);
    own.body({
      choices: [{ message: { tool_calls: [{ type: "k".repeat(999) }] } }],
      output: [{ type: `${"k".repeat(999)}_call` }],
      content: [{ type: `${"k".repeat(999)}_tool_use` }],
    });
    const kind = "k".repeat(128);
    expect(own.report().toolCalls).toEqual([{ id: null, name: kind, kind, input: null, error: null }]);
  });

  it(`a text is cut to ${MAX_TEXT} characters`, () => {
    const long = "ü".repeat(MAX_TEXT + 5);
    for (const { toolCalls } of bothWays(one, [[0, "f", long]])) {
      expect(toolCalls[0]?.input).toHaveLength(MAX_TEXT);
    }
  });

  it(`all texts together have ${MAX_TEXTS} characters: one that does not fit is not kept, a later one that does is`, () => {
    const fit = Math.floor(MAX_TEXTS / MAX_TEXT);
    const calls: Named[] = [...many(fit + 2, "x".repeat(MAX_TEXT)), [fit + 2, "last", "{}"]];
    for (const { toolCalls, toolCallCount } of bothWays(one, calls)) {
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

const namedAndMore = ([index, name]: Named): unknown[] =>
  [{ name }, {}].map((more) => ({
    choices: [
      { delta: { tool_calls: [{ index, id: `call_${index}`, function: { arguments: "x", ...more } }] } },
    ],
  }));

it("chat: pieces of more calls than are told apart, each with its id, are no calls of their own", () => {
  for (const keep of [KEEP_ALL, KEEP_NONE]) {
    expect(afterEvents(chatReader(keep), many(1100).flatMap(namedAndMore)).toolCallCount).toBe(1100);
  }
});

describe("texts within bounds", () => {
  const FIT = Math.floor(MAX_TEXTS / MAX_TEXT);
  const FULL = "x".repeat(MAX_TEXT);

  it("what is replaced gives its room back", () => {
    const open = createBoundedTexts();
    const first = open();
    for (let at = 0; at < 50; at += 1) first.set(FULL);
    const others = Array.from({ length: FIT - 1 }, () => open());
    for (const other of others) other.set(FULL);
    expect([first, ...others].map((text) => text.value()?.length)).toEqual(
      others.concat(first).map(() => MAX_TEXT),
    );
  });

  it("a text that was given up is not taken up in its middle, but may be told anew", () => {
    const open = createBoundedTexts();
    const others = Array.from({ length: FIT }, () => open());
    const own = open();
    for (const other of others) other.set(FULL);
    own.add("y".repeat(MAX_TEXT));
    expect(own.value()).toBeNull();
    own.add("the end");
    expect(own.value()).toBeNull();
    own.set("told anew");
    expect(own.value()).toBe("told anew");
  });

  it("nothing follows a text's bound", () => {
    const own = createBoundedTexts()();
    own.add("x".repeat(MAX_TEXT - 1));
    own.add("ab");
    own.add("c");
    expect(own.value()).toBe(`${"x".repeat(MAX_TEXT - 1)}a`);
  });

  it("what is no string changes nothing, and a text that is empty is one", () => {
    const own = createBoundedTexts()();
    for (const value of [null, undefined, 7, {}, ["a"]]) {
      own.add(value);
      own.set(value);
    }
    expect(own.value()).toBeNull();
    own.add("");
    expect(own.value()).toBe("");
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
    ["messages, whole", messagesReader, { content: texts.map(thinking) }],
    ["responses, whole, of one item", responsesReader, { output: [summary(...texts)] }],
    ["responses, whole, of many items", responsesReader, { output: texts.map((text) => summary(text)) }],
  ] as const)("of many the first 100 are kept, and all are counted: %s", (_, answer, body) => {
    const own = answer(KEEP_ALL);
    own.body(body);
    expect(own.report()).toMatchObject({
      thoughtCount: texts.length,
      thoughts: texts.slice(0, MAX_THOUGHTS),
    });
  });

  it("one in 200,000 pieces is kept to its bound", () => {
    const own = messagesReader(KEEP_ALL);
    own.event(JSON.stringify({ type: "content_block_start", index: 0, content_block: thinking("") }), "");
    const delta = JSON.stringify({
      type: "content_block_delta",
      index: 0,
      delta: { type: "thinking_delta", thinking: "x" },
    });
    for (let at = 0; at < 200_000; at += 1) own.event(delta, "");
    expect(own.report().thoughts.map((text) => text.length)).toEqual([MAX_TEXT]);
  });

  it("thoughts and inputs share their bound", () => {
    const own = messagesReader(KEEP_ALL);
    own.body({
      content: [
        ...Array.from({ length: 20 }, () => thinking("x".repeat(MAX_TEXT))),
        toolUse(0, "f", { a: "y".repeat(MAX_TEXT) }),
      ],
    });
    const { thoughts, thoughtCount, toolCalls } = own.report();
    expect(thoughtCount).toBe(20);
    expect(thoughts).toHaveLength(Math.floor(MAX_TEXTS / MAX_TEXT));
    expect(toolCalls).toMatchObject([{ name: "f", input: null }]);
  });

  it("a thought without a word is counted", () => {
    const own = messagesReader(KEEP_ALL);
    own.body({ content: [thinking(""), thinking("a"), { type: "thinking" }] });
    expect(own.report()).toMatchObject({ thoughtCount: 3, thoughts: ["a"] });
  });
});

// A pattern that begins anew at each of these, or goes back over them, would take minutes for a megabyte.
describe.each(ANSWERS.map(([name, answer]) => [name, answer] as const))(
  "%s: events made to be slow",
  (_, answer) => {
    const MIB = 1024 * 1024;

    it.each([
      ["blanks behind a key", '"tool_calls"', " "],
      ["blanks behind a colon", '"type" :', "\t"],
      ["keys", "", '"tool_calls":'],
      ["lists", "", '"tool_calls":[{"index":0,"function":{"arguments":"'],
      ["digits", '"tool_calls":[{"index":', "1"],
      ["a long piece", '"tool_calls":[{"index":0,"function":{"arguments":"', "x"],
      ["escapes", '"tool_calls":[{"index":0,"function":{"arguments":"', '\\"'],
      ["calls", "", '"function_call":{"arguments":"'],
      ["types", "", '"type":"response.'],
      ["types with blanks", "", '"type"  :  '],
      ["quotes", "", '"'],
      ["backslashes", "", "\\"],
      ["usage", "", '"usage": '],
      ["errors", "", '"error" :'],
    ])("%s", (_name, head, repeated) => {
      const data = head + repeated.repeat(MIB / repeated.length);
      for (const keep of [KEEP_NONE, KEEP_ALL]) {
        const reader = answer(keep);
        reader.event('{"id":"a","model":"m","type":"message_start"}', "");
        reader.event(data, "");
        expect(reader.report()).toMatchObject({ toolCallCount: 0, thoughtCount: 0, error: null });
      }
    });
  },
);
