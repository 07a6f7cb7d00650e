/** Anthropic's SDKs for Claude on Microsoft Foundry, Amazon Bedrock (Mantle) and AWS, against the emulated clouds. */
import { AnthropicAws } from "@anthropic-ai/aws-sdk";
import { AnthropicBedrockMantle } from "@anthropic-ai/bedrock-sdk";
import { AnthropicFoundry } from "@anthropic-ai/foundry-sdk";
import Anthropic from "@anthropic-ai/sdk";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../support/deadline.ts";
import { rawRequest } from "../support/raw-client.ts";
import type { Passed } from "../support/recording-proxy.ts";
import { utf8, type HeaderPair } from "../support/wire.ts";
import {
  AWS_ID,
  AWS_SECRET,
  interceptor,
  OTHER_ID,
  proxy,
  recomputed,
  REGION,
  TOKEN,
  WORKSPACE,
} from "./cloud-harness.ts";
import { CENTRAL_KEY, CLIENT_KEY, OWN_KEY, PROMPT, uniqueModel } from "./exchange.ts";

afterEach(() => void (wires.length = 0));

/** The bodies of one exchange, as the client sent and received them. */
type Wire = { readonly request: string; readonly response: () => Promise<Buffer> };
const wires: Wire[] = [];

/** The SDK's `fetch`, which keeps the bytes. */
const tapped: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const copy = response.clone();
  wires.push({
    request: typeof init?.body === "string" ? init.body : "",
    response: async () => Buffer.from(await copy.arrayBuffer()),
  });
  return response;
};

async function expectSameBytes(): Promise<void> {
  expect(wires.map(({ request }) => request)).toEqual(proxy.passed.map(({ body }) => body.toString()));
  for (const [at, wire] of wires.entries())
    expect(await wire.response()).toEqual(Buffer.concat(proxy.passed[at]?.response ?? []));
}

type Client = { readonly messages: Pick<Anthropic.Messages, "create" | "stream"> };
type Case = {
  readonly name: string;
  readonly client: () => Client;
  /** The provider's path for messages, as it received it. */
  readonly target: string;
  readonly credential: (headers: Passed["headers"]) => unknown;
  readonly received: unknown;
  readonly recorded: object;
  /** The name of its rate limit. */
  readonly limited: string;
};

const shared = { maxRetries: 0, fetch: tapped };
const isSigned = ({ authorization = "" }: Passed["headers"]) => authorization.replace(/\/\d{8}\/.*/s, "");
const MESSAGES = { foundry: "/foundry/anthropic", mantle: "/bedrock-mantle/anthropic", aws: "/claude-aws" };
const byok = { credential_kind: "byok", identity_source: "byok" };
const central = { credential_kind: "centralized", actor_id: "tester" };

