/**
 * Clients that leave while the answer comes, each with what had come of it by then and the rows that it must leave. A
 * figure that nobody gave is null there, never 0, and has no row of its own.
 */
import type { Row, Rows } from "./ledger-database.ts";
import {
  block,
  blockStop,
  calls,
  CHAT,
  CHAT_ASK,
  chatUsage,
  chunk,
  delta,
  DONE,
  MESSAGE_START,
  MESSAGE_STOP,
  messageDelta,
  MESSAGES,
  MESSAGES_ASK,
  MESSAGES_ASKED,
  named,
  RESPONSE_CREATED,
  RESPONSES,
  RESPONSES_ASK,
  RESPONSES_ASKED,
} from "./row-answers.ts";
import { size } from "./row-case.ts";
import { interceptionRow, promptRow, tables, tokenRow, toolRow } from "./row-values.ts";

export type Leaving = {
  readonly name: string;
  readonly path: string;
  readonly body: object;
  /** What has come of the stream when the client leaves. */
  readonly came: string;
  readonly rows: Rows;
};

/** The first byte comes after 40 ms; the client leaves after 700. */
export const LEFT = {
  outcome: "cancelled",
  finish_reason: null,
  ended_at: "2026-11-23T12:00:00.700Z",
  duration_ms: 700,
} as const;
const created_at = LEFT.ended_at;

const left = (came: string, own: Parameters<typeof interceptionRow>[0]): Row =>
  interceptionRow({ ...LEFT, response_bytes: size(came), ...own });

/** Where the client asked for usage itself its stream flows beside the observer, else through it. */
const CHATS = [
  ["chat, its usage taken out", CHAT_ASK],
  ["chat", { ...CHAT_ASK, stream_options: { include_usage: true } }],
] as const;

const CHAT_BEGUN = chunk({ role: "assistant", content: "" });
const CHAT_IN_TOOL =
  CHAT_BEGUN +
  calls({ index: 0, id: "call_a", type: "function", function: { name: "read_file", arguments: "{}" } }) +
  calls({
    index: 1,
    id: "call_b",
    type: "function",
    function: { name: "edit", arguments: '{"path":"src/in' },
  });
const CHAT_WHOLE =
  CHAT_BEGUN + chunk({}, "stop") + chatUsage({ prompt_tokens: 9, completion_tokens: 2 }) + DONE;

const chats: readonly Leaving[] = CHATS.flatMap(([name, body]) => [
  {
    name: `${name}: after the first event`,
    path: CHAT,
    body,
    came: CHAT_BEGUN,
    rows: tables({
      interceptions: [left(CHAT_BEGUN, { usage: "unknown" })],
      user_prompts: [promptRow()],
    }),
  },
  {
    name: `${name}: in the second of two tool calls`,
    path: CHAT,
    body,
    came: CHAT_IN_TOOL,
    rows: tables({
      interceptions: [left(CHAT_IN_TOOL, { usage: "unknown", tool_call_count: 2 })],
      user_prompts: [promptRow()],
      tool_usages: [
        toolRow({
          position: 0,
          provider_tool_call_id: "call_a",
          tool: "read_file",
          input: "{}",
          metadata: '{"kind":"function"}',
          created_at,
        }),
        toolRow({
          position: 1,
          provider_tool_call_id: "call_b",
          tool: "edit",
          input: '{"path":"src/in',
          metadata: '{"kind":"function"}',
          created_at,
        }),
      ],
    }),
  },
  {
    name: `${name}: after the terminal event`,
    path: CHAT,
    body,
    came: CHAT_WHOLE,
    rows: tables({
      interceptions: [left(CHAT_WHOLE, { finish_reason: "stop" })],
      token_usages: [tokenRow({ input_tokens: 9, output_tokens: 2, created_at })],
      user_prompts: [promptRow()],
    }),
  },
]);

const INPUT_FIGURES = { input_tokens: 5, cache_read_input_tokens: 3, cache_write_input_tokens: 4 };
const WORDS = block(0, { type: "text", text: "" }) + delta(0, { type: "text_delta", text: "Dort." });
const MESSAGES_IN_TOOL =
  MESSAGE_START +
  WORDS +
  blockStop(0) +
  block(1, { type: "tool_use", id: "toolu_1", name: "Write", input: {} }) +
  delta(1, { type: "input_json_delta", partial_json: '{"file_path": "a' });
