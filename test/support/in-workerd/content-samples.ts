/**
 * Sample exchanges with every kind of content, each marked by its own canary and followed by a secret. Each dialect has
 * a streamed, a whole and a failed response.
 */
import { CONTENT } from "./gateway-harness.ts";
import { json, sse } from "./calls.ts";
import { wholeBody } from "./upstream-body.ts";

/** Follows each canary. No record may contain it, regardless of the recording switches. */
export const SECRET = "sk-proj-SECRET-fedcba9876543210";

type Content = keyof typeof CONTENT;

export type ContentSample = {
  readonly name: string;
  readonly path: string;
  readonly body: string;
  readonly response: () => Response;
  /** The content that records contain with all recording switches on. */
  readonly recordable: readonly Content[];
};

const marked = (content: Content): string => `${CONTENT[content]} ${SECRET}`;
const input = JSON.stringify({ text: marked("toolInput") });
const usage = { prompt_tokens: 5, completion_tokens: 2, input_tokens: 5, output_tokens: 2 };

const stream = (...events: readonly object[]): Response =>
  sse(
    wholeBody(
      ...events.map(
        (event) =>
          `event: ${String("type" in event ? event.type : "message")}\ndata: ${JSON.stringify(event)}\n\n`,
      ),
    ),
  );
const chunks = (...events: readonly object[]): Response =>
  sse(wholeBody(...events.map((event) => `data: ${JSON.stringify(event)}\n\n`), "data: [DONE]\n\n"));
const jsonResponse = (value: object, status = 200): Response => json(JSON.stringify(value), { status });

const CHAT = "/openai/v1/chat/completions";
const RESPONSES = "/openai/v1/responses";
const MESSAGES = "/anthropic/v1/messages";

/** The turn that requested the tool: the user's text before it is no longer the prompt. */
const assistant = { role: "assistant", content: "Reading." };
const user = { role: "user", content: marked("prompt") };
const chatBody = JSON.stringify({ model: "m", messages: [user] });
const chatResult = JSON.stringify({
  model: "m",
  messages: [user, assistant, { role: "tool", tool_call_id: "call_0", content: marked("toolResult") }],
});
const responsesBody = JSON.stringify({ model: "m", input: [user] });
const responsesResult = JSON.stringify({
  model: "m",
  instructions: marked("prompt"),
  input: [user, assistant, { type: "function_call_output", call_id: "call_0", output: marked("toolResult") }],
});
const messagesBody = JSON.stringify({ model: "m", system: marked("prompt"), messages: [user] });
const messagesResult = JSON.stringify({
  model: "m",
  messages: [
    user,
    assistant,
    {
      role: "user",
      content: [{ type: "tool_result", tool_use_id: "toolu_0", content: marked("toolResult") }],
    },
  ],
});

const chatCall = { id: "call_1", type: "function", function: { name: "write_file", arguments: input } };
const chatMessage = { role: "assistant", content: marked("responseText"), tool_calls: [chatCall] };
const choice = (rest: object): object => ({ id: "x", model: "m", choices: [{ index: 0, ...rest }] });

const output = [
  { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: marked("thought") }] },
  { type: "function_call", id: "fc_1", call_id: "call_1", name: "write_file", arguments: input },
  {
    type: "mcp_call",
    id: "mcp_1",
    name: "search",
    server_label: "docs",
    arguments: input,
    error: marked("toolError"),
    output: marked("toolResult"),
  },
  {
    type: "message",
    id: "msg_1",
    role: "assistant",
    content: [{ type: "output_text", text: marked("responseText") }],
  },
];
const responseObject = { id: "resp_1", model: "m", status: "completed", output, usage };

const thinking = { type: "thinking", thinking: marked("thought"), signature: "c2ln" };
const toolUse = { type: "tool_use", id: "toolu_1", name: "write_file", input: { text: marked("toolInput") } };
const message = { id: "msg_1", type: "message", role: "assistant", model: "m", usage };
const blocks = [thinking, { type: "text", text: marked("responseText") }, toolUse];

const failure = { type: "invalid_request_error", message: marked("errorMessage"), code: null, param: null };

export const CONTENT_SAMPLES: readonly ContentSample[] = [
  {
    name: "chat, not streamed",
    path: CHAT,
    body: chatBody,
    response: () => jsonResponse({ ...choice({ message: chatMessage, finish_reason: "tool_calls" }), usage }),
    recordable: ["prompt", "toolInput"],
  },
  {
    name: "chat, streamed",
    path: CHAT,
    body: chatBody.replace("{", '{"stream":true,'),
    response: () =>
      chunks(
        choice({ delta: { role: "assistant", content: marked("responseText") } }),
        choice({ delta: { tool_calls: [{ index: 0, ...chatCall }] } }),
        choice({ delta: {}, finish_reason: "tool_calls" }),
        { id: "x", choices: [], usage },
      ),
    recordable: ["prompt", "toolInput"],
  },
  {
    name: "chat, a tool result and an error",
    path: CHAT,
    body: chatResult,
    response: () => jsonResponse({ error: failure }, 400),
    recordable: ["errorMessage"],
  },
  {
    name: "chat, an error in a stream",
    path: CHAT,
    body: chatBody.replace("{", '{"stream":true,'),
    response: () => chunks({ error: failure }),
    recordable: ["prompt", "errorMessage"],
  },
  {
    name: "responses, not streamed",
    path: RESPONSES,
    body: responsesBody,
    response: () => jsonResponse(responseObject),
    recordable: ["prompt", "toolInput", "toolError", "thought"],
  },
  {
    name: "responses, streamed",
    path: RESPONSES,
    body: responsesBody,
    response: () =>
      stream(
        {
          type: "response.created",
          response: { ...responseObject, output: [], usage: null, status: "in_progress" },
        },
        ...output.map((item, output_index) => ({ type: "response.output_item.done", output_index, item })),
        { type: "response.completed", response: responseObject },
      ),
    recordable: ["prompt", "toolInput", "toolError", "thought"],
  },
  {
    name: "responses, a tool result and a failure",
    path: RESPONSES,
    body: responsesResult,
    response: () =>
      stream({
        type: "response.failed",
        response: {
          ...responseObject,
          output: [],
          status: "failed",
          error: { ...failure, code: "server_error" },
        },
      }),
    recordable: ["errorMessage"],
  },
  {
    name: "messages, not streamed",
    path: MESSAGES,
    body: messagesBody,
    response: () => jsonResponse({ ...message, content: blocks, stop_reason: "tool_use" }),
    recordable: ["prompt", "toolInput", "thought"],
  },
  {
    name: "messages, streamed",
    path: MESSAGES,
    body: messagesBody,
    response: () =>
      stream(
        { type: "message_start", message: { ...message, content: [] } },
        { type: "content_block_start", index: 0, content_block: { ...thinking, thinking: "" } },
        {
          type: "content_block_delta",
          index: 0,
          delta: { type: "thinking_delta", thinking: thinking.thinking },
        },
        { type: "content_block_stop", index: 0 },
        { type: "content_block_start", index: 1, content_block: { ...toolUse, input: {} } },
        { type: "content_block_delta", index: 1, delta: { type: "input_json_delta", partial_json: input } },
        { type: "content_block_stop", index: 1 },
        { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 2 } },
        { type: "message_stop" },
      ),
    recordable: ["prompt", "toolInput", "thought"],
  },
  {
    name: "messages, a tool result and an error",
    path: MESSAGES,
    body: messagesResult,
    response: () => jsonResponse({ type: "error", error: failure }, 400),
    recordable: ["errorMessage"],
  },
];
