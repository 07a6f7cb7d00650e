import { describe, expect, it } from "vitest";
import { messagesConversation } from "../../../src/gateway/provider/anthropic/messages-conversation.ts";
import { chatConversation } from "../../../src/gateway/provider/openai/chat-conversation.ts";
import { responsesConversation } from "../../../src/gateway/provider/openai/responses-conversation.ts";
import type { Conversation } from "../../../src/gateway/provider/conversation.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import type { JsonObject } from "../../../src/shared/json.ts";

const NOTHING: Conversation = { prompt: null, correlatingToolCallId: null };
const said = (prompt: string): Conversation => ({ prompt, correlatingToolCallId: null });
const brings = (correlatingToolCallId: string): Conversation => ({ prompt: null, correlatingToolCallId });

/** As it comes: parsed out of a body. */
const parsed = (fields: unknown): JsonObject => JSON.parse(JSON.stringify(fields)) as JsonObject;

const user = (content: unknown): unknown => ({ role: "user", content });
const assistant = { role: "assistant", content: "Und?" };
const text = (words: unknown): unknown => ({ type: "text", text: words });

describe("what a chat completions request says", () => {
  const call = { id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };

  it.each([
    ["text content", [user("Hallo 🗼")], said("Hallo 🗼")],
    ["behind other messages", [{ role: "system", content: "s" }, user("a"), assistant, user("b")], said("b")],
    ["the last text part", [user([text("Rahmen"), text("Frage")])], said("Frage")],
    [
      "the last text part before an image",
      [user([text("Was ist das?"), { type: "image_url" }])],
      said("Was ist das?"),
    ],
    ["an image alone", [user([{ type: "image_url", image_url: { url: "data:" } }])], NOTHING],
    ["a last text part that is empty", [user([text("a"), text("")])], NOTHING],
    ["a last text part that is no text", [user([text("a"), text(7)])], NOTHING],
    ["parts that are none", [user([text("a"), null, 7, "b", [text("c")]])], said("a")],
    ["blanks are words", [user(" \n")], said(" \n")],
    ["empty content", [user("")], NOTHING],
    ["no parts", [user([])], NOTHING],
    ["content that is no text", [user({ type: "text", text: "a" })], NOTHING],
    ["no content", [{ role: "user" }], NOTHING],
    ["the assistant last", [user("a"), assistant], NOTHING],
    ["a system message last", [user("a"), { role: "system", content: "s" }], NOTHING],
    ["a developer message last", [user("a"), { role: "developer", content: "s" }], NOTHING],
    ["another spelling of the role", [{ role: "User", content: "a" }], NOTHING],
    [
      "a tool's result",
      [
        user("a"),
        { role: "assistant", tool_calls: [call] },
        { role: "tool", tool_call_id: "call_1", content: "r" },
      ],
      brings("call_1"),
    ],
    [
      "several tools' results: the last",
      [
        { role: "tool", tool_call_id: "call_1" },
        { role: "tool", tool_call_id: "call_2" },
      ],
      brings("call_2"),
    ],
    ["a tool's result and then the user", [{ role: "tool", tool_call_id: "call_1" }, user("b")], said("b")],
    ["a user message with a call's id", [{ ...(user("b") as object), tool_call_id: "call_1" }], said("b")],
    ["a result of no call", [{ role: "tool", content: "r" }], NOTHING],
    ["a result of a call without a name", [{ role: "tool", tool_call_id: "" }], NOTHING],
    ["a result of a call that is a number", [{ role: "tool", tool_call_id: 7 }], NOTHING],
    ["a deprecated function's result", [{ role: "function", name: "f", content: "r" }], NOTHING],
  ])("%s", (_, messages, ask) => {
    expect(chatConversation(parsed({ model: "m", messages }))).toEqual(ask);
  });
});

