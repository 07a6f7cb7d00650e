/**
 * Responses that differ from the providers' documentation, as real providers and compatible servers send them. The model's
 * name selects one, as with faults, so that any client can try how it is recorded.
 */
import { entryOf, helpTable } from "./by-name.ts";
import { encodeEvent, namedEvent, type RawReply } from "./reply.ts";

/** The request that a quirk responds to. */
export type QuirkRequest = { readonly stream: boolean; readonly hasUsageOption: boolean };

export type Quirk = {
  /** The endpoint that it belongs to. */
  readonly path: string;
  readonly does: string;
  readonly respond: (request: QuirkRequest) => RawReply;
};

const CHAT = "/v1/chat/completions";
const RESPONSES = "/v1/responses";
const MESSAGES = "/v1/messages";
const JSON_TYPE = "application/json";
const SSE_TYPE = "text/event-stream";

const raw = (contentType: string | null, body: string, status = 200): RawReply => ({
  kind: "raw",
  status,
  contentType,
  body,
});
const events = (...data: readonly (object | string)[]): string =>
  data.map((one) => encodeEvent({ data: typeof one === "string" ? one : JSON.stringify(one) })).join("");
type Typed = { readonly type: string; readonly [field: string]: unknown };
const typedEvents = (...payloads: readonly Typed[]): string =>
  payloads.map((payload) => encodeEvent(namedEvent(payload))).join("");

const chunk = (fields: object): object => ({
  id: "chatcmpl-quirk",
  object: "chat.completion.chunk",
  created: 1,
  model: "quirk",
  ...fields,
});
const delta = (content: string, finish: string | null = null): object => ({
  index: 0,
  delta: { content },
  finish_reason: finish,
});
const CHAT_STREAM = [chunk({ choices: [delta("Hi")] }), chunk({ choices: [delta("", "stop")] })];
const CHAT_USAGE = { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 };

/** Of Azure's filter of the prompt, before the first content. */
const PROMPT_RESULTS = {
  choices: [],
  created: 0,
  id: "",
  model: "",
  object: "",
  prompt_filter_results: [
    { prompt_index: 0, content_filter_results: { hate: { filtered: false, severity: "safe" } } },
  ],
};

/** A chat completion with a usage object, streamed or not. */
function chatUsage(does: string, usage: object, inChoice = false): Quirk {
  const message = { role: "assistant", content: "Hi" };
  const choice = { index: 0, message, finish_reason: "stop", ...(inChoice && { usage }) };
  const whole = {
    id: "chatcmpl-quirk",
    object: "chat.completion",
    created: 1,
    model: "quirk",
    choices: [choice],
  };
  const last = inChoice
    ? chunk({ choices: [{ ...delta("", "stop"), usage }] })
    : chunk({ choices: [], usage });
  return {
    path: CHAT,
    does,
    respond: ({ stream }) =>
      stream
        ? raw(SSE_TYPE, events(...(inChoice ? CHAT_STREAM.slice(0, 1) : CHAT_STREAM), last, "[DONE]"))
        : raw(JSON_TYPE, JSON.stringify(inChoice ? whole : { ...whole, usage })),
  };
}

const chatStream = (does: string, body: string): Quirk => ({
  path: CHAT,
  does,
  respond: () => raw(SSE_TYPE, body),
});
const failed = (path: string, does: string, status: number, body: unknown): Quirk => ({
  path,
  does,
  respond: () => raw(JSON_TYPE, JSON.stringify(body), status),
});

/** The same with headers. */
const named = (quirk: Quirk, headers: NonNullable<RawReply["headers"]>): Quirk => ({
  ...quirk,
  respond: (request) => ({ ...quirk.respond(request), headers }),
});

