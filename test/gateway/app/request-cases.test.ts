/** The cases of docs/test-catalogue.md about real clients: which requests they send, and what is recorded of them. */
import { describe, expect, it } from "vitest";
import { CHAT, CLIENT_KEY, json, only, OWN_KEY, post, typesOf } from "../../support/in-workerd/calls.ts";
import {
  openGateway,
  PROVIDERS,
  type Exchange,
  type Setup,
} from "../../support/in-workerd/gateway-harness.ts";
import { text } from "../../support/in-workerd/values.ts";

const MESSAGES = "/anthropic/v1/messages";
const RESPONSES = "/openai/v1/responses";
const PROMPTS = { RECORDING: { prompts: true, thoughts: true, tool_inputs: true, end_users: "clear" } };
const respond = (): Response => json('{"id":"r-1","model":"m-1"}');

type Sent = Exchange & { readonly forwarded: string };

async function send(path: string, init: RequestInit, setup: Setup = {}): Promise<Sent> {
  const gateway = await openGateway({ vars: PROMPTS, provider: respond, ...setup });
  const exchange = await gateway.exchange(path, init);
  return { ...exchange, forwarded: text(gateway.sent[0]?.body ?? new Uint8Array()) };
}

const request = (fields: object, headers: Record<string, string> = {}): RequestInit =>
  post(JSON.stringify({ model: "m", ...fields }), { ...OWN_KEY, ...headers });

