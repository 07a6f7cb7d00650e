import { describe, expect, it } from "vitest";
import type {
  ResponseReader,
  ContentOptions,
  ToolCall,
} from "../../../src/gateway/provider/response-reader.ts";
import { messagesReader } from "../../../src/gateway/provider/anthropic/messages-response.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { KEEP_ALL, KEEP_NONE } from "../../support/in-workerd/fixtures.ts";
import { afterEvents } from "../../support/in-workerd/readers.ts";

type Told = readonly [id: string | null, name: string, input: string | null];

const names = (calls: readonly ToolCall[]): unknown => calls.map(({ id, name, kind }) => [id, name, kind]);

/** The calls that events tell of; told without their inputs, they must be the same but for these. */
function callsOf(answer: (keep: ContentOptions) => ResponseReader, events: readonly unknown[]): Told[] {
  const all = afterEvents(answer(KEEP_ALL), events);
  const none = afterEvents(answer(KEEP_NONE), events);
  expect(names(none.toolCalls)).toEqual(names(all.toolCalls));
  expect(none.toolCallCount).toBe(all.toolCallCount);
  expect(all.toolCallCount).toBe(all.toolCalls.length);
  return all.toolCalls.map(({ id, name, input }) => [id, name, input]);
}

const chunk = (delta: unknown, index = 0): unknown => ({
  id: "chatcmpl-1",
  model: "m",
  choices: [{ index, delta, finish_reason: null }],
});
const pieces = (...tool_calls: readonly unknown[]): unknown => chunk({ tool_calls });
const begin = (index: number, id: string, name: string, args = ""): unknown => ({
  index,
  id,
  type: "function",
  function: { name, arguments: args },
});
const more = (index: number, args: string): unknown => ({ index, function: { arguments: args } });
const begun = chunk({ role: "assistant", content: null });

