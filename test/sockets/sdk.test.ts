/**
 * The providers' own SDKs through the interceptor, against the emulated provider. A call that works without the
 * interceptor must work with it. The recorded usage must be the usage that the SDK gets. These are promises 1 and 2
 * from the client's side.
 */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { startEmulator, type SeenRequest } from "../../tools/emulator/server.ts";
import { until } from "../support/deadline.ts";
import {
  CENTRAL_KEY,
  CLIENT_KEY,
  interceptorOptions,
  uniqueModel,
  OWN_KEY,
  PROMPT,
  startCheckedInterceptor,
} from "./exchange.ts";
import type { TokenCounts } from "./token-counts.ts";
import { findUnusedPort } from "./unused-port.ts";

const forwarded: SeenRequest[] = [];
let disconnects = 0;
const emulator = await startEmulator({
  port: 0,
  eventMs: 0,
  slowMs: 1000,
  onRequest: (request) => void forwarded.push(request),
  onDisconnect: () => void (disconnects += 1),
});
afterAll(() => emulator.close());
beforeEach(() => {
  forwarded.length = 0;
  disconnects = 0;
});

/** A body of twice this length fits the socket buffers: the client has sent it before the refusal arrives. */
const BODY_LIMIT = 32 * 1024;

const unusedPort = await findUnusedPort();
const limited = { models: ["gpt-5.1", "claude-sonnet-5"] };
const interceptor = await startCheckedInterceptor(
  interceptorOptions(
    emulator.url,
    { body_bytes: BODY_LIMIT },
    {
      "openai-limited": { type: "openai", base_url: `${emulator.url}/v1`, ...limited },
      "anthropic-limited": { type: "anthropic", base_url: emulator.url, ...limited },
      "openai-unreachable": { type: "openai", base_url: `http://127.0.0.1:${unusedPort}/v1` },
      "anthropic-unreachable": { type: "anthropic", base_url: `http://127.0.0.1:${unusedPort}` },
    },
  ),
);

const openAi = (base: string, apiKey = OWN_KEY, options: object = {}): OpenAI =>
  new OpenAI({ baseURL: `${interceptor.url}${base}`, apiKey, maxRetries: 0, ...options });
const anthropic = (base: string, apiKey = OWN_KEY, options: object = {}): Anthropic =>
  new Anthropic({ baseURL: `${interceptor.url}${base}`, apiKey, maxRetries: 0, ...options });
type Clients = { readonly openai: OpenAI; readonly anthropic: Anthropic };
const intercepted: Clients = { openai: openAi("/openai/v1"), anthropic: anthropic("/anthropic") };
/** Clients without the interceptor, for comparison. */
const direct: Clients = {
  openai: new OpenAI({ baseURL: `${emulator.url}/v1`, apiKey: OWN_KEY, maxRetries: 0 }),
  anthropic: new Anthropic({ baseURL: emulator.url, apiKey: OWN_KEY, maxRetries: 0 }),
};

const prompt = `${PROMPT} Call get_weather and get_time.`;
const messages = [{ role: "user" as const, content: prompt }];
const parameters = { type: "object", properties: { place: { type: "string" }, days: { type: "integer" } } };
const names = ["get_weather", "get_time"];
const chatTools = names.map((name) => ({ type: "function" as const, function: { name, parameters } }));
const responseTools = names.map((name) => ({ type: "function" as const, name, parameters, strict: false }));
const messageTools = names.map((name) => ({
  name,
  input_schema: { ...parameters, type: "object" as const },
}));

const chatTokens = (usage: OpenAI.CompletionUsage | null | undefined): TokenCounts => {
  const cached = usage?.prompt_tokens_details?.cached_tokens ?? 0;
  return {
    input_tokens: (usage?.prompt_tokens ?? Number.NaN) - cached,
    output_tokens: usage?.completion_tokens ?? null,
    cache_read_input_tokens: cached,
    cache_write_input_tokens: null,
  };
};
const responseTokens = (usage: OpenAI.Responses.ResponseUsage | null | undefined): TokenCounts => {
  const { cached_tokens: read = 0, cache_write_tokens: written = 0 } = usage?.input_tokens_details ?? {};
  return {
    input_tokens: (usage?.input_tokens ?? Number.NaN) - read - written,
    output_tokens: usage?.output_tokens ?? null,
    cache_read_input_tokens: read,
    cache_write_input_tokens: written,
  };
};
const messageTokens = (usage: Anthropic.Usage): TokenCounts => ({
  input_tokens: usage.input_tokens,
  output_tokens: usage.output_tokens,
  cache_read_input_tokens: usage.cache_read_input_tokens,
  cache_write_input_tokens: usage.cache_creation_input_tokens,
});

