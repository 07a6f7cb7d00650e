/** Calls of Azure's dated routes, whose path names the model: what is recorded, allowed, priced and reserved. */
import { describe, expect, it } from "vitest";
import { CLIENT_KEY, json, only, OWN_KEY, post, sse } from "../../support/in-workerd/calls.ts";
import {
  openGateway,
  PROVIDERS,
  type Gateway,
  type Setup,
} from "../../support/in-workerd/gateway-harness.ts";
import { wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { text, utf8 } from "../../support/in-workerd/values.ts";

const AT = "/azure/openai/deployments/chat-eu";
const QUERY = "?api-version=2024-10-21";
const CHAT = `${AT}/chat/completions${QUERY}`;

/** As Azure streams: a chunk about the prompt, with an empty id and model, before the first content. */
const STREAM = [
  {
    choices: [],
    created: 0,
    id: "",
    model: "",
    object: "",
    prompt_filter_results: [
      { prompt_index: 0, content_filter_results: { hate: { filtered: false, severity: "safe" } } },
    ],
  },
  {
    choices: [
      {
        index: 0,
        delta: { content: "Hi", role: "assistant" },
        content_filter_results: {},
        finish_reason: null,
      },
    ],
    id: "chatcmpl-1",
    model: "gpt-4o-2024-08-06",
    object: "chat.completion.chunk",
  },
  {
    choices: [{ index: 0, delta: {}, content_filter_results: {}, finish_reason: "stop" }],
    id: "chatcmpl-1",
    model: "gpt-4o-2024-08-06",
    object: "chat.completion.chunk",
  },
  {
    choices: [],
    id: "chatcmpl-1",
    model: "gpt-4o-2024-08-06",
    object: "chat.completion.chunk",
    usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 },
  },
];
const events = (list: readonly object[]): string =>
  [...list.map((one) => JSON.stringify(one)), "[DONE]"].map((data) => `data: ${data}\n\n`).join("");
const streamed = () => sse(wholeBody(utf8(events(STREAM))));

const open = (
  models: readonly string[] | null,
  provider: NonNullable<Setup["provider"]> = streamed,
  vars = {},
): Promise<Gateway> =>
  openGateway({
    vars: {
      PROVIDERS: {
        ...PROVIDERS,
        azure: { ...PROVIDERS.azure, keys: ["AZURE_KEY"], ...(models && { models }) },
      },
      AZURE_KEY: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
      ...vars,
    },
    provider,
  });

const B = "form-boundary";
const form = (...parts: readonly (readonly [name: string, value: string])[]): RequestInit => {
  const fields = parts.map(
    ([name, value]) =>
      `--${B}\r\nContent-Disposition: form-data; name="${name}"${name === "file" ? '; filename="a.mp3"' : ""}\r\n\r\n${value}\r\n`,
  );
  const body = utf8(`${fields.join("")}--${B}--\r\n`);
  return {
    method: "POST",
    body,
    headers: {
      ...CLIENT_KEY,
      "content-type": `multipart/form-data; boundary=${B}`,
      "content-length": String(body.byteLength),
    },
  };
};

const EXHAUSTED = { limit: () => Promise.resolve({ success: false }) };

