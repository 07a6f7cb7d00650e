import { describe, expect, it } from "vitest";
import { JsonSource } from "../../../src/gateway/provider/json-source.ts";
import { messagesConversation as messagesRules } from "../../../src/gateway/provider/anthropic/messages-conversation.ts";
import { chatConversation as chatRules } from "../../../src/gateway/provider/openai/chat-conversation.ts";
import { responsesConversation as responsesRules } from "../../../src/gateway/provider/openai/responses-conversation.ts";
import {
  readConversation as readWith,
  type Conversation as Complete,
  type ConversationRules,
} from "../../../src/gateway/provider/conversation.ts";
import { readModelCall, requestFields } from "../../../src/gateway/provider/model-call.ts";
import { toRecordedContent } from "../../../src/events/redaction.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import type { Refusal } from "../../../src/shared/refusal.ts";
import { accepted, utf8 } from "../../support/in-workerd/values.ts";

/** Without the texts, which have tests of their own. */
type Conversation = Omit<Complete, "texts">;
const factsOf = ({
  prompt,
  promptCount,
  earlierPromptCount,
  correlatingToolCallId,
}: Complete): Conversation => ({
  prompt,
  promptCount,
  earlierPromptCount,
  correlatingToolCallId,
});

const NOTHING: Conversation = {
  prompt: null,
  promptCount: 0,
  earlierPromptCount: 0,
  correlatingToolCallId: null,
};
const withPrompt = (prompt: string, promptCount = 1, earlierPromptCount = 0): Conversation => ({
  ...NOTHING,
  prompt,
  promptCount,
  earlierPromptCount,
});
const afterPrompts = (earlierPromptCount: number): Conversation => ({ ...NOTHING, earlierPromptCount });
const withResultOf = (correlatingToolCallId: string, earlierPromptCount = 0): Conversation => ({
  ...NOTHING,
  earlierPromptCount,
  correlatingToolCallId,
});

const FIELDS = requestFields(["messages", "input", "prompt"]);
/** Reads the conversation of a request with these fields, or with this body. */
const complete =
  (rules: ConversationRules) =>
  (fields: object | string): Complete => {
    const body = utf8(typeof fields === "string" ? fields : JSON.stringify(fields));
    return accepted(readWith(accepted(readModelCall(new JsonSource(body), FIELDS)).body, rules));
  };
const reading =
  (rules: ConversationRules) =>
  (fields: object | string): Conversation =>
    factsOf(complete(rules)(fields));
const chatConversation = reading(chatRules);
const messagesConversation = reading(messagesRules);
const responsesConversation = reading(responsesRules);

const user = (content: unknown): unknown => ({ role: "user", content });
const assistant = { role: "assistant", content: "Und?" };
const text = (words: unknown): unknown => ({ type: "text", text: words });
const system = { role: "system", content: "s" };
const developer = { role: "developer", content: "s" };
const reminder = "<system-reminder>\nThe following skills are available.\n</system-reminder>";

