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

type CallFields = readonly [id: string | null, name: string, input: string | null];

const names = (calls: readonly ToolCall[]): unknown => calls.map(({ id, name, kind }) => [id, name, kind]);

/** The tool calls in the events. Checks that ids, names and kinds are the same if inputs are not kept. */
function callsOf(
  createReader: (keep: ContentOptions) => ResponseReader,
  events: readonly unknown[],
): CallFields[] {
  const all = afterEvents(createReader(KEEP_ALL), events);
  const none = afterEvents(createReader(KEEP_NONE), events);
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
const firstPiece = (index: number, id: string, name: string, args = ""): unknown => ({
  index,
  id,
  type: "function",
  function: { name, arguments: args },
});
const nextPiece = (index: number, args: string): unknown => ({ index, function: { arguments: args } });
/** A piece without an id. */
const named = (name: string | null, args: unknown, index?: number): unknown => ({
  ...(index === undefined ? {} : { index }),
  function: { ...(name === null ? {} : { name }), arguments: args },
});
const firstChunk = chunk({ role: "assistant", content: null });

describe("chat: calls in pieces", () => {
  const LONG = "x".repeat(5000);

  it.each<[string, readonly unknown[], readonly CallFields[]]>([
    [
      "one call in pieces",
      [pieces(firstPiece(0, "a", "f")), pieces(nextPiece(0, "{")), pieces(nextPiece(0, "}"))],
      [["a", "f", "{}"]],
    ],
    ["one call in one piece", [pieces(firstPiece(0, "a", "f", "{}"))], [["a", "f", "{}"]]],
    [
      "two calls that start in one chunk, then pieces of both",
      [
        pieces(firstPiece(0, "a", "f"), firstPiece(1, "b", "g")),
        pieces(nextPiece(1, "2"), nextPiece(0, "1")),
      ],
      [
        ["a", "f", "1"],
        ["b", "g", "2"],
      ],
    ],
    [
      "a call that continues and one that starts in the same chunk",
      [pieces(firstPiece(0, "a", "f")), pieces(nextPiece(0, "1"), firstPiece(1, "b", "g"))],
      [
        ["a", "f", "1"],
        ["b", "g", ""],
      ],
    ],
    [
      "two choices in one chunk, of which the first continues a call",
      [
        pieces(firstPiece(0, "a", "f")),
        {
          id: "chatcmpl-1",
          choices: [
            { index: 0, delta: { tool_calls: [nextPiece(0, "1")] } },
            { index: 1, delta: { tool_calls: [firstPiece(0, "b", "g", "2")] } },
          ],
        },
      ],
      [
        ["a", "f", "1"],
        ["b", "g", "2"],
      ],
    ],
    [
      "the same index in two choices",
      [
        chunk({ tool_calls: [firstPiece(0, "a", "f")] }, 0),
        chunk({ tool_calls: [firstPiece(0, "b", "g")] }, 1),
      ],
      [
        ["a", "f", ""],
        ["b", "g", ""],
      ],
    ],
    [
      "a piece longer than the pattern matches, with a name",
      [pieces({ index: 0, function: { arguments: LONG, name: "f" } })],
      [[null, "f", LONG]],
    ],
    [
      "a long piece and then another call",
      [pieces(firstPiece(0, "a", "f")), pieces(nextPiece(0, LONG)), pieces(firstPiece(1, "b", "g"))],
      [
        ["a", "f", LONG],
        ["b", "g", ""],
      ],
    ],
    [
      "an id first and then the name",
      [
        pieces({ index: 0, id: "a", type: "function" }),
        pieces({ index: 0, function: { name: "f" } }),
        pieces(nextPiece(0, "1")),
      ],
      [["a", "f", "1"]],
    ],
    [
      "a name first and then the id",
      [
        pieces({ index: 0, function: { name: "f", arguments: "" } }),
        pieces({ index: 0, id: "a", function: { arguments: "1" } }),
      ],
      [["a", "f", "1"]],
    ],
    [
      "a late id and then another call of the same index",
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
      "a type first and then the name",
      [
        pieces({ index: 0, type: "function", function: { arguments: "1" } }),
        pieces({ index: 0, function: { name: "f" } }),
      ],
      [[null, "f", "1"]],
    ],
    [
      "id, type and name in each piece",
      [pieces(firstPiece(0, "a", "f", "1")), pieces(firstPiece(0, "a", "f", "2"))],
      [["a", "f", "12"]],
    ],
    [
      "an empty id and name in later pieces",
      [pieces(firstPiece(0, "a", "f", "1")), pieces(firstPiece(0, "", "", "2"))],
      [["a", "f", "12"]],
    ],
    [
      "a null id and type in later pieces",
      [
        pieces(firstPiece(0, "a", "f", "1")),
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
      "complete calls of one index with different ids",
      [pieces(firstPiece(0, "a", "f", "1")), pieces(firstPiece(0, "b", "f", "2"))],
      [
        ["a", "f", "1"],
        ["b", "f", "2"],
      ],
    ],
    [
      "complete calls of one index without ids, with different names",
      [
        pieces(firstPiece(0, "", "f", "1")),
        pieces(firstPiece(0, "", "", "2")),
        pieces(firstPiece(0, "", "g", "3")),
        pieces(firstPiece(0, "", "g", "4")),
      ],
      [
        [null, "f", "12"],
        [null, "g", "34"],
      ],
    ],
    [
      "complete calls without an index",
      [
        pieces(
          { ...(firstPiece(0, "a", "f", "1") as object), index: undefined },
          { ...(firstPiece(0, "b", "g", "2") as object), index: undefined },
        ),
      ],
      [
        ["a", "f", "1"],
        ["b", "g", "2"],
      ],
    ],
    [
      "complete calls with neither index nor id",
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
      "pieces without an index, which continue the last call",
      [
        pieces({ id: "a", function: { name: "f", arguments: "" } }),
        pieces({ function: { arguments: "1" } }),
        pieces({ id: "a", function: { arguments: "2" } }),
      ],
      [["a", "f", "12"]],
    ],
    [
      "a piece of a call that never started",
      [pieces(nextPiece(3, "1")), chunk({ function_call: { arguments: "1" } })],
      [],
    ],
    [
      "arguments that are an object",
      [pieces({ index: 0, id: "a", function: { name: "f", arguments: { b: 1 } } })],
      [["a", "f", '{"b":1}']],
    ],
    ["no calls", [pieces(), chunk({ tool_calls: null, function_call: null }), chunk({ tool_calls: {} })], []],
    ["entries that are not calls", [pieces(null, 7, "x", [firstPiece(0, "a", "f")])], []],
    [
      "a call without a name",
      [pieces({ index: 0, id: "a", type: "function", function: { arguments: "1" } })],
      [["a", "function", "1"]],
    ],
    [
      "a deprecated function_call",
      [chunk({ function_call: { name: "f", arguments: "" } }), chunk({ function_call: { arguments: "1" } })],
      [[null, "f", "1"]],
    ],
    [
      "a deprecated function_call in two choices, beside a tool call",
      [
        chunk({ function_call: { name: "f", arguments: "1" } }, 0),
        chunk({ function_call: { name: "g", arguments: "2" } }, 1),
        pieces(firstPiece(0, "a", "h", "3")),
      ],
      [
        [null, "f", "1"],
        [null, "g", "2"],
        ["a", "h", "3"],
      ],
    ],
    [
      "a complete message in a chunk",
      [
        {
          id: "chatcmpl-1",
          choices: [
            {
              index: 0,
              message: { tool_calls: [firstPiece(0, "a", "f", "1"), firstPiece(0, "a", "f", "2")] },
            },
          ],
        },
      ],
      [
        ["a", "f", "1"],
        ["a", "f", "2"],
      ],
    ],
  ])("reads %s", (_, events, calls) => {
    expect(callsOf(chatReader, [firstChunk, ...events])).toEqual(calls);
  });

  const TWO: readonly CallFields[] = [
    [null, "f", '{"a":1}'],
    [null, "f", '{"a":2}'],
  ];
  const TRICKY = '{"a":"}\\"]{","b":[{}]}';

  it.each<[string, readonly unknown[], readonly CallFields[]]>([
    [
      "whole, one per chunk, of one index",
      [pieces(named("f", '{"a":1}', 0)), pieces(named("f", '{"a":2}', 0))],
      TWO,
    ],
    [
      "whole, one per chunk, without an index",
      [pieces(named("f", '{"a":1}')), pieces(named("f", '{"a":2}'))],
      TWO,
    ],
    ["whole, in one chunk, of one index", [pieces(named("f", '{"a":1}', 0), named("f", '{"a":2}', 0))], TWO],
    ["whole, in one chunk, without an index", [pieces(named("f", '{"a":1}'), named("f", '{"a":2}'))], TWO],
    [
      "whole, with arguments that are objects",
      [pieces(named("f", { a: 1 }, 0)), pieces(named("f", { a: 2 }, 0))],
      TWO,
    ],
    [
      "in pieces of one index",
      [
        pieces(named("f", "", 0)),
        pieces(named(null, '{"a"', 0)),
        pieces(named(null, ":1}", 0)),
        pieces(named("f", "", 0)),
        pieces(named(null, '{"a":', 0)),
        pieces(named(null, "2}", 0)),
      ],
      TWO,
    ],
    [
      "in pieces without an index",
      [
        pieces(named("f", "")),
        pieces(named(null, '{"a"')),
        pieces(named(null, ":1}")),
        pieces(named("f", "")),
        pieces(named(null, '{"a":2}')),
      ],
      TWO,
    ],
    [
      "in pieces that all have the name, of one index",
      ["", '{"a"', ":1}", '{"a"', ":2}"].map((args) => pieces(named("f", args, 0))),
      TWO,
    ],
    [
      "in pieces that all have the name, without an index",
      ["", '{"a"', ":1}", '{"a"', ":2}"].map((args) => pieces(named("f", args))),
      TWO,
    ],
    [
      "in pieces that all have the name, and a last one without text",
      ['{"a":1', "}", "", '{"a":2}', ""].map((args) => pieces(named("f", args, 0))),
      TWO,
    ],
    [
      "with braces and quotes in strings",
      [
        pieces(named("f", TRICKY.slice(0, 7), 0)),
        pieces(named("f", TRICKY.slice(7), 0)),
        pieces(named("f", "{}", 0)),
      ],
      [
        [null, "f", TRICKY],
        [null, "f", "{}"],
      ],
    ],
    [
      "of two indices, side by side",
      [
        pieces(named("f", '{"a"', 0), named("f", '{"a"', 1)),
        pieces(named(null, ":2}", 1)),
        pieces(named(null, ":1}", 0)),
      ],
      TWO,
    ],
    [
      "of two choices",
      [
        chunk({ tool_calls: [named("f", '{"a":1}', 0)] }, 0),
        chunk({ tool_calls: [named("f", '{"a":2}', 0)] }, 1),
      ],
      TWO,
    ],
    [
      "of which only the first has an id, without an index",
      [
        pieces({ id: "a", function: { name: "f", arguments: '{"a"' } }),
        pieces(named("f", ":1}")),
        pieces(named("f", '{"a":2}')),
      ],
      [
        ["a", "f", '{"a":1}'],
        [null, "f", '{"a":2}'],
      ],
    ],
    [
      "of which only the second has an id, of one index",
      [pieces(named("f", '{"a":1}', 0)), pieces(firstPiece(0, "b", "f", '{"a":2}'))],
      [
        [null, "f", '{"a":1}'],
        ["b", "f", '{"a":2}'],
      ],
    ],
    [
      "of other names, of one index, of which only the first has an id",
      [pieces(firstPiece(0, "a", "f", '{"a":1}')), pieces(named("g", '{"a":2}', 0))],
      [
        ["a", "f", '{"a":1}'],
        [null, "g", '{"a":2}'],
      ],
    ],
  ])("tells apart two calls without ids: %s", (_, events, calls) => {
    expect(callsOf(chatReader, [firstChunk, ...events])).toEqual(calls);
  });

  it.each<[string, readonly unknown[], readonly CallFields[]]>([
    [
      "its id arrives after its arguments",
      [named("f", "{}", 0), firstPiece(0, "a", "f", "")],
      [["a", "f", "{}"]],
    ],
    [
      "its name is repeated at the end",
      [named("f", "{}", 0), named("f", "", 0), named("f", " ", 0)],
      [[null, "f", "{} "]],
    ],
    ["its name is repeated before its arguments", [named("f", ""), named("f", "{}")], [[null, "f", "{}"]]],
    [
      "its raw input contains objects",
      [
        { index: 0, type: "custom", custom: { name: "f", input: "{}" } },
        { index: 0, custom: { name: "f", input: "{}" } },
      ],
      [[null, "f", "{}{}"]],
    ],
  ])("keeps one call where %s", (_, parts, calls) => {
    expect(callsOf(chatReader, [firstChunk, ...parts.map((part) => pieces(part))])).toEqual(calls);
  });

  it("reads no calls from text", () => {
    const text = JSON.stringify(pieces(firstPiece(0, "forged", "forged")));
    expect(
      callsOf(chatReader, [firstChunk, chunk({ content: text }), pieces(firstPiece(0, "a", "f", text))]),
    ).toEqual([["a", "f", text]]);
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

describe("responses: each call once, regardless of how often it is sent", () => {
  const whole = fn("fc_1", "call_1", "f", "{}");

  it.each<[string, readonly unknown[], readonly CallFields[]]>([
    ["a call from its added event", [item("added", 0, fn("fc_1", "call_1", "f", ""))], [["call_1", "f", ""]]],
    ["a call from its done event", [item("done", 0, whole)], [["call_1", "f", "{}"]]],
    ["a call from the whole response alone", [completed(whole)], [["call_1", "f", "{}"]]],
    [
      "a call from all three",
      [item("added", 0, fn("fc_1", "call_1", "f", "")), item("done", 0, whole), completed(whole)],
      [["call_1", "f", "{}"]],
    ],
    ["a call from the whole response twice", [completed(whole), completed(whole)], [["call_1", "f", "{}"]]],
    [
      "a call from two done events",
      [item("done", 0, whole), item("done", 0, whole)],
      [["call_1", "f", "{}"]],
    ],
    [
      "a call without an index",
      [item("added", undefined, whole), item("done", undefined, whole), completed(whole)],
      [["call_1", "f", "{}"]],
    ],
    [
      "a call with neither index nor item id",
      [
        item("added", undefined, fn(undefined, "call_1", "f", "")),
        item("done", undefined, fn(undefined, "call_1", "f", "{}")),
        completed(fn(undefined, "call_1", "f", "{}")),
      ],
      [["call_1", "f", "{}"]],
    ],
    [
      "a call without any id, from its done event",
      [
        item("added", undefined, fn("", null, "f", "")),
        item("done", undefined, fn("", null, "f", "{}")),
        completed(fn("", null, "f", "{}")),
      ],
      [[null, "f", "{}"]],
    ],
    [
      "a call whose item id changes",
      [
        item("added", 0, fn("x", "call_1", "f", "")),
        item("done", 0, fn("y", "call_1", "f", "{}")),
        completed(fn("z", "call_1", "f", "{}")),
      ],
      [["call_1", "f", "{}"]],
    ],
    [
      "a call whose call id is only in the done event",
      [item("added", 0, fn("fc_1", undefined, "f", "")), item("done", 0, whole)],
      [["call_1", "f", "{}"]],
    ],
    [
      "two calls of one name without ids and indices",
      [
        item("added", undefined, fn(null, null, "f", "")),
        item("done", undefined, fn(null, null, "f", "1")),
        item("added", undefined, fn(null, null, "f", "")),
        { type: "response.function_call_arguments.delta", delta: "2" },
        completed(fn(null, null, "f", "1"), fn(null, null, "f", "2")),
      ],
      [
        [null, "f", "1"],
        [null, "f", "2"],
      ],
    ],
    [
      "two calls without ids and indices that are open at once",
      [
        item("added", undefined, fn(null, null, "f", "")),
        item("added", undefined, fn(null, null, "g", "")),
        item("done", undefined, fn(null, null, "g", "2")),
        item("done", undefined, fn(null, null, "f", "1")),
      ],
      [
        [null, "f", "1"],
        [null, "g", "2"],
      ],
    ],
    [
      "calls without ids and indices, of which the second is only in the whole response",
      [
        item("done", undefined, fn(null, null, "f", "1")),
        completed(fn(null, null, "f", "1"), fn(null, null, "f", "2")),
      ],
      [
        [null, "f", "1"],
        [null, "f", "2"],
      ],
    ],
    [
      "a call without ids and index that only starts",
      [item("added", undefined, fn(null, null, "f", ""))],
      [[null, "f", ""]],
    ],
    [
      "two calls of one index",
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
      "two calls, of which one is only in the whole response",
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
      "a call without a done event, from the whole response",
      [item("added", 0, fn("fc_1", "call_1", "f", "")), completed(whole)],
      [["call_1", "f", "{}"]],
    ],
    [
      "the done event rather than a different whole response",
      [item("done", 0, whole), completed(fn("fc_1", "call_1", "f", "x"))],
      [["call_1", "f", "{}"]],
    ],
    [
      "no deltas after the done event",
      [
        item("done", 0, whole),
        { type: "response.function_call_arguments.delta", output_index: 0, delta: "x" },
      ],
      [["call_1", "f", "{}"]],
    ],
    [
      "no deltas of a call that never started",
      [{ type: "response.function_call_arguments.delta", output_index: 0, item_id: "fc_1", delta: "x" }],
      [],
    ],
    [
      "deltas with only the item id",
      [
        item("added", undefined, fn("fc_1", "call_1", "f", "")),
        { type: "response.function_call_arguments.delta", item_id: "fc_1", delta: "x" },
      ],
      [["call_1", "f", "x"]],
    ],
    [
      "no calls from items of other types",
      ["mcp_list_tools", "mcp_approval_request", "message", "function_call_output", "program", 7].map(
        (type, at) => item("done", at, { type, id: `x_${at}`, name: "f", arguments: "{}" }),
      ),
      [],
    ],
    [
      "no calls from invalid items",
      [item("done", 0, null), item("done", 0, [whole]), item("done", 0, "x"), completed(null, 7, [whole])],
      [],
    ],
    [
      "a call of an unknown kind",
      [item("done", 0, { type: "teleport_call", id: "tp_1", action: { to: "x" } })],
      [["tp_1", "teleport_call", '{"to":"x"}']],
    ],
  ])("reads %s", (_, events, calls) => {
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

describe("messages: calls in content blocks", () => {
  it.each<[string, readonly unknown[], readonly CallFields[]]>([
    [
      "a call in deltas",
      [start(0, tool("a", "f")), json(0, ""), json(0, "{"), json(0, "}"), stop(0)],
      [["a", "f", "{}"]],
    ],
    ["a call without an input", [start(0, tool("a", "f")), json(0, ""), stop(0)], [["a", "f", "{}"]]],
    ["an input in the start event", [start(0, tool("a", "f", { b: 1 })), stop(0)], [["a", "f", '{"b":1}']]],
    [
      "an input in the start event of a stream that is cut off",
      [start(0, tool("a", "f", { b: 1 }))],
      [["a", "f", '{"b":1}']],
    ],
    [
      "an input in the start event and then in deltas",
      [start(0, tool("a", "f", { b: 1 })), json(0, '{"c"'), json(0, ":2}"), stop(0)],
      [["a", "f", '{"c":2}']],
    ],
    ["a call cut off before its input", [start(0, tool("a", "f"))], [["a", "f", null]]],
    ["a call cut off within its input", [start(0, tool("a", "f")), json(0, '{"b')], [["a", "f", '{"b']]],
    [
      "two calls side by side",
      [start(0, tool("a", "f")), start(1, tool("b", "g")), json(1, "2"), json(0, "1"), stop(1), stop(0)],
      [
        ["a", "f", "1"],
        ["b", "g", "2"],
      ],
    ],
    [
      "two calls of one index",
      [start(0, tool("a", "f")), json(0, "1"), start(0, tool("b", "g")), json(0, "2")],
      [
        ["a", "f", "1"],
        ["b", "g", "2"],
      ],
    ],
    [
      "two calls of one name without ids and indices",
      [
        start(undefined, { type: "tool_use", name: "f", input: {} }),
        json(undefined, '{"a":'),
        json(undefined, "1}"),
        stop(undefined),
        start(undefined, { type: "tool_use", name: "f", input: {} }),
        json(undefined, '{"a":2}'),
        stop(undefined),
      ],
      [
        [null, "f", '{"a":1}'],
        [null, "f", '{"a":2}'],
      ],
    ],
    [
      "two calls without ids, indices and stop events",
      [
        start(undefined, { type: "tool_use", name: "f", input: {} }),
        start(undefined, { type: "tool_use", name: "f", input: {} }),
        json(undefined, '{"a":2}'),
      ],
      [
        [null, "f", "{}"],
        [null, "f", '{"a":2}'],
      ],
    ],
    [
      "a call whose index is only in its start event",
      [start(3, tool("a", "f")), json(undefined, "1"), stop(undefined), json(undefined, "2")],
      [["a", "f", "1"]],
    ],
    [
      "a call whose index is not in its start event",
      [start(undefined, tool("a", "f")), json(3, "1"), stop(3), json(3, "2")],
      [["a", "f", "1"]],
    ],
    [
      "no thinking into a call's input",
      [
        start(0, tool("a", "f")),
        { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "x" } },
        json(0, "1"),
      ],
      [["a", "f", "1"]],
    ],
    [
      "no delta of an unknown block",
      [json(0, "1"), start(0, tool("a", "f")), json(7, "1"), stop(7)],
      [["a", "f", null]],
    ],
    [
      "no delta after the end of its block",
      [start(0, tool("a", "f")), json(0, "1"), stop(0), json(0, "2")],
      [["a", "f", "1"]],
    ],
    [
      "no deltas that are not strings",
      [start(0, tool("a", "f")), json(0, 7), json(0, null), json(0, ["x"])],
      [["a", "f", null]],
    ],
    [
      "a call of an unknown kind",
      [start(0, { type: "browser_tool_use", id: "a", name: "f", input: { b: 1 } })],
      [["a", "f", '{"b":1}']],
    ],
    [
      "no call from a result alone",
      [start(0, { type: "web_search_tool_result", tool_use_id: "a", content: { error_code: "x" } })],
      [],
    ],
    [
      "no calls from invalid blocks",
      [start(0, null), start(0, [tool("a", "f")]), start(0, "tool_use"), start(0, { type: 7 })],
      [],
    ],
  ])("reads %s", (_, events, calls) => {
    expect(callsOf(messagesReader, events)).toEqual(calls);
  });

  it.each([
    [
      "a code",
      { content: { type: "web_search_tool_result_error", error_code: "max_uses_exceeded" } },
      "max_uses_exceeded",
    ],
    ["a string", { is_error: true, content: "no such tool" }, "no such tool"],
    [
      "text parts",
      {
        is_error: true,
        content: [{ type: "text", text: "a" }, { type: "image" }, { type: "text", text: "b" }],
      },
      "a\nb",
    ],
    ["an error without content", { is_error: true }, null],
    ["no error from a result", { is_error: false, content: [{ type: "text", text: "RESULT" }] }, null],
    ["no error from a result without is_error", { content: [{ type: "text", text: "RESULT" }] }, null],
  ])("reads the error of a tool that the provider ran: %s", (_, result, error) => {
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

/** Texts that a reader misreads if it does not parse JSON strings exactly. */
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

/** Interleaves the calls' events at random. Each call's events stay in order, and the calls start in order. */
function shuffled(random: () => number, events: readonly (readonly unknown[])[]): unknown[] {
  const remaining = events.map((ofCall) => [...ofCall]);
  const out: unknown[] = [];
  let started = 0;
  while (remaining.some((ofCall) => ofCall.length > 0)) {
    const at = between(random, 0, Math.min(started, remaining.length - 1));
    const event = remaining[at]?.shift();
    if (event === undefined) continue;
    out.push(event);
    if (at === started) started += 1;
  }
  return out;
}

function splitAtRandom(random: () => number, text: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    const size = between(random, 1, random() < 0.5 ? 5 : 2000);
    parts.push(text.slice(at, at + size));
    at += size;
  }
  return parts;
}

const fieldsOf = (calls: readonly Call[]): CallFields[] =>
  calls.map(({ id, name, input }) => [id, name, input]);

describe("reads interleaved calls in pieces of random size", () => {
  it("chat", () => {
    forSeeds(1500, (seed) => {
      const random = seededRandom(seed);
      const calls = randomCalls(random);
      const styles: ((at: number, part: string) => unknown)[] = [
        nextPiece,
        (index, part) => ({ function: { arguments: part }, index }),
        (index, part) => firstPiece(index, calls[index]?.id ?? "", "", part),
        (index, part) => ({ index, id: null, type: "function", function: { arguments: part } }),
      ];
      const events = calls.map(({ id, name, input }, at) => {
        const style = styles[between(random, 0, styles.length - 1)] ?? nextPiece;
        return [firstPiece(at, id, name), ...splitAtRandom(random, input).map((part) => style(at, part))].map(
          (piece) => pieces(piece),
        );
      });
      expect(callsOf(chatReader, [firstChunk, ...shuffled(random, events)])).toEqual(fieldsOf(calls));
    });
  });

  it("chat, one call after the other without ids", () => {
    forSeeds(1500, (seed) => {
      const random = seededRandom(seed);
      const calls = randomCalls(random).map(({ name, input }) => ({
        name,
        input: JSON.stringify({ input }),
      }));
      const index = random() < 0.5 ? {} : { index: 0 };
      const repeats = random() < 0.5;
      const events = calls.flatMap(({ name, input }) =>
        ["", ...splitAtRandom(random, input)].map((part, at) =>
          pieces({ ...index, function: { ...(at === 0 || repeats ? { name } : {}), arguments: part } }),
        ),
      );
      const expected = calls.map(({ name, input }) => [null, name, input]);
      expect(callsOf(chatReader, [firstChunk, ...events])).toEqual(expected);
    });
  });

  it("responses", () => {
    forSeeds(1500, (seed) => {
      const random = seededRandom(seed);
      const calls = randomCalls(random);
      const items = calls.map(({ id, name, input }, at) => fn(`fc_${at}`, id, name, input));
      const events = calls.map(({ id, name, input }, at) => [
        item("added", at, fn(`fc_${at}`, id, name, "")),
        ...splitAtRandom(random, input).map((delta) => ({
          type: "response.function_call_arguments.delta",
          output_index: at,
          item_id: `fc_${at}`,
          delta,
        })),
        ...(random() < 0.5 ? [item("done", at, items[at])] : []),
      ]);
      const end = random() < 0.5 ? [completed(...items)] : [];
      expect(callsOf(responsesReader, [...shuffled(random, events), ...end])).toEqual(fieldsOf(calls));
    });
  });

  it("messages", () => {
    forSeeds(1500, (seed) => {
      const random = seededRandom(seed);
      const calls = randomCalls(random).map((call) => ({ ...call, input: call.input || "{}" }));
      const events = calls.map(({ id, name, input }, at) => [
        start(at, tool(id, name)),
        json(at, ""),
        ...splitAtRandom(random, input).map((part) => json(at, part)),
        stop(at),
      ]);
      expect(callsOf(messagesReader, shuffled(random, events))).toEqual(fieldsOf(calls));
    });
  });
});
