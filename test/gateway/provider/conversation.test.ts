import { describe, expect, it } from "vitest";
import { messagesConversation } from "../../../src/gateway/provider/anthropic/messages-conversation.ts";
import { chatConversation } from "../../../src/gateway/provider/openai/chat-conversation.ts";
import { responsesConversation } from "../../../src/gateway/provider/openai/responses-conversation.ts";
import type { Conversation } from "../../../src/gateway/provider/conversation.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import type { JsonObject } from "../../../src/shared/json.ts";

const NOTHING: Conversation = {
  prompt: null,
  promptCount: 0,
  earlierPromptCount: 0,
  correlatingToolCallId: null,
};
const withPrompt = (prompt: string): Conversation => ({ ...NOTHING, prompt, promptCount: 1 });
const withResultOf = (correlatingToolCallId: string): Conversation => ({
  ...NOTHING,
  correlatingToolCallId,
});

/** A request's fields as parsed from a body. */
const parsed = (fields: unknown): JsonObject => JSON.parse(JSON.stringify(fields)) as JsonObject;

const user = (content: unknown): unknown => ({ role: "user", content });
const assistant = { role: "assistant", content: "Und?" };
const text = (words: unknown): unknown => ({ type: "text", text: words });

describe("the conversation of a chat completions request", () => {
  const call = { id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };

  it.each([
    ["text content", [user("Hallo 🗼")], withPrompt("Hallo 🗼")],
    [
      "a user message after other messages",
      [{ role: "system", content: "s" }, user("a"), assistant, user("b")],
      withPrompt("b"),
    ],
    ["all text parts", [user([text("Rahmen"), text("Frage")])], withPrompt("Rahmen\nFrage")],
    [
      "the last text part before an image",
      [user([text("Was ist das?"), { type: "image_url" }])],
      withPrompt("Was ist das?"),
    ],
    ["an image alone", [user([{ type: "image_url", image_url: { url: "data:" } }])], NOTHING],
    ["a last text part that is empty", [user([text("a"), text("")])], withPrompt("a")],
    ["a last text part whose text is not a string", [user([text("a"), text(7)])], withPrompt("a")],
    [
      "a content list with entries that are not parts",
      [user([text("a"), null, 7, "b", [text("c")]])],
      withPrompt("a"),
    ],
    ["content of blanks as a prompt", [user(" \n")], withPrompt(" \n")],
    ["empty content", [user("")], NOTHING],
    ["an empty list of parts", [user([])], NOTHING],
    ["content that is neither a string nor a list", [user({ type: "text", text: "a" })], NOTHING],
    ["a message without content", [{ role: "user" }], NOTHING],
    ["an assistant message last", [user("a"), assistant], NOTHING],
    ["a system message last", [user("a"), { role: "system", content: "s" }], withPrompt("a")],
    ["a developer message last", [user("a"), { role: "developer", content: "s" }], withPrompt("a")],
    ["a role in another case", [{ role: "User", content: "a" }], NOTHING],
    [
      "a tool result",
      [
        user("a"),
        { role: "assistant", tool_calls: [call] },
        { role: "tool", tool_call_id: "call_1", content: "r" },
      ],
      withResultOf("call_1"),
    ],
    [
      "the last of several tool results",
      [
        { role: "tool", tool_call_id: "call_1" },
        { role: "tool", tool_call_id: "call_2" },
      ],
      withResultOf("call_2"),
    ],
    [
      "a tool result and then a user message",
      [{ role: "tool", tool_call_id: "call_1" }, user("b")],
      withPrompt("b"),
    ],
    [
      "a user message with a tool call id",
      [{ ...(user("b") as object), tool_call_id: "call_1" }],
      withPrompt("b"),
    ],
    ["a tool result without a call id", [{ role: "tool", content: "r" }], NOTHING],
    ["a tool result with an empty call id", [{ role: "tool", tool_call_id: "" }], NOTHING],
    ["a tool result whose call id is a number", [{ role: "tool", tool_call_id: 7 }], NOTHING],
    ["the result of a deprecated function call", [{ role: "function", name: "f", content: "r" }], NOTHING],
  ])("reads %s", (_, messages, conversation) => {
    expect(chatConversation(parsed({ model: "m", messages }))).toEqual(conversation);
  });
});