const CODEX_USAGE = { input_tokens: 154_000, output_tokens: 303, total_tokens: 154_303 };
const CODEX_CALL = { id: "fc_1", type: "function_call", call_id: "call_1", name: "shell", arguments: "{}" };
const CODEX_STREAM = typedEvents(
  {
    type: "response.created",
    response: { id: "resp_quirk", model: "gpt-5.1-codex", status: "in_progress", output: [] },
  },
  { type: "response.output_item.done", output_index: 0, item: CODEX_CALL },
  {
    type: "response.completed",
    response: {
      id: "resp_quirk",
      model: "gpt-5.1-codex",
      status: "completed",
      output: [CODEX_CALL],
      usage: CODEX_USAGE,
    },
  },
);
const labelled = (path: string, contentType: string | null, body: string): Quirk => ({
  path,
  does: `an event stream ${contentType === null ? "without Content-Type" : `labelled ${contentType}`}`,
  respond: () => raw(contentType, body),
});

const messageStart = (usage: object, model = "claude-quirk"): Typed => ({
  type: "message_start",
  message: { id: "msg_quirk", type: "message", role: "assistant", model, content: [], usage },
});
const messageEnd = (usage: object): readonly Typed[] => [
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage },
  { type: "message_stop" },
];
const messageStream = (does: string, body: string): Quirk => ({
  path: MESSAGES,
  does,
  respond: () => raw(SSE_TYPE, body),
});
const MESSAGES_USAGE = { input_tokens: 30, output_tokens: 7 };
const MESSAGES_STREAM = typedEvents(
  messageStart({ input_tokens: 30, output_tokens: 1 }),
  ...messageEnd(MESSAGES_USAGE),
);
const COMPACTION = [
  { type: "compaction", input_tokens: 180_000, output_tokens: 3500 },
  { type: "message", input_tokens: 23_000, output_tokens: 1000 },
];
const FALLBACK: Typed = {
  type: "content_block_start",
  index: 0,
  content_block: { type: "fallback", from: { model: "claude-first" }, to: { model: "claude-second" } },
};

const RESPONSE = { id: "resp_quirk", model: "quirk", output: [] };
const RESPONSES_USAGE = { input_tokens: 20, output_tokens: 5, total_tokens: 25 };
const NO_TOKENS = { input_tokens: 0, output_tokens: 0, total_tokens: 0 };
const responseStream = (does: string, body: string): Quirk => ({
  path: RESPONSES,
  does,
  respond: () => raw(SSE_TYPE, body),
});
/** An event whose type is only its name. */
const onlyNamed = ({ type, ...payload }: Typed): string =>
  encodeEvent({ event: type, data: JSON.stringify(payload) });
const lines = (...objects: readonly object[]): string =>
  objects.map((object) => `${JSON.stringify(object)}\n`).join("");
const ERROR_TEXT = '{"type":"error","error":{"type":"overloaded_error","message":"busy"}}';

