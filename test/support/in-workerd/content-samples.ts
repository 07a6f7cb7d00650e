/**
 * Exchanges in which everything that can be said is said, each thing with its own canary and a secret beside it: in each
 * dialect, streamed, whole, and as an error.
 */
import { CONTENT } from "./gateway-harness.ts";
import { json, sse } from "./calls.ts";
import { wholeBody } from "./upstream-body.ts";

/** Stands beside each canary: no record may hold it, whatever is switched on. */
export const SECRET = "sk-proj-SECRET-0123456789abcdef";

type Content = keyof typeof CONTENT;

export type Said = {
  readonly name: string;
  readonly path: string;
  readonly body: string;
  readonly answer: () => Response;
  /** What a record could hold of it. */
  readonly says: readonly Content[];
};

const said = (content: Content): string => `${CONTENT[content]} ${SECRET}`;
const input = JSON.stringify({ text: said("toolInput") });
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
const whole = (value: object, status = 200): Response => json(JSON.stringify(value), { status });

const CHAT = "/openai/v1/chat/completions";
const RESPONSES = "/openai/v1/responses";
const MESSAGES = "/anthropic/v1/messages";

const user = { role: "user", content: said("prompt") };
const chatBody = JSON.stringify({ model: "m", messages: [user] });
const chatResult = JSON.stringify({
  model: "m",
  messages: [user, { role: "tool", tool_call_id: "call_0", content: said("toolResult") }],
});
const responsesBody = JSON.stringify({ model: "m", input: [user] });
const responsesResult = JSON.stringify({
  model: "m",
  instructions: said("prompt"),
  input: [user, { type: "function_call_output", call_id: "call_0", output: said("toolResult") }],
});
const messagesBody = JSON.stringify({ model: "m", system: said("prompt"), messages: [user] });
const messagesResult = JSON.stringify({
  model: "m",
  messages: [
    user,
    {
      role: "user",
      content: [{ type: "tool_result", tool_use_id: "toolu_0", content: said("toolResult") }],
    },
  ],
});

const chatCall = { id: "call_1", type: "function", function: { name: "write_file", arguments: input } };
const chatMessage = { role: "assistant", content: said("answer"), tool_calls: [chatCall] };
const choice = (rest: object): object => ({ id: "x", model: "m", choices: [{ index: 0, ...rest }] });

const output = [
  { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: said("thought") }] },
  { type: "function_call", id: "fc_1", call_id: "call_1", name: "write_file", arguments: input },
  {
    type: "mcp_call",
    id: "mcp_1",
    name: "search",
    server_label: "docs",
    arguments: input,
    error: said("toolError"),
    output: said("toolResult"),
  },
  {
    type: "message",
    id: "msg_1",
    role: "assistant",
    content: [{ type: "output_text", text: said("answer") }],
  },
];
const response = { id: "resp_1", model: "m", status: "completed", output, usage };

const thinking = { type: "thinking", thinking: said("thought"), signature: "c2ln" };
const toolUse = { type: "tool_use", id: "toolu_1", name: "write_file", input: { text: said("toolInput") } };
const message = { id: "msg_1", type: "message", role: "assistant", model: "m", usage };
const blocks = [thinking, { type: "text", text: said("answer") }, toolUse];

const failure = { type: "invalid_request_error", message: said("errorMessage"), code: null, param: null };

export const SAID: readonly Said[] = [
  {
    name: "chat, whole",
    path: CHAT,
    body: chatBody,
    answer: () => whole({ ...choice({ message: chatMessage, finish_reason: "tool_calls" }), usage }),
    says: ["prompt", "toolInput"],
  },
  {
    name: "chat, streamed",
    path: CHAT,
    body: chatBody.replace("{", '{"stream":true,'),
    answer: () =>
      chunks(
        choice({ delta: { role: "assistant", content: said("answer") } }),
        choice({ delta: { tool_calls: [{ index: 0, ...chatCall }] } }),
        choice({ delta: {}, finish_reason: "tool_calls" }),
        { id: "x", choices: [], usage },
      ),
    says: ["prompt", "toolInput"],
  },
  {
    name: "chat, a tool's result and an error",
    path: CHAT,
    body: chatResult,
    answer: () => whole({ error: failure }, 400),
    says: ["errorMessage"],
  },
  {
    name: "chat, an error in a stream",
    path: CHAT,
    body: chatBody.replace("{", '{"stream":true,'),
    answer: () => chunks({ error: failure }),
    says: ["prompt", "errorMessage"],
  },
  {
    name: "responses, whole",
    path: RESPONSES,
    body: responsesBody,
    answer: () => whole(response),
    says: ["prompt", "toolInput", "toolError", "thought"],
  },
  {
    name: "responses, streamed",
    path: RESPONSES,
    body: responsesBody,
    answer: () =>
      stream(
        {
          type: "response.created",
          response: { ...response, output: [], usage: null, status: "in_progress" },
        },
        ...output.map((item, output_index) => ({ type: "response.output_item.done", output_index, item })),
        { type: "response.completed", response },
      ),
    says: ["prompt", "toolInput", "toolError", "thought"],
  },
  {
    name: "responses, a tool's result and a failure",
    path: RESPONSES,
    body: responsesResult,
    answer: () =>
      stream({
        type: "response.failed",
        response: { ...response, output: [], status: "failed", error: { ...failure, code: "server_error" } },
      }),
    says: ["errorMessage"],
  },
  {
    name: "messages, whole",
    path: MESSAGES,
    body: messagesBody,
    answer: () => whole({ ...message, content: blocks, stop_reason: "tool_use" }),
    says: ["prompt", "toolInput", "thought"],
  },
  {
    name: "messages, streamed",
    path: MESSAGES,
    body: messagesBody,
    answer: () =>
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
    says: ["prompt", "toolInput", "thought"],
  },
  {
    name: "messages, a tool's result and an error",
    path: MESSAGES,
    body: messagesResult,
    answer: () => whole({ type: "error", error: failure }, 400),
    says: ["errorMessage"],
  },
];
