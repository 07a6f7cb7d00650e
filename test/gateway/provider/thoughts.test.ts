import { describe, expect, it } from "vitest";
import type { ResponseReader, ContentOptions } from "../../../src/gateway/provider/response-reader.ts";
import { messagesReader } from "../../../src/gateway/provider/anthropic/messages-response.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import { KEEP_ALL, KEEP_NONE } from "../../support/in-workerd/fixtures.ts";
import { afterEvents } from "../../support/in-workerd/readers.ts";

/** The number of thoughts in the events, and their texts. Checks that the number is the same if texts are not kept. */
function thoughtsOf(
  createReader: (keep: ContentOptions) => ResponseReader,
  events: readonly unknown[],
): [number, ...string[]] {
  const all = afterEvents(createReader(KEEP_ALL), events);
  const none = afterEvents(createReader(KEEP_NONE), events);
  expect(none).toMatchObject({ thoughts: [], thoughtCount: all.thoughtCount });
  return [all.thoughtCount, ...all.thoughts.map(({ text }) => text)];
}

/** The API's phase of a message that is not commentary. */
const FINAL_PHASE = "final_answer";

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
const summaryDelta = (summary_index: unknown, delta: unknown, output_index = 0): unknown => ({
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
const textDelta = (delta: string, output_index = 0): unknown => ({
  type: "response.output_text.delta",
  output_index,
  content_index: 0,
  delta,
});
const completed = (...output: readonly object[]): unknown => ({
  type: "response.completed",
  response: { output: output.map((value, at) => ({ id: `item_${at}`, ...value })) },
});

describe("responses: one thought per summary part and per commentary", () => {
  it.each<[string, readonly unknown[], [number, ...string[]]]>([
    ["from the done item", [item("done", 0, reasoning("a", "b"))], [2, "a", "b"]],
    ["from the whole response alone", [completed(reasoning("a"), reasoning("b"))], [2, "a", "b"]],
    [
      "from deltas, the done item and the whole response",
      [
        item("added", 0, reasoning()),
        part(0),
        summaryDelta(0, "a"),
        summaryDelta(0, "b"),
        part(1),
        summaryDelta(1, "c"),
        item("done", 0, reasoning("ab", "c")),
        completed(reasoning("ab", "c")),
      ],
      [2, "ab", "c"],
    ],
    [
      "from a stream cut off in the second part",
      [item("added", 0, reasoning()), part(0), summaryDelta(0, "a"), part(1), summaryDelta(1, "b")],
      [2, "a", "b"],
    ],
    ["from a stream cut off before the text", [item("added", 0, reasoning()), part(0)], [1]],
    [
      "from a part that starts twice",
      [item("added", 0, reasoning()), part(0), part(0), summaryDelta(0, "a")],
      [1, "a"],
    ],
    ["from a delta whose part never started", [item("added", 0, reasoning()), summaryDelta(0, "a")], [0]],
    [
      "from a part that is only in the done item",
      [item("added", 0, reasoning()), part(0), summaryDelta(0, "a"), item("done", 0, reasoning("a", "b"))],
      [2, "a", "b"],
    ],
    [
      "from parts of two items at once",
      [
        item("added", 0, reasoning()),
        item("added", 1, reasoning()),
        part(0, 0),
        part(0, 1),
        summaryDelta(0, "b", 1),
        summaryDelta(0, "a", 0),
      ],
      [2, "a", "b"],
    ],
    [
      "from invalid summary indexes",
      [item("added", 0, reasoning()), part("x"), part(null), part(-1), summaryDelta("x", "a")],
      [0],
    ],
    [
      "from deltas that are not strings",
      [
        item("added", 0, reasoning()),
        part(0),
        summaryDelta(0, 7),
        summaryDelta(0, null),
        summaryDelta(0, ["a"]),
      ],
      [1],
    ],
    [
      "from reasoning without a summary",
      [item("done", 0, { type: "reasoning", summary: [], encrypted_content: "gAAA" })],
      [0],
    ],
    [
      "from reasoning text outside the summary",
      [item("done", 0, { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "a" }] })],
      [0],
    ],
    [
      "from an invalid summary",
      [item("done", 0, { type: "reasoning", summary: "a" }), item("done", 1, { type: "reasoning" })],
      [0],
    ],
    [
      "from a commentary",
      [
        item("added", 0, message("commentary")),
        textDelta("a"),
        textDelta("b"),
        item("done", 0, message("commentary", "ab")),
      ],
      [1, "ab"],
    ],
    ["from a commentary of two parts", [item("done", 0, message("commentary", "a", "b"))], [1, "ab"]],
    [
      "from a commentary that is cut off",
      [item("added", 0, message("commentary")), textDelta("a")],
      [1, "a"],
    ],
    [
      "from a commentary whose phase is only in the done item",
      [item("added", 0, message(null)), textDelta("a"), item("done", 0, message("commentary", "a"))],
      [1, "a"],
    ],
    [
      "from a commentary beside a final message",
      [
        item("added", 0, message("commentary")),
        item("added", 1, message(FINAL_PHASE)),
        textDelta("b", 1),
        textDelta("a", 0),
      ],
      [1, "a"],
    ],
    [
      "from a final message",
      [item("added", 0, message(FINAL_PHASE)), textDelta("a"), item("done", 0, message(FINAL_PHASE, "a"))],
      [0],
    ],
    ["from a message without a phase", [item("done", 0, message(undefined, "a"))], [0]],
    [
      "from a message with another role",
      [item("done", 0, { ...message("commentary", "a"), role: "user" })],
      [0],
    ],
    [
      "from reasoning and commentary, in order",
      [
        item("done", 0, reasoning("a")),
        item("done", 1, message("commentary", "b")),
        item("done", 2, reasoning("c")),
      ],
      [3, "a", "b", "c"],
    ],
  ])("reads thoughts %s", (_, events, thoughts) => {
    expect(thoughtsOf(responsesReader, events)).toEqual(thoughts);
  });
});