/** All quirks by model name. */
export const QUIRKS = {
  "quirk-no-content-type": labelled(RESPONSES, null, CODEX_STREAM),
  "quirk-text-plain": labelled(RESPONSES, "text/plain", CODEX_STREAM),
  "quirk-labelled-json": labelled(RESPONSES, JSON_TYPE, CODEX_STREAM),
  "quirk-chat-octet-stream": labelled(
    CHAT,
    "application/octet-stream",
    events(...CHAT_STREAM, chunk({ choices: [], usage: CHAT_USAGE }), "[DONE]"),
  ),
  "quirk-messages-text-plain": labelled(MESSAGES, "text/plain", MESSAGES_STREAM),

  "quirk-ndjson": {
    path: CHAT,
    does: "a chunk on each line (NDJSON)",
    respond: () =>
      raw("application/x-ndjson", lines(...CHAT_STREAM, chunk({ choices: [], usage: CHAT_USAGE }))),
  },
  "quirk-only-named": messageStream(
    "events whose type is only their name",
    [messageStart({ input_tokens: 30, output_tokens: 1 }), ...messageEnd(MESSAGES_USAGE)]
      .map(onlyNamed)
      .join(""),
  ),
  "quirk-responses-only-named": responseStream(
    "events whose type is only their name",
    onlyNamed({ type: "response.created", response: { ...RESPONSE, status: "in_progress" } }) +
      onlyNamed({
        type: "response.completed",
        response: { ...RESPONSE, status: "completed", usage: RESPONSES_USAGE },
      }),
  ),
  "quirk-responses-done": responseStream(
    "response.done as the last event",
    typedEvents(
      { type: "response.created", response: { ...RESPONSE, status: "in_progress" } },
      { type: "response.done", response: { ...RESPONSE, status: "completed", usage: RESPONSES_USAGE } },
    ),
  ),

  "quirk-usage-in-x-groq": chatStream(
    "usage inside x_groq (Groq)",
    events(...CHAT_STREAM, chunk({ choices: [], x_groq: { id: "req_quirk", usage: CHAT_USAGE } }), "[DONE]"),
  ),
  "quirk-usage-early": chatStream(
    "usage only before the content",
    events(
      chunk({ choices: [delta("")], usage: { prompt_tokens: 20, completion_tokens: 0, total_tokens: 20 } }),
      ...CHAT_STREAM,
      "[DONE]",
    ),
  ),
  "quirk-usage-at-start": messageStream(
    "usage only in message_start",
    typedEvents(
      messageStart({ input_tokens: 30, output_tokens: 1 }),
      { type: "message_delta", delta: { stop_reason: "end_turn" } },
      { type: "message_stop" },
    ),
  ),
  "quirk-usage-in-stop": messageStream(
    "the last figures in message_stop",
    typedEvents(
      messageStart({ input_tokens: 30, output_tokens: 1 }),
      { type: "message_delta", delta: { stop_reason: "end_turn" } },
      { type: "message_stop", usage: MESSAGES_USAGE },
    ),
  ),
  "quirk-usage-in-delta": messageStream(
    "the last figures inside the delta",
    typedEvents(
      messageStart({ input_tokens: 30, output_tokens: 1 }),
      { type: "message_delta", delta: { stop_reason: "end_turn", usage: MESSAGES_USAGE } },
      { type: "message_stop" },
    ),
  ),
  "quirk-responses-zeros": responseStream(
    "figures of 0 when the response begins, and none later",
    typedEvents(
      { type: "response.created", response: { ...RESPONSE, status: "in_progress", usage: NO_TOKENS } },
      { type: "response.completed", response: { ...RESPONSE, status: "completed" } },
    ),
  ),
  "quirk-num-cached": chatUsage("cached tokens as num_cached_tokens (Mistral)", {
    ...CHAT_USAGE,
    num_cached_tokens: 8,
  }),
  "quirk-cache-creation": chatUsage("cache writes by their lifetime (Qwen)", {
    ...CHAT_USAGE,
    prompt_tokens_details: { cached_tokens: 4, cache_creation: { ephemeral_5m_input_tokens: 8 } },
  }),
  "quirk-camel-case": chatUsage("names in camel case", {
    promptTokens: 20,
    completionTokens: 5,
    totalTokens: 25,
  }),
  "quirk-cache-write": chatUsage("cache writes in prompt_tokens_details", {
    prompt_tokens: 15_000,
    completion_tokens: 10,
    total_tokens: 15_010,
    prompt_tokens_details: { cached_tokens: 12_000, cache_write_tokens: 3000 },
  }),
  "quirk-cache-hit-miss": chatUsage("cache hits and misses beside the prompt (DeepSeek)", {
    prompt_tokens: 1204,
    completion_tokens: 10,
    total_tokens: 1214,
    prompt_cache_hit_tokens: 1024,
    prompt_cache_miss_tokens: 180,
  }),
  "quirk-cached-over-prompt": chatUsage("more cached tokens than the prompt has", {
    prompt_tokens: 136,
    completion_tokens: 10,
    prompt_tokens_details: { cached_tokens: 3200 },
  }),
  "quirk-reasoning-beside": chatUsage("reasoning beside the completion (xAI)", {
    prompt_tokens: 100,
    completion_tokens: 1499,
    total_tokens: 4408,
    completion_tokens_details: { reasoning_tokens: 2809 },
  }),
  "quirk-thoughts-in-total": chatUsage("thoughts only in the total (Gemini)", {
    prompt_tokens: 20,
    completion_tokens: 198,
    total_tokens: 623,
  }),
  "quirk-usage-in-choice": chatUsage("usage inside the last choice (Moonshot)", CHAT_USAGE, true),
  "quirk-cost": chatUsage("a stated cost (OpenRouter)", { ...CHAT_USAGE, cost: 0.000_123 }),
  "quirk-compaction": messageStream(
    "a compaction before the response, in usage.iterations",
    typedEvents(
      messageStart({ input_tokens: 23_000, output_tokens: 1 }),
      ...messageEnd({ input_tokens: 23_000, output_tokens: 1000, iterations: COMPACTION }),
    ),
  ),
  "quirk-fallback-model": messageStream(
    "a fallback model that responds in place of the first",
    typedEvents(messageStart(MESSAGES_USAGE, "claude-first"), FALLBACK, ...messageEnd(MESSAGES_USAGE)),
  ),
  "quirk-figures-fall": messageStream(
    "cumulative figures that are 0 at the end",
    typedEvents(
      messageStart({ input_tokens: 30, output_tokens: 1 }),
      ...messageEnd({ input_tokens: 0, output_tokens: 7 }),
    ),
  ),
  "quirk-fast": messageStream(
    "tier, speed and region in the usage object",
    typedEvents(
      messageStart({ ...MESSAGES_USAGE, service_tier: "priority", speed: "fast", inference_geo: "us" }),
      ...messageEnd(MESSAGES_USAGE),
    ),
  ),

  "quirk-rejects-usage-option": {
    path: CHAT,
    does: "400 for a stream_options that it does not know",
    respond: ({ stream, hasUsageOption }) => {
      const message = "Unknown parameter: 'stream_options'.";
      const error = {
        message,
        type: "invalid_request_error",
        param: "stream_options",
        code: "unknown_parameter",
      };
      if (hasUsageOption) return raw(JSON_TYPE, JSON.stringify({ error }), 400);
      return chatUsage("", CHAT_USAGE).respond({ stream, hasUsageOption });
    },
  },
  "quirk-timings": chatStream(
    "usage and timings in one last chunk, requested or not (llama.cpp)",
    events(
      ...CHAT_STREAM,
      chunk({ choices: [], usage: CHAT_USAGE, timings: { predicted_ms: 12.5 } }),
      "[DONE]",
    ),
  ),

  "quirk-error-object": chatStream(
    "an error object in a stream, then [DONE] (vLLM)",
    events(
      CHAT_STREAM[0] ?? {},
      { object: "error", message: "too long", type: "BadRequestError", code: 400 },
      "[DONE]",
    ),
  ),
  "quirk-finish-error": chatStream(
    "finish_reason error",
    events(chunk({ choices: [delta("", "error")] }), "[DONE]"),
  ),
  "quirk-choice-error": chatStream(
    "an error inside a choice (OpenRouter)",
    events(
      chunk({ choices: [{ ...delta("", "error"), error: { code: 502, message: "provider is gone" } }] }),
      "[DONE]",
    ),
  ),
  "quirk-untyped-error": messageStream(
    "an error without a type",
    typedEvents(messageStart(MESSAGES_USAGE)) + events({ error: { message: "out of memory" } }),
  ),
  "quirk-error-list": failed(CHAT, "429 with a list of errors (Gemini)", 429, [
    { error: { code: 429, message: "Quota", status: "RESOURCE_EXHAUSTED" } },
  ]),
  "quirk-error-numeric": failed(CHAT, "400 with only a numeric code", 400, {
    error: { code: 400, message: "bad" },
  }),
  "quirk-error-none": failed(CHAT, "429 whose type is the text None (LiteLLM)", 429, {
    error: { message: "slow down", type: "None", param: "None", code: "429" },
  }),
  "quirk-error-top-level": failed(CHAT, "422 with the type at the top level (Mistral)", 422, {
    object: "error",
    message: "bad field",
    type: "invalid_request_prompt",
    code: 1500,
  }),
  "quirk-error-detail": failed(CHAT, "401 with a detail (FastAPI)", 401, { detail: "Unauthorized" }),
  "quirk-error-nested": failed(CHAT, "503 with an error inside an error", 503, {
    error: { error: { type: "overloaded_error", message: "busy" } },
  }),
  "quirk-error-in-message": failed(CHAT, "500 with the provider's error body as its message", 500, {
    error: { message: ERROR_TEXT, code: 500 },
  }),
  "quirk-aws-throttling": named(
    failed(MESSAGES, "429 with only a message, named by a header (Amazon)", 429, {
      message: "Too many tokens, please wait before trying again.",
    }),
    { "x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/" },
  ),
  "quirk-aws-validation": failed(MESSAGES, "400 with the type of a shape (Amazon)", 400, {
    __type: "com.amazon.coral.validate#ValidationException",
    message: "invalid beta flag",
  }),
  "quirk-foundry-rate-limit": failed(MESSAGES, "429 with the status as its code (Microsoft Foundry)", 429, {
    error: { code: "429", message: "Rate limit is exceeded. Try again in 60 seconds." },
  }),
  "quirk-foundry-no-deployment": failed(MESSAGES, "404 for a deployment (Microsoft Foundry)", 404, {
    error: {
      code: "DeploymentNotFound",
      message: "The API deployment for this resource does not exist.",
    },
  }),
  "quirk-foundry-gateway": failed(MESSAGES, "401 of the gateway in front (Microsoft Foundry)", 401, {
    statusCode: 401,
    message: "Unauthorized. Access token is missing, invalid, audience is incorrect, or have expired.",
  }),
  "quirk-error-problem": failed(CHAT, "429 with a problem document (RFC 9457)", 429, {
    type: "about:blank",
    title: "Too Many Requests",
    status: 429,
  }),
  "quirk-error-unsuccessful": failed(CHAT, "200 with success false (Cloudflare)", 200, {
    success: false,
    errors: [{ code: 7003, message: "no route" }],
    result: null,
  }),
  "quirk-error-null-data": failed(CHAT, "200 with a code, a message and no data", 200, {
    code: 401,
    message: "bad token",
    data: null,
  }),
  "quirk-error-base-resp": failed(CHAT, "200 with base_resp (MiniMax)", 200, {
    choices: null,
    base_resp: { status_code: 1004, status_msg: "login fail" },
  }),
  "quirk-error-base-resp-later": chatStream(
    "base_resp beside a chunk of a stream (MiniMax)",
    events(
      CHAT_STREAM[0] ?? {},
      chunk({ choices: [delta("")], base_resp: { status_code: 1027, status_msg: "sensitive" } }),
    ),
  ),
  "quirk-error-without-choices": chatStream(
    "a chunk without choices that has a code and a message",
    events(CHAT_STREAM[0] ?? {}, chunk({ choices: null, code: "Arrearage", message: "no credit" })),
  ),
  "quirk-error-type-beside": chatStream(
    "an error's text beside its type (TGI)",
    events(CHAT_STREAM[0] ?? {}, { error: "out of memory while generating", error_type: "generation" }),
  ),
  "quirk-error-event-list": chatStream(
    "a list of errors in a stream (Gemini)",
    events(CHAT_STREAM[0] ?? {}, [{ error: { code: 503, message: "busy", status: "UNAVAILABLE" } }]),
  ),
  "quirk-error-line": chatStream(
    "an error in a stream without data:",
    `${events(CHAT_STREAM[0] ?? {})}{"error":{"message":"out of memory","type":"server_error"}}\n\n`,
  ),
  "quirk-error-field": chatStream(
    "error: in place of data: (llama.cpp)",
    `${events(CHAT_STREAM[0] ?? {})}error: {"code":500,"message":"out of memory","type":"server_error"}\n\n`,
  ),
  "quirk-finish-network-error": chatStream(
    "finish_reason network_error (Zhipu)",
    events(chunk({ choices: [delta("", "network_error")] }), "[DONE]"),
  ),
  "quirk-progress": chatStream(
    "a message about progress between the chunks",
    events(
      CHAT_STREAM[0] ?? {},
      { type: "status", status: "searching", message: "Searching the web" },
      CHAT_STREAM[1] ?? {},
      chunk({ choices: [], usage: CHAT_USAGE }),
      "[DONE]",
    ),
  ),
  "quirk-no-done": chatStream(
    "no [DONE] after the usage (Perplexity, TGI)",
    events(...CHAT_STREAM, chunk({ choices: [], usage: CHAT_USAGE })),
  ),
  "quirk-azure-stream": chatStream(
    "a first chunk without choices, id and model, and results of filters (Azure)",
    events(
      PROMPT_RESULTS,
      ...CHAT_STREAM,
      {
        choices: [{ index: 0, content_filter_offsets: { check_offset: 44 } }],
        id: "",
        model: "",
        object: "",
      },
      chunk({ choices: [], usage: CHAT_USAGE }),
      "[DONE]",
    ),
  ),
  "quirk-azure-filtered-output": chatStream(
    "a stream that ends with finish_reason content_filter (Azure)",
    events(
      PROMPT_RESULTS,
      chunk({ choices: [delta("Hi")] }),
      chunk({ choices: [delta("", "content_filter")] }),
      chunk({ choices: [], usage: CHAT_USAGE }),
      "[DONE]",
    ),
  ),
  "quirk-azure-filtered-prompt": failed(CHAT, "400 with the code content_filter (Azure)", 400, {
    error: {
      message:
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
      type: null,
      param: "prompt",
      code: "content_filter",
      status: 400,
      innererror: {
        code: "ResponsibleAIPolicyViolation",
        content_filter_result: { hate: { filtered: true, severity: "high" } },
      },
    },
  }),
  "quirk-azure-wrong-key": failed(CHAT, "401 with a numeric code as a text (Azure)", 401, {
    error: { code: "401", message: "Access denied due to invalid subscription key or wrong API endpoint." },
  }),
  "quirk-azure-wrong-key-apim": failed(
    CHAT,
    "401 with a statusCode and no error (Azure API Management)",
    401,
    {
      statusCode: 401,
      message: "Access denied due to missing subscription key.",
    },
  ),
  "quirk-azure-rate-limit": failed(CHAT, "429 with a numeric code as a text (Azure)", 429, {
    error: {
      code: "429",
      message: "Requests have exceeded the token rate limit. Please retry after 26 seconds.",
    },
  }),
  "quirk-azure-no-deployment": failed(CHAT, "404 for a deployment (Azure)", 404, {
    error: {
      code: "DeploymentNotFound",
      message: "The API deployment for this resource does not exist.",
    },
  }),
  "quirk-azure-responses": responseStream(
    "results of filters in the response (Azure)",
    typedEvents(
      {
        type: "response.created",
        response: { ...RESPONSE, status: "in_progress", content_filters: null, usage: null },
      },
      {
        type: "response.completed",
        response: {
          ...RESPONSE,
          status: "completed",
          content_filters: [{ blocked: false, source_type: "prompt", content_filter_raw: [] }],
          usage: RESPONSES_USAGE,
        },
      },
    ),
  ),
  "quirk-blank-lines": {
    path: CHAT,
    does: "blank lines before a body, comments before and between chunks (DeepSeek)",
    respond: (request) => {
      const usual = chatUsage("", CHAT_USAGE).respond(request);
      const body = request.stream
        ? `: keep-alive\n\n${usual.body.replaceAll("\n\n", "\n\n: keep-alive\n\n")}`
        : `\n\n\n${usual.body}`;
      return { ...usual, body };
    },
  },
  "quirk-finish-no-resource": chatStream(
    "finish_reason insufficient_system_resource, with usage (DeepSeek)",
    events(
      CHAT_STREAM[0] ?? {},
      chunk({ choices: [delta("", "insufficient_system_resource")], usage: CHAT_USAGE }),
      "[DONE]",
    ),
  ),
  "quirk-stopped-in-x-groq": chatStream(
    "a reason in x_groq for which the stream was stopped (Groq)",
    events(
      CHAT_STREAM[0] ?? {},
      chunk({ choices: [delta("")], x_groq: { id: "req_quirk", error: "over_capacity" } }),
    ),
  ),
  "quirk-continuous-usage": chatStream(
    "cumulative usage in every chunk (vLLM)",
    events(
      ...[1, 3, 5].map((count) =>
        chunk({
          choices: [delta("Hi", count === 5 ? "stop" : null)],
          usage: { prompt_tokens: 20, total_tokens: 20 + count, completion_tokens: count },
        }),
      ),
      chunk({ choices: [], usage: CHAT_USAGE }),
      "[DONE]",
    ),
  ),
  "quirk-perf-metrics": chatStream(
    "usage and perf_metrics in the chunk with the finish reason (Fireworks)",
    events(
      CHAT_STREAM[0] ?? {},
      chunk({
        choices: [delta("", "stop")],
        usage: CHAT_USAGE,
        perf_metrics: { "server-processing-time": "0.161" },
      }),
      "[DONE]",
    ),
  ),
  "quirk-seed": chatStream(
    "usage null but in the last chunk, whose finish reason is eos (Together)",
    events(
      chunk({ choices: [{ ...delta("Hi"), text: "Hi", seed: null }], usage: null }),
      chunk({
        choices: [{ ...delta("", "eos"), text: "", seed: 2_039_908_639_335_532_000 }],
        usage: CHAT_USAGE,
      }),
      "[DONE]",
    ),
  ),
  "quirk-cost-ticks": chatUsage("a cost in units of 10⁻¹⁰ dollars (xAI)", {
    ...CHAT_USAGE,
    num_sources_used: 0,
    cost_in_usd_ticks: 37_756_000,
  }),
  "quirk-error-code-text": failed(CHAT, "400 with sentences as the code and the error (xAI)", 400, {
    code: "Client specified an invalid argument",
    error: "This model's maximum prompt length is 131072 but the request contains 179111 tokens.",
  }),
  "quirk-error-midway": chatStream(
    "an error beside choices, after comments (OpenRouter)",
    `: OPENROUTER PROCESSING\n\n${events(
      CHAT_STREAM[0] ?? {},
      chunk({
        error: { code: "server_error", message: "Provider disconnected unexpectedly" },
        choices: [delta("", "error")],
      }),
    )}`,
  ),
  "quirk-error-metadata": failed(CHAT, "429 with a numeric code and metadata (OpenRouter)", 429, {
    error: {
      message: "Provider returned error",
      code: 429,
      metadata: { raw: "is temporarily rate-limited upstream", provider_name: "DeepInfra" },
    },
    user_id: "user_quirk",
  }),
  "quirk-error-internal-code": failed(CHAT, "429 with an internal code in a list (Workers AI)", 429, {
    result: null,
    success: false,
    errors: [{ message: "AiError: No more data centers to forward the request to", code: 3040 }],
    messages: [],
  }),
  "quirk-error-null-fields": failed(CHAT, "404 with a type, and null fields (Ollama)", 404, {
    error: { message: "model 'quirk' not found", type: "not_found_error", param: null, code: null },
  }),
  "quirk-done-blank": chatStream(
    "a blank after [DONE]",
    events(...CHAT_STREAM, chunk({ choices: [], usage: CHAT_USAGE }), "[DONE] "),
  ),
} as const satisfies Readonly<Record<string, Quirk>>;

export const quirkOf = (model: string): Quirk | undefined => entryOf<Quirk>(QUIRKS, model);

/** The help text: each quirk's name, endpoint and effect. */
export const quirkTable = (): string => helpTable<Quirk>(QUIRKS, ({ path, does }) => `${path}: ${does}`);
