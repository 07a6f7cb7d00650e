/** The official SDKs against the emulated provider. A response that they can parse has the format of the real API. */
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAULTS } from "../../tools/emulator/faults.ts";
import { startEmulator, type Emulator, type SeenRequest } from "../../tools/emulator/server.ts";

const MODEL = "gpt-5.1";
const HELLO = [{ role: "user" as const, content: "Hello there" }];
const ECHO = 'You said: "Hello there"';

const WEATHER = {
  type: "object" as const,
  properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
};
const WEATHER_INPUT = { city: "emulated", unit: "celsius" };

let emulator: Emulator;
let openai: OpenAI;
let anthropic: Anthropic;
const observed: SeenRequest[] = [];
const disconnects: string[] = [];

beforeAll(async () => {
  emulator = await startEmulator({
    port: 0,
    eventMs: 0,
    slowMs: 5,
    onRequest: (request) => observed.push(request),
    onDisconnect: (path) => disconnects.push(path),
  });
  openai = new OpenAI({ apiKey: "sk-any", baseURL: `${emulator.url}/v1`, maxRetries: 0, logLevel: "off" });
  anthropic = new Anthropic({ apiKey: "sk-ant-any", baseURL: emulator.url, maxRetries: 0, logLevel: "off" });
});
afterAll(() => emulator.close());

type Create = (model: string) => Promise<AsyncIterable<unknown>>;

const chatStream = (model: string) =>
  openai.chat.completions.create({ model, messages: HELLO, stream: true });
const responsesStream = (model: string) =>
  openai.responses.create({ model, input: "Hello there", stream: true });
const messageStream = (model: string) =>
  anthropic.messages.create({ model, max_tokens: 500, messages: HELLO, stream: true });
const STREAMS: [string, Create][] = [
  ["chat completions", chatStream],
  ["messages", messageStream],
  ["responses", responsesStream],
];

/** A chat completion in JSON. */
function complete(model: string): Promise<OpenAI.Chat.ChatCompletion> {
  return openai.chat.completions.create({ model, messages: HELLO });
}