describe("a call of a deployment", () => {
  it("is recorded with the deployment's name, and priced by the model that responds", async () => {
    const gateway = await open(null);
    const body = '{"stream":true,"stream_options":{"include_usage":true},"messages":[]}';
    const { text: received, events: recorded } = await gateway.exchange(CHAT, post(body, CLIENT_KEY));
    expect(received).toBe(events(STREAM));
    const [sent] = gateway.sent;
    expect([sent?.url, text(sent?.body ?? utf8(""))]).toEqual([
      "https://company.azure.example/openai/deployments/chat-eu/chat/completions?api-version=2024-10-21",
      body,
    ]);
    expect(sent?.headers.get("api-key")).toBe("0f1e2d3c4b5a69788796a5b4c3d2e1f0");
    expect(only(recorded, "interception_start")).toMatchObject({
      provider_type: "azure",
      route: "/deployments/{deployment}/chat/completions",
      model: "chat-eu",
      streaming: true,
    });
    // $2.50 and $10 per million tokens.
    expect(only(recorded, "token_usage")).toMatchObject({
      usage: "final",
      input_tokens: 1000,
      output_tokens: 100,
    });
    expect(only(recorded, "interception_end")).toMatchObject({
      outcome: "completed",
      response_model: "gpt-4o-2024-08-06",
      cost_micros: 3500,
    });
  });

  // The attack: of two models the gateway checks one, and the provider, or a server in its place, runs the other.
  it.each([
    [["chat-eu"], '{"messages":[]}', 200],
    [["chat-eu"], '{"model":"chat-eu","messages":[]}', 200],
    [["chat-eu"], '{"model":null,"messages":[]}', 200],
    [["chat-eu"], '{"model":"gpt-5-pro","messages":[]}', 403],
    [["chat-eu", "gpt-4o"], '{"model":"gpt-4o","messages":[]}', 200],
    [["gpt-4o"], '{"model":"gpt-4o","messages":[]}', 403],
    [["Chat-EU"], '{"messages":[]}', 403],
    [[], '{"messages":[]}', 403],
    [["chat-eu"], '{"models":["gpt-5-pro"],"messages":[]}', 403],
  ])("with the allow-list %j and the body %s gets %i", async (models, body, status) => {
    const gateway = await open(models);
    const { response } = await gateway.exchange(CHAT, post(body, CLIENT_KEY));
    expect([response.status, gateway.sent.length]).toEqual([status, status === 200 ? 1 : 0]);
  });

  it.each([
    [[["file", "abc"]], 200],
    [
      [
        ["file", "abc"],
        ["model", "chat-eu"],
      ],
      200,
    ],
    [
      [
        ["file", "abc"],
        ["model", "gpt-5-pro"],
      ],
      403,
    ],
    [
      [
        ["model", "gpt-5-pro"],
        ["file", "abc"],
      ],
      403,
    ],
  ] as const)("with the form %j and one allowed deployment gets %i", async (parts, status) => {
    const gateway = await open(["chat-eu"], () => json('{"text":"hi"}'));
    const { response, events: recorded } = await gateway.exchange(
      `${AT}/audio/transcriptions${QUERY}`,
      form(...parts),
    );
    expect([response.status, gateway.sent.length]).toEqual([status, status === 200 ? 1 : 0]);
    expect(only(recorded, "interception_start").model).toBe("chat-eu");
  });

  it("is limited by the rules of its deployment, and by those of another model that the body names", async () => {
    for (const [model, body, status] of [
      ["gpt-5", '{"model":"gpt-4o","messages":[]}', 200],
      ["chat-eu", '{"model":"gpt-4o","messages":[]}', 429],
      ["gpt-4o", '{"model":"gpt-4o","messages":[]}', 429],
      ["chat-eu", '{"messages":[]}', 429],
    ] as const) {
      const vars = {
        RATE_LIMITS: { few: { binding: "LIMITER", models: [model], per: "all" } },
        LIMITER: EXHAUSTED,
      };
      const gateway = await open(null, streamed, vars);
      const { response } = await gateway.exchange(CHAT, post(body, CLIENT_KEY));
      expect([model, body, response.status]).toEqual([model, body, status]);
    }
  });
});