describe("chat: calls out of pieces", () => {
  const LONG = "x".repeat(5000);

  it.each<[string, readonly unknown[], readonly Told[]]>([
    ["one", [pieces(begin(0, "a", "f")), pieces(more(0, "{")), pieces(more(0, "}"))], [["a", "f", "{}"]]],
    ["whole at once", [pieces(begin(0, "a", "f", "{}"))], [["a", "f", "{}"]]],
    [
      "two at once, then pieces of both",
      [pieces(begin(0, "a", "f"), begin(1, "b", "g")), pieces(more(1, "2"), more(0, "1"))],
      [
        ["a", "f", "1"],
        ["b", "g", "2"],
      ],
    ],
    [
      "one goes on and another begins in the same chunk",
      [pieces(begin(0, "a", "f")), pieces(more(0, "1"), begin(1, "b", "g"))],
      [
        ["a", "f", "1"],
        ["b", "g", ""],
      ],
    ],
    [
      "two choices in one chunk, the first going on",
      [
        pieces(begin(0, "a", "f")),
        {
          id: "chatcmpl-1",
          choices: [
            { index: 0, delta: { tool_calls: [more(0, "1")] } },
            { index: 1, delta: { tool_calls: [begin(0, "b", "g", "2")] } },
          ],
        },
      ],
      [
        ["a", "f", "1"],
        ["b", "g", "2"],
      ],
    ],
    [
      "the same place in two choices",
      [chunk({ tool_calls: [begin(0, "a", "f")] }, 0), chunk({ tool_calls: [begin(0, "b", "g")] }, 1)],
      [
        ["a", "f", ""],
        ["b", "g", ""],
      ],
    ],
    [
      "a piece too long to be looked through, with a name in it",
      [pieces({ index: 0, function: { arguments: LONG, name: "f" } })],
      [[null, "f", LONG]],
    ],
    [
      "a long piece, then another call",
      [pieces(begin(0, "a", "f")), pieces(more(0, LONG)), pieces(begin(1, "b", "g"))],
      [
        ["a", "f", LONG],
        ["b", "g", ""],
      ],
    ],
    [
      "the id first, then the name",
      [
        pieces({ index: 0, id: "a", type: "function" }),
        pieces({ index: 0, function: { name: "f" } }),
        pieces(more(0, "1")),
      ],
      [["a", "f", "1"]],
    ],
    [
      "the name first, then the id",
      [
        pieces({ index: 0, function: { name: "f", arguments: "" } }),
        pieces({ index: 0, id: "a", function: { arguments: "1" } }),
      ],
      [["a", "f", "1"]],
    ],
    [
      "the id late, and then another call of the same index",
      [
        pieces({ index: 0, function: { name: "f", arguments: "" } }),
        pieces({ index: 0, id: "a", function: { arguments: "1" } }),
        pieces({ index: 0, id: "b", function: { arguments: "2" } }),
      ],
      [
        ["a", "f", "1"],
        ["b", "function", "2"],
      ],
    ],
    [
      "the type first, then the name",
      [
        pieces({ index: 0, type: "function", function: { arguments: "1" } }),
        pieces({ index: 0, function: { name: "f" } }),
      ],
      [[null, "f", "1"]],
    ],
    [
      "id, type and name in every piece",
      [pieces(begin(0, "a", "f", "1")), pieces(begin(0, "a", "f", "2"))],
      [["a", "f", "12"]],
    ],
    [
      "empty id and name in the pieces that follow",
      [pieces(begin(0, "a", "f", "1")), pieces(begin(0, "", "", "2"))],
      [["a", "f", "12"]],
    ],
    [
      "null id and type in the pieces that follow",
      [
        pieces(begin(0, "a", "f", "1")),
        pieces({ index: 0, id: null, type: null, function: { name: null, arguments: "2" } }),
      ],
      [["a", "f", "12"]],
    ],
    [
      "members in another order",
      [
        pieces({ function: { arguments: "", name: "f" }, id: "a", index: 0, type: "function" }),
        pieces({ function: { arguments: "1" }, index: 0 }),
      ],
      [["a", "f", "1"]],
    ],
    [
      "whole calls of one index, told apart by their ids",
      [pieces(begin(0, "a", "f", "1")), pieces(begin(0, "b", "f", "2"))],
      [
        ["a", "f", "1"],
        ["b", "f", "2"],
      ],
    ],
    [
      "whole calls of one index without ids, told apart by their names",
      [
        pieces(begin(0, "", "f", "1")),
        pieces(begin(0, "", "", "2")),
        pieces(begin(0, "", "g", "3")),
        pieces(begin(0, "", "g", "4")),
      ],
      [
        [null, "f", "12"],
        [null, "g", "34"],
      ],
    ],
    [
      "whole calls without an index",
      [
        pieces(
          { ...(begin(0, "a", "f", "1") as object), index: undefined },
          { ...(begin(0, "b", "g", "2") as object), index: undefined },
        ),
      ],
      [
        ["a", "f", "1"],
        ["b", "g", "2"],
      ],
    ],
    [
      "whole calls with neither index nor id",
      [
        pieces({ type: "function", function: { name: "f", arguments: "1" } }),
        pieces({ type: "function", function: { name: "f", arguments: "2" } }),
      ],
      [
        [null, "f", "1"],
        [null, "f", "2"],
      ],
    ],
    [
      "pieces without an index go on with the last call",
      [
        pieces({ id: "a", function: { name: "f", arguments: "" } }),
        pieces({ function: { arguments: "1" } }),
        pieces({ id: "a", function: { arguments: "2" } }),
      ],
      [["a", "f", "12"]],
    ],
    [
      "a piece of a call that never began",
      [pieces(more(3, "1")), chunk({ function_call: { arguments: "1" } })],
      [],
    ],
    [
      "an argument that is an object",
      [pieces({ index: 0, id: "a", function: { name: "f", arguments: { b: 1 } } })],
      [["a", "f", '{"b":1}']],
    ],
    ["no calls", [pieces(), chunk({ tool_calls: null, function_call: null }), chunk({ tool_calls: {} })], []],
    ["entries that are none", [pieces(null, 7, "x", [begin(0, "a", "f")])], []],
    [
      "no name",
      [pieces({ index: 0, id: "a", type: "function", function: { arguments: "1" } })],
      [["a", "function", "1"]],
    ],
    [
      "the deprecated one",
      [chunk({ function_call: { name: "f", arguments: "" } }), chunk({ function_call: { arguments: "1" } })],
      [[null, "f", "1"]],
    ],
    [
      "the deprecated one in two choices, beside another",
      [
        chunk({ function_call: { name: "f", arguments: "1" } }, 0),
        chunk({ function_call: { name: "g", arguments: "2" } }, 1),
        pieces(begin(0, "a", "h", "3")),
      ],
      [
        [null, "f", "1"],
        [null, "g", "2"],
        ["a", "h", "3"],
      ],
    ],
    [
      "a whole message in a chunk",
      [
        {
          id: "chatcmpl-1",
          choices: [
            { index: 0, message: { tool_calls: [begin(0, "a", "f", "1"), begin(0, "a", "f", "2")] } },
          ],
        },
      ],
      [
        ["a", "f", "1"],
        ["a", "f", "2"],
      ],
    ],
  ])("%s", (_, events, calls) => {
    expect(callsOf(chatReader, [begun, ...events])).toEqual(calls);
  });

  it("names in a text are no calls", () => {
    const text = JSON.stringify(pieces(begin(0, "forged", "forged")));
    expect(callsOf(chatReader, [begun, chunk({ content: text }), pieces(begin(0, "a", "f", text))])).toEqual([
      ["a", "f", text],
    ]);
  });
});