/** The parts of a result that do not differ between calls, and the usage that the SDK reports. */
type Result = { readonly content: unknown; readonly tokens: TokenCounts };

const chatResult = ({ choices, usage }: OpenAI.ChatCompletion): Result => ({
  content: choices.map(({ message, finish_reason }) => ({
    finish_reason,
    content: message.content,
    calls: message.tool_calls?.map((call) => (call.type === "function" ? call.function : call.type)),
  })),
  tokens: chatTokens(usage),
});
const responseResult = ({ output, status, usage }: OpenAI.Responses.Response): Result => ({
  content: {
    status,
    output: output.map((item) => {
      if (item.type === "message")
        return item.content.map((part) => ("text" in part ? part.text : part.type));
      if (item.type === "function_call") return [item.name, item.arguments];
      return item.type === "reasoning" ? item.summary : item.type;
    }),
  },
  tokens: responseTokens(usage),
});
const messageResult = ({ content, stop_reason, usage }: Anthropic.Message): Result => ({
  content: {
    stop_reason,
    content: content.map((block) => {
      if (block.type === "text") return block.text;
      if (block.type === "thinking") return { thought: block.thinking };
      return block.type === "tool_use" ? [block.name, block.input] : block.type;
    }),
  },
  tokens: messageTokens(usage),
});

type Kind = { readonly name: string; readonly run: (clients: Clients, model: string) => Promise<Result> };

const include = { stream_options: { include_usage: true } };
const kinds: Kind[] = [
  {
    name: "chat",
    run: async ({ openai }, model) => chatResult(await openai.chat.completions.create({ model, messages })),
  },
  {
    name: "chat with tools",
    run: async ({ openai }, model) =>
      chatResult(await openai.chat.completions.create({ model, messages, tools: chatTools })),
  },
  {
    name: "chat with reasoning, truncated by its token limit",
    run: async ({ openai }, model) =>
      chatResult(
        await openai.chat.completions.create({
          model,
          messages,
          reasoning_effort: "low",
          max_completion_tokens: 3,
        }),
      ),
  },
  {
    name: "chat stream",
    run: async ({ openai }, model) =>
      chatResult(await openai.chat.completions.stream({ model, messages, ...include }).finalChatCompletion()),
  },
  {
    name: "chat stream with tools",
    run: async ({ openai }, model) =>
      chatResult(
        await openai.chat.completions
          .stream({ model, messages, tools: chatTools, ...include })
          .finalChatCompletion(),
      ),
  },
  {
    name: "responses",
    run: async ({ openai }, model) => responseResult(await openai.responses.create({ model, input: prompt })),
  },
  {
    name: "responses with tools",
    run: async ({ openai }, model) =>
      responseResult(await openai.responses.create({ model, input: prompt, tools: responseTools })),
  },
  {
    name: "responses stream with reasoning",
    run: async ({ openai }, model) =>
      responseResult(
        await openai.responses
          .stream({ model, input: prompt, reasoning: { summary: "auto" } })
          .finalResponse(),
      ),
  },
  {
    name: "responses stream with tools",
    run: async ({ openai }, model) =>
      responseResult(
        await openai.responses.stream({ model, input: prompt, tools: responseTools }).finalResponse(),
      ),
  },
  {
    name: "responses stream truncated by its token limit",
    run: async ({ openai }, model) => {
      const stream = await openai.responses.create({
        model,
        input: prompt,
        stream: true,
        max_output_tokens: 3,
      });
      let last: OpenAI.Responses.Response | undefined;
      for await (const event of stream) if (event.type === "response.incomplete") last = event.response;
      if (!last) throw new Error("no response.incomplete");
      return responseResult(last);
    },
  },
  {
    name: "messages",
    run: async ({ anthropic: client }, model) =>
      messageResult(await client.messages.create({ model, max_tokens: 999, messages })),
  },
  {
    name: "messages with tools",
    run: async ({ anthropic: client }, model) =>
      messageResult(await client.messages.create({ model, max_tokens: 999, messages, tools: messageTools })),
  },
  {
    name: "messages with thinking",
    run: async ({ anthropic: client }, model) =>
      messageResult(
        await client.messages.create({
          model,
          max_tokens: 2000,
          messages,
          thinking: { type: "enabled", budget_tokens: 1024 },
        }),
      ),
  },
  {
    name: "messages stream with thinking and tool calls",
    run: async ({ anthropic: client }, model) =>
      messageResult(
        await client.messages
          .stream({
            model,
            max_tokens: 2000,
            messages,
            tools: messageTools,
            thinking: { type: "enabled", budget_tokens: 1024 },
          })
          .finalMessage(),
      ),
  },
  {
    name: "messages stream truncated by its token limit",
    run: async ({ anthropic: client }, model) =>
      messageResult(await client.messages.stream({ model, max_tokens: 3, messages }).finalMessage()),
  },
];

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