type Figures = readonly [input: number | null, output: number | null, usage?: string];
type Run = readonly [title: string, path: string, fields: object, response: object, figures: Figures];
const RUNS: readonly Run[] = [
  [
    "Case J1 a compaction of Codex",
    "/openai/v1/responses/compact",
    { input: [] },
    {
      id: "c",
      object: "response.compaction",
      output: [],
      usage: { input_tokens: 180_000, output_tokens: 900 },
    },
    [180_000, 900],
  ],
  [
    "Case J3 embeddings",
    "/openai/v1/embeddings",
    { input: "x" },
    { data: [{ embedding: [0.5] }], model: "e", usage: { prompt_tokens: 8, total_tokens: 8 } },
    [8, 0],
  ],
  [
    "Case J4 images",
    "/openai/v1/images/generations",
    { prompt: "x" },
    { created: 1, data: [], usage: { input_tokens: 50, output_tokens: 4160, total_tokens: 4210 } },
    [50, 4160],
  ],
  [
    "Case J5 speech and transcriptions",
    "/openai/v1/audio/translations",
    { file: "x" },
    { text: "Hi", usage: { type: "tokens", input_tokens: 14, output_tokens: 3, total_tokens: 17 } },
    [14, 3],
  ],
  [
    "Case J6 text completions, also between a prefix and a suffix",
    "/openai/v1/completions",
    { prompt: "def f(", suffix: "return x" },
    {
      id: "x",
      choices: [{ text: "x", finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 2 },
    },
    [3, 2],
  ],
  [
    "Case J7 moderations",
    "/openai/v1/moderations",
    { input: "x" },
    { id: "m", results: [] },
    [null, null, "unknown"],
  ],
  [
    "Case J9 ranking",
    "/openai/v1/rerank",
    { query: "x", documents: ["y"] },
    { id: "r", results: [], usage: { total_tokens: 21 } },
    [21, 0],
  ],
];

describe("a call that runs a model", () => {
  it.each(RUNS)("%s", async (_, path, fields, response, [input, output, usage = "final"]) => {
    const init = request(fields);
    const sent = await send(path, init, { provider: () => json(JSON.stringify(response)) });
    expect([sent.text, sent.forwarded]).toEqual([JSON.stringify(response), init.body]);
    expect(only(sent.events, "interception_end")).toMatchObject({
      model: "m",
      outcome: "completed",
      usage,
      input_tokens: input,
      output_tokens: output,
    });
  });

  it("Case J2 a background response is queued, and its usage comes with the first reading that has it", async () => {
    const done = { id: "resp_1", status: "completed", usage: { input_tokens: 9, output_tokens: 2 } };
    const gateway = await openGateway({
      provider: ({ method }) =>
        json(JSON.stringify(method === "POST" ? { id: "resp_1", status: "queued" } : done)),
    });
    const created = await gateway.exchange(RESPONSES, request({ input: "x", background: true }));
    expect(only(created.events, "interception_end")).toMatchObject({ outcome: "queued", usage: "unknown" });
    const read = await gateway.exchange(`${RESPONSES}/resp_1`, { headers: OWN_KEY });
    expect(only(read.events, "retrieved_usage")).toMatchObject({
      usage_of: "openai/resp_1",
      input_tokens: 9,
    });
  });

  it.each([
    ["/openai/v1/batches", '{"id":"batch_1","status":"validating"}'],
    ["/anthropic/v1/messages/batches", '{"id":"batch_1","processing_status":"in_progress"}'],
  ])("Case J8 a batch at %s is queued, and its results have its usage", async (path, body) => {
    const { events } = await send(path, request({}), { provider: () => json(body) });
    expect(only(events, "interception_end")).toMatchObject({ outcome: "queued", msg_id: "batch_1" });
  });
});

const user = (content: unknown): object => ({ role: "user", content });
const part = (words: string, type = "text"): object => ({ type, text: words });
const system = { role: "system", content: "You may use these skills." };
const developer = { role: "developer", content: "s" };
const assistant = { role: "assistant", content: "ok" };
const result = { type: "tool_result", tool_use_id: "toolu_x", content: "x" };
const REMINDER = "<system-reminder>\nx\n</system-reminder>";

type Prompt = readonly [
  title: string,
  path: string,
  fields: object,
  prompt: string | null,
  id: string | null,
];
const CONVERSATIONS: readonly Prompt[] = [
  [
    "Case K1 a system message behind Claude Code's prompt",
    MESSAGES,
    { messages: [user("Hello there"), system] },
    "Hello there",
    null,
  ],
  [
    "Case K2 a system message behind Claude Code's tool result",
    MESSAGES,
    { messages: [user([result]), system] },
    null,
    "toolu_x",
  ],
  [
    "Case K3 a developer message behind a prompt of chat",
    CHAT,
    { messages: [user("x"), developer, system] },
    "x",
    null,
  ],
  [
    "Case K3 a developer message behind a prompt of Responses",
    RESPONSES,
    { input: [user("x"), developer] },
    "x",
    null,
  ],
  [
    "Case K4 a reminder behind the prompt",
    MESSAGES,
    { messages: [user([part("fix the bug"), part(REMINDER)])] },
    "fix the bug",
    null,
  ],
  ["Case K5 a prompt in an earlier part", CHAT, { messages: [user([part("a"), part("b")])] }, "a\nb", null],
  ["Case K5 a prompt before a prefill", MESSAGES, { messages: [user("a"), assistant] }, "a", null],
  ["Case K5 a prompt in the first of two messages", CHAT, { messages: [user("a"), user("b")] }, "a\nb", null],
  ["Case K5 a prompt behind a turn", CHAT, { messages: [user("a"), assistant, user("b")] }, "b", null],
  [
    "Case K5 a prompt in an item of another type",
    RESPONSES,
    { input: [{ type: "Message", ...user("a") }] },
    "a",
    null,
  ],
  [
    "Case K5 a prompt in a part without its message",
    RESPONSES,
    { input: [part("a", "input_text")] },
    "a",
    null,
  ],
];

describe("the prompt of a request", () => {
  it.each(CONVERSATIONS)("%s", async (_, path, fields, prompt, id) => {
    const init = request({ max_tokens: 9, ...fields });
    const { events, forwarded } = await send(path, init);
    expect(forwarded).toBe(init.body);
    expect(events.flatMap((event) => (event.record_type === "prompt_usage" ? [event.prompt] : []))).toEqual(
      prompt === null ? [] : [prompt],
    );
    expect(only(events, "interception_start").correlating_tool_call_id).toBe(id);
  });

  // The attack: the gateway records one value, and the provider reads the other.
  it.each(["messages", "input", "system", "tools"])("Case K5 %s given twice is refused", async (field) => {
    const path = { input: RESPONSES, system: MESSAGES }[field] ?? CHAT;
    const body = `{"model":"m","${field}":[],"x":1,"${field}":[{}]}`;
    const { response, forwarded } = await send(path, post(body));
    expect([response.status, response.headers.get("x-interceptor-error"), forwarded]).toEqual([
      400,
      "field_repeated",
      "",
    ]);
  });
});

describe("getting in", () => {
  it.each([
    ["/openai/v1//chat/completions", "/chat/completions"],
    ["/openai/v1/chat/completions/", "/chat/completions"],
    ["/openai/chat/completions", "/chat/completions"],
    ["/anthropic/messages", "/v1/messages"],
    ["/v1/v1/messages", "/v1/messages"],
    ["/openai/v1/v1/responses", "/responses"],
  ])("Case L1 %s is served", async (path, route) => {
    const { response, events } = await send(path, request({ messages: [] }));
    expect([response.status, only(events, "interception_start").route]).toEqual([200, route]);
  });

  it("Case L1 another path is refused with the right base URL", async () => {
    const { response, text: body } = await send("/openai/v4/chat/completions", request({}));
    expect([response.status, body]).toEqual([404, expect.stringContaining("base URL")]);
  });

  it("Case L2 a preflight request succeeds for the listed origins alone", async () => {
    const preflight = {
      method: "OPTIONS",
      headers: { origin: "https://app.example", "access-control-request-method": "POST" },
    };
    const allowed = await send(CHAT, preflight, { vars: { CORS: { origins: ["https://app.example"] } } });
    expect([allowed.response.status, allowed.events]).toEqual([204, []]);
    const refused = await send(CHAT, preflight);
    expect(refused.response.headers.has("access-control-allow-origin")).toBe(false);
  });

  it.each(["api-key", "x-goog-api-key", "x-api-key"])("Case L3 %s is a credential header", async (header) => {
    const { response, events } = await send("/central/v1/chat/completions", {
      ...request({ messages: [] }),
      headers: { [header]: CLIENT_KEY.authorization.slice("Bearer ".length) },
    });
    expect([response.status, only(events, "interception_start").actor_id]).toEqual([200, "ci-bot"]);
  });

  it("Case L4 the probe of Claude Code gets 200 without an event", async () => {
    const { response, events } = await send("/anthropic/api/hello", { method: "HEAD" });
    expect([response.status, events]).toEqual([200, []]);
  });

  it("Case L5 a refusal says that a retry cannot cure it", async () => {
    const { response } = await send(MESSAGES, { ...request({ messages: [] }), headers: {} });
    expect([response.status, response.headers.get("x-should-retry")]).toEqual([401, "false"]);
  });

  it.each([401, 403])(
    "Case L6 a central key that the provider rejects with %i is the gateway's error",
    async (status) => {
      const provider = () =>
        json('{"error":{"message":"bad key","type":"authentication_error"}}', { status });
      const { response, events } = await send(
        "/central/v1/chat/completions",
        post('{"model":"m","messages":[]}', CLIENT_KEY),
        { provider },
      );
      expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
        502,
        "upstream_key_rejected",
      ]);
      expect(only(events, "interception_end")).toMatchObject({
        outcome: "upstream_error",
        error: "upstream_key_rejected",
      });
    },
  );

  it("Case L7 the results of a batch can be read through the gateway", async () => {
    const gateway = await openGateway({ provider: () => json("{}") });
    const { response, events } = await gateway.exchange(`${MESSAGES}/batches/b_1/results`, {
      headers: OWN_KEY,
    });
    expect([response.status, typesOf(events)]).toEqual([200, ["passthrough_start", "passthrough"]]);
    expect(gateway.sent[0]?.url).toBe(`${PROVIDERS.anthropic.base_url}/v1/messages/batches/b_1/results`);
  });
});

