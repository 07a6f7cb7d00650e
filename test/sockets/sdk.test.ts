/**
 * The providers' own SDKs through the interceptor, against the emulated provider: what works without it must work with
 * it, and what the SDK is told of usage is what is recorded. Promises 1 and 2 as a client sees them.
 */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { createServer, type AddressInfo } from "node:net";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { TokenFields } from "../../src/events/event.ts";
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

const forwarded: SeenRequest[] = [];
let hangUps = 0;
const emulator = await startEmulator({
  port: 0,
  eventMs: 0,
  slowMs: 50,
  onRequest: (request) => void forwarded.push(request),
  onHangUp: () => void (hangUps += 1),
});
afterAll(() => emulator.close());
beforeEach(() => {
  forwarded.length = 0;
  hangUps = 0;
});

const nowhere = await closedPort();
const limited = { models: ["gpt-5.1", "claude-sonnet-5"] };
const interceptor = await startCheckedInterceptor(
  interceptorOptions(
    emulator.url,
    { body_bytes: 1024 * 1024 },
    {
      "openai-limited": { type: "openai", base_url: `${emulator.url}/v1`, ...limited },
      "anthropic-limited": { type: "anthropic", base_url: emulator.url, ...limited },
      "openai-nowhere": { type: "openai", base_url: `http://127.0.0.1:${nowhere}/v1` },
      "anthropic-nowhere": { type: "anthropic", base_url: `http://127.0.0.1:${nowhere}` },
    },
  ),
);

const openAi = (base: string, apiKey = OWN_KEY, more: object = {}): OpenAI =>
  new OpenAI({ baseURL: `${interceptor.url}${base}`, apiKey, maxRetries: 0, ...more });
const anthropic = (base: string, apiKey = OWN_KEY, more: object = {}): Anthropic =>
  new Anthropic({ baseURL: `${interceptor.url}${base}`, apiKey, maxRetries: 0, ...more });
const ways = {
  through: { openai: openAi("/openai/v1"), anthropic: anthropic("/anthropic") },
  /** Without the interceptor: what it is compared with. */
  direct: {
    openai: new OpenAI({ baseURL: `${emulator.url}/v1`, apiKey: OWN_KEY, maxRetries: 0 }),
    anthropic: new Anthropic({ baseURL: emulator.url, apiKey: OWN_KEY, maxRetries: 0 }),
  },
};
type Clients = (typeof ways)["direct"];

const ask = `${PROMPT} Call get_weather and get_time.`;
const messages = [{ role: "user" as const, content: ask }];
const parameters = { type: "object", properties: { place: { type: "string" }, days: { type: "integer" } } };
const names = ["get_weather", "get_time"];
const chatTools = names.map((name) => ({ type: "function" as const, function: { name, parameters } }));
const responseTools = names.map((name) => ({ type: "function" as const, name, parameters, strict: false }));
const messageTools = names.map((name) => ({
  name,
  input_schema: { ...parameters, type: "object" as const },
}));

const chatTokens = (usage: OpenAI.CompletionUsage | null | undefined): TokenFields => {
  const cached = usage?.prompt_tokens_details?.cached_tokens ?? 0;
  return {
    input_tokens: (usage?.prompt_tokens ?? Number.NaN) - cached,
    output_tokens: usage?.completion_tokens ?? null,
    cache_read_input_tokens: cached,
    cache_write_input_tokens: null,
  };
};
const responseTokens = (usage: OpenAI.Responses.ResponseUsage | null | undefined): TokenFields => {
  const { cached_tokens: read = 0, cache_write_tokens: written = 0 } = usage?.input_tokens_details ?? {};
  return {
    input_tokens: (usage?.input_tokens ?? Number.NaN) - read - written,
    output_tokens: usage?.output_tokens ?? null,
    cache_read_input_tokens: read,
    cache_write_input_tokens: written,
  };
};
const messageTokens = (usage: Anthropic.Usage): TokenFields => ({
  input_tokens: usage.input_tokens,
  output_tokens: usage.output_tokens,
  cache_read_input_tokens: usage.cache_read_input_tokens,
  cache_write_input_tokens: usage.cache_creation_input_tokens,
});

/** What a call came to: all that does not change from call to call, and what the SDK was told of usage. */
type Said = { readonly said: unknown; readonly tokens: TokenFields };

