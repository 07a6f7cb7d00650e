/**
 * Clients that disconnect in mid-stream, each with the bytes received so far and the expected rows. A figure that the
 * provider did not report is null, never 0.
 */
import { byteLength } from "../../../src/shared/text.ts";
import type { Row, Rows } from "./ledger-database.ts";
import {
  block,
  blockStop,
  calls,
  CHAT,
  CHAT_REQUEST,
  chatUsage,
  chunk,
  delta,
  DONE,
  MESSAGE_START,
  MESSAGE_STOP,
  messageDelta,
  MESSAGES,
  MESSAGES_REQUEST,
  MESSAGES_COLUMNS,
  named,
  RESPONSE_CREATED,
  RESPONSES,
  RESPONSES_REQUEST,
  RESPONSES_COLUMNS,
} from "./row-responses.ts";
import { interceptionRow, promptRow, tables, toolRow } from "./row-values.ts";

export type Disconnect = {
  readonly name: string;
  readonly path: string;
  readonly body: object;
  /** The bytes of the stream before the client disconnects. */
  readonly received: string;
  readonly rows: Rows;
};

/** The first byte arrives after 40 ms; the client disconnects after 700. */
export const CANCELLED = {
  outcome: "cancelled",
  finish_reason: null,
  ended_at: "2026-11-23T12:00:00.700Z",
  duration_ms: 700,
} as const;
const created_at = CANCELLED.ended_at;

const cancelledRow = (received: string, columns: Parameters<typeof interceptionRow>[0]): Row =>
  interceptionRow({ ...CANCELLED, response_bytes: byteLength(received), ...columns });

/** If the client requests usage itself, the observer tees the stream; otherwise the stream flows through the observer. */
const CHATS = [
  ["chat, with its usage event removed", "added", CHAT_REQUEST],
  ["chat", "client", { ...CHAT_REQUEST, stream_options: { include_usage: true } }],
] as const;

const CHAT_FIRST_EVENT = chunk({ role: "assistant", content: "" });
const CHAT_IN_TOOL =
  CHAT_FIRST_EVENT +
  calls({ index: 0, id: "call_a", type: "function", function: { name: "read_file", arguments: "{}" } }) +
  calls({
    index: 1,
    id: "call_b",
    type: "function",
    function: { name: "edit", arguments: '{"path":"src/in' },
  });
const CHAT_COMPLETE =
  CHAT_FIRST_EVENT + chunk({}, "stop") + chatUsage({ prompt_tokens: 9, completion_tokens: 2 }) + DONE;

const chats: readonly Disconnect[] = CHATS.flatMap(([name, usage_opt_in, body]) => [
  {
    name: `${name}: after the first event`,
    path: CHAT,
    body,
    received: CHAT_FIRST_EVENT,
    rows: tables({
      interceptions: [cancelledRow(CHAT_FIRST_EVENT, { usage_opt_in, usage: "unknown" })],
      user_prompts: [promptRow()],
    }),
  },
  {
    name: `${name}: within the second of two tool calls`,
    path: CHAT,
    body,
    received: CHAT_IN_TOOL,
    rows: tables({
      interceptions: [cancelledRow(CHAT_IN_TOOL, { usage_opt_in, usage: "unknown", tool_call_count: 2 })],
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
    received: CHAT_COMPLETE,
    rows: tables({
      interceptions: [
        cancelledRow(CHAT_COMPLETE, {
          usage_opt_in,
          finish_reason: "stop",
          input_tokens: 9,
          output_tokens: 2,
          usage_metadata: "{}",
        }),
      ],
      user_prompts: [promptRow()],
    }),
  },
]);

const INPUT_FIGURES = {
  input_tokens: 5,
  cache_read_input_tokens: 3,
  cache_write_input_tokens: 4,
  usage_metadata: "{}",
};
const FIRST_FIGURES = { ...INPUT_FIGURES, output_tokens: 1, usage: "partial" };
const TEXT = block(0, { type: "text", text: "" }) + delta(0, { type: "text_delta", text: "Dort." });
const MESSAGES_IN_TOOL =
  MESSAGE_START +
  TEXT +
  blockStop(0) +
  block(1, { type: "tool_use", id: "toolu_1", name: "Write", input: {} }) +
  delta(1, { type: "input_json_delta", partial_json: '{"file_path": "a' });
const MESSAGES_COMPLETE = MESSAGE_START + TEXT + blockStop(0) + messageDelta(61, "end_turn") + MESSAGE_STOP;

const messages: readonly Disconnect[] = [
  {
    name: "messages: after the first event, which reports usage",
    path: MESSAGES,
    body: MESSAGES_REQUEST,
    received: MESSAGE_START,
    rows: tables({
      interceptions: [cancelledRow(MESSAGE_START, { ...MESSAGES_COLUMNS, ...FIRST_FIGURES })],
      user_prompts: [promptRow()],
    }),
  },
  {
    name: "messages: within a tool's input",
    path: MESSAGES,
    body: MESSAGES_REQUEST,
    received: MESSAGES_IN_TOOL,
    rows: tables({
      interceptions: [
        cancelledRow(MESSAGES_IN_TOOL, { ...MESSAGES_COLUMNS, ...FIRST_FIGURES, tool_call_count: 1 }),
      ],
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
    body: MESSAGES_REQUEST,
    received: MESSAGES_COMPLETE,
    rows: tables({
      interceptions: [
        cancelledRow(MESSAGES_COMPLETE, {
          ...MESSAGES_COLUMNS,
          ...INPUT_FIGURES,
          output_tokens: 61,
          finish_reason: "end_turn",
        }),
      ],
      user_prompts: [promptRow()],
    }),
  },
];

const shell = { type: "function_call", id: "fc_1", call_id: "call_1", name: "shell" };
const RESPONSES_IN_TOOL =
  RESPONSE_CREATED +
  named({ type: "response.output_item.added", output_index: 0, item: { ...shell, arguments: "" } }) +
  named({ type: "response.function_call_arguments.delta", output_index: 0, delta: '{"command":["l' });
const RESPONSES_COMPLETE =
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

const responses: readonly Disconnect[] = [
  {
    name: "responses: after the first event",
    path: RESPONSES,
    body: RESPONSES_REQUEST,
    received: RESPONSE_CREATED,
    rows: tables({
      interceptions: [cancelledRow(RESPONSE_CREATED, { ...RESPONSES_COLUMNS, usage: "unknown" })],
      user_prompts: [promptRow()],
    }),
  },
  {
    name: "responses: within a tool's input",
    path: RESPONSES,
    body: RESPONSES_REQUEST,
    received: RESPONSES_IN_TOOL,
    rows: tables({
      interceptions: [
        cancelledRow(RESPONSES_IN_TOOL, { ...RESPONSES_COLUMNS, usage: "unknown", tool_call_count: 1 }),
      ],
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
    body: RESPONSES_REQUEST,
    received: RESPONSES_COMPLETE,
    rows: tables({
      interceptions: [
        cancelledRow(RESPONSES_COMPLETE, {
          ...RESPONSES_COLUMNS,
          finish_reason: "completed",
          input_tokens: 50,
          output_tokens: 9,
          usage_metadata: '{"total_tokens":59}',
        }),
      ],
      user_prompts: [promptRow()],
    }),
  },
];

export const DISCONNECTS: readonly Disconnect[] = [...chats, ...messages, ...responses];