function embed(format?: "float"): Promise<OpenAI.CreateEmbeddingResponse> {
  return openai.embeddings.create({
    model: "m",
    input: ["a", "b"],
    ...(format && { encoding_format: format }),
  });
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The items before the stream failed, and its error. */
async function collectUntilError<T>(items: AsyncIterable<T>): Promise<{ received: T[]; error: unknown }> {
  const received: T[] = [];
  try {
    for await (const item of items) received.push(item);
  } catch (error) {
    return { received, error };
  }
  return { received, error: undefined };
}

describe("chat completions", () => {
  it("responds in JSON with text and all usage figures", async () => {
    const completion = await openai.chat.completions.create({ model: MODEL, messages: HELLO });
    const choice = completion.choices[0];
    expect(choice?.message.content).toContain(ECHO);
    expect(choice?.finish_reason).toBe("stop");
    const output = Math.ceil((choice?.message.content?.length ?? 0) / 4);
    expect(completion.usage).toMatchObject({
      prompt_tokens: 1024 + 3,
      completion_tokens: output,
      total_tokens: 1027 + output,
      prompt_tokens_details: { cached_tokens: 1024 },
    });
  });

  it("streams the same text, and no usage field without the opt-in", async () => {
    const chunks = await collect(
      await openai.chat.completions.create({ model: MODEL, messages: HELLO, stream: true }),
    );
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    expect(text).toContain(ECHO);
    expect(chunks.length).toBeGreaterThan(10);
    expect(chunks.some((chunk) => "usage" in chunk)).toBe(false);
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("stop");
  });

  it("sends usage null on every chunk and a last chunk with usage and no choices if include_usage is set", async () => {
    const chunks = await collect(
      await openai.chat.completions.create({
        model: MODEL,
        messages: HELLO,
        stream: true,
        stream_options: { include_usage: true },
      }),
    );
    const last = chunks.at(-1);
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
    expect(last?.choices).toEqual([]);
    expect(last?.usage?.prompt_tokens_details?.cached_tokens).toBe(1024);
  });

  it("ends the stream with [DONE]", async () => {
    const response = await fetch(`${emulator.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: "Bearer any" },
      body: JSON.stringify({ model: MODEL, messages: HELLO, stream: true }),
    });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    expect((await response.text()).endsWith("\n\ndata: [DONE]\n\n")).toBe(true);
  });

  it("calls both tools that the prompt names, in JSON and in stream pieces joined by index", async () => {
    const tools = ["get_weather", "get_time"].map((name) => ({
      type: "function" as const,
      function: { name, parameters: WEATHER },
    }));
    const messages = [{ role: "user" as const, content: "Use get_weather and get_time." }];
    const completion = await openai.chat.completions.create({ model: MODEL, messages, tools });
    const streamed = await openai.chat.completions
      .stream({ model: MODEL, messages, tools })
      .finalChatCompletion();
    for (const { choices } of [completion, streamed]) {
      const calls = choices[0]?.message.tool_calls ?? [];
      expect(choices[0]?.finish_reason).toBe("tool_calls");
      expect(calls.map((call) => call.type === "function" && call.function.name)).toEqual([
        "get_weather",
        "get_time",
      ]);
      const inputs = calls.map(
        (call): unknown => call.type === "function" && JSON.parse(call.function.arguments),
      );
      expect(inputs).toEqual([WEATHER_INPUT, WEATHER_INPUT]);
    }
  });

  it("responds with text after a tool result", async () => {
    const completion = await openai.chat.completions.create({
      model: MODEL,
      tools: [{ type: "function", function: { name: "get_time" } }],
      messages: [
        { role: "user", content: "Use get_time." },
        {
          role: "assistant",
          tool_calls: [{ id: "c1", type: "function", function: { name: "get_time", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "c1", content: "noon" },
      ],
    });
    expect(completion.choices[0]?.finish_reason).toBe("stop");
  });

  it("counts requested reasoning tokens, and stops at the token limit", async () => {
    const params = {
      model: MODEL,
      messages: HELLO,
      reasoning_effort: "high" as const,
      max_completion_tokens: 2,
    };
    const completion = await openai.chat.completions.create(params);
    expect(completion.usage?.completion_tokens_details?.reasoning_tokens).toBe(14);
    expect(completion.choices[0]).toMatchObject({
      finish_reason: "length",
      message: { content: "You said" },
    });
  });
});

describe("the Responses API", () => {
  it("responds in JSON with text and all usage figures", async () => {
    const response = await openai.responses.create({ model: MODEL, input: "Hello there" });
    expect(response.output_text).toContain(ECHO);
    expect(response.usage).toMatchObject({
      input_tokens: 1024 + 128 + 3,
      input_tokens_details: { cached_tokens: 1024, cache_write_tokens: 128 },
      output_tokens_details: { reasoning_tokens: 0 },
    });
  });

  it("streams numbered events from which the SDK rebuilds the same response", async () => {
    const stream = openai.responses.stream({
      model: MODEL,
      input: "Hello there",
      reasoning: { summary: "auto" },
    });
    const events = await collect(stream);
    const final = await stream.finalResponse();
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
    expect(events.at(-1)?.type).toBe("response.completed");
    expect(final.output_text).toContain(ECHO);
    expect(final.output.map((item) => item.type)).toEqual(["reasoning", "message"]);
    expect(events.some((event) => event.type === "response.reasoning_summary_text.delta")).toBe(true);
    expect(final.usage?.output_tokens_details.reasoning_tokens).toBe(14);
  });

  it("calls a function that the prompt names", async () => {
    const stream = openai.responses.stream({
      model: MODEL,
      input: [{ role: "user", content: "Use get_weather." }],
      tools: [{ type: "function", name: "get_weather", parameters: WEATHER, strict: false }],
    });
    const [item] = (await stream.finalResponse()).output;
    expect(item).toMatchObject({ type: "function_call", name: "get_weather" });
    expect(item?.type === "function_call" && JSON.parse(item.arguments)).toEqual(WEATHER_INPUT);
  });

  it("calls custom tools and members of a namespace, also from an item of the input", async () => {
    const grouped = {
      type: "namespace" as const,
      name: "functions",
      description: "d",
      tools: [
        { type: "custom" as const, name: "exec" },
        { type: "function" as const, name: "wait", parameters: WEATHER },
      ],
    };
    const input = [
      { type: "additional_tools" as const, role: "developer" as const, tools: [grouped] },
      { role: "user" as const, content: "Use exec and wait." },
    ];
    const stream = openai.responses.stream({ model: MODEL, input });
    const events = await collect(stream);
    const delta = "response.custom_tool_call_input.delta";
    const code = 'text(await tools.exec_command({ cmd: "echo hi" }));';
    expect(events.flatMap((event) => (event.type === delta ? [event.delta] : [])).join("")).toBe(code);
    expect((await stream.finalResponse()).output).toMatchObject([
      { type: "custom_tool_call", name: "exec", namespace: "functions", input: code },
      { type: "function_call", name: "wait", namespace: "functions" },
    ]);
  });

  it("ends as incomplete at the token limit", async () => {
    const events = await collect(
      await openai.responses.create({
        model: MODEL,
        input: "Hello there",
        max_output_tokens: 2,
        stream: true,
      }),
    );
    expect(events.at(-1)).toMatchObject({
      type: "response.incomplete",
      response: { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } },
    });
  });

  it("queues a background response without output or usage", async () => {
    const response = await openai.responses.create({ model: MODEL, input: "Hello there", background: true });
    expect(response).toMatchObject({ status: "queued", output: [] });
    expect(response.usage).toBeUndefined();
  });
});

/** Tools as coding agents offer them, and inputs that these agents accept. */
const TOOL_INPUTS: [string, Record<string, unknown>, string[] | undefined, Record<string, unknown>][] = [
  ["Bash", { command: { type: "string" }, timeout: { type: "number" } }, ["command"], { command: "echo hi" }],
  [
    "shell",
    { command: { type: "array", items: { type: "string" } } },
    ["command"],
    { command: ["echo", "hi"] },
  ],
  [
    "exec_command",
    { cmd: { type: "string" }, tty: { type: "boolean" } },
    ["cmd", "tty"],
    { cmd: "echo hi", tty: false },
  ],
  [
    "Read",
    { file_path: { type: "string" }, pages: { type: "string" } },
    ["file_path"],
    { file_path: "/etc/hosts" },
  ],
  // A tool that writes must not name a file that exists.
  [
    "write",
    { filePath: { type: "string" }, content: { type: "string" } },
    ["filePath", "content"],
    { filePath: "emulated", content: "emulated" },
  ],
  ["all_optional", { a: { type: "string" } }, [], {}],
  ["no_list", { a: { type: "string" } }, undefined, { a: "emulated" }],
  [
    "nullable",
    { a: { type: ["string", "null"] }, b: { anyOf: [{ type: "string" }, { type: "null" }] } },
    ["a", "b"],
    { a: null, b: null },
  ],
  [
    "alternatives",
    { a: { oneOf: [{ type: "integer", minimum: 10 }, { type: "string" }] } },
    ["a"],
    { a: 10 },
  ],
  ["stated", { a: { const: "x" }, b: { type: "string", default: "y" } }, ["a", "b"], { a: "x", b: "y" }],
  [
    "list",
    { a: { type: "array", minItems: 2, items: { type: "object", properties: { b: { type: "number" } } } } },
    ["a"],
    { a: [{ b: 1 }, { b: 1 }] },
  ],
];

describe("the inputs of tool calls", () => {
  it.each(TOOL_INPUTS)("are valid for %s", async (name, properties, required, expected) => {
    const schema = { type: "object" as const, properties, ...(required && { required }) };
    const message = await anthropic.messages.create({
      model: MODEL,
      max_tokens: 500,
      messages: [{ role: "user", content: `Use ${name}.` }],
      tools: [{ name, input_schema: schema }],
    });
    expect(message.content.at(-1)).toMatchObject({ name, input: expected });
    const sent = message.content.at(-1);
    expect(sent?.type === "tool_use" && sent.input).toEqual(expected);
  });
});

/** A call of Claude Code, and the result with which it repeats its reminders. */
const toolCall = (id: string, name: string) => ({
  role: "assistant" as const,
  content: [{ type: "tool_use" as const, id, name, input: {} }],
});
const toolResult = (id: string) => ({
  role: "user" as const,
  content: [
    { type: "tool_result" as const, tool_use_id: id, content: "done" },
    { type: "text" as const, text: "<system-reminder>Use Bash.</system-reminder>" },
  ],
});

describe("a turn of several steps", () => {
  const tools = ["Read", "Bash"].map((name) => ({ name, input_schema: { type: "object" as const } }));
  const prompt = { role: "user" as const, content: "Use Read, then Bash." };
  // Current models of Claude Code get system messages inside the conversation, at its end too.
  const notice = { role: "system" as const, content: "Available agent types" };
  const read = [toolCall("a", "Read"), toolResult("a")];
  const again = [
    { role: "assistant" as const, content: "Done." },
    { role: "user" as const, content: "Read" },
  ];
  const steps: [string, Anthropic.MessageParam[], string][] = [
    ["the first tool", [prompt], "I will call Read."],
    ["the second tool after the first result", [prompt, notice, ...read, notice], "I will call Bash."],
    [
      "no tool after the last result",
      [prompt, ...read, toolCall("b", "Bash"), toolResult("b")],
      'You said: "Use Read, then Bash."',
    ],
    [
      "no tool that only a notice of the client names",
      [prompt, ...read, { role: "user", content: "<system-reminder>Read is done.</system-reminder>" }],
      "I will call Bash.",
    ],
    ["the tool of a new prompt", [prompt, ...read, ...again], "I will call Read."],
  ];

  it.each(steps)("calls %s", async (_, messages, text) => {
    const { content } = await anthropic.messages.create({ model: MODEL, max_tokens: 500, messages, tools });
    expect(content[0]).toMatchObject({ type: "text", text: expect.stringContaining(text) as string });
  });
});

describe("messages", () => {
  const params = { model: "claude-sonnet-5", max_tokens: 500, messages: HELLO };

  it("responds in JSON with text and all usage figures", async () => {
    const message = await anthropic.messages.create(params);
    expect(message.content).toMatchObject([{ type: "text", text: expect.stringContaining(ECHO) as string }]);
    expect(message.stop_reason).toBe("end_turn");
    expect(message.usage).toMatchObject({
      input_tokens: 3,
      cache_read_input_tokens: 1024,
      cache_creation_input_tokens: 128,
      cache_creation: { ephemeral_5m_input_tokens: 128 },
    });
  });

  it("streams initial figures in message_start and cumulative ones in message_delta", async () => {
    const events = await collect(await anthropic.messages.create({ ...params, stream: true }));
    const start = events.find((event) => event.type === "message_start");
    const delta = events.find((event) => event.type === "message_delta");
    expect(start?.message.usage).toMatchObject({ input_tokens: 3, output_tokens: 1 });
    expect(delta?.usage).toMatchObject({ input_tokens: 3, cache_read_input_tokens: 1024 });
    expect(delta?.usage.output_tokens).toBeGreaterThan(1);
    expect(events.at(-1)?.type).toBe("message_stop");
  });

  it("streams events from which the SDK rebuilds the same message", async () => {
    const { id: _id, ...message } = await anthropic.messages.create(params);
    expect(await anthropic.messages.stream(params).finalMessage()).toMatchObject(message);
  });

  it("sends a signed thinking block first if thinking is enabled", async () => {
    const stream = anthropic.messages.stream({
      ...params,
      thinking: { type: "enabled", budget_tokens: 1024 },
    });
    const { content, usage } = await stream.finalMessage();
    expect(content.map((block) => block.type)).toEqual(["thinking", "text"]);
    expect(content[0]).toMatchObject({ signature: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    expect(usage.output_tokens_details?.thinking_tokens).toBe(14);
  });

  it("uses a tool that the prompt names", async () => {
    const stream = anthropic.messages.stream({
      ...params,
      messages: [{ role: "user", content: [{ type: "text", text: "Use get_weather." }] }],
      tools: [{ name: "get_weather", input_schema: WEATHER }],
    });
    const { content, stop_reason } = await stream.finalMessage();
    expect(stop_reason).toBe("tool_use");
    expect(content.at(-1)).toMatchObject({ type: "tool_use", name: "get_weather", input: WEATHER_INPUT });
  });

  it("counts tokens", async () => {
    expect(await anthropic.messages.countTokens({ model: "claude-sonnet-5", messages: HELLO })).toEqual({
      input_tokens: 3,
    });
  });
});

describe("the other endpoints", () => {
  it("lists models, including the faults, in the shape of the requesting API", async () => {
    const ofOpenAi = await collect(openai.models.list());
    const ofAnthropic = await collect(anthropic.models.list());
    expect(ofOpenAi[0]).toMatchObject({ id: MODEL, object: "model", owned_by: "emulated" });
    expect(ofAnthropic[0]).toMatchObject({ type: "model", display_name: expect.any(String) as string });
    for (const list of [ofOpenAi, ofAnthropic]) {
      expect(list.map((model) => model.id)).toEqual(expect.arrayContaining(Object.keys(FAULTS)));
    }
  });

  it("describes one model, and rejects an unknown one with 404", async () => {
    expect(await openai.models.retrieve(MODEL)).toMatchObject({ id: MODEL });
    expect(await anthropic.models.retrieve("claude-sonnet-5")).toMatchObject({ id: "claude-sonnet-5" });
    await expect(openai.models.retrieve("none")).rejects.toMatchObject({
      status: 404,
      code: "model_not_found",
    });
    await expect(anthropic.models.retrieve("none")).rejects.toBeInstanceOf(Anthropic.NotFoundError);
  });

  it("returns the same embeddings as floats and as base64", async () => {
    const floats = await embed("float");
    const decoded = await embed();
    expect(floats.data).toHaveLength(2);
    expect(floats.data[0]?.embedding).not.toEqual(floats.data[1]?.embedding);
    expect(decoded.data[0]?.embedding).toEqual(floats.data[0]?.embedding);
    expect(floats.usage).toEqual({ prompt_tokens: 2, total_tokens: 2 });
  });

  it("responds to HEAD /api/hello without credentials", async () => {
    expect((await fetch(`${emulator.url}/api/hello`, { method: "HEAD" })).status).toBe(200);
  });

  it("rejects a WebSocket with 426", async () => {
    const { request } = await import("node:http");
    const status = await new Promise((resolve, reject) => {
      const headers = { authorization: "Bearer any", connection: "upgrade", upgrade: "websocket" };
      const upgrade = request(`${emulator.url}/v1/responses`, { headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      upgrade.on("error", reject).end();
    });
    expect(status).toBe(426);
  });
});

describe("headers and errors of the provider", () => {
  it("sends the rate-limit and request-id headers of each provider", async () => {
    const chat = await openai.chat.completions.create({ model: MODEL, messages: HELLO }).withResponse();
    expect(chat.request_id).toMatch(/^req_[0-9a-f]{32}$/);
    expect(chat.response.headers.get("x-ratelimit-remaining-tokens")).toMatch(/^\d+$/);
    const message = await anthropic.messages
      .create({ model: "m", max_tokens: 9, messages: HELLO })
      .withResponse();
    expect(message.request_id).toMatch(/^req_01/);
    expect(message.response.headers.get("anthropic-ratelimit-requests-remaining")).toMatch(/^\d+$/);
  });

  it.each([
    ["/v1/chat/completions", { error: { type: "invalid_request_error", code: null } }],
    ["/v1/messages", { type: "error", error: { type: "authentication_error" } }],
  ])("responds to %s without a key with the provider's own 401", async (path, body) => {
    const response = await fetch(emulator.url + path, { method: "POST", body: "{}" });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject(body);
  });

  it.each([
    ["/v1/chat/completions", "{", { error: { message: expect.stringContaining("JSON") as string } }],
    ["/v1/chat/completions", "{}", { error: { param: "model", code: "missing_required_parameter" } }],
    ["/v1/responses", '{"model":"m"}', { error: { param: "input" } }],
    ["/v1/messages", "{", { error: { type: "invalid_request_error" } }],
    ["/v1/messages", '{"model":"m"}', { error: { message: "max_tokens: Field required" } }],
  ])("responds to %s with the body %s with the provider's own 400", async (path, sent, body) => {
    const headers = { authorization: "Bearer any", "anthropic-version": "2023-06-01" };
    const response = await fetch(emulator.url + path, { method: "POST", headers, body: sent });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject(body);
  });

  it("puts the request-id header into Anthropic's error bodies", async () => {
    const response = await fetch(`${emulator.url}/v1/messages`, { method: "POST", body: "{}" });
    const body = (await response.json()) as { request_id: string };
    expect(body.request_id).toBe(response.headers.get("request-id"));
  });

  it("passes every request to onRequest", async () => {
    observed.length = 0;
    await openai.models.list();
    expect(observed).toMatchObject([
      { method: "GET", path: "/v1/models", headers: { authorization: "Bearer sk-any" } },
    ]);
  });
});

describe("faults, selected by the model name", () => {
  it.each([429, 500, 529])(
    "fault-%i responds with that status in the provider's own format",
    async (status) => {
      await expect(chatStream(`fault-${status}`)).rejects.toMatchObject({ status });
      await expect(messageStream(`fault-${status}`)).rejects.toMatchObject({
        status,
        error: { type: "error" },
      });
    },
  );

  it("metadata.emulated_fault selects a fault for any model", async () => {
    const metadata = { emulated_fault: "fault-429" };
    await expect(
      openai.chat.completions.create({ model: MODEL, messages: HELLO, metadata }),
    ).rejects.toMatchObject({ status: 429, message: expect.stringContaining(MODEL) as string });
  });

  it("fault-429 sends Retry-After", async () => {
    const error: unknown = await chatStream("fault-429").catch((caught: unknown) => caught);
    expect(error instanceof OpenAI.RateLimitError && error.headers.get("retry-after")).toBe("1");
  });

  it.each(STREAMS)("fault-reset aborts the connection in the middle of %s", async (_name, create) => {
    const { received, error } = await collectUntilError(await create("fault-reset"));
    expect(received.length).toBeGreaterThan(3);
    expect(error).toBeInstanceOf(Error);
  });

  it("fault-truncate ends cleanly without the terminal event", async () => {
    const { received, error } = await collectUntilError(await responsesStream("fault-truncate"));
    expect(error).toBeUndefined();
    expect(received.length).toBeGreaterThan(3);
    expect(received.at(-1)?.type).toBe("response.output_text.delta");
    await expect(
      anthropic.messages.stream({ model: "fault-truncate", max_tokens: 500, messages: HELLO }).finalMessage(),
    ).rejects.toThrow("ended without");
  });

  it("fault-stall stops sending and notices a client disconnect", async () => {
    disconnects.length = 0;
    const stream = await chatStream("fault-stall");
    const iterator = stream[Symbol.asyncIterator]();
    let next = iterator.next();
    while ((await Promise.race([next, silence(100)])) !== SILENT) next = iterator.next();
    stream.controller.abort();
    await next.catch(() => undefined);
    await expect.poll(() => disconnects).toEqual(["/v1/chat/completions"]);
  });

  it.each(STREAMS)("fault-error-event puts an error into a 200 stream of %s", async (_name, create) => {
    const { received, error } = await collectUntilError(await create("fault-error-event"));
    expect(received.length).toBeGreaterThan(3);
    // An SDK error parsed from an event has no status.
    expect(error).toBeInstanceOf(create === messageStream ? Anthropic.APIError : OpenAI.APIError);
    expect(error).toHaveProperty("status", undefined);
  });

  it("fault-slow delays the stream but completes it", async () => {
    const startedAt = performance.now();
    const chunks = await collect(await chatStream("fault-slow"));
    expect(performance.now() - startedAt).toBeGreaterThan(chunks.length * 4);
  });

  it("faults also apply to JSON responses", async () => {
    await expect(complete("fault-reset")).rejects.toBeInstanceOf(Error);
    await expect(complete("fault-truncate")).rejects.toBeInstanceOf(Error);
    await expect(complete("fault-error-event")).rejects.toMatchObject({ status: 500 });
    expect((await complete("fault-slow")).choices[0]?.message.content).toContain(ECHO);
  });
});

const SILENT = Symbol("no event arrived");

function silence(ms: number): Promise<typeof SILENT> {
  return new Promise((resolve) => setTimeout(() => resolve(SILENT), ms));
}