const CASES: readonly Case[] = [
  {
    name: "Foundry, with a key of the client",
    client: () =>
      new AnthropicFoundry({ baseURL: `${interceptor.url}/foundry/anthropic/`, apiKey: OWN_KEY, ...shared }),
    target: MESSAGES.foundry,
    credential: (headers) => headers["x-api-key"],
    received: OWN_KEY,
    recorded: byok,
    limited: "RateLimitReached",
  },
  {
    name: "Foundry, with a token of the client",
    client: () =>
      new AnthropicFoundry({
        baseURL: `${interceptor.url}/foundry`,
        azureADTokenProvider: () => Promise.resolve(OWN_KEY),
        ...shared,
      }),
    target: MESSAGES.foundry,
    credential: (headers) => [headers["authorization"], headers["x-api-key"]],
    received: [`Bearer ${OWN_KEY}`, undefined],
    recorded: byok,
    limited: "RateLimitReached",
  },
  {
    name: "Foundry, with a central key",
    client: () =>
      new AnthropicFoundry({
        baseURL: `${interceptor.url}/foundry-central/anthropic`,
        apiKey: CLIENT_KEY,
        ...shared,
      }),
    target: MESSAGES.foundry,
    credential: (headers) => headers["x-api-key"],
    received: CENTRAL_KEY,
    recorded: central,
    limited: "RateLimitReached",
  },
  {
    name: "Bedrock Mantle, with a key of the client",
    client: () =>
      new AnthropicBedrockMantle({ baseURL: `${interceptor.url}/mantle`, apiKey: OWN_KEY, ...shared }),
    target: MESSAGES.mantle,
    credential: (headers) => headers["authorization"],
    received: `Bearer ${OWN_KEY}`,
    recorded: byok,
    limited: "ThrottlingException",
  },
  {
    name: "Bedrock Mantle, with a central key",
    client: () =>
      new AnthropicBedrockMantle({
        baseURL: `${interceptor.url}/mantle-central/anthropic`,
        apiKey: CLIENT_KEY,
        ...shared,
      }),
    target: MESSAGES.mantle,
    credential: (headers) => headers["authorization"],
    received: `Bearer ${CENTRAL_KEY}`,
    recorded: central,
    limited: "ThrottlingException",
  },
  {
    name: "Bedrock Mantle, signed by the gateway",
    client: () =>
      new AnthropicBedrockMantle({
        baseURL: `${interceptor.url}/mantle-signed/anthropic`,
        apiKey: CLIENT_KEY,
        ...shared,
      }),
    target: MESSAGES.mantle,
    credential: isSigned,
    received: `AWS4-HMAC-SHA256 Credential=${AWS_ID}`,
    recorded: { ...central, credential_hint: "AKIA...6789" },
    limited: "ThrottlingException",
  },
  {
    name: "Bedrock Mantle, signed with a session token",
    client: () =>
      new AnthropicBedrockMantle({
        baseURL: `${interceptor.url}/mantle-session`,
        apiKey: CLIENT_KEY,
        ...shared,
      }),
    target: MESSAGES.mantle,
    credential: (headers) => [isSigned(headers), headers["x-amz-security-token"]],
    received: [`AWS4-HMAC-SHA256 Credential=${OTHER_ID}`, TOKEN],
    recorded: { ...central, credential_hint: "AKIA...3210" },
    limited: "ThrottlingException",
  },
  {
    name: "Claude Platform on AWS, with a key of the client",
    client: () =>
      new AnthropicAws({
        baseURL: `${interceptor.url}/claude-aws`,
        apiKey: OWN_KEY,
        workspaceId: "wrkspc_client",
        ...shared,
      }),
    target: MESSAGES.aws,
    credential: (headers) => [headers["authorization"], headers["anthropic-workspace-id"]],
    received: [`Bearer ${OWN_KEY}`, "wrkspc_client"],
    recorded: byok,
    limited: "ThrottlingException",
  },
  {
    name: "Claude Platform on AWS, signed by the gateway",
    client: () =>
      new AnthropicAws({
        baseURL: `${interceptor.url}/claude-aws-signed`,
        apiKey: CLIENT_KEY,
        workspaceId: "wrkspc_client",
        ...shared,
      }),
    target: MESSAGES.aws,
    credential: (headers) => [isSigned(headers), headers["anthropic-workspace-id"], headers["x-api-key"]],
    received: [`AWS4-HMAC-SHA256 Credential=${AWS_ID}`, WORKSPACE, undefined],
    recorded: { ...central, credential_hint: "AKIA...6789" },
    limited: "ThrottlingException",
  },
];

const tools = ["get_weather", "get_time"].map((name) => ({
  name,
  input_schema: { type: "object" as const, properties: { place: { type: "string" } } },
}));
const question = { role: "user" as const, content: `${PROMPT} Call get_weather and get_time.` };

