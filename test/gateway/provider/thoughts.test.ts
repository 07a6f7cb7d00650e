import { describe, expect, it } from "vitest";
import type { ResponseReader, ContentOptions } from "../../../src/gateway/provider/response-reader.ts";
import { messagesReader } from "../../../src/gateway/provider/anthropic/messages-response.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import { KEEP_ALL, KEEP_NONE } from "../../support/in-workerd/fixtures.ts";
import { afterEvents } from "../../support/in-workerd/readers.ts";

/** The thoughts that events tell of, and how many; told without their words, they must be as many. */
function thoughtsOf(
  answer: (keep: ContentOptions) => ResponseReader,
  events: readonly unknown[],
): [number, ...string[]] {
  const all = afterEvents(answer(KEEP_ALL), events);
  const none = afterEvents(answer(KEEP_NONE), events);
  expect(none).toMatchObject({ thoughts: [], thoughtCount: all.thoughtCount });
  return [all.thoughtCount, ...all.thoughts];
}

const item = (when: "added" | "done", output_index: number, value: object): unknown => ({
  type: `response.output_item.${when}`,
  output_index,
  item: { id: `item_${output_index}`, ...value },
});
const reasoning = (...texts: readonly unknown[]): object => ({
  type: "reasoning",
  summary: texts.map((text) => ({ type: "summary_text", text })),
});
const part = (summary_index: unknown, output_index = 0): unknown => ({
  type: "response.reasoning_summary_part.added",
  item_id: `item_${output_index}`,
  output_index,
  summary_index,
  part: { type: "summary_text", text: "" },
});
const words = (summary_index: unknown, delta: unknown, output_index = 0): unknown => ({
  type: "response.reasoning_summary_text.delta",
  item_id: `item_${output_index}`,
  output_index,
  summary_index,
  delta,
});
const message = (phase: unknown, ...texts: readonly unknown[]): object => ({
  type: "message",
  role: "assistant",
  phase,
  content: texts.map((text) => ({ type: "output_text", text })),
});
const says = (delta: string, output_index = 0): unknown => ({
  type: "response.output_text.delta",
  output_index,
  content_index: 0,
  delta,
});
const completed = (...output: readonly object[]): unknown => ({
  type: "response.completed",
  response: { output: output.map((one, at) => ({ id: `item_${at}`, ...one })) },
});