const stableChunk = ({ choices, usage }: OpenAI.ChatCompletionChunk): object => ({
  choices,
  usage: usage ?? null,
});

describe("an SDK gets the same result as without the interceptor, and its usage is recorded", () => {
  it.each(kinds)("G18–G20 $name", async ({ name, run }) => {
    const model = uniqueModel();
    const through = await run(intercepted, model);
    expect(through).toEqual(await run(direct, model));
    const { start, end, usage } = await interceptor.recorded(model);
    expect(start).toMatchObject({ model, streaming: name.includes("stream"), credential_kind: "byok" });
    expect(end).toMatchObject({
      outcome: "completed",
      usage: "final",
      response_model: model,
      ...through.tokens,
    });
    expect(usage).toMatchObject({ usage: "final", ...through.tokens });
  });

  it("G18 records the usage and hides it from a client that did not request it", async () => {
    const model = uniqueModel();
    const body = { model, messages, stream: true } as const;
    const chunks = async (client: OpenAI, options: object = {}): Promise<OpenAI.ChatCompletionChunk[]> =>
      collect(await client.chat.completions.create({ ...body, ...options }));
    const through = await chunks(intercepted.openai);
    expect(through.map(stableChunk)).toEqual((await chunks(direct.openai)).map(stableChunk));
    expect(through.filter(({ usage, choices }) => usage || choices.length === 0)).toEqual([]);
    const withUsage = await chunks(direct.openai, include);
    const { end } = await interceptor.recorded(model);
    expect(end).toMatchObject({
      outcome: "completed",
      usage: "final",
      ...chatTokens(withUsage.at(-1)?.usage),
    });
    expect(JSON.parse(forwarded[0]?.body ?? "")).toEqual({ ...body, ...include });
  });

  it("G18 records the usage and hides it from a client that set include_usage to false", async () => {
    const model = uniqueModel();
    const stream = await intercepted.openai.chat.completions.create({
      model,
      messages,
      stream: true,
      stream_options: { include_usage: false },
    });
    const chunks = await collect(stream);
    expect(chunks.filter(({ usage, choices }) => usage || choices.length === 0)).toEqual([]);
    expect((await interceptor.recorded(model)).end).toMatchObject({ outcome: "completed", usage: "final" });
  });

  it("G19 records unknown usage, not 0, for a background response", async () => {
    const model = uniqueModel();
    const response = await intercepted.openai.responses.create({ model, input: prompt, background: true });
    expect(response.status).toBe("queued");
    const { end, usage } = await interceptor.recorded(model);
    expect(end).toMatchObject({ usage: "unknown", input_tokens: null, output_tokens: null });
    expect(usage).toBeNull();
  });
});