/** Calls the tools that the model calls until it responds with text; returns the messages of the model. */
async function turn(client: Client, model: string): Promise<Anthropic.Message[]> {
  const messages: Anthropic.MessageParam[] = [question];
  const received: Anthropic.Message[] = [];
  for (;;) {
    const stream = client.messages.stream({ model, max_tokens: 999, messages, tools });
    const message = await stream.finalMessage();
    received.push(message);
    if (message.stop_reason !== "tool_use") return received;
    const results = message.content.flatMap((block) =>
      block.type === "tool_use"
        ? [{ type: "tool_result" as const, tool_use_id: block.id, content: "12 °C" }]
        : [],
    );
    messages.push({ role: "assistant", content: message.content }, { role: "user", content: results });
  }
}

const errorOf = async (call: PromiseLike<unknown>): Promise<InstanceType<typeof Anthropic.APIError>> => {
  const error: unknown = await Promise.resolve(call).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Anthropic.APIError)) throw new Error("no error of the API", { cause: error });
  return error;
};

describe("an SDK for Claude on another cloud", () => {
  it.each(CASES)("E4 gets a turn with tool calls, byte by byte: $name", async (one) => {
    const model = uniqueModel();
    const messages = await turn(one.client(), model);
    expect(messages.map(({ stop_reason: reason }) => reason)).toEqual(["tool_use", "end_turn"]);
    await expectSameBytes();
    expect(proxy.passed.map(({ target }) => target)).toEqual(
      Array.from({ length: 2 }, () => `${one.target}/v1/messages`),
    );
    for (const { headers } of proxy.passed) expect(one.credential(headers)).toEqual(one.received);
    const { start, end, usage } = await interceptor.recorded(model);
    expect(start).toMatchObject({ route: "/v1/messages", streaming: true, ...one.recorded });
    expect(end).toMatchObject({ outcome: "completed", usage: "final", response_model: model });
    expect(usage).toMatchObject({ usage: "final" });
  });

  it.each(CASES)("G23 is aborted at the provider too: $name", async (one) => {
    const controller = new AbortController();
    const stream = one
      .client()
      .messages.stream(
        { model: "fault-slow", max_tokens: 99, messages: [question] },
        { signal: controller.signal },
      )
      .on("text", () => controller.abort());
    await stream.done().catch(() => undefined);
    const { end } = await interceptor.recorded("fault-slow");
    expect(end).toMatchObject({ outcome: "cancelled", status: 200 });
    await until(
      () => proxy.passed[0]?.isAborted || undefined,
      () => "the provider's connection is still open",
    );
  });

  it.each(CASES)(
    "G7 gets the cloud's rate limit as it is, and it is recorded by its name: $name",
    async (one) => {
      const create = { model: "fault-429", max_tokens: 9, messages: [question] };
      const error = await errorOf(one.client().messages.create(create));
      expect(error).toBeInstanceOf(Anthropic.RateLimitError);
      expect(error.headers?.get("retry-after")).toBe("1");
      await expectSameBytes();
      const { end } = await interceptor.recorded("fault-429");
      expect(end).toMatchObject({ outcome: "upstream_error", status: 429, error: one.limited });
    },
  );
});