describe("Azure's errors", () => {
  it.each([
    [
      "a filtered prompt",
      400,
      {
        error: {
          message:
            "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
          type: null,
          param: "prompt",
          code: "content_filter",
          status: 400,
          innererror: {
            code: "ResponsibleAIPolicyViolation",
            content_filter_result: { hate: { filtered: true } },
          },
        },
      },
      "content_filter",
    ],
    ["a wrong key", 401, { error: { code: "401", message: "Access denied" } }, "authentication_error"],
    [
      "a wrong key at API Management",
      401,
      { statusCode: 401, message: "Access denied" },
      "authentication_error",
    ],
    ["no deployment", 404, { error: { code: "DeploymentNotFound", message: "no" } }, "DeploymentNotFound"],
    [
      "a rate limit",
      429,
      { error: { code: "429", message: "Please retry after 26 seconds." } },
      "rate_limit_error",
    ],
  ])("name the error of the record: %s", async (_, status, body, error) => {
    const sent = JSON.stringify(body);
    const gateway = await openGateway({ provider: () => json(sent, { status }) });
    const { response, text: received, events: recorded } = await gateway.exchange(CHAT, post("{}", OWN_KEY));
    expect([response.status, received]).toEqual([status, sent]);
    expect(only(recorded, "interception_end")).toMatchObject({ outcome: "upstream_error", status, error });
  });

  it("of filtered output is no error: the finish reason says it", async () => {
    const filtered = STREAM.map((chunk, at) =>
      at === 2 ? { ...chunk, choices: [{ index: 0, delta: {}, finish_reason: "content_filter" }] } : chunk,
    );
    const gateway = await openGateway({ provider: () => sse(wholeBody(utf8(events(filtered)))) });
    const { events: recorded } = await gateway.exchange(CHAT, post('{"stream":true}', OWN_KEY));
    expect(only(recorded, "interception_end")).toMatchObject({
      outcome: "completed",
      error: null,
      finish_reason: "content_filter",
    });
  });

  it("are those of OpenAI's form where the gateway refuses", async () => {
    const gateway = await openGateway();
    const { text: received } = await gateway.exchange(CHAT, post("{}", {}));
    expect(JSON.parse(received)).toEqual({
      error: {
        message: expect.any(String) as string,
        type: "authentication_error",
        param: null,
        code: "credential_missing",
      },
    });
  });
});

describe("Azure's other paths", () => {
  it.each([
    [
      "/azure/openai/responses?api-version=2025-04-01-preview",
      "/openai/responses?api-version=2025-04-01-preview",
    ],
    ["/azure/openai/v1/responses", "/openai/v1/responses"],
    ["/azure/openai/v1/responses?api-version=preview", "/openai/v1/responses?api-version=preview"],
  ])("%s records the response's model and usage", async (path, upstream) => {
    const body = {
      id: "resp_1",
      object: "response",
      status: "completed",
      model: "gpt-4o-2024-08-06",
      output: [],
      usage: { input_tokens: 10, output_tokens: 2, total_tokens: 12 },
    };
    const gateway = await open(["chat-eu"], () => json(JSON.stringify(body)));
    const { events: recorded } = await gateway.exchange(
      path,
      post('{"model":"chat-eu","input":"x"}', CLIENT_KEY),
    );
    expect(gateway.sent[0]?.url).toBe(`https://company.azure.example${upstream}`);
    expect(only(recorded, "token_usage")).toMatchObject({ usage: "final", input_tokens: 10 });
  });

  it("are at the root too, where no provider is named openai", async () => {
    const gateway = await openGateway({
      vars: { PROVIDERS: { gpt: PROVIDERS.openai, azure: PROVIDERS.azure } },
      provider: () => json("{}"),
    });
    for (const path of [
      "/openai/v1/chat/completions",
      `/openai/deployments/d/embeddings${QUERY}`,
      "/v1/embeddings",
    ])
      await gateway.exchange(path, post('{"model":"d"}', { "api-key": "k-0123456789" }));
    expect(gateway.sent.map(({ url }) => url)).toEqual([
      "https://company.azure.example/openai/v1/chat/completions",
      "https://company.azure.example/openai/deployments/d/embeddings?api-version=2024-10-21",
      "https://api.openai.example/v1/embeddings",
    ]);
  });

  it.each([
    ["/azure/openai/v1/responses/resp_1"],
    ["/azure/openai/responses/resp_1?api-version=2025-04-01-preview"],
  ])("GET %s records the usage of a stored response", async (path) => {
    const body = {
      id: "resp_1",
      object: "response",
      status: "completed",
      model: "gpt-4o",
      output: [],
      usage: { input_tokens: 10, output_tokens: 2, total_tokens: 12 },
    };
    const gateway = await openGateway({ provider: () => json(JSON.stringify(body)) });
    const { events: recorded } = await gateway.exchange(path, { headers: OWN_KEY });
    expect(only(recorded, "passthrough")).toMatchObject({ outcome: "completed" });
    expect(JSON.stringify(only(recorded, "passthrough"))).toContain('"input_tokens":10');
  });
});