const start = (index: number, content_block: unknown): unknown => ({
  type: "content_block_start",
  index,
  content_block,
});
const thinking = (text: unknown): unknown => ({ type: "thinking", thinking: text, signature: "" });
const blockDelta = (index: number, type: string, key: string, value: unknown): unknown => ({
  type: "content_block_delta",
  index,
  delta: { type, [key]: value },
});
const thinkingDelta = (index: number, text: unknown): unknown =>
  blockDelta(index, "thinking_delta", "thinking", text);

describe("messages: one thought per thinking block", () => {
  it.each<[string, readonly unknown[], [number, ...string[]]]>([
    ["from deltas", [start(0, thinking("")), thinkingDelta(0, "a"), thinkingDelta(0, "b")], [1, "ab"]],
    ["from a start with text and a delta", [start(0, thinking("a")), thinkingDelta(0, "b")], [1, "ab"]],
    [
      "without the signature",
      [start(0, thinking("")), thinkingDelta(0, "a"), blockDelta(0, "signature_delta", "signature", "EqQB")],
      [1, "a"],
    ],
    [
      "from a block with only a signature",
      [start(0, thinking("")), blockDelta(0, "signature_delta", "signature", "EqQB")],
      [1],
    ],
    [
      "from two blocks side by side",
      [start(0, thinking("")), start(1, thinking("")), thinkingDelta(1, "b"), thinkingDelta(0, "a")],
      [2, "a", "b"],
    ],
    ["from redacted thinking", [start(0, { type: "redacted_thinking", data: "EmwK" })], [0]],
    ["from a delta of an unknown block", [thinkingDelta(0, "a")], [0]],
    ["from a delta of a text block", [start(0, { type: "text", text: "" }), thinkingDelta(0, "a")], [0]],
    [
      "from a delta after the end of its block",
      [
        start(0, thinking("")),
        thinkingDelta(0, "a"),
        { type: "content_block_stop", index: 0 },
        thinkingDelta(0, "b"),
      ],
      [1, "a"],
    ],
    [
      "from deltas that are not strings",
      [start(0, thinking(7)), thinkingDelta(0, null), thinkingDelta(0, ["a"])],
      [1],
    ],
  ])("reads thoughts %s", (_, events, thoughts) => {
    expect(thoughtsOf(messagesReader, events)).toEqual(thoughts);
  });
});

it("chat: reads no thoughts from the fields in which some servers send them", () => {
  const events = [{ reasoning_content: "a" }, { reasoning: "b" }].map((delta) => ({
    choices: [{ index: 0, delta }],
  }));
  expect(thoughtsOf(chatReader, events)).toEqual([0]);
});