describe("a signature", () => {
  const messages = [question];

  it.each([
    ["is wrong", "mantle-wrong", "InvalidSignatureException"],
    ["lacks its session token", "mantle-expired", "UnrecognizedClientException"],
  ])("that %s is the gateway's fault, never the client's", async (_, provider, type) => {
    const client = new AnthropicBedrockMantle({
      baseURL: `${interceptor.url}/${provider}`,
      apiKey: CLIENT_KEY,
      ...shared,
    });
    const model = uniqueModel();
    const wrong = provider === "mantle-wrong";
    const error = await errorOf(client.messages.create({ model, max_tokens: 9, messages }));
    const [passed] = proxy.passed;
    expect(passed?.headers["authorization"] === (passed && (await recomputed(passed)))).toBe(!wrong);
    expect(JSON.stringify(Buffer.concat(passed?.response ?? []).toString())).toContain(
      wrong ? "signature we calculated does not match" : "security token",
    );
    proxy.passed.length = 0;
    expect([error.status, error.headers?.get("x-interceptor-error")]).toEqual([502, "upstream_key_rejected"]);
    // A retry would not help, and SDKs repeat a 502.
    expect(error.headers?.get("x-should-retry")).toBe("false");
    expect(error.message).not.toMatch(/signature|token|AKIA/i);
    expect(error.headers?.get("x-amzn-errortype") ?? "").not.toContain(type);
    expect((await interceptor.recorded(model)).end).toMatchObject({
      outcome: "upstream_error",
      error: "upstream_key_rejected",
    });
  });

  // The attack: a signature for another host is replayed, or takes the place of a credential of this gateway.
  it.each([
    [
      "Bedrock Mantle",
      () =>
        new AnthropicBedrockMantle({
          baseURL: `${interceptor.url}/mantle/anthropic`,
          awsAccessKey: AWS_ID,
          awsSecretAccessKey: AWS_SECRET,
          awsRegion: REGION,
          ...shared,
        }),
    ],
    [
      "Claude Platform on AWS",
      () =>
        new AnthropicAws({
          baseURL: `${interceptor.url}/claude-aws`,
          awsAccessKey: AWS_ID,
          awsSecretAccessKey: AWS_SECRET,
          awsRegion: REGION,
          workspaceId: WORKSPACE,
          ...shared,
        }),
    ],
  ])("of a client is refused with a hint, and reaches no provider: %s", async (_, create) => {
    const error = await errorOf(create().messages.create({ model: "m", max_tokens: 9, messages }));
    expect(error).toBeInstanceOf(Anthropic.AuthenticationError);
    expect(error.headers?.get("x-interceptor-error")).toBe("aws_signature_unsupported");
    expect(error.message).toContain("skip its AWS authentication");
    expect(error.headers?.get("x-should-retry")).toBe("false");
    expect(proxy.passed).toEqual([]);
  });

  it("of a client that skips AWS's authentication is not needed", async () => {
    const client = new AnthropicBedrockMantle({
      baseURL: `${interceptor.url}/mantle-signed`,
      skipAuth: true,
      defaultHeaders: { "X-Coder-AI-Governance-Token": CLIENT_KEY },
      ...shared,
    });
    const model = uniqueModel();
    expect((await client.messages.create({ model, max_tokens: 9, messages })).model).toBe(model);
    await expectSameBytes();
  });

  it("is over the query and the encoded path as the provider gets them", async () => {
    for (const target of [
      "/v1/models?limit=1000&after_id=a%20b%2Bc&x=!'()*",
      "/v1/models/claude%3A1",
      "/v1/models?beta",
    ]) {
      const headers: HeaderPair[] = [["Authorization", `Bearer ${CLIENT_KEY}`]];
      await rawRequest(interceptor.port, { target: `/mantle-signed${target}`, headers });
    }
    await interceptor.waitForEvents((all) => all.length >= 3);
    expect(proxy.passed.map(({ target }) => target)).toHaveLength(3);
    expect(proxy.passed.map(({ response }) => Buffer.concat(response).toString()).join()).not.toContain(
      "signature",
    );
  });

  it("is refused for an upload that is forwarded while it arrives, before the provider is called", async () => {
    const body = utf8(" ".repeat(300 * 1024));
    const response = await rawRequest(interceptor.port, {
      target: "/claude-aws-signed/v1/messages/batches",
      headers: [
        ["X-Api-Key", CLIENT_KEY],
        ["Anthropic-Version", "2023-06-01"],
        ["Content-Type", "application/json"],
      ],
      body,
    });
    expect([response.status, response.values("x-interceptor-error")]).toEqual([413, ["upload_not_signed"]]);
    expect(JSON.parse(response.text())).toMatchObject({ error: { type: "request_too_large" } });
    const { end } = await interceptor.recorded(response.values("x-interception-id")[0] ?? "");
    expect(end).toMatchObject({ outcome: "refused", error: "upload_not_signed" });
    expect(proxy.passed).toEqual([]);
  });
});