describe("the conversation of a messages request", () => {
  const result = (id: unknown): unknown => ({ type: "tool_result", tool_use_id: id, content: [text("r")] });

  it.each([
    ["text content", [user("Hallo")], withPrompt("Hallo")],
    [
      "no reminder that Claude Code adds, before or after the user's text",
      [
        user([
          text("<system-reminder>\nTools: a\n</system-reminder>"),
          text("fix the bug"),
          text("<system-reminder>b</system-reminder>\n"),
        ]),
      ],
      withPrompt("fix the bug"),
    ],
    [
      "a user's text about a reminder",
      [user("Explain <system-reminder>x</system-reminder>")],
      withPrompt("Explain <system-reminder>x</system-reminder>"),
    ],
    [
      "a user's text behind a reminder in the same part, whole",
      [user("<system-reminder>x</system-reminder> go <system-reminder>y</system-reminder>")],
      withPrompt("<system-reminder>x</system-reminder> go <system-reminder>y</system-reminder>"),
    ],
    [
      "a user message before the system message of Claude Code",
      [user("Hello there"), { role: "system", content: "Available agent types" }],
      withPrompt("Hello there"),
    ],
    [
      "a tool result before a system message",
      [user([result("toolu_x")]), { role: "system", content: [text("[SYSTEM NOTIFICATION]")] }],
      withResultOf("toolu_x"),
    ],
    [
      "a text block before an image",
      [user([text("Was?"), { type: "image", source: {} }])],
      withPrompt("Was?"),
    ],
    ["a document alone", [user([{ type: "document", source: { type: "text", data: "a" } }])], NOTHING],
    ["an empty string", [user("")], NOTHING],
    ["a last text block that is empty", [user([text("a"), text("")])], withPrompt("a")],
    ["a prefilled assistant message", [user("a"), { role: "assistant", content: "{" }], NOTHING],
    ["a tool result", [user([result("toolu_1")])], withResultOf("toolu_1")],
    ["the last of several results", [user([result("toolu_1"), result("toolu_2")])], withResultOf("toolu_2")],
    ["a result in an earlier message", [user([result("toolu_1")]), assistant, user("b")], withPrompt("b")],
    [
      "a result and text in one message",
      [user([result("toolu_1"), text("und jetzt?")])],
      { ...withPrompt("und jetzt?"), correlatingToolCallId: "toolu_1" },
    ],
    ["text inside a result as no prompt", [user([result("toolu_1")])], withResultOf("toolu_1")],
    ["a result without a call id", [user([{ type: "tool_result" }])], NOTHING],
    ["a tool result with an empty call id", [user([result("toolu_1"), result("")])], NOTHING],
    ["a content list with entries that are not blocks", [user([null, 7, "b", [result("toolu_1")]])], NOTHING],
  ])("reads %s", (_, messages, conversation) => {
    expect(messagesConversation(parsed({ model: "m", system: "s", messages }))).toEqual(conversation);
  });
});

const input = (words: unknown): unknown => ({ type: "input_text", text: words });
const message = (content: unknown): unknown => ({ type: "message", role: "user", content });