describe("both SDKs on each supported base URL", () => {
  const prefixes = ["", "/api/v2/ai-gateway", "/api/v2/aibridge"];

  it.each(prefixes.flatMap((prefix) => [`${prefix}/openai/v1`, `${prefix}/v1`]))(
    "D12 serves OpenAI's SDK on %s",
    async (base) => {
      const client = openAi(base);
      const model = uniqueModel();
      expect((await client.chat.completions.create({ model, messages })).model).toBe(model);
      expect((await client.responses.create({ model, input: prompt })).model).toBe(model);
      const embedded = await client.embeddings.create({ model, input: [prompt, "b"] });
      expect(embedded.data.map(({ embedding }) => embedding.length)).toEqual([8, 8]);
      expect((await client.models.list()).data.map(({ object }) => object)).toContain("model");
      expect((await client.models.retrieve("gpt-5.1")).owned_by).toBe("emulated");
      expect(forwarded.map(({ method, path }) => `${method} ${path}`)).toEqual([
        "POST /v1/chat/completions",
        "POST /v1/responses",
        "POST /v1/embeddings",
        "GET /v1/models",
        "GET /v1/models/gpt-5.1",
      ]);
      const routes = (await interceptor.waitForEvents((all) => all.length >= 11)).flatMap((event) =>
        event.record_type === "passthrough" ? [event.route] : [],
      );
      expect(routes).toEqual(["/models", "/models"]);
    },
  );

  it.each(prefixes.flatMap((prefix) => [`${prefix}/anthropic`, prefix]))(
    "D12 serves Anthropic's SDK on '%s'",
    async (base) => {
      const client = anthropic(base);
      const model = uniqueModel();
      expect((await client.messages.create({ model, max_tokens: 99, messages })).model).toBe(model);
      expect((await client.messages.countTokens({ model, messages })).input_tokens).toBeGreaterThan(10);
      expect((await client.models.list()).data.map(({ type }) => type)).toContain("model");
      expect((await client.models.retrieve("claude-sonnet-5")).display_name).toContain("emulated");
      expect(forwarded.map(({ method, path }) => `${method} ${path}`)).toEqual([
        "POST /v1/messages",
        "POST /v1/messages/count_tokens",
        "GET /v1/models",
        "GET /v1/models/claude-sonnet-5",
      ]);
    },
  );
});

describe("keys", () => {
  it("E4 replaces a client key with the gateway's key, with both SDKs", async () => {
    const model = uniqueModel();
    await openAi("/openai-central/v1", CLIENT_KEY).chat.completions.create({ model, messages });
    await anthropic("/anthropic-central", CLIENT_KEY).messages.create({ model, max_tokens: 99, messages });
    expect(forwarded.map(({ headers }) => [headers.authorization, headers["x-api-key"]])).toEqual([
      [`Bearer ${CENTRAL_KEY}`, undefined],
      [undefined, CENTRAL_KEY],
    ]);
    expect((await interceptor.recorded(model)).start).toMatchObject({
      actor_id: "tester",
      credential_kind: "centralized",
    });
  });

  it("E4 forwards the client's own key as its SDK sends it, bearer tokens included", async () => {
    const model = uniqueModel();
    const byToken = { apiKey: null, authToken: OWN_KEY };
    const directByToken = new Anthropic({ baseURL: emulator.url, maxRetries: 0, ...byToken });
    for (const { openai, anthropic: client, tokens } of [
      { ...intercepted, tokens: anthropic("/anthropic", undefined, byToken) },
      { ...direct, tokens: directByToken },
    ]) {
      await openai.chat.completions.create({ model, messages });
      await client.messages.create({ model, max_tokens: 99, messages });
      await tokens.messages.create({ model, max_tokens: 99, messages });
    }
    const sent = forwarded.map(({ headers }) => [headers.authorization, headers["x-api-key"]]);
    expect(sent.slice(0, 3)).toEqual(sent.slice(3));
    expect(sent.flat().filter((key) => String(key).endsWith(OWN_KEY))).toHaveLength(6);
  });

  it("E5 forwards the SDKs' own headers unmodified", async () => {
    const headers = { "anthropic-beta": "a-2026-01-01,b-2026-02-02", "openai-beta": "c=v1" };
    const model = uniqueModel();
    for (const { openai, anthropic: client } of [intercepted, direct]) {
      await openai.chat.completions.create({ model, messages }, { headers });
      await client.messages.create({ model, max_tokens: 99, messages }, { headers });
    }
    const sdkHeaders = forwarded.map((request) =>
      Object.fromEntries(
        Object.entries(request.headers).filter(([name]) =>
          /^(?:x-stainless|anthropic-|openai-|user-agent)/.test(name),
        ),
      ),
    );
    const [chat, message] = sdkHeaders;
    // Each API gets its own headers.
    const { "anthropic-beta": _, ...directChat } = sdkHeaders[2] ?? {};
    const { "openai-beta": _beta, ...directMessage } = sdkHeaders[3] ?? {};
    expect([chat, message]).toEqual([directChat, directMessage]);
    expect(chat).toMatchObject({ "openai-beta": headers["openai-beta"], "x-stainless-lang": "js" });
    expect(message).toMatchObject({
      "anthropic-beta": headers["anthropic-beta"],
      "anthropic-version": expect.stringMatching(/^20/) as string,
    });
  });
});

