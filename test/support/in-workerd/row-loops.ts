/** An agent's loop in each API: the user's prompt, then twice the result of the tool call in the last response. */
import { CHAT, MESSAGES, RESPONSES, assistantMessage, userMessage } from "./row-responses.ts";

/** The tool call of each response. */
export type CallId = "call_1" | "call_2" | "call_3";

export type Loop = {
  readonly api: string;
  readonly path: string;
  /** null: the request carries the user's prompt. */
  readonly request: (resultOf: CallId | null) => object;
  readonly response: (callId: CallId) => object;
};

export const LOOPS: readonly Loop[] = [
  {
    api: "chat",
    path: CHAT,
    request: (resultOf) => ({
      model: "m",
      messages: resultOf
        ? [userMessage, assistantMessage, { role: "tool", tool_call_id: resultOf, content: "a" }]
        : [userMessage],
    }),
    response: (callId) => ({
      choices: [
        {
          message: {
            tool_calls: [{ id: callId, type: "function", function: { name: "f", arguments: "{}" } }],
          },
          finish_reason: "tool_calls",
        },
      ],
    }),
  },
  {
    api: "messages",
    path: MESSAGES,
    request: (resultOf) => ({
      model: "m",
      messages: resultOf
        ? [
            userMessage,
            assistantMessage,
            { role: "user", content: [{ type: "tool_result", tool_use_id: resultOf }] },
          ]
        : [userMessage],
    }),
    response: (callId) => ({
      type: "message",
      content: [{ type: "tool_use", id: callId, name: "f", input: {} }],
      stop_reason: "tool_use",
    }),
  },
  {
    api: "responses",
    path: RESPONSES,
    request: (resultOf) => ({
      model: "m",
      input: resultOf ? [{ type: "function_call_output", call_id: resultOf, output: "a" }] : "Where?",
    }),
    response: (callId) => ({
      status: "completed",
      output: [{ type: "function_call", call_id: callId, name: "f", arguments: "{}" }],
    }),
  },
];