describe("what a messages request says", () => {
  const result = (id: unknown): unknown => ({ type: "tool_result", tool_use_id: id, content: [text("r")] });

  it.each([
    ["text content", [user("Hallo")], said("Hallo")],
    ["the last text block", [user([text("<system-reminder>"), text("Frage")])], said("Frage")],
    ["a text block before an image", [user([text("Was?"), { type: "image", source: {} }])], said("Was?")],
    ["a document alone", [user([{ type: "document", source: { type: "text", data: "a" } }])], NOTHING],
    ["an empty text", [user("")], NOTHING],
    ["a last text block that is empty", [user([text("a"), text("")])], NOTHING],
    ["words put into the assistant's mouth", [user("a"), { role: "assistant", content: "{" }], NOTHING],
    ["a tool's result", [user([result("toolu_1")])], brings("toolu_1")],
    ["several results: the last", [user([result("toolu_1"), result("toolu_2")])], brings("toolu_2")],
    ["an earlier message's result", [user([result("toolu_1")]), assistant, user("b")], said("b")],
    [
      "a result and words beside it",
      [user([result("toolu_1"), text("und jetzt?")])],
      { prompt: "und jetzt?", correlatingToolCallId: "toolu_1" },
    ],
    ["text inside a result is not the user's", [user([result("toolu_1")])], brings("toolu_1")],
    ["a result without a call", [user([{ type: "tool_result" }])], NOTHING],
    ["a result of a call without a name", [user([result("toolu_1"), result("")])], NOTHING],
    ["blocks that are none", [user([null, 7, "b", [result("toolu_1")]])], NOTHING],
  ])("%s", (_, messages, ask) => {
    expect(messagesConversation(parsed({ model: "m", system: "s", messages }))).toEqual(ask);
  });
});

const input = (words: unknown): unknown => ({ type: "input_text", text: words });
const message = (content: unknown): unknown => ({ type: "message", role: "user", content });

describe("what a responses request says", () => {
  it.each([
    ["text, whole", "Hallo\n🗼", said("Hallo\n🗼")],
    ["an empty text", "", NOTHING],
    ["a message", [message([input("a")])], said("a")],
    ["a message without a type", [user([input("a")])], said("a")],
    ["a message whose content is text", [user("a")], said("a")],
    ["all its text parts", [message([input("a"), { type: "input_image" }, input("b")])], said("a\nb")],
    ["empty parts between", [message([input("a"), input(""), input("b")])], said("a\nb")],
    ["only empty parts", [message([input(""), input("")])], NOTHING],
    ["only an image", [message([{ type: "input_image", image_url: "data:" }])], NOTHING],
    ["parts that are none", [message([null, 7, "x", [input("y")], input(7), input("a")])], said("a")],
    ["output text is not the user's", [message([{ type: "output_text", text: "a" }])], NOTHING],
    [
      "the assistant last",
      [message([input("a")]), { type: "message", role: "assistant", content: [] }],
      NOTHING,
    ],
    ["a developer message last", [message([input("a")]), { role: "developer", content: "s" }], NOTHING],
    [
      "an item of another type with the user's role",
      [{ type: "reasoning", role: "user", content: "a" }],
      NOTHING,
    ],
    ["a type that is none", [{ type: 7, role: "user", content: "a" }], NOTHING],
    [
      "a function's output",
      [{ type: "function_call_output", call_id: "call_1", output: "r" }],
      brings("call_1"),
    ],
    ["a custom tool's output", [{ type: "custom_tool_call_output", call_id: "call_1" }], brings("call_1")],
    ["a shell's output", [{ type: "shell_call_output", call_id: "call_1", output: [] }], brings("call_1")],
    ["a computer's output", [{ type: "computer_call_output", call_id: "call_1" }], brings("call_1")],
    ["a patch's output", [{ type: "apply_patch_call_output", call_id: "call_1" }], brings("call_1")],
    ["an output without the call's id", [{ type: "local_shell_call_output", id: "lsh_1" }], NOTHING],
    [
      "several outputs: the last",
      [
        { type: "function_call_output", call_id: "call_1" },
        { type: "function_call_output", call_id: "call_2" },
      ],
      brings("call_2"),
    ],
    ["an output, then the user", [{ type: "function_call_output", call_id: "call_1" }, user("b")], said("b")],
    ["a call itself", [{ type: "function_call", call_id: "call_1", name: "f", arguments: "{}" }], NOTHING],
    ["a reference to an item", [{ type: "item_reference", id: "msg_1" }], NOTHING],
  ])("%s", (_, value, ask) => {
    expect(responsesConversation(parsed({ model: "m", instructions: "i", input: value }))).toEqual(ask);
  });

  it("a prompt template without input says nothing", () => {
    expect(responsesConversation(parsed({ model: "m", prompt: { id: "pmpt_1" } }))).toEqual(NOTHING);
  });
});