/** The error that an SDK's call throws. */
async function errorOf(call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof OpenAI.APIError) && !(error instanceof Anthropic.APIError)) throw error;
  return error as InstanceType<typeof OpenAI.APIError>;
}

/** An error's body without the request id, which differs per response. */
function stableBody({ error }: { readonly error: unknown }): unknown {
  const text = JSON.stringify(error);
  return JSON.parse(text, (key, value: unknown) => (key === "request_id" ? "any" : value));
}

/** The number of events of a stream, and the kind of error that ended it. */
async function drain(
  stream: PromiseLike<AsyncIterable<unknown>>,
): Promise<{ events: number; error: string }> {
  const result = { events: 0, error: "none" };
  try {
    for await (const _ of await stream) result.events += 1;
  } catch (error) {
    const typed = error instanceof OpenAI.APIError || error instanceof Anthropic.APIError;
    result.error = typed ? "the SDK's" : "the connection's";
  }
  return result;
}

const faultyStreams: readonly ((clients: Clients, model: string) => PromiseLike<AsyncIterable<unknown>>)[] = [
  // The client requests usage. Otherwise the interceptor would, and the two streams would break at different events.
  ({ openai }, model) => openai.chat.completions.create({ model, messages, stream: true, ...include }),
  ({ openai }, model) => openai.responses.create({ model, input: prompt, stream: true }),
  ({ anthropic: client }, model) => client.messages.create({ model, max_tokens: 99, messages, stream: true }),
];

const KEPT = ["content-type", "retry-after", "openai-version", "x-ratelimit-limit-requests"];
const kept = (headers: Headers | undefined): unknown[] => KEPT.map((name) => headers?.get(name));

describe("G7 a provider's error becomes the SDK's error type, with the provider's body and headers", () => {
  type Fault = {
    readonly status: number;
    readonly model: string;
    readonly openai: object;
    readonly anthropic: object;
  };
  const faults: Fault[] = [
    { status: 400, model: "", openai: OpenAI.BadRequestError, anthropic: Anthropic.BadRequestError },
    { status: 429, model: "fault-429", openai: OpenAI.RateLimitError, anthropic: Anthropic.RateLimitError },
    {
      status: 500,
      model: "fault-500",
      openai: OpenAI.InternalServerError,
      anthropic: Anthropic.InternalServerError,
    },
    {
      status: 529,
      model: "fault-529",
      openai: OpenAI.InternalServerError,
      anthropic: Anthropic.InternalServerError,
    },
  ];
  const calls = [
    {
      api: "chat",
      call: ({ openai }: Clients, model: string, stream: boolean) =>
        openai.chat.completions.create({ model, messages, stream }),
    },
    {
      api: "responses",
      call: ({ openai }: Clients, model: string, stream: boolean) =>
        openai.responses.create({ model, input: prompt, stream }),
    },
    {
      api: "messages",
      call: ({ anthropic: client }: Clients, model: string, stream: boolean) =>
        client.messages.create({ model, max_tokens: 9, messages, stream }),
    },
  ];
  const table = faults.flatMap((fault) =>
    calls.flatMap(({ api, call }) => [false, true].map((stream) => ({ ...fault, api, call, stream }))),
  );

  it.each(table)(
    "G7 passes on $status of $api (stream: $stream)",
    async ({ status, model, api, call, stream, ...classes }) => {
      const error = await errorOf(call(intercepted, model, stream) as Promise<unknown>);
      const expected = await errorOf(call(direct, model, stream) as Promise<unknown>);
      expect(error).toBeInstanceOf(api === "messages" ? classes.anthropic : classes.openai);
      expect(error.status).toBe(status);
      expect(stableBody(error)).toEqual(stableBody(expected));
      expect(kept(error.headers)).toEqual(kept(expected.headers));
      expect(error.requestID ?? error.headers?.get("request-id")).toMatch(/^req_/);
      expect(error.headers?.get("x-interceptor-error")).toBeNull();
      const { end } = await interceptor.recorded(error.headers?.get("x-interception-id") ?? "");
      expect(end).toMatchObject({ outcome: "upstream_error", status, usage: "unknown", streaming: stream });
    },
  );

  it("G7 records two interceptions, each with its end, when an SDK retries", async () => {
    const client = openAi("/openai/v1", OWN_KEY, { maxRetries: 1 });
    await errorOf(client.chat.completions.create({ model: "fault-500", messages }) as Promise<unknown>);
    expect(forwarded.map(({ headers }) => headers["x-stainless-retry-count"])).toEqual(["0", "1"]);
    const events = await interceptor.waitForEvents((all) => all.length >= 4);
    expect(events.map(({ record_type }) => record_type).toSorted()).toEqual([
      "interception_end",
      "interception_end",
      "interception_start",
      "interception_start",
    ]);
  });

  it.each([
    { fault: "fault-error-event", outcome: "upstream_error" },
    { fault: "fault-reset", outcome: "truncated" },
    { fault: "fault-truncate", outcome: "truncated" },
  ])(
    "G4, G5, G26 gives the SDK the same result as without the interceptor for $fault in mid-stream",
    async ({ fault, outcome }) => {
      for (const stream of faultyStreams) {
        const actual = await drain(stream(intercepted, fault));
        const expected = await drain(stream(direct, fault));
        // A reset may discard data that is still in transit.
        if (fault === "fault-reset") actual.events = expected.events;
        expect(actual).toEqual(expected);
      }
      const events = await interceptor.waitForEvents(
        (all) => all.filter(({ record_type }) => record_type === "interception_end").length >= 3,
      );
      const ends = events.flatMap((event) =>
        event.record_type === "interception_end" ? [event.outcome] : [],
      );
      expect(new Set(ends)).toEqual(new Set([outcome]));
    },
  );
});

