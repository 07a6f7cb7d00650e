/**
 * Responses with tools that are easily counted wrong, each with its expected rows in every column: parallel calls in a chat
 * stream, a call cut by the token limit, cumulative usage figures.
 */
import { byteLength } from "../../../src/shared/text.ts";
import {
  jsonPost,
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
import { RECORDED, eventStream, type Case } from "./row-case.ts";
import { interceptionRow, promptRow, tables, thoughtRow, toolRow } from "./row-values.ts";

/** The deltas of the calls are interleaved. */
const PARALLEL_TOOLS = [
  chunk({ role: "assistant", content: null }),
  calls({ index: 0, id: "call_a", type: "function", function: { name: "read_file", arguments: "" } }),
  calls({ index: 1, id: "call_b", type: "function", function: { name: "grep", arguments: '{"pat' } }),
  calls({ index: 0, function: { arguments: '{"path":' } }, { index: 1, function: { arguments: 'tern":' } }),
  calls({ index: 2, id: "call_c", type: "custom", custom: { name: "apply_patch", input: "*** Begin\n" } }),
  calls({ index: 1, function: { arguments: '"\\"usage\\":{"}' } }),
  calls({ index: 2, custom: { input: "*** End" } }, { index: 0, function: { arguments: '"ü 🗼.txt"}' } }),
  chunk({}, "tool_calls"),
  chatUsage({
    prompt_tokens: 412,
    completion_tokens: 58,
    prompt_tokens_details: { cached_tokens: 400 },
    completion_tokens_details: { reasoning_tokens: 8 },
  }),
  DONE,
].join("");

const parallelTools: Case = {
  name: "records all three parallel tool calls of a chat stream whose deltas are interleaved",
  vars: RECORDED,
  exchanges: [{ path: CHAT, init: jsonPost(CHAT_REQUEST), response: eventStream(PARALLEL_TOOLS) }],
  rows: tables({
    interceptions: [
      interceptionRow({
        finish_reason: "tool_calls",
        tool_call_count: 3,
        response_bytes: byteLength(PARALLEL_TOOLS),
        input_tokens: 12,
        output_tokens: 58,
        cache_read_input_tokens: 400,
        usage_metadata: '{"completion_reasoning":8}',
      }),
    ],
    user_prompts: [promptRow()],
    tool_usages: [
      toolRow({
        position: 0,
        provider_tool_call_id: "call_a",
        tool: "read_file",
        input: '{"path":"ü 🗼.txt"}',
        metadata: '{"kind":"function"}',
      }),
      toolRow({
        position: 1,
        provider_tool_call_id: "call_b",
        tool: "grep",
        input: '{"pattern":"\\"usage\\":{"}',
        metadata: '{"kind":"function"}',
      }),
      toolRow({
        position: 2,
        provider_tool_call_id: "call_c",
        tool: "apply_patch",
        input: "*** Begin\n*** End",
        metadata: '{"kind":"custom"}',
      }),
    ],
  }),
};

const shell = { type: "function_call", id: "fc_1", call_id: "call_1", name: "shell" };
const INCOMPLETE = [
  RESPONSE_CREATED,
  named({
    type: "response.output_item.done",
    output_index: 0,
    item: { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "**Plan**" }] },
  }),
  named({ type: "response.output_item.added", output_index: 1, item: { ...shell, arguments: "" } }),
  named({ type: "response.function_call_arguments.delta", output_index: 1, delta: '{"command":["rm' }),
  named({
    type: "response.incomplete",
    response: {
      id: "x",
      model: "m",
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      output: [
        { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "**Plan**" }] },
        { ...shell, status: "incomplete", arguments: '{"command":["rm' },
      ],
      usage: {
        input_tokens: 50,
        input_tokens_details: { cached_tokens: 20, cache_write_tokens: 5 },
        output_tokens: 9,
        output_tokens_details: { reasoning_tokens: 4 },
        total_tokens: 59,
      },
    },
  }),
].join("");

const incomplete: Case = {
  name: "records usage and the partial tool call of a response cut by its token limit",
  vars: RECORDED,
  exchanges: [{ path: RESPONSES, init: jsonPost(RESPONSES_REQUEST), response: eventStream(INCOMPLETE) }],
  rows: tables({
    interceptions: [
      interceptionRow({
        ...RESPONSES_COLUMNS,
        finish_reason: "max_output_tokens",
        tool_call_count: 1,
        thought_count: 1,
        response_bytes: byteLength(INCOMPLETE),
        input_tokens: 25,
        output_tokens: 9,
        cache_read_input_tokens: 20,
        cache_write_input_tokens: 5,
        usage_metadata: '{"output_reasoning":4,"total_tokens":59}',
      }),
    ],
    user_prompts: [promptRow()],
    tool_usages: [
      toolRow({
        position: 0,
        provider_tool_call_id: "call_1",
        tool: "shell",
        input: '{"command":["rm',
        metadata: '{"kind":"function_call"}',
      }),
    ],
    model_thoughts: [
      thoughtRow({ position: 0, content: "**Plan**", metadata: '{"source":"reasoning_summary"}' }),
    ],
  }),
};

/** Cumulative figures in three events: the output is 61 tokens, not 1 + 30 + 61. */
const CUMULATIVE = [
  MESSAGE_START,
  block(0, { type: "thinking", thinking: "" }),
  delta(0, { type: "thinking_delta", thinking: "First read, " }),
  delta(0, { type: "thinking_delta", thinking: "then write." }),
  blockStop(0),
  block(1, { type: "tool_use", id: "toolu_1", name: "Read", input: {} }),
  delta(1, { type: "input_json_delta", partial_json: '{"file_path": ' }),
  delta(1, { type: "input_json_delta", partial_json: '"a.ts"}' }),
  blockStop(1),
  messageDelta(30, null),
  block(2, { type: "tool_use", id: "toolu_2", name: "TodoRead", input: {} }),
  blockStop(2),
  messageDelta(61, "tool_use"),
  MESSAGE_STOP,
].join("");

const cumulative: Case = {
  name: "records the last of Anthropic's cumulative usage figures, not their sum",
  vars: RECORDED,
  exchanges: [{ path: MESSAGES, init: jsonPost(MESSAGES_REQUEST), response: eventStream(CUMULATIVE) }],
  rows: tables({
    interceptions: [
      interceptionRow({
        ...MESSAGES_COLUMNS,
        finish_reason: "tool_use",
        tool_call_count: 2,
        thought_count: 1,
        response_bytes: byteLength(CUMULATIVE),
        input_tokens: 5,
        output_tokens: 61,
        cache_read_input_tokens: 3,
        cache_write_input_tokens: 4,
        usage_metadata: "{}",
      }),
    ],
    user_prompts: [promptRow()],
    tool_usages: [
      toolRow({
        position: 0,
        provider_tool_call_id: "toolu_1",
        tool: "Read",
        input: '{"file_path": "a.ts"}',
        metadata: '{"kind":"tool_use"}',
      }),
      toolRow({
        position: 1,
        provider_tool_call_id: "toolu_2",
        tool: "TodoRead",
        input: "{}",
        metadata: '{"kind":"tool_use"}',
      }),
    ],
    model_thoughts: [thoughtRow({ position: 0, content: "First read, then write." })],
  }),
};

export const TOOL_CASES: readonly Case[] = [parallelTools, incomplete, cumulative];
