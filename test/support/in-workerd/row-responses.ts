/** Pieces of provider responses in the three dialects, and requests for them. */
import { OWN_KEY, post } from "./calls.ts";

export const data = (value: object | string): string =>
  `data: ${typeof value === "string" ? value : JSON.stringify(value)}\n\n`;

type Named = { readonly type: string; readonly [key: string]: unknown };
export const named = (value: Named): string => `event: ${value.type}\n${data(value)}`;

export const jsonPost = (body: object, headers: Record<string, string> = OWN_KEY): RequestInit =>
  post(JSON.stringify(body), headers);

/** The user's message in each request. */
/** The turn that requested a tool. */
export const assistantMessage = { role: "assistant", content: "Reading." };
export const userMessage = { role: "user", content: "Where?" };

export const CHAT = "/openai/v1/chat/completions";
export const CHAT_REQUEST = { model: "gpt-4o", stream: true, messages: [userMessage] };
export const chunk = (value: object, finish_reason: string | null = null): string =>
  data({ id: "x", model: "m", choices: [{ index: 0, delta: value, finish_reason }] });
export const calls = (...tool_calls: readonly object[]): string => chunk({ tool_calls });
export const chatUsage = (usage: object): string => data({ id: "x", choices: [], usage });
export const DONE = data("[DONE]");

export const RESPONSES = "/openai/v1/responses";
export const RESPONSES_REQUEST = { model: "gpt-5.2", stream: true, input: "Where?" };
export const RESPONSES_COLUMNS = { route: "/responses", model: "gpt-5.2" } as const;
export const RESPONSE_CREATED = named({
  type: "response.created",
  response: { id: "x", model: "m", status: "in_progress", usage: null },
});

export const MESSAGES = "/anthropic/v1/messages";
export const MESSAGES_REQUEST = {
  model: "claude-opus-4-6",
  max_tokens: 99,
  stream: true,
  messages: [userMessage],
};
export const MESSAGES_COLUMNS = {
  provider: "anthropic",
  provider_type: "anthropic",
  route: "/v1/messages",
  model: "claude-opus-4-6",
};
export const MESSAGE_START = named({
  type: "message_start",
  message: {
    id: "x",
    type: "message",
    role: "assistant",
    model: "m",
    content: [],
    usage: {
      input_tokens: 5,
      output_tokens: 1,
      cache_read_input_tokens: 3,
      cache_creation_input_tokens: 4,
    },
  },
});
export const block = (index: number, content_block: object): string =>
  named({ type: "content_block_start", index, content_block });
export const delta = (index: number, value: object): string =>
  named({ type: "content_block_delta", index, delta: value });
export const blockStop = (index: number): string => named({ type: "content_block_stop", index });
export const messageDelta = (output_tokens: number, stop_reason: string | null): string =>
  named({ type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage: { output_tokens } });
export const MESSAGE_STOP = named({ type: "message_stop" });