describe("the interceptor's refusals become the SDK's error types, in both dialects", () => {
  const large = "x".repeat(BODY_LIMIT);
  type Refused = {
    readonly reason: string;
    readonly status: number;
    readonly openai: object;
    readonly anthropic: object;
    readonly key?: string;
    readonly provider?: string;
    readonly content?: string;
  };
  const refusals: Refused[] = [
    {
      reason: "invalid_credential",
      status: 401,
      key: "aei_no_such_key_0123456789",
      openai: OpenAI.AuthenticationError,
      anthropic: Anthropic.AuthenticationError,
    },
    {
      reason: "credential_malformed",
      status: 401,
      key: "not, a key",
      openai: OpenAI.AuthenticationError,
      anthropic: Anthropic.AuthenticationError,
    },
    {
      reason: "byok_not_accepted",
      status: 401,
      provider: "-central",
      openai: OpenAI.AuthenticationError,
      anthropic: Anthropic.AuthenticationError,
    },
    {
      reason: "model_not_allowed",
      status: 403,
      provider: "-limited",
      openai: OpenAI.PermissionDeniedError,
      anthropic: Anthropic.PermissionDeniedError,
    },
    {
      reason: "not_found",
      status: 404,
      provider: "-unknown",
      openai: OpenAI.NotFoundError,
      anthropic: Anthropic.NotFoundError,
    },
    {
      reason: "body_too_large",
      status: 413,
      content: large,
      openai: OpenAI.APIError,
      anthropic: Anthropic.APIError,
    },
    {
      reason: "upstream_unreachable",
      status: 502,
      provider: "-unreachable",
      openai: OpenAI.InternalServerError,
      anthropic: Anthropic.InternalServerError,
    },
  ];

  it.each(refusals)(
    "throws OpenAI's error for $status $reason",
    async ({ reason, status, openai, key, provider = "", content = prompt }) => {
      const client = openAi(`/openai${provider}/v1`, key);
      const error = await errorOf(
        client.chat.completions.create({
          model: uniqueModel(),
          messages: [{ role: "user", content }],
        }) as Promise<unknown>,
      );
      expect(error).toBeInstanceOf(openai);
      expect([error.status, error.code]).toEqual([status, reason]);
      expect(error.headers?.get("x-interceptor-error")).toBe(reason);
      expect(error.message).toMatch(/[a-z]/);
      expect(forwarded).toEqual([]);
    },
  );

  it.each(refusals)(
    "throws Anthropic's error for $status $reason",
    async ({ reason, status, anthropic: type, key, provider = "", content = prompt }) => {
      const client = anthropic(`/anthropic${provider}`, key);
      const model = uniqueModel();
      const error = await errorOf(
        client.messages.create({
          model,
          max_tokens: 9,
          messages: [{ role: "user", content }],
        }) as Promise<unknown>,
      );
      expect(error).toBeInstanceOf(type);
      expect([error.status, error.headers?.get("x-interceptor-error")]).toEqual([status, reason]);
      const id = error.headers?.get("x-interception-id");
      const body = { type: "error", error: { message: expect.any(String) as string }, request_id: id };
      expect(error.error).toMatchObject(body);
      expect(forwarded).toEqual([]);
    },
  );
});