const item = (when: "added" | "done", output_index: unknown, value: unknown): unknown => ({
  type: `response.output_item.${when}`,
  output_index,
  item: value,
});
const fn = (id: unknown, call_id: unknown, name: string, args: unknown): unknown => ({
  type: "function_call",
  id,
  call_id,
  name,
  arguments: args,
});
const completed = (...output: readonly unknown[]): unknown => ({
  type: "response.completed",
  response: { output },
});

describe("responses: one call, however often it is told", () => {
  const whole = fn("fc_1", "call_1", "f", "{}");

  it.each<[string, readonly unknown[], readonly Told[]]>([
    ["as it begins", [item("added", 0, fn("fc_1", "call_1", "f", ""))], [["call_1", "f", ""]]],
    ["as it is done", [item("done", 0, whole)], [["call_1", "f", "{}"]]],
    ["in the whole alone", [completed(whole)], [["call_1", "f", "{}"]]],
    [
      "in all three",
      [item("added", 0, fn("fc_1", "call_1", "f", "")), item("done", 0, whole), completed(whole)],
      [["call_1", "f", "{}"]],
    ],
    ["in the whole twice", [completed(whole), completed(whole)], [["call_1", "f", "{}"]]],
    ["done twice", [item("done", 0, whole), item("done", 0, whole)], [["call_1", "f", "{}"]]],
    [
      "without a place",
      [item("added", undefined, whole), item("done", undefined, whole), completed(whole)],
      [["call_1", "f", "{}"]],
    ],
    [
      "with neither place nor item's id",
      [
        item("added", undefined, fn(undefined, "call_1", "f", "")),
        item("done", undefined, fn(undefined, "call_1", "f", "{}")),
        completed(fn(undefined, "call_1", "f", "{}")),
      ],
      [["call_1", "f", "{}"]],
    ],
    [
      "with nothing to be told by: counted as it is done",
      [
        item("added", undefined, fn("", null, "f", "")),
        item("done", undefined, fn("", null, "f", "{}")),
        completed(fn("", null, "f", "{}")),
      ],
      [[null, "f", "{}"]],
    ],
    [
      "with an id that changes",
      [
        item("added", 0, fn("x", "call_1", "f", "")),
        item("done", 0, fn("y", "call_1", "f", "{}")),
        completed(fn("z", "call_1", "f", "{}")),
      ],
      [["call_1", "f", "{}"]],
    ],
    [
      "with its call's id only at the end",
      [item("added", 0, fn("fc_1", undefined, "f", "")), item("done", 0, whole)],
      [["call_1", "f", "{}"]],
    ],
    [
      "two with one place",
      [
        item("added", 0, whole),
        item("done", 0, whole),
        item("added", 0, fn("fc_2", "call_2", "g", "")),
        item("done", 0, fn("fc_2", "call_2", "g", "1")),
        completed(whole, fn("fc_2", "call_2", "g", "1")),
      ],
      [
        ["call_1", "f", "{}"],
        ["call_2", "g", "1"],
      ],
    ],
    [
      "two, of which only one was seen before the end",
      [
        item("added", 1, fn("fc_2", "call_2", "g", "")),
        item("done", 1, fn("fc_2", "call_2", "g", "1")),
        completed(whole, fn("fc_2", "call_2", "g", "1")),
      ],
      [
        ["call_2", "g", "1"],
        ["call_1", "f", "{}"],
      ],
    ],
    [
      "its last word lost, and told by the whole",
      [item("added", 0, fn("fc_1", "call_1", "f", "")), completed(whole)],
      [["call_1", "f", "{}"]],
    ],
    [
      "its last word stands, whatever the whole says",
      [item("done", 0, whole), completed(fn("fc_1", "call_1", "f", "x"))],
      [["call_1", "f", "{}"]],
    ],
    [
      "pieces of what is done change nothing",
      [
        item("done", 0, whole),
        { type: "response.function_call_arguments.delta", output_index: 0, delta: "x" },
      ],
      [["call_1", "f", "{}"]],
    ],
    [
      "pieces of what never began are none",
      [{ type: "response.function_call_arguments.delta", output_index: 0, item_id: "fc_1", delta: "x" }],
      [],
    ],
    [
      "pieces told by the item's id",
      [
        item("added", undefined, fn("fc_1", "call_1", "f", "")),
        { type: "response.function_call_arguments.delta", item_id: "fc_1", delta: "x" },
      ],
      [["call_1", "f", "x"]],
    ],
    [
      "what is no call",
      ["mcp_list_tools", "mcp_approval_request", "message", "function_call_output", "program", 7].map(
        (type, at) => item("done", at, { type, id: `x_${at}`, name: "f", arguments: "{}" }),
      ),
      [],
    ],
    [
      "items that are none",
      [item("done", 0, null), item("done", 0, [whole]), item("done", 0, "x"), completed(null, 7, [whole])],
      [],
    ],
    [
      "a kind that is new",
      [item("done", 0, { type: "teleport_call", id: "tp_1", action: { to: "x" } })],
      [["tp_1", "teleport_call", '{"to":"x"}']],
    ],
  ])("%s", (_, events, calls) => {
    expect(callsOf(responsesReader, events)).toEqual(calls);
  });
});