describe.each([
  ["chat", chatConversation, (id: string) => ({ messages: [{ role: "tool", tool_call_id: id }] })],
  [
    "messages",
    messagesConversation,
    (id: string) => ({ messages: [user([{ type: "tool_result", tool_use_id: id }])] }),
  ],
  [
    "responses",
    responsesConversation,
    (id: string) => ({ input: [{ type: "function_call_output", call_id: id }] }),
  ],
] as const)("a request of %s that is none", (_, ask, withId) => {
  it("ids are cut to 256 characters", () => {
    expect(ask(parsed(withId("i".repeat(5000)))).correlatingToolCallId).toBe("i".repeat(256));
  });

  it.each([
    [undefined],
    [null],
    [7],
    [true],
    ["text"],
    [{}],
    [{ length: 1, 0: user("a") }],
    [[]],
    [[null]],
    [[[]]],
  ])("says nothing where its list is %j", (list) => {
    const told = ask({ messages: list, input: typeof list === "string" ? null : list });
    expect(told).toEqual(NOTHING);
  });

  it("F5 a prototype given as a key is a key", () => {
    const list = `[{"__proto__":{"role":"user","type":"message","content":"CANARY","tool_call_id":"x"}}]`;
    expect(ask(JSON.parse(`{"messages":${list},"input":${list}}`) as JsonObject)).toEqual(NOTHING);
    expect(ask(JSON.parse(`{"__proto__":{"messages":${list},"input":"CANARY"}}`) as JsonObject)).toEqual(
      NOTHING,
    );
  });

  it("never throws, and says only text that was in it, whatever it is given", () => {
    const keys = ["role", "type", "content", "text", "tool_call_id", "tool_use_id", "call_id"];
    const roles = ["user", "tool"];
    const types = ["text", "message", "tool_result", "input_text", "function_call_output"];
    const leaves = [...roles, ...types, "", 7, null];
    const counts = { prompts: 0, ids: 0 };
    forSeeds(5000, (seed) => {
      const random = seededRandom(seed);
      const pick = <T>(from: readonly T[]): T | undefined => from[between(random, 0, from.length - 1)];
      const list = (depth: number): unknown =>
        Array.from({ length: between(random, 0, 3) }, () => value(depth));
      const value = (depth: number): unknown => {
        const kind = depth === 0 ? 0 : between(random, 0, 9);
        if (kind === 0) return pick(leaves);
        if (kind === 1) return list(depth - 1);
        const entries = Array.from({ length: between(random, 1, 8) }, () => {
          const key = pick(keys) ?? "";
          if (key === "content" && random() < 0.6) return [key, list(depth - 1)];
          const likely = key === "role" ? roles : types;
          return [key, random() < 0.7 ? pick(likely) : value(depth - 1)];
        });
        return Object.fromEntries(entries) as unknown;
      };
      const fields = { messages: list(4), input: list(4) };
      const { prompt, correlatingToolCallId } = ask(fields);
      if (prompt !== null) counts.prompts += 1;
      if (correlatingToolCallId !== null) counts.ids += 1;
      for (const told of [...(prompt?.split("\n") ?? []), correlatingToolCallId ?? "user"]) {
        expect(leaves).toContain(told);
        expect(told).not.toBe("");
      }
    });
    expect(Math.min(counts.prompts, counts.ids)).toBeGreaterThan(20);
  });
});