describe("responses: one thought for each part of a summary and each commentary", () => {
  it.each<[string, readonly unknown[], [number, ...string[]]]>([
    ["as it is done", [item("done", 0, reasoning("a", "b"))], [2, "a", "b"]],
    ["in the whole alone", [completed(reasoning("a"), reasoning("b"))], [2, "a", "b"]],
    [
      "in pieces, then done, then in the whole",
      [
        item("added", 0, reasoning()),
        part(0),
        words(0, "a"),
        words(0, "b"),
        part(1),
        words(1, "c"),
        item("done", 0, reasoning("ab", "c")),
        completed(reasoning("ab", "c")),
      ],
      [2, "ab", "c"],
    ],
    [
      "cut in its second part",
      [item("added", 0, reasoning()), part(0), words(0, "a"), part(1), words(1, "b")],
      [2, "a", "b"],
    ],
    ["cut before a word", [item("added", 0, reasoning()), part(0)], [1]],
    ["a part that begins twice", [item("added", 0, reasoning()), part(0), part(0), words(0, "a")], [1, "a"]],
    ["a part that was never said to begin", [item("added", 0, reasoning()), words(0, "a")], [0]],
    [
      "a part that only the end tells",
      [item("added", 0, reasoning()), part(0), words(0, "a"), item("done", 0, reasoning("a", "b"))],
      [2, "a", "b"],
    ],
    [
      "parts of two items at once",
      [
        item("added", 0, reasoning()),
        item("added", 1, reasoning()),
        part(0, 0),
        part(0, 1),
        words(0, "b", 1),
        words(0, "a", 0),
      ],
      [2, "a", "b"],
    ],
    [
      "a place that is none",
      [item("added", 0, reasoning()), part("x"), part(null), part(-1), words("x", "a")],
      [0],
    ],
    [
      "words that are none",
      [item("added", 0, reasoning()), part(0), words(0, 7), words(0, null), words(0, ["a"])],
      [1],
    ],
    [
      "reasoning without a summary",
      [item("done", 0, { type: "reasoning", summary: [], encrypted_content: "gAAA" })],
      [0],
    ],
    [
      "the reasoning's own text",
      [item("done", 0, { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "a" }] })],
      [0],
    ],
    [
      "a summary that is none",
      [item("done", 0, { type: "reasoning", summary: "a" }), item("done", 1, { type: "reasoning" })],
      [0],
    ],
    [
      "a commentary",
      [
        item("added", 0, message("commentary")),
        says("a"),
        says("b"),
        item("done", 0, message("commentary", "ab")),
      ],
      [1, "ab"],
    ],
    ["a commentary of two parts", [item("done", 0, message("commentary", "a", "b"))], [1, "ab"]],
    ["a commentary, cut", [item("added", 0, message("commentary")), says("a")], [1, "a"]],
    [
      "a commentary that calls itself so only when it is done",
      [item("added", 0, message(null)), says("a"), item("done", 0, message("commentary", "a"))],
      [1, "a"],
    ],
    [
      "an answer beside a commentary",
      [
        item("added", 0, message("commentary")),
        item("added", 1, message("final_answer")),
        says("b", 1),
        says("a", 0),
      ],
      [1, "a"],
    ],
    [
      "the answer itself",
      [item("added", 0, message("final_answer")), says("a"), item("done", 0, message("final_answer", "a"))],
      [0],
    ],
    ["an answer without a phase", [item("done", 0, message(undefined, "a"))], [0]],
    ["somebody else's message", [item("done", 0, { ...message("commentary", "a"), role: "user" })], [0]],
    [
      "both, in their order",
      [
        item("done", 0, reasoning("a")),
        item("done", 1, message("commentary", "b")),
        item("done", 2, reasoning("c")),
      ],
      [3, "a", "b", "c"],
    ],
  ])("%s", (_, events, thoughts) => {
    expect(thoughtsOf(responsesReader, events)).toEqual(thoughts);
  });
});

const start = (index: number, content_block: unknown): unknown => ({
  type: "content_block_start",
  index,
  content_block,
});
const thinking = (text: unknown): unknown => ({ type: "thinking", thinking: text, signature: "" });
const piece = (index: number, type: string, key: string, value: unknown): unknown => ({
  type: "content_block_delta",
  index,
  delta: { type, [key]: value },
});
const thinks = (index: number, text: unknown): unknown => piece(index, "thinking_delta", "thinking", text);

describe("messages: one thought for each block of thinking", () => {
  it.each<[string, readonly unknown[], [number, ...string[]]]>([
    ["in pieces", [start(0, thinking("")), thinks(0, "a"), thinks(0, "b")], [1, "ab"]],
    ["with its first words", [start(0, thinking("a")), thinks(0, "b")], [1, "ab"]],
    [
      "its signature is no word",
      [start(0, thinking("")), thinks(0, "a"), piece(0, "signature_delta", "signature", "EqQB")],
      [1, "a"],
    ],
    ["only a signature", [start(0, thinking("")), piece(0, "signature_delta", "signature", "EqQB")], [1]],
    [
      "two, side by side",
      [start(0, thinking("")), start(1, thinking("")), thinks(1, "b"), thinks(0, "a")],
      [2, "a", "b"],
    ],
    ["redacted", [start(0, { type: "redacted_thinking", data: "EmwK" })], [0]],
    ["words of no block", [thinks(0, "a")], [0]],
    ["words of a text block", [start(0, { type: "text", text: "" }), thinks(0, "a")], [0]],
    [
      "words after its end",
      [start(0, thinking("")), thinks(0, "a"), { type: "content_block_stop", index: 0 }, thinks(0, "b")],
      [1, "a"],
    ],
    ["words that are none", [start(0, thinking(7)), thinks(0, null), thinks(0, ["a"])], [1]],
  ])("%s", (_, events, thoughts) => {
    expect(thoughtsOf(messagesReader, events)).toEqual(thoughts);
  });
});

it("chat has no thoughts, whatever some servers call so", () => {
  const events = [{ reasoning_content: "a" }, { reasoning: "b" }].map((delta) => ({
    choices: [{ index: 0, delta }],
  }));
  expect(thoughtsOf(chatReader, events)).toEqual([0]);
});