const start = (index: unknown, content_block: unknown): unknown => ({
  type: "content_block_start",
  index,
  content_block,
});
const tool = (id: string, name: string, input: unknown = {}): unknown => ({
  type: "tool_use",
  id,
  name,
  input,
});
const json = (index: unknown, partial_json: unknown): unknown => ({
  type: "content_block_delta",
  index,
  delta: { type: "input_json_delta", partial_json },
});
const stop = (index: unknown): unknown => ({ type: "content_block_stop", index });

describe("messages: calls out of blocks", () => {
  it.each<[string, readonly unknown[], readonly Told[]]>([
    [
      "in pieces",
      [start(0, tool("a", "f")), json(0, ""), json(0, "{"), json(0, "}"), stop(0)],
      [["a", "f", "{}"]],
    ],
    ["without an input", [start(0, tool("a", "f")), json(0, ""), stop(0)], [["a", "f", "{}"]]],
    ["whole as it begins", [start(0, tool("a", "f", { b: 1 })), stop(0)], [["a", "f", '{"b":1}']]],
    ["whole as it begins, cut", [start(0, tool("a", "f", { b: 1 }))], [["a", "f", '{"b":1}']]],
    [
      "whole as it begins, and then in pieces",
      [start(0, tool("a", "f", { b: 1 })), json(0, '{"c"'), json(0, ":2}"), stop(0)],
      [["a", "f", '{"c":2}']],
    ],
    ["cut before its input", [start(0, tool("a", "f"))], [["a", "f", null]]],
    ["cut in its input", [start(0, tool("a", "f")), json(0, '{"b')], [["a", "f", '{"b']]],
    [
      "side by side",
      [start(0, tool("a", "f")), start(1, tool("b", "g")), json(1, "2"), json(0, "1"), stop(1), stop(0)],
      [
        ["a", "f", "1"],
        ["b", "g", "2"],
      ],
    ],
    [
      "one index twice",
      [start(0, tool("a", "f")), json(0, "1"), start(0, tool("b", "g")), json(0, "2")],
      [
        ["a", "f", "1"],
        ["b", "g", "2"],
      ],
    ],
    [
      "a piece of no block",
      [json(0, "1"), start(0, tool("a", "f")), json(7, "1"), stop(7)],
      [["a", "f", null]],
    ],
    [
      "a piece after the end",
      [start(0, tool("a", "f")), json(0, "1"), stop(0), json(0, "2")],
      [["a", "f", "1"]],
    ],
    [
      "pieces that are no text",
      [start(0, tool("a", "f")), json(0, 7), json(0, null), json(0, ["x"])],
      [["a", "f", null]],
    ],
    [
      "a kind that is new",
      [start(0, { type: "browser_tool_use", id: "a", name: "f", input: { b: 1 } })],
      [["a", "f", '{"b":1}']],
    ],
    [
      "a result alone",
      [start(0, { type: "web_search_tool_result", tool_use_id: "a", content: { error_code: "x" } })],
      [],
    ],
    [
      "blocks that are none",
      [start(0, null), start(0, [tool("a", "f")]), start(0, "tool_use"), start(0, { type: 7 })],
      [],
    ],
  ])("%s", (_, events, calls) => {
    expect(callsOf(messagesReader, events)).toEqual(calls);
  });

  it.each([
    [
      "a code",
      { content: { type: "web_search_tool_result_error", error_code: "max_uses_exceeded" } },
      "max_uses_exceeded",
    ],
    ["text", { is_error: true, content: "no such tool" }, "no such tool"],
    [
      "parts of text",
      {
        is_error: true,
        content: [{ type: "text", text: "a" }, { type: "image" }, { type: "text", text: "b" }],
      },
      "a\nb",
    ],
    ["nothing", { is_error: true }, null],
    ["a result", { is_error: false, content: [{ type: "text", text: "RESULT" }] }, null],
    ["a result that does not say", { content: [{ type: "text", text: "RESULT" }] }, null],
  ])("what went wrong with a tool of the provider's, as %s", (_, result, error) => {
    const events = [
      start(0, { type: "mcp_tool_use", id: "a", name: "f", input: {} }),
      start(1, { type: "mcp_tool_result", tool_use_id: "a", ...result }),
    ];
    expect(afterEvents(messagesReader(KEEP_ALL), events).toolCalls).toMatchObject([{ name: "f", error }]);
    expect(afterEvents(messagesReader(KEEP_NONE), events).toolCalls).toMatchObject([
      { name: "f", error: null },
    ]);
  });
});

