/** An agent's loop in each API: the user's words, then twice the result of the tool that the last answer asked for. */
import { CHAT, MESSAGES, RESPONSES, where } from "./row-answers.ts";

/** The call that each answer asks for. */
export type CallId = "call_1" | "call_2" | "call_3";

export type Loop = {
  readonly api: string;
  readonly path: string;
  /** null: the user's words. */
  readonly request: (brings: CallId | null) => object;
  readonly answer: (asks: CallId) => object;
};

export const LOOPS: readonly Loop[] = [
  {
    api: "chat",
    path: CHAT,
    request: (brings) => ({
      model: "m",
      messages: brings ? [where, { role: "tool", tool_call_id: brings, content: "a" }] : [where],
    }),
    answer: (asks) => ({
      choices: [
        {
          message: {
            tool_calls: [{ id: asks, type: "function", function: { name: "f", arguments: "{}" } }],
          },
          finish_reason: "tool_calls",
        },
      ],
    }),
  },
  {
    api: "messages",
    path: MESSAGES,
    request: (brings) => ({
      model: "m",
      messages: brings
        ? [where, { role: "user", content: [{ type: "tool_result", tool_use_id: brings }] }]
        : [where],
    }),
    answer: (asks) => ({
      type: "message",
      content: [{ type: "tool_use", id: asks, name: "f", input: {} }],
      stop_reason: "tool_use",
    }),
  },
  {
    api: "responses",
    path: RESPONSES,
    request: (brings) => ({
      model: "m",
      input: brings ? [{ type: "function_call_output", call_id: brings, output: "a" }] : "Where?",
    }),
    answer: (asks) => ({
      status: "completed",
      output: [{ type: "function_call", call_id: asks, name: "f", arguments: "{}" }],
    }),
  },
];