// The attack: the question is in an earlier part or message, or a prefill or instructions follow it, and `hello` is recorded.
describe("Finding M1: the conversation of a chat completions request", () => {
  const call = { id: "call_1", type: "function", function: { name: "f", arguments: "{}" } };

  it.each([
    ["text content", [user("Hallo 🗼")], withPrompt("Hallo 🗼")],
    ["a user message after other messages", [system, user("a"), assistant, user("b")], withPrompt("b", 1, 1)],
    ["all text parts", [user([text("Rahmen"), text("Frage")])], withPrompt("Rahmen\nFrage")],
    [
      "the text part before an image",
      [user([text("Was ist das?"), { type: "image_url" }])],
      withPrompt("Was ist das?"),
    ],
    ["an image alone", [user([{ type: "image_url", image_url: { url: "data:" } }])], NOTHING],
    ["a last text part that is empty", [user([text("a"), text("")])], withPrompt("a")],
    ["a last text part whose text is not a string", [user([text("a"), text(7)])], withPrompt("a")],
    [
      "a content list with texts and other entries",
      [user([text("a"), null, 7, "b", [text("c")]])],
      withPrompt("a\nb"),
    ],
    ["content of blanks as a prompt", [user(" \n")], withPrompt(" \n")],
    ["empty content", [user("")], NOTHING],
    ["an empty list of parts", [user([])], NOTHING],
    // The attack: a prompt in a form that a lenient server takes, and that the record does not show.
    ["one part in place of a list", [user({ type: "text", text: "a" })], withPrompt("a")],
    ["a part with its text under another key", [user([{ type: "text", content: "a" }])], withPrompt("a")],
    ["content that is neither a string, a part nor a list", [user(7)], NOTHING],
    ["a message without content", [{ role: "user" }], NOTHING],
    ["an assistant prefill", [user("a"), assistant], withPrompt("a")],
    ["an assistant prefill and a system message", [user("a"), assistant, system], withPrompt("a")],
    ["an assistant prefill in two messages", [user("a"), assistant, system, assistant], withPrompt("a")],
    ["a system message last", [user("a"), system], withPrompt("a")],
    ["developer messages last", [user("a"), developer, developer], withPrompt("a")],
    ["a system message between a turn and a prompt", [assistant, system, user("a")], withPrompt("a")],
    ["two user messages", [user("a"), system, user([text("b"), text("c")])], withPrompt("a\nb\nc", 2)],
    [
      "earlier prompts",
      [user("a"), user(""), user("b"), assistant, user("c"), assistant, user("d")],
      withPrompt("d", 1, 3),
    ],
    ["entries that are not messages", [null, user("a"), 7, [assistant], "b"], withPrompt("a")],
    ["a user message of scaffolding", [user("a"), assistant, user(reminder)], afterPrompts(1)],
    // The attack: a server that puts any role into the model's template reads a prompt that the record would not have.
    ["a role in another case", [{ role: "User", content: "a" }], withPrompt("a")],
    ["an unknown role", [user("a"), { role: "human", content: "b" }], withPrompt("a\nb", 2)],
    [
      "a tool result",
      [
        user("a"),
        { role: "assistant", tool_calls: [call] },
        { role: "tool", tool_call_id: "call_1", content: "r" },
      ],
      withResultOf("call_1", 1),
    ],
    [
      "a tool result and then instructions",
      [{ role: "tool", tool_call_id: "call_1" }, system, developer],
      withResultOf("call_1"),
    ],
    [
      "a tool result of an earlier turn",
      [{ role: "tool", tool_call_id: "call_1" }, assistant, user("b")],
      withPrompt("b"),
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
      "tool results, scaffolding and instructions",
      [
        { role: "tool", tool_call_id: "call_1" },
        { role: "tool", tool_call_id: "call_2" },
        user(reminder),
        user([text(reminder)]),
        developer,
      ],
      withResultOf("call_2"),
    ],
    [
      "a tool result and then an image of the user",
      [
        { role: "tool", tool_call_id: "call_1" },
        user([text(reminder), { type: "image_url", image_url: { url: "data:" } }]),
      ],
      NOTHING,
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
    expect(chatConversation({ model: "m", messages })).toEqual(conversation);
  });
});

describe("Finding M1: the conversation of a messages request", () => {
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
      "a user's text behind a reminder in the same part",
      [user("<system-reminder>x</system-reminder> go <system-reminder>y</system-reminder>")],
      withPrompt("go <system-reminder>y</system-reminder>"),
    ],
    ["all text blocks", [user([text("Rahmen"), text("Frage")])], withPrompt("Rahmen\nFrage")],
    [
      "Claude Code's first request",
      [user([text(reminder), text("Hello there")]), system],
      withPrompt("Hello there"),
    ],
    ["Claude Code's string content", [user("Hello there"), system], withPrompt("Hello there")],
    ["a reminder after the prompt", [user([text("fix the bug"), text(reminder)])], withPrompt("fix the bug")],
    ["a reminder alone", [user([text(reminder)])], NOTHING],
    [
      "a background agent's end",
      [
        user("a"),
        { role: "assistant", content: [{ type: "tool_use", id: "toolu_x" }] },
        user([result("toolu_x")]),
        { role: "system", content: [text("[SYSTEM NOTIFICATION - NOT USER INPUT]")] },
      ],
      withResultOf("toolu_x", 1),
    ],
    ["two user messages", [user("a"), user("b")], withPrompt("a\nb", 2)],
    ["earlier prompts", [user("a"), assistant, user(reminder), assistant, user("b")], withPrompt("b", 1, 1)],
    [
      "text in a message after the result's",
      [assistant, user([result("toolu_1")]), user("b")],
      { ...withPrompt("b"), correlatingToolCallId: "toolu_1" },
    ],
    [
      "a result before a prefilled assistant message",
      [assistant, user([result("toolu_1")]), assistant],
      withResultOf("toolu_1"),
    ],
    ["a result in a system message", [{ role: "system", content: [result("toolu_1")] }], NOTHING],
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
    ["a prefilled assistant message", [user("a"), { role: "assistant", content: "{" }], withPrompt("a")],
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
    [
      "a content list with texts and other entries",
      [user([null, 7, "b", [result("toolu_1")]])],
      withPrompt("b"),
    ],
  ])("reads %s", (_, messages, conversation) => {
    expect(messagesConversation({ model: "m", system: "s", messages })).toEqual(conversation);
  });
});