type Hint = readonly [
  title: string,
  path: string,
  fields: object,
  headers: Record<string, string>,
  start: object,
];
const HINTS: readonly Hint[] = [
  ["Case M1 user", CHAT, { user: "u-1" }, {}, { end_user: "u-1" }],
  [
    "Case M1 safety_identifier",
    RESPONSES,
    { safety_identifier: "s-1", user: "u-1" },
    {},
    { end_user: "s-1" },
  ],
  ["Case M1 metadata.user_id", MESSAGES, { metadata: { user_id: "m-1" } }, {}, { end_user: "m-1" }],
  [
    "Case M1 prompt_cache_key",
    RESPONSES,
    { prompt_cache_key: "thread-1" },
    { "user-agent": "codex_exec/0.171.0" },
    { client_session_id: "thread-1" },
  ],
  [
    "Case M3 a sub-agent of Claude Code",
    MESSAGES,
    {},
    {
      "user-agent": "claude-cli/2.1.0",
      "x-claude-code-agent-id": "a-2",
      "x-claude-code-parent-agent-id": "a-1",
      "x-claude-code-prompt-id": "p-1",
    },
    { agent_id: "a-2", parent_agent_id: "a-1", client_prompt_id: "p-1" },
  ],
  [
    "Case M3 a sub-agent of Codex",
    RESPONSES,
    {},
    {
      "user-agent": "codex_exec/0.171.0",
      "session-id": "s-1",
      "thread-id": "t-1",
      "x-openai-subagent": "review",
      "x-codex-turn-metadata": '{"turn_id":"turn-1"}',
    },
    { client_session_id: "s-1", agent_id: "t-1", client_prompt_id: "turn-1", request_class: "review" },
  ],
  ...(
    [
      ["QwenCode/0.1.0", "Qwen Code", {}],
      ["OpenAI/JS 6.0.0", "GitHub Copilot (CLI)", { "x-initiator": "user" }],
      ["Anthropic/JS 0.80.0", "GitHub Copilot (CLI)", { "x-initiator": "agent" }],
      ["KimiCLI/1.0", "Kimi CLI", {}],
      ["Cline/3.0", "Cline", {}],
      ["goose/1.0", "goose", {}],
      ["python-requests/2", "Open WebUI", { "x-openwebui-chat-id": "c-1" }],
      ["OpenAI/JS 6.0.0", "OpenAI SDK", {}],
      ["OpenAI/Python 2.0.0", "OpenAI SDK", {}],
      ["Anthropic/JS 0.80.0", "Anthropic SDK", {}],
      ["ai-sdk/openai/3.0.0", "Vercel AI SDK", {}],
      ["langchainjs-openai/1.0.0", "LangChain", {}],
      ["Agents/JavaScript 0.1.0", "OpenAI Agents SDK", {}],
    ] as const
  ).map(([userAgent, client, headers]): Hint => [
    `Case M5 ${client} as ${userAgent}`,
    CHAT,
    {},
    { "user-agent": userAgent, ...headers },
    { client },
  ]),
];