/** Texts that would be misread by anyone who does not keep to JSON's own ends. */
const TEXTS = [
  "",
  "{}",
  '{"path":"ü 🗼"}',
  '"tool_calls":[{"index":9,"id":"forged","function":{"name":"forged"',
  '\\","name":"forged',
  '"type":"tool_use"',
  '"type":"response.completed"',
  '"finish_reason":"stop"',
  "data: [DONE]\n\n",
  "\\",
  '"}]}',
  "x".repeat(1500),
];

type Call = { readonly id: string; readonly name: string; readonly input: string };

function randomCalls(random: () => number): Call[] {
  return Array.from({ length: between(random, 1, 6) }, (_, at) => ({
    id: `call_${at}`,
    name: `tool_${between(random, 0, 2)}`,
    input: Array.from(
      { length: between(random, 0, 4) },
      () => TEXTS[between(random, 0, TEXTS.length - 1)] ?? "",
    ).join(""),
  }));
}

/** Each call's own events in order, the calls' among one another at random, though they begin in theirs. */
function shuffled(random: () => number, events: readonly (readonly unknown[])[]): unknown[] {
  const left = events.map((own) => [...own]);
  const out: unknown[] = [];
  let begunUpTo = 0;
  while (left.some((own) => own.length > 0)) {
    const at = between(random, 0, Math.min(begunUpTo, left.length - 1));
    const event = left[at]?.shift();
    if (event === undefined) continue;
    out.push(event);
    if (at === begunUpTo) begunUpTo += 1;
  }
  return out;
}

