/** The fake provider's responses: OpenAI chat completions, as JSON and as events. */

export const EVENTS = 2_000;
/** The pace of a stream's events. `stamped`: each event carries its time of writing. */
export type Pace = { readonly everyMs: number; readonly events: number; readonly stamped: boolean };
export const PACES = {
  steady: { everyMs: 20, events: 100, stamped: false },
  paced: { everyMs: 20, events: 100, stamped: true },
  slow: { everyMs: 200, events: 30, stamped: true },
} as const satisfies Readonly<Record<string, Pace>>;

const USAGE = {
  prompt_tokens: 431,
  completion_tokens: EVENTS,
  total_tokens: 431 + EVENTS,
  prompt_tokens_details: { cached_tokens: 128, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 64, audio_tokens: 0 },
};

const COMMON = { created: 1_790_000_000, model: "gpt-5-mini-2026-08-07", service_tier: "default" };

/** About 700 bytes. */
export const JSON_RESPONSE = JSON.stringify({
  id: "chatcmpl-BenchBenchBenchBenchBenchBench",
  object: "chat.completion",
  ...COMMON,
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: "The delay doubles up to a cap. ".repeat(4), refusal: null },
      logprobs: null,
      finish_reason: "stop",
    },
  ],
  usage: USAGE,
  system_fingerprint: "fp_0123456789",
});

/** About 1 KB with two tool calls. */
export const TOOLS_RESPONSE = JSON.stringify({
  id: "chatcmpl-BenchBenchBenchBenchBenchBench",
  object: "chat.completion",
  ...COMMON,
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content: null,
        tool_calls: ["retry.go", "retry_test.go"].map((path, n) => ({
          id: `call_bench_${n}`,
          type: "function",
          function: { name: "workspace_tool_3", arguments: JSON.stringify({ path, first_line: 1 }) },
        })),
        refusal: null,
      },
      logprobs: null,
      finish_reason: "tool_calls",
    },
  ],
  usage: USAGE,
  system_fingerprint: "fp_0123456789",
});

/** One event of a response. As with the real provider, every event except the usage event has `usage: null`. */
export function contentEvent(content: string, extra: object = {}): string {
  const choices = [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }];
  return dataEvent({ ...chunkHead, ...extra, choices, usage: null });
}

const chunkHead = {
  id: "chatcmpl-BenchBenchBenchBenchBenchBench",
  object: "chat.completion.chunk",
  ...COMMON,
  system_fingerprint: "fp_0123456789",
};

/** The end of a stream: the finish event, the usage event if the request includes usage, and `[DONE]`. */
export function closingEvents(withUsage: boolean): string[] {
  const finish = {
    ...chunkHead,
    choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: "stop" }],
    usage: null,
  };
  const usage = withUsage ? [dataEvent({ ...chunkHead, choices: [], usage: USAGE })] : [];
  return [dataEvent(finish), ...usage, "data: [DONE]\n\n"];
}

export function burstEvents(withUsage: boolean): string[] {
  const closing = closingEvents(withUsage);
  return [...Array.from({ length: EVENTS }, (_, n) => contentEvent(` word${n % 10}`)), ...closing];
}

function dataEvent(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}