const MESSAGES_WHOLE = MESSAGE_START + WORDS + blockStop(0) + messageDelta(61, "end_turn") + MESSAGE_STOP;

const messages: readonly Leaving[] = [
  {
    name: "messages: after the first event, which has first figures",
    path: MESSAGES,
    body: MESSAGES_ASK,
    came: MESSAGE_START,
    rows: tables({
      interceptions: [left(MESSAGE_START, { ...MESSAGES_ASKED, usage: "partial" })],
      token_usages: [tokenRow({ ...INPUT_FIGURES, output_tokens: 1, usage: "partial", created_at })],
      user_prompts: [promptRow()],
    }),
  },
  {
    name: "messages: in a tool's input",
    path: MESSAGES,
    body: MESSAGES_ASK,
    came: MESSAGES_IN_TOOL,
    rows: tables({
      interceptions: [left(MESSAGES_IN_TOOL, { ...MESSAGES_ASKED, usage: "partial", tool_call_count: 1 })],
      token_usages: [tokenRow({ ...INPUT_FIGURES, output_tokens: 1, usage: "partial", created_at })],
      user_prompts: [promptRow()],
      tool_usages: [
        toolRow({
          position: 0,
          provider_tool_call_id: "toolu_1",
          tool: "Write",
          input: '{"file_path": "a',
          metadata: '{"kind":"tool_use"}',
          created_at,
        }),
      ],
    }),
  },
  {
    name: "messages: after the terminal event",
    path: MESSAGES,
    body: MESSAGES_ASK,
    came: MESSAGES_WHOLE,
    rows: tables({
      interceptions: [left(MESSAGES_WHOLE, { ...MESSAGES_ASKED, finish_reason: "end_turn" })],
      token_usages: [tokenRow({ ...INPUT_FIGURES, output_tokens: 61, created_at })],
      user_prompts: [promptRow()],
    }),
  },
];

const shell = { type: "function_call", id: "fc_1", call_id: "call_1", name: "shell" };
const RESPONSES_IN_TOOL =
  RESPONSE_CREATED +
  named({ type: "response.output_item.added", output_index: 0, item: { ...shell, arguments: "" } }) +
  named({ type: "response.function_call_arguments.delta", output_index: 0, delta: '{"command":["l' });
const RESPONSES_WHOLE =
  RESPONSE_CREATED +
  named({
    type: "response.completed",
    response: {
      id: "x",
      model: "m",
      status: "completed",
      output: [],
      usage: { input_tokens: 50, output_tokens: 9, total_tokens: 59 },
    },
  });

const responses: readonly Leaving[] = [
  {
    name: "responses: after the first event",
    path: RESPONSES,
    body: RESPONSES_ASK,
    came: RESPONSE_CREATED,
    rows: tables({
      interceptions: [left(RESPONSE_CREATED, { ...RESPONSES_ASKED, usage: "unknown" })],
      user_prompts: [promptRow()],
    }),
  },
  {
    name: "responses: in a tool's input",
    path: RESPONSES,
    body: RESPONSES_ASK,
    came: RESPONSES_IN_TOOL,
    rows: tables({
      interceptions: [left(RESPONSES_IN_TOOL, { ...RESPONSES_ASKED, usage: "unknown", tool_call_count: 1 })],
      user_prompts: [promptRow()],
      tool_usages: [
        toolRow({
          position: 0,
          provider_tool_call_id: "call_1",
          tool: "shell",
          input: '{"command":["l',
          metadata: '{"kind":"function_call"}',
          created_at,
        }),
      ],
    }),
  },
  {
    name: "responses: after the terminal event",
    path: RESPONSES,
    body: RESPONSES_ASK,
    came: RESPONSES_WHOLE,
    rows: tables({
      interceptions: [left(RESPONSES_WHOLE, { ...RESPONSES_ASKED, finish_reason: "completed" })],
      token_usages: [
        tokenRow({ input_tokens: 50, output_tokens: 9, metadata: '{"total_tokens":59}', created_at }),
      ],
      user_prompts: [promptRow()],
    }),
  },
];

/** In the middle of a stream. */
export const LEAVINGS: readonly Leaving[] = [...chats, ...messages, ...responses];