const chatSaid = ({ choices, usage }: OpenAI.ChatCompletion): Said => ({
  said: choices.map(({ message, finish_reason }) => ({
    finish_reason,
    content: message.content,
    calls: message.tool_calls?.map((call) => (call.type === "function" ? call.function : call.type)),
  })),
  tokens: chatTokens(usage),
});
const responseSaid = ({ output, status, usage }: OpenAI.Responses.Response): Said => ({
  said: {
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
const messageSaid = ({ content, stop_reason, usage }: Anthropic.Message): Said => ({
  said: {
    stop_reason,
    content: content.map((block) => {
      if (block.type === "text") return block.text;
      if (block.type === "thinking") return { thought: block.thinking };
      return block.type === "tool_use" ? [block.name, block.input] : block.type;
    }),
  },
  tokens: messageTokens(usage),
});

type Kind = { readonly name: string; readonly run: (clients: Clients, model: string) => Promise<Said> };

const include = { stream_options: { include_usage: true } };
const kinds: Kind[] = [
  {
    name: "chat",
    run: async ({ openai }, model) => chatSaid(await openai.chat.completions.create({ model, messages })),
  },
  {
    name: "chat with tools",
    run: async ({ openai }, model) =>
      chatSaid(await openai.chat.completions.create({ model, messages, tools: chatTools })),
  },
  {
    name: "chat that reasons, cut by its limit",
    run: async ({ openai }, model) =>
      chatSaid(
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
      chatSaid(await openai.chat.completions.stream({ model, messages, ...include }).finalChatCompletion()),
  },
  {
    name: "chat stream with tools",
    run: async ({ openai }, model) =>
      chatSaid(
        await openai.chat.completions
          .stream({ model, messages, tools: chatTools, ...include })
          .finalChatCompletion(),
      ),
  },
  {
    name: "responses",
    run: async ({ openai }, model) => responseSaid(await openai.responses.create({ model, input: ask })),
  },
  {
    name: "responses with tools",
    run: async ({ openai }, model) =>
      responseSaid(await openai.responses.create({ model, input: ask, tools: responseTools })),
  },
  {
    name: "responses stream that reasons",
    run: async ({ openai }, model) =>
      responseSaid(
        await openai.responses.stream({ model, input: ask, reasoning: { summary: "auto" } }).finalResponse(),
      ),
  },
  {
    name: "responses stream with tools",
    run: async ({ openai }, model) =>
      responseSaid(
        await openai.responses.stream({ model, input: ask, tools: responseTools }).finalResponse(),
      ),
  },
  {
    name: "responses stream cut by its limit",
    run: async ({ openai }, model) => {
      const stream = await openai.responses.create({ model, input: ask, stream: true, max_output_tokens: 3 });
      let last: OpenAI.Responses.Response | undefined;
      for await (const event of stream) if (event.type === "response.incomplete") last = event.response;
      if (!last) throw new Error("no response.incomplete");
      return responseSaid(last);
    },
  },
  {
    name: "messages",
    run: async ({ anthropic: client }, model) =>
      messageSaid(await client.messages.create({ model, max_tokens: 999, messages })),
  },
  {
    name: "messages with tools",
    run: async ({ anthropic: client }, model) =>
      messageSaid(await client.messages.create({ model, max_tokens: 999, messages, tools: messageTools })),
  },
  {
    name: "messages that think",
    run: async ({ anthropic: client }, model) =>
      messageSaid(
        await client.messages.create({
          model,
          max_tokens: 2000,
          messages,
          thinking: { type: "enabled", budget_tokens: 1024 },
        }),
      ),
  },
  {
    name: "messages stream that thinks and calls tools",
    run: async ({ anthropic: client }, model) =>
      messageSaid(
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
    name: "messages stream cut by its limit",
    run: async ({ anthropic: client }, model) =>
      messageSaid(await client.messages.stream({ model, max_tokens: 3, messages }).finalMessage()),
  },
];

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

const steady = ({ choices, usage }: OpenAI.ChatCompletionChunk): object => ({
  choices,
  usage: usage ?? null,
});

describe("the SDK gets what it gets without the interceptor, and what it is told of usage is recorded", () => {
  it.each(kinds)("G18–G20 $name", async ({ name, run }) => {
    const model = uniqueModel();
    const through = await run(ways.through, model);
    expect(through).toEqual(await run(ways.direct, model));
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

  it("G18 a client that did not ask for usage sees none, and it is recorded all the same", async () => {
    const model = uniqueModel();
    const body = { model, messages, stream: true } as const;
    const chunks = async (client: OpenAI, more: object = {}): Promise<OpenAI.ChatCompletionChunk[]> =>
      collect(await client.chat.completions.create({ ...body, ...more }));
    const through = await chunks(ways.through.openai);
    expect(through.map(steady)).toEqual((await chunks(ways.direct.openai)).map(steady));
    expect(through.filter(({ usage, choices }) => usage || choices.length === 0)).toEqual([]);
    const asked = await chunks(ways.direct.openai, include);
    const { end } = await interceptor.recorded(model);
    expect(end).toMatchObject({ outcome: "completed", usage: "final", ...chatTokens(asked.at(-1)?.usage) });
    expect(JSON.parse(forwarded[0]?.body ?? "")).toEqual({ ...body, ...include });
  });

  it("G18 a client that said no to usage sees none, and it is recorded all the same", async () => {
    const model = uniqueModel();
    const stream = await ways.through.openai.chat.completions.create({
      model,
      messages,
      stream: true,
      stream_options: { include_usage: false },
    });
    const chunks = await collect(stream);
    expect(chunks.filter(({ usage, choices }) => usage || choices.length === 0)).toEqual([]);
    expect((await interceptor.recorded(model)).end).toMatchObject({ outcome: "completed", usage: "final" });
  });

  it("G19 a response in the background has no usage yet: unknown, not 0", async () => {
    const model = uniqueModel();
    const response = await ways.through.openai.responses.create({ model, input: ask, background: true });
    expect(response.status).toBe("queued");
    const { end, usage } = await interceptor.recorded(model);
    expect(end).toMatchObject({ usage: "unknown", input_tokens: null, output_tokens: null });
    expect(usage).toBeNull();
  });
});

describe("both SDKs on each base URL that a client may have", () => {
  const prefixes = ["", "/api/v2/ai-gateway", "/api/v2/aibridge"];

  it.each(prefixes.flatMap((prefix) => [`${prefix}/openai/v1`, `${prefix}/v1`]))(
    "D12 OpenAI's on %s",
    async (base) => {
      const client = openAi(base);
      const model = uniqueModel();
      expect((await client.chat.completions.create({ model, messages })).model).toBe(model);
      expect((await client.responses.create({ model, input: ask })).model).toBe(model);
      const embedded = await client.embeddings.create({ model, input: [ask, "b"] });
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
      const routes = (await interceptor.waitForEvents((all) => all.length >= 9)).flatMap((event) =>
        event.record_type === "passthrough" ? [event.route] : [],
      );
      expect(routes).toEqual(["/embeddings", "/models", "/models"]);
    },
  );

  it.each(prefixes.flatMap((prefix) => [`${prefix}/anthropic`, prefix]))(
    "D12 Anthropic's on '%s'",
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
  it("E4 a client key is exchanged for the gateway's, with both SDKs", async () => {
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

  it("E4 the client's own key goes on as its SDK sends it, a bearer token too", async () => {
    const model = uniqueModel();
    const byToken = { apiKey: null, authToken: OWN_KEY };
    const direct = new Anthropic({ baseURL: emulator.url, maxRetries: 0, ...byToken });
    for (const { openai, anthropic: client, tokens } of [
      { ...ways.through, tokens: anthropic("/anthropic", undefined, byToken) },
      { ...ways.direct, tokens: direct },
    ]) {
      await openai.chat.completions.create({ model, messages });
      await client.messages.create({ model, max_tokens: 99, messages });
      await tokens.messages.create({ model, max_tokens: 99, messages });
    }
    const sent = forwarded.map(({ headers }) => [headers.authorization, headers["x-api-key"]]);
    expect(sent.slice(0, 3)).toEqual(sent.slice(3));
    expect(sent.flat().filter((key) => String(key).endsWith(OWN_KEY))).toHaveLength(6);
  });

  it("E5 what the SDKs say of themselves and of the API goes on as it is", async () => {
    const headers = { "anthropic-beta": "a-2026-01-01,b-2026-02-02", "openai-beta": "c=v1" };
    const model = uniqueModel();
    for (const { openai, anthropic: client } of [ways.through, ways.direct]) {
      await openai.chat.completions.create({ model, messages }, { headers });
      await client.messages.create({ model, max_tokens: 99, messages }, { headers });
    }
    const told = forwarded.map((request) => {
      const all = Object.entries(request.headers);
      const own = all.filter(([name]) => /^(?:x-stainless|anthropic-|openai-|user-agent)/.test(name));
      return Object.fromEntries(own) as object;
    });
    const [chat, message] = told;
    expect(told.slice(0, 2)).toEqual(told.slice(2));
    expect(chat).toMatchObject({ ...headers, "x-stainless-lang": "js" });
    expect(message).toMatchObject({
      ...headers,
      "anthropic-version": expect.stringMatching(/^20/) as string,
    });
  });
});

/** What an SDK throws. */
async function thrown(call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof OpenAI.APIError) && !(error instanceof Anthropic.APIError)) throw error;
  return error as InstanceType<typeof OpenAI.APIError>;
}

/** An error's body without the id that each answer has of its own. */
function steadyBody({ error }: { readonly error: unknown }): unknown {
  const text = JSON.stringify(error);
  return JSON.parse(text, (key, value: unknown) => (key === "request_id" ? "its own" : value));
}

/** How many pieces a stream has, and what it ends with. */
async function drain(
  stream: PromiseLike<AsyncIterable<unknown>>,
): Promise<{ pieces: number; error: string }> {
  const end = { pieces: 0, error: "none" };
  try {
    for await (const _ of await stream) end.pieces += 1;
  } catch (error) {
    const typed = error instanceof OpenAI.APIError || error instanceof Anthropic.APIError;
    end.error = typed ? "the SDK's" : "the connection's";
  }
  return end;
}

const faulty: readonly ((clients: Clients, model: string) => PromiseLike<AsyncIterable<unknown>>)[] = [
  // Usage is asked for: else the interceptor asks for it, and half of the stream is another half.
  ({ openai }, model) => openai.chat.completions.create({ model, messages, stream: true, ...include }),
  ({ openai }, model) => openai.responses.create({ model, input: ask, stream: true }),
  ({ anthropic: client }, model) => client.messages.create({ model, max_tokens: 99, messages, stream: true }),
];

const KEPT = ["content-type", "retry-after", "openai-version", "x-ratelimit-limit-requests"];
const kept = (headers: Headers | undefined): unknown[] => KEPT.map((name) => headers?.get(name));

describe("G7 a provider's errors are the SDK's own errors, with the provider's body and headers", () => {
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
        openai.responses.create({ model, input: ask, stream }),
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
    "G7 $status of $api (stream: $stream)",
    async ({ status, model, api, call, stream, ...classes }) => {
      const error = await thrown(call(ways.through, model, stream) as Promise<unknown>);
      const direct = await thrown(call(ways.direct, model, stream) as Promise<unknown>);
      expect(error).toBeInstanceOf(api === "messages" ? classes.anthropic : classes.openai);
      expect(error.status).toBe(status);
      expect(steadyBody(error)).toEqual(steadyBody(direct));
      expect(kept(error.headers)).toEqual(kept(direct.headers));
      expect(error.requestID ?? error.headers?.get("request-id")).toMatch(/^req_/);
      expect(error.headers?.get("x-interceptor-error")).toBeNull();
      const { end } = await interceptor.recorded(error.headers?.get("x-interception-id") ?? "");
      expect(end).toMatchObject({ outcome: "upstream_error", status, usage: "unknown", streaming: stream });
    },
  );

  it("G7 an SDK that tries again makes two interceptions, each with its end", async () => {
    const client = openAi("/openai/v1", OWN_KEY, { maxRetries: 1 });
    await thrown(client.chat.completions.create({ model: "fault-500", messages }) as Promise<unknown>);
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
    "G4, G5, G26 $fault in mid-stream is for the SDK what it is without the interceptor",
    async ({ fault, outcome }) => {
      for (const stream of faulty) {
        const through = await drain(stream(ways.through, fault));
        const direct = await drain(stream(ways.direct, fault));
        // A reset may take with it what is still on its way.
        if (fault === "fault-reset") through.pieces = direct.pieces;
        expect(through).toEqual(direct);
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

describe("the interceptor's refusals are the SDK's own errors, in both dialects", () => {
  const large = "x".repeat(1024 * 1024);
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
      provider: "-nobody",
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
      provider: "-nowhere",
      openai: OpenAI.InternalServerError,
      anthropic: Anthropic.InternalServerError,
    },
  ];

  it.each(refusals)(
    "$status $reason, with OpenAI's",
    async ({ reason, status, openai, key, provider = "", content = ask }) => {
      const client = openAi(`/openai${provider}/v1`, key);
      const error = await thrown(
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
    "$status $reason, with Anthropic's",
    async ({ reason, status, anthropic: type, key, provider = "", content = ask }) => {
      const client = anthropic(`/anthropic${provider}`, key);
      const model = uniqueModel();
      const error = await thrown(
        client.messages.create({
          model,
          max_tokens: 9,
          messages: [{ role: "user", content }],
        }) as Promise<unknown>,
      );
      expect(error).toBeInstanceOf(type);
      expect([error.status, error.headers?.get("x-interceptor-error")]).toEqual([status, reason]);
      const id = error.headers?.get("x-interception-id");
      // An unknown route has no dialect of its own: OpenAI's stands in.
      const body = { type: "error", error: { message: expect.any(String) as string }, request_id: id };
      expect(error.error).toMatchObject(reason === "not_found" ? { error: { code: reason } } : body);
      expect(forwarded).toEqual([]);
    },
  );
});

const stopAtFirst = async (stream: AsyncIterable<unknown>, abort: () => void): Promise<void> => {
  for await (const _ of stream) abort();
};

describe("an SDK that is told to stop", () => {
  // One event each 50 ms, so that there is a middle to stop in.
  const model = "fault-slow";
  type Stopping = {
    readonly name: string;
    readonly stop: (signal: AbortSignal, abort: () => void) => Promise<unknown>;
  };
  const body = { model, messages, stream: true } as const;
  const stopping: Stopping[] = [
    {
      name: "chat stream, usage asked for",
      stop: async (signal, abort) =>
        stopAtFirst(
          await ways.through.openai.chat.completions.create({ ...body, ...include }, { signal }),
          abort,
        ),
    },
    {
      name: "chat stream",
      stop: async (signal, abort) =>
        stopAtFirst(await ways.through.openai.chat.completions.create(body, { signal }), abort),
    },
    {
      name: "responses stream",
      stop: async (signal, abort) =>
        stopAtFirst(
          await ways.through.openai.responses.create({ model, input: ask, stream: true }, { signal }),
          abort,
        ),
    },
    {
      name: "messages stream",
      stop: async (signal, abort) =>
        stopAtFirst(
          await ways.through.anthropic.messages.create({ ...body, max_tokens: 99 }, { signal }),
          abort,
        ),
    },
    {
      name: "messages stream, by its helper",
      stop: (signal, abort) =>
        ways.through.anthropic.messages
          .stream({ model, messages, max_tokens: 99 }, { signal })
          .on("text", abort)
          .finalMessage(),
    },
    {
      name: "chat without a stream",
      stop: async (signal, abort) => {
        const call = ways.through.openai.chat.completions.create({ model, messages }, { signal });
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
        const call = ways.through.anthropic.messages.create({ model, messages, max_tokens: 99 }, { signal });
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
    "G23 by an AbortController: $name: one end, cancelled, and the provider is left too",
    async ({ stop }) => {
      const controller = new AbortController();
      await stop(controller.signal, () => controller.abort()).catch(() => undefined);
      const { end } = await interceptor.recorded(model);
      expect(end.outcome).toBe("cancelled");
      await until(
        () => hangUps > 0 || undefined,
        () => "the provider still speaks",
      );
      expect(forwarded.length).toBe(1);
    },
  );

  it("G23 by leaving its loop: one end, cancelled, and the provider is left too", async () => {
    for await (const _ of await ways.through.openai.chat.completions.create(body)) break;
    expect((await interceptor.recorded(model)).end.outcome).toBe("cancelled");
    await until(
      () => hangUps > 0 || undefined,
      () => "the provider still speaks",
    );
    expect(forwarded.length).toBe(1);
  });
});

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