const input = (words: unknown): unknown => ({ type: "input_text", text: words });
const message = (content: unknown): unknown => ({ type: "message", role: "user", content });
/** The task of a sub-agent of Codex. */
const agentMessage = {
  type: "agent_message",
  author: "/root",
  recipient: "/root/task",
  content: [input("Message Type: NEW_TASK"), { type: "encrypted_content", encrypted_content: "x" }],
};

describe("Finding M1: the conversation of a responses request", () => {
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
      "a content list with texts and other entries",
      [message([null, 7, "x", [input("y")], input(7), input("a")])],
      withPrompt("x\na"),
    ],
    ["a part of another type with a text", [message([{ type: "output_text", text: "a" }])], withPrompt("a")],
    ["a part without a type", [message([{ text: "a" }])], withPrompt("a")],
    ["a list of texts", ["a", "b"], withPrompt("a\nb", 2)],
    [
      "an assistant message last",
      [message([input("a")]), { type: "message", role: "assistant", content: [] }],
      withPrompt("a"),
    ],
    ["instructions last", [message([input("a")]), developer, system], withPrompt("a")],
    [
      "Codex's first request",
      [
        { type: "message", ...developer },
        {
          type: "message",
          role: "developer",
          content: [
            input("<skills_instructions>\n## Skills\n</skills_instructions>"),
            input("<permissions instructions>\nFiles\n</permissions instructions>"),
          ],
        },
        message([input("<environment_context>\n  <cwd>/home</cwd>\n</environment_context>")]),
        message([input("hi")]),
      ],
      withPrompt("hi"),
    ],
    [
      "Copilot's prompt",
      [message([input("<current_datetime>2026-11-28T15:44:52.258+00:00</current_datetime>\n\nhi")])],
      withPrompt("hi"),
    ],
    ["a string of scaffolding", reminder, NOTHING],
    ["two user messages", [user("a"), message([input("b")])], withPrompt("a\nb", 2)],
    ["an earlier assistant message", [user("a"), assistant, user("b")], withPrompt("b", 1, 1)],
    ["an earlier item of the model", [user("a"), { type: "reasoning" }, user("b")], withPrompt("b", 1, 1)],
    [
      "a reference to an earlier item",
      [user("a"), { type: "item_reference" }, user("b")],
      withPrompt("b", 1, 1),
    ],
    ["a call without its output", [user("a"), { type: "custom_tool_call", call_id: "c" }], withPrompt("a")],
    [
      "an output and then instructions",
      [
        user("a"),
        { type: "reasoning" },
        { type: "function_call", call_id: "call_1" },
        { type: "function_call_output", call_id: "call_1" },
        developer,
      ],
      withResultOf("call_1", 1),
    ],
    [
      "the last of several outputs, then scaffolding and instructions",
      [
        { type: "function_call_output", call_id: "call_1" },
        { type: "function_call_output", call_id: "call_2" },
        message([input("<environment_context>x</environment_context>")]),
        developer,
        system,
      ],
      withResultOf("call_2"),
    ],
    // A caller must not hide the prompt behind an item that the model did not produce.
    [
      "tools and settings after the prompt",
      [
        user("a"),
        { type: "additional_tools", role: "developer", tools: [] },
        { type: "configuration_update" },
      ],
      withPrompt("a"),
    ],
    [
      "tools between two messages",
      [user("a"), { type: "additional_tools", role: "developer", tools: [] }, user("b")],
      withPrompt("a\nb", 2),
    ],
    [
      "a message of an agent between two messages",
      [user("a"), agentMessage, user("b")],
      withPrompt("a\nb", 2),
    ],
    ["a message of an agent after a turn", [user("a"), assistant, agentMessage], afterPrompts(1)],
    [
      "the first request of Codex's sub-agent",
      [
        user("a"),
        { type: "function_call", call_id: "call_1", name: "spawn_agent" },
        { type: "function_call_output", call_id: "call_1", output: "aborted" },
        agentMessage,
      ],
      withResultOf("call_1", 1),
    ],
    [
      "an interrupted prompt and the next one",
      [message([input("a")]), message([input("<turn_aborted>\nx\n</turn_aborted>")]), message([input("b")])],
      withPrompt("a\nb", 2),
    ],
    [
      "an approval of the user",
      [user("a"), { type: "mcp_approval_request" }, { type: "mcp_approval_response" }],
      afterPrompts(1),
    ],
    ["a request for compaction", [user("a"), assistant, { type: "compaction_trigger" }], afterPrompts(1)],
    // The attack: llama.cpp reads the content of any item with a role, so a type that is no message's hides a prompt.
    [
      "an item of another type with the user's role",
      [{ type: "reasoning", role: "user", content: "a" }],
      withPrompt("a"),
    ],
    ["an item whose type is a number", [{ type: 7, role: "user", content: "a" }], withPrompt("a")],
    [
      "a message whose type has a capital",
      [{ type: "Message", role: "user", content: "a" }],
      withPrompt("a"),
    ],
    [
      "a client's item with the user's role",
      [{ type: "agent_message", role: "user", content: [input("a")] }],
      withPrompt("a"),
    ],
    ["a type that is a message's, without a role", [{ type: "message", content: "a" }], NOTHING],
    ["parts in place of messages", [input("a"), { type: "text", text: "b" }], withPrompt("a\nb", 2)],
    ["a part after a turn", [user("a"), assistant, input("b")], withPrompt("b", 1, 1)],
    [
      "parts of other kinds in place of messages",
      [user("a"), assistant, { type: "input_image", image_url: "data:" }, { type: "input_file" }],
      afterPrompts(1),
    ],
    ["a part of scaffolding", [user("a"), assistant, input(reminder)], afterPrompts(1)],
    ["a part whose text is no string", [{ type: "input_text", text: ["a"] }], NOTHING],
    ["a message with a text beside its content", [{ ...(user("a") as object), text: "b" }], withPrompt("a")],
    [
      "a tool's output with a role",
      [{ type: "function_call_output", role: "tool", call_id: "call_1" }],
      withResultOf("call_1"),
    ],
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
    expect(responsesConversation({ model: "m", instructions: "i", input: value })).toEqual(conversation);
  });

  it("returns nothing for a prompt template without input", () => {
    expect(responsesConversation({ model: "m", prompt: { id: "pmpt_1" } })).toEqual(NOTHING);
  });
});