describe("the conversation of a responses request", () => {
  it.each([
    ["a string", "Hallo\n🗼", withPrompt("Hallo\n🗼")],
    ["an empty string", "", NOTHING],
    ["a message", [message([input("a")])], withPrompt("a")],
    ["a message without a type", [user([input("a")])], withPrompt("a")],
    ["a message whose content is a string", [user("a")], withPrompt("a")],
    [
      "all text parts of a message",
      [message([input("a"), { type: "input_image" }, input("b")])],
      withPrompt("a\nb"),
    ],
    ["empty parts among others", [message([input("a"), input(""), input("b")])], withPrompt("a\nb")],
    ["only empty parts", [message([input(""), input("")])], NOTHING],
    ["only an image", [message([{ type: "input_image", image_url: "data:" }])], NOTHING],
    [
      "a content list with entries that are not parts",
      [message([null, 7, "x", [input("y")], input(7), input("a")])],
      withPrompt("a"),
    ],
    ["output text as no prompt", [message([{ type: "output_text", text: "a" }])], NOTHING],
    [
      "an assistant message last",
      [message([input("a")]), { type: "message", role: "assistant", content: [] }],
      NOTHING,
    ],
    [
      "a developer message last",
      [message([input("a")]), { role: "developer", content: "s" }],
      withPrompt("a"),
    ],
    [
      "an item of another type with the user's role",
      [{ type: "reasoning", role: "user", content: "a" }],
      NOTHING,
    ],
    ["an item whose type is a number", [{ type: 7, role: "user", content: "a" }], NOTHING],
    [
      "a function output",
      [{ type: "function_call_output", call_id: "call_1", output: "r" }],
      withResultOf("call_1"),
    ],
    [
      "a custom tool output",
      [{ type: "custom_tool_call_output", call_id: "call_1" }],
      withResultOf("call_1"),
    ],
    [
      "a shell output",
      [{ type: "shell_call_output", call_id: "call_1", output: [] }],
      withResultOf("call_1"),
    ],
    ["a computer output", [{ type: "computer_call_output", call_id: "call_1" }], withResultOf("call_1")],
    ["a patch output", [{ type: "apply_patch_call_output", call_id: "call_1" }], withResultOf("call_1")],
    ["an output without a call id", [{ type: "local_shell_call_output", id: "lsh_1" }], NOTHING],
    [
      "the last of several outputs",
      [
        { type: "function_call_output", call_id: "call_1" },
        { type: "function_call_output", call_id: "call_2" },
      ],
      withResultOf("call_2"),
    ],
    [
      "an output and then a user message",
      [{ type: "function_call_output", call_id: "call_1" }, user("b")],
      withPrompt("b"),
    ],
    [
      "a tool call as no result",
      [{ type: "function_call", call_id: "call_1", name: "f", arguments: "{}" }],
      NOTHING,
    ],
    ["a reference to an item", [{ type: "item_reference", id: "msg_1" }], NOTHING],
  ])("reads %s", (_, value, conversation) => {
    expect(responsesConversation(parsed({ model: "m", instructions: "i", input: value }))).toEqual(
      conversation,
    );
  });

  it("returns nothing for a prompt template without input", () => {
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
] as const)("an invalid %s request", (_, readConversation, withId) => {
  it("truncates ids to 256 characters", () => {
    expect(readConversation(parsed(withId("i".repeat(5000)))).correlatingToolCallId).toBe("i".repeat(256));
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
  ])("returns nothing if its list is %j", (list) => {
    const conversation = readConversation({ messages: list, input: typeof list === "string" ? null : list });
    expect(conversation).toEqual(NOTHING);
  });

  it("F5 treats __proto__ as an ordinary key", () => {
    const list = `[{"__proto__":{"role":"user","type":"message","content":"CANARY","tool_call_id":"x"}}]`;
    expect(readConversation(JSON.parse(`{"messages":${list},"input":${list}}`) as JsonObject)).toEqual(
      NOTHING,
    );
    expect(
      readConversation(JSON.parse(`{"__proto__":{"messages":${list},"input":"CANARY"}}`) as JsonObject),
    ).toEqual(NOTHING);
  });

  it("never throws, and returns only text from the request, for random input", () => {
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
          const likelyValues = key === "role" ? roles : types;
          return [key, random() < 0.7 ? pick(likelyValues) : value(depth - 1)];
        });
        return Object.fromEntries(entries) as unknown;
      };
      const fields = { messages: list(4), input: list(4) };
      const { prompt, correlatingToolCallId } = readConversation(fields);
      if (prompt !== null) counts.prompts += 1;
      if (correlatingToolCallId !== null) counts.ids += 1;
      for (const part of [...(prompt?.split("\n") ?? []), correlatingToolCallId ?? "user"]) {
        expect(leaves).toContain(part);
        expect(part).not.toBe("");
      }
    });
    expect(Math.min(counts.prompts, counts.ids)).toBeGreaterThan(20);
  });
});