describe("what a bill or a question about a user needs", () => {
  it.each(HINTS)("%s", async (_, path, fields, headers, start) => {
    const init = request({ ...fields, messages: [] }, headers);
    const { events, forwarded } = await send(path, init);
    expect(forwarded).toBe(init.body);
    expect(only(events, "interception_start")).toMatchObject(start);
  });

  it("Case M2 tier, speed, region and cost are those of the response", async () => {
    const usage = {
      input_tokens: 3,
      output_tokens: 2,
      service_tier: "priority",
      speed: "fast",
      inference_geo: "us",
    };
    const fields = { messages: [], service_tier: "flex", speed: "slow" };
    const { events } = await send(MESSAGES, request(fields), {
      provider: () =>
        json(
          JSON.stringify({ id: "m", content: [], stop_reason: "end_turn", usage: { ...usage, cost: 0.5 } }),
        ),
    });
    expect(only(events, "interception_end")).toMatchObject({
      service_tier: "priority",
      speed: "fast",
      inference_geo: "us",
      reported_cost: "0.5",
    });
  });

  // The provider may use another tier than the requested one.
  it("Case M2 tier and speed are unknown where only the request has them", async () => {
    for (const path of [CHAT, RESPONSES, MESSAGES]) {
      const { events } = await send(path, request({ messages: [], service_tier: "priority", speed: "fast" }));
      expect(only(events, "interception_end")).toMatchObject({ service_tier: null, speed: null });
    }
  });

  it("Case M4 a thought has its source, and a tool its namespace", async () => {
    const output = [
      { id: "rs_1", type: "reasoning", summary: [{ type: "summary_text", text: "first" }] },
      {
        id: "fc_1",
        type: "function_call",
        call_id: "c",
        namespace: "github",
        name: "search",
        arguments: "{}",
      },
    ];
    const provider = () => json(JSON.stringify({ id: "r", status: "completed", output }));
    const { events } = await send(RESPONSES, request({ input: "x" }), { provider });
    expect(only(events, "model_thought")).toMatchObject({
      metadata: { source: "reasoning_summary" },
      content: "first",
    });
    expect(only(events, "tool_usage")).toMatchObject({ metadata: { namespace: "github" }, tool: "search" });
  });
});