const promptOf = (content: unknown): string | null =>
  messagesConversation({ messages: [user(content)] }).prompt;
const dialectsOf = (messages: readonly unknown[]): readonly Complete[] => [
  complete(chatRules)({ messages }),
  complete(messagesRules)({ messages }),
  complete(responsesRules)({ input: messages }),
];
const conversationsOf = (contents: readonly unknown[]): readonly Conversation[] =>
  dialectsOf(contents.map(user)).map(factsOf);

const numbered = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${from + at}`);

const readTemplate = (prompt: unknown, list: unknown = undefined): Conversation =>
  reading(responsesRules)({ input: list, prompt });

// The attack: a template of the provider holds the question, and its variables the words of the user.
describe("Finding M1: the variables of a prompt template", () => {
  it.each([
    ["a text", { id: "pmpt_1", variables: { question: "a" } }, undefined, withPrompt("a")],
    ["a part", { id: "pmpt_1", variables: { question: input("a") } }, undefined, withPrompt("a")],
    ["several texts", { id: "pmpt_1", variables: { a: "a", b: input("b") } }, undefined, withPrompt("a\nb")],
    ["texts beside input", { id: "pmpt_1", variables: { a: "b" } }, "a", withPrompt("a\nb", 2)],
    ["a file", { id: "pmpt_1", variables: { a: { type: "input_file", file_id: "f" } } }, undefined, NOTHING],
    ["no variables", { id: "pmpt_1" }, "a", withPrompt("a")],
    ["no object", "pmpt_1", "a", withPrompt("a")],
  ])("are the user's texts: %s", (_, prompt, list, expected) => {
    expect(readTemplate(prompt, list)).toEqual(expected);
  });

  it("are read after a completed turn, because the provider puts them into the template anew", () => {
    const prompt = { id: "pmpt_1", variables: { a: "c" } };
    expect(readTemplate(prompt, [user("a"), assistant, user("b")])).toEqual(withPrompt("b\nc", 2, 1));
    // They do not end the turn of a prefill, which would hide the prompt before it.
    expect(readTemplate(prompt, [user("a"), assistant])).toEqual(withPrompt("a\nc", 2));
  });

  it("may not be given twice", () => {
    const body = utf8('{"prompt":{"variables":{"a":"hello"},"Variables":{"a":"EVIL"}}}');
    const refusal = readWith(accepted(readModelCall(new JsonSource(body), FIELDS)).body, responsesRules);
    expect(refusal).toMatchObject({ code: "field_repeated" });
  });
});

describe("the user's texts", () => {
  it("are those before and after the last completed assistant turn, without scaffolding", () => {
    const messages = [
      user("a"),
      user(`${reminder}b`),
      assistant,
      system,
      user("c"),
      user(reminder),
      assistant,
    ];
    for (const { texts } of dialectsOf(messages))
      expect(texts()).toEqual({ current: ["c"], earlier: ["a", "b"] });
  });

  it("are one per text part, so that a client may merge messages", () => {
    const { texts } = complete(chatRules)({
      messages: [user([text("a"), text(reminder), text("b")]), assistant, user("c")],
    });
    expect(texts()).toEqual({ current: ["c"], earlier: ["a", "b"] });
  });

  // A client can send thousands of messages and parts: only the last 20 are kept.
  it("are the last 20 of each", () => {
    const many = { role: "user", content: numbered(100, 50).map(text) };
    const messages = [...numbered(0, 30).map(user), assistant, ...numbered(50, 30).map(user)];
    for (const { texts } of dialectsOf(messages))
      expect(texts()).toEqual({ current: numbered(60, 20), earlier: numbered(10, 20) });
    expect(complete(chatRules)({ messages: [user("a"), many] }).texts().current).toEqual(numbered(130, 20));
  });
});

describe("the client's scaffolding", () => {
  it.each([
    ["Claude Code's reminder", reminder],
    ["two reminders", `${reminder}\n${reminder}\n`],
    ["Codex's environment", "<environment_context><cwd>/</cwd></environment_context>"],
    ["Codex's user instructions", "<user_instructions>\nUse tabs.\n</user_instructions>"],
    ["Codex's permissions", "<permissions instructions>\nRead only.\n</permissions instructions>"],
    ["Codex's skills", "<skills_instructions>\n## Skills\n</skills_instructions>"],
    [
      "Codex's AGENTS.md",
      "# AGENTS.md instructions for /home/dev\n\n<INSTRUCTIONS>\nUse tabs.\n</INSTRUCTIONS>",
    ],
    ["Codex's skill", "<skill>\n<name>review</name>\n</skill>"],
    ["Codex's command of the user", "<user_shell_command>\n<command>ls</command>\n</user_shell_command>"],
    ["Codex's interruption", "<turn_aborted>\nThe user interrupted the previous turn.\n</turn_aborted>"],
    ["Codex's notice of a sub-agent", "<subagent_notification>{}</subagent_notification>"],
    ["Claude Code's notice of a task", "<task-notification>\n<status>done</status>\n</task-notification>"],
    ["Claude Code's warning", "<local-command-caveat>Caveat: not a request.</local-command-caveat>"],
    ["Claude Code's command", "<local-command-stdout>Set model.</local-command-stdout>"],
    ["Claude Code's failed command", "<local-command-stderr>No.</local-command-stderr>"],
    ["Claude Code's shell", "<bash-stdout>a</bash-stdout><bash-stderr></bash-stderr>"],
    ["Qwen's hook", "<qwen:user-prompt-submit-context>\nmain\n</qwen:user-prompt-submit-context>"],
    ["Copilot's time", "<current_datetime>2026-11-28T15:44:52.258+00:00</current_datetime>"],
    ["Gemini's context", "<session_context>\nThis is the Gemini CLI.\n</session_context>"],
  ])("removes %s and keeps the text after it", (_, wrapper) => {
    expect(promptOf(wrapper)).toBeNull();
    expect(promptOf(`\n${wrapper}\n\nfix the bug\n`)).toBe("fix the bug\n");
    expect(promptOf([text(wrapper), text("fix"), text(wrapper), text("it")])).toBe("fix\nit");
  });

  it.each([
    ["in the middle of a text", `Explain ${reminder} to me`],
    ["at the end of a text", `Explain ${reminder}`],
    ["of the user's own input", "<bash-input>ls</bash-input>"],
    ["that is not closed", "<system-reminder>fix the bug"],
    ["that only closes", "</system-reminder>fix the bug"],
    ["that another wrapper closes", "<system-reminder>fix</session_context>"],
    ["in another case", "<System-Reminder>fix</System-Reminder>"],
    ["with an attribute", "<system-reminder a>fix</system-reminder>"],
  ])("keeps a wrapper %s", (_, words) => {
    expect(promptOf(words)).toBe(words);
  });

  it.each([
    ["wrappers that are not closed", "<system-reminder>", ""],
    ["closed wrappers", "<system-reminder></system-reminder>", "x"],
    ["blanks", " \n", ""],
    ["different wrappers", "<system-reminder><session_context></system-reminder>", "x"],
  ])("takes linear time for a long run of %s", (_, unit, end) => {
    const words = unit.repeat(Math.ceil(2_000_000 / unit.length)) + end;
    const started = performance.now();
    promptOf(words);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("a text that is read in pieces", () => {
  it.each([200, 240, 256, 257, 16_600, 16_640, 16_641, 100_000])(
    "loses nothing where a piece ends: after %d bytes",
    (length) => {
      for (const filler of ["a", "東", "🗼", '"', "\u0001", "\ufeff", "\\"]) {
        const units = filler.repeat(
          Math.ceil(length / Buffer.byteLength(JSON.stringify(filler).slice(1, -1))),
        );
        expect(promptOf(units)).toBe(units.slice(0, 20_480));
        for (const shift of ["", "x", "xy", "xyz", "wxyz", "vwxyz"]) {
          expect(promptOf(shift + units)).toBe((shift + units).slice(0, 20_480));
          const wrapped = `<system-reminder>${shift}${units}</system-reminder>\n`;
          expect(promptOf(`${wrapped}fix ${filler}`)).toBe(`fix ${filler}`);
          expect(promptOf(wrapped)).toBeNull();
        }
      }
    },
  );
});

describe("a long prompt", () => {
  it.each([
    ["one text", ["a".repeat(30_000)], "a".repeat(20_480), true],
    [
      "a text and more texts",
      ["a".repeat(20_000), "b".repeat(1000), "c"],
      `${"a".repeat(20_000)}\n${"b".repeat(479)}`,
      true,
    ],
    ["texts that end at the separator", ["a".repeat(20_479), "b"], `${"a".repeat(20_479)}\n`, true],
    ["texts within the limit", ["a".repeat(16_000), "b"], `${"a".repeat(16_000)}\nb`, false],
  ])("is truncated at 20,480 characters, and marked so: %s", (_, contents, prompt, truncated) => {
    for (const conversation of conversationsOf(contents)) {
      expect(conversation).toEqual(withPrompt(prompt, contents.length));
      expect(toRecordedContent(prompt, (clean) => clean).truncated).toBe(truncated);
    }
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
    expect(readConversation(withId("i".repeat(5000))).correlatingToolCallId).toBe("i".repeat(256));
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
    expect(readConversation(`{"messages":${list},"input":${list}}`)).toEqual(NOTHING);
    expect(readConversation(`{"__proto__":{"messages":${list},"input":"CANARY"}}`)).toEqual(NOTHING);
  });

  it("never throws, and returns only text from the request, for random input", () => {
    const keys = ["role", "type", "content", "text", "tool_call_id", "tool_use_id", "call_id"];
    const roles = ["user", "user", "user", "tool", "assistant", "system"];
    const partTypes = ["text", "input_text", "tool_result"];
    const types = ["text", "message", "tool_result", "input_text", "function_call_output"];
    const leaves = [...roles, ...types, reminder, "", 7, null];
    const own = leaves.filter((leaf) => leaf !== reminder && leaf !== "");
    const counts = { prompts: 0, joined: 0, ids: 0 };
    forSeeds(8000, (seed) => {
      const random = seededRandom(seed);
      const pick = <T>(from: readonly T[]): T | undefined => from[between(random, 0, from.length - 1)];
      const list = (depth: number): unknown =>
        Array.from({ length: between(random, 0, 3) }, () => value(depth));
      const likelyEntry = (): unknown => ({
        role: pick(roles),
        ...(random() < 0.5 ? {} : { type: pick(types), call_id: pick(leaves), tool_call_id: pick(leaves) }),
        content: Array.from({ length: between(random, 0, 3) }, () => ({
          type: pick(partTypes),
          text: pick(leaves),
          tool_use_id: pick(leaves),
        })),
      });
      const value = (depth: number): unknown => {
        const kind = depth === 0 ? 0 : between(random, 0, 9);
        if (kind === 0) return pick(leaves);
        if (kind === 1) return list(depth - 1);
        if (kind <= 5) return likelyEntry();
        const entries = Array.from({ length: between(random, 1, 8) }, () => {
          const key = pick(keys) ?? "";
          if (key === "content" && random() < 0.6) return [key, list(depth - 1)];
          const likelyValues = key === "role" ? roles : types;
          return [key, random() < 0.7 ? pick(likelyValues) : value(depth - 1)];
        });
        return Object.fromEntries(entries) as unknown;
      };
      const fields = { messages: list(4), input: list(4) };
      const { prompt, promptCount, earlierPromptCount, correlatingToolCallId } = readConversation(fields);
      const texts = prompt?.split("\n") ?? [];
      if (prompt !== null) counts.prompts += 1;
      if (texts.length > 1) counts.joined += 1;
      if (correlatingToolCallId !== null) counts.ids += 1;
      for (const part of texts) expect(own).toContain(part);
      expect([...own, reminder, null]).toContain(correlatingToolCallId);
      expect(promptCount > 0).toBe(prompt !== null);
      expect(promptCount).toBeLessThanOrEqual(texts.length);
      expect(promptCount + earlierPromptCount).toBeLessThanOrEqual(3);
    });
    expect(Math.min(counts.prompts, counts.joined, counts.ids)).toBeGreaterThan(20);
  });
});

describe("Finding N3: a key of an entry twice or in another case", () => {
  // The attack: one reader takes the first value, another the last one or one in another case, and the record has only one.
  it.each([
    [chatRules, '{"messages":[{"role":"user","content":"hello","content":"EVIL"}]}', "messages.content"],
    [chatRules, '{"messages":[{"role":"user","content":"hello","Content":"EVIL"}]}', "messages.content"],
    [chatRules, '{"messages":[{"role":"system","role":"user","content":"a"}]}', "messages.role"],
    [
      chatRules,
      '{"messages":[{"role":"tool","tool_call_id":"a","tool_call_id":"b"}]}',
      "messages.tool_call_id",
    ],
    [
      messagesRules,
      '{"messages":[{"role":"user","content":[{"type":"text","text":"a","te\\u0078t":"b"}]}]}',
      "messages.content.text",
    ],
    [
      messagesRules,
      '{"messages":[{"role":"user","content":[{"type":"tool_result","tool_uſe_id":"a"}]}]}',
      "messages.content.tool_use_id",
    ],
    [responsesRules, '{"input":[{"type":"message","Type":"reasoning","role":"user"}]}', "input.type"],
    [responsesRules, '{"input":[{"type":"x_call_output","call_id":"a","call_id":"a"}]}', "input.call_id"],
  ])("F4 is rejected with E400: %#", (rules, body, param) => {
    const refusal = readWith(
      accepted(readModelCall(new JsonSource(utf8(body)), FIELDS)).body,
      rules,
    ) as Refusal;
    expect([refusal.status, refusal.code, refusal.data.param]).toEqual([400, "field_repeated", param]);
  });

  it("F4 is accepted where nothing reads it", () => {
    const body =
      '{"messages":[{"role":"user","content":"a","name":"x","name":"y","tool_calls":[{"id":1,"id":2}]}]}';
    expect(chatConversation(body)).toEqual(withPrompt("a"));
  });
});