const stopAtFirst = async (stream: AsyncIterable<unknown>, abort: () => void): Promise<void> => {
  for await (const _ of stream) abort();
};

describe("an SDK call that is aborted", () => {
  // The emulator sends one event a second, so that the abort happens in mid-stream on a busy machine too.
  const model = "fault-slow";
  type Stopping = {
    readonly name: string;
    readonly stop: (signal: AbortSignal, abort: () => void) => Promise<unknown>;
  };
  const body = { model, messages, stream: true } as const;
  const stopping: Stopping[] = [
    {
      name: "chat stream with usage requested",
      stop: async (signal, abort) =>
        stopAtFirst(
          await intercepted.openai.chat.completions.create({ ...body, ...include }, { signal }),
          abort,
        ),
    },
    {
      name: "chat stream",
      stop: async (signal, abort) =>
        stopAtFirst(await intercepted.openai.chat.completions.create(body, { signal }), abort),
    },
    {
      name: "responses stream",
      stop: async (signal, abort) =>
        stopAtFirst(
          await intercepted.openai.responses.create({ model, input: prompt, stream: true }, { signal }),
          abort,
        ),
    },
    {
      name: "messages stream",
      stop: async (signal, abort) =>
        stopAtFirst(
          await intercepted.anthropic.messages.create({ ...body, max_tokens: 99 }, { signal }),
          abort,
        ),
    },
    {
      name: "messages stream through the SDK's helper",
      stop: (signal, abort) =>
        intercepted.anthropic.messages
          .stream({ model, messages, max_tokens: 99 }, { signal })
          .on("text", abort)
          .finalMessage(),
    },
    {
      name: "chat without a stream",
      stop: async (signal, abort) => {
        const call = intercepted.openai.chat.completions.create({ model, messages }, { signal });
        const settled = Promise.allSettled([call]);
        await until(
          () => forwarded.length > 0 || undefined,
          () => "nothing reached the provider",
        );
        abort();
        return settled;
      },
    },
    {
      name: "messages without a stream",
      stop: async (signal, abort) => {
        const call = intercepted.anthropic.messages.create({ model, messages, max_tokens: 99 }, { signal });
        const settled = Promise.allSettled([call]);
        await until(
          () => forwarded.length > 0 || undefined,
          () => "nothing reached the provider",
        );
        abort();
        return settled;
      },
    },
  ];

  it.each(stopping)(
    "G23 records one cancelled end and disconnects from the provider after an AbortController aborts: $name",
    async ({ stop }) => {
      const controller = new AbortController();
      await stop(controller.signal, () => controller.abort()).catch(() => undefined);
      const { end } = await interceptor.recorded(model);
      expect(end.outcome).toBe("cancelled");
      await until(
        () => disconnects > 0 || undefined,
        () => "the provider's connection is still open",
      );
      expect(forwarded.length).toBe(1);
    },
  );

  it("G23 records one cancelled end and disconnects from the provider when the client leaves its loop", async () => {
    for await (const _ of await intercepted.openai.chat.completions.create(body)) break;
    expect((await interceptor.recorded(model)).end.outcome).toBe("cancelled");
    await until(
      () => disconnects > 0 || undefined,
      () => "the provider's connection is still open",
    );
    expect(forwarded.length).toBe(1);
  });
});