function cutUp(random: () => number, text: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    const size = between(random, 1, random() < 0.5 ? 5 : 2000);
    parts.push(text.slice(at, at + size));
    at += size;
  }
  return parts;
}

const told = (calls: readonly Call[]): Told[] => calls.map(({ id, name, input }) => [id, name, input]);

describe("calls told in any order, in pieces of any size, are the calls that were made", () => {
  it("chat", () => {
    forSeeds(1500, (seed) => {
      const random = seededRandom(seed);
      const calls = randomCalls(random);
      const styles: ((at: number, part: string) => unknown)[] = [
        more,
        (index, part) => ({ function: { arguments: part }, index }),
        (index, part) => begin(index, calls[index]?.id ?? "", "", part),
        (index, part) => ({ index, id: null, type: "function", function: { arguments: part } }),
      ];
      const events = calls.map(({ id, name, input }, at) => {
        const style = styles[between(random, 0, styles.length - 1)] ?? more;
        return [begin(at, id, name), ...cutUp(random, input).map((part) => style(at, part))].map((one) =>
          pieces(one),
        );
      });
      expect(callsOf(chatReader, [begun, ...shuffled(random, events)])).toEqual(told(calls));
    });
  });

  it("responses", () => {
    forSeeds(1500, (seed) => {
      const random = seededRandom(seed);
      const calls = randomCalls(random);
      const items = calls.map(({ id, name, input }, at) => fn(`fc_${at}`, id, name, input));
      const events = calls.map(({ id, name, input }, at) => [
        item("added", at, fn(`fc_${at}`, id, name, "")),
        ...cutUp(random, input).map((delta) => ({
          type: "response.function_call_arguments.delta",
          output_index: at,
          item_id: `fc_${at}`,
          delta,
        })),
        ...(random() < 0.5 ? [item("done", at, items[at])] : []),
      ]);
      const end = random() < 0.5 ? [completed(...items)] : [];
      expect(callsOf(responsesReader, [...shuffled(random, events), ...end])).toEqual(told(calls));
    });
  });

  it("messages", () => {
    forSeeds(1500, (seed) => {
      const random = seededRandom(seed);
      const calls = randomCalls(random).map((call) => ({ ...call, input: call.input || "{}" }));
      const events = calls.map(({ id, name, input }, at) => [
        start(at, tool(id, name)),
        json(at, ""),
        ...cutUp(random, input).map((part) => json(at, part)),
        stop(at),
      ]);
      expect(callsOf(messagesReader, shuffled(random, events))).toEqual(told(calls));
    });
  });
});
