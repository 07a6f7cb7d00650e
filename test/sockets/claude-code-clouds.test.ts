/** The requests of Claude Code 2.1.197 in its modes for Foundry and Mantle, with the headers as they were recorded. */
import { describe, expect, it } from "vitest";
import { until } from "../support/deadline.ts";
import { openRaw, rawRequest, type RawResponse } from "../support/raw-client.ts";
import type { HeaderPair } from "../support/wire.ts";
import { AWS_ID, interceptor, proxy } from "./cloud-harness.ts";
import { CENTRAL_KEY, CLIENT_KEY, OWN_KEY, PROMPT, uniqueModel } from "./exchange.ts";

const SESSION = "0277d95f-9730-4514-b825-2146e9db50c4";
const FOUNDRY_BETAS =
  "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,web-search-2025-03-05,prompt-caching-scope-2026-01-05,advanced-tool-use-2025-11-20";
const MANTLE_BETAS =
  "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,tool-search-tool-2025-10-19,effort-2025-11-24";

const stainless = (timeout: string): HeaderPair[] => [
  ["X-Stainless-Arch", "x64"],
  ["X-Stainless-Lang", "js"],
  ["X-Stainless-OS", "Linux"],
  ["X-Stainless-Package-Version", "0.94.0"],
  ["X-Stainless-Retry-Count", "0"],
  ["X-Stainless-Runtime", "node"],
  ["X-Stainless-Runtime-Version", "v26.3.0"],
  ["X-Stainless-Timeout", timeout],
];
const END: readonly HeaderPair[] = [
  ["Connection", "keep-alive"],
  ["Accept-Encoding", "gzip, deflate, br, zstd"],
];
const turnHeaders = (betas: string): HeaderPair[] => [
  ["Accept", "application/json"],
  ["Content-Type", "application/json"],
  ["User-Agent", "claude-cli/2.1.197 (external, sdk-cli)"],
  ["X-Claude-Code-Session-Id", SESSION],
  ...stainless("600"),
  ["anthropic-beta", betas],
  ["anthropic-dangerous-direct-browser-access", "true"],
  ["anthropic-version", "2023-06-01"],
  ["x-app", "cli"],
  ...END,
];
/** Mantle's mode calls the model once before the first turn, and does not name the client. */
const PROBE_HEADERS: readonly HeaderPair[] = [
  ["Accept", "application/json"],
  ["Content-Type", "application/json"],
  ["User-Agent", "VGr/JS 0.94.0"],
  ...stainless("8"),
  ["anthropic-version", "2023-06-01"],
  ...END,
];

type Mode = {
  readonly name: string;
  /** The base URL's path. */
  readonly base: string;
  readonly credential: HeaderPair;
  readonly betas: string;
  readonly upstream: string;
  /** The credential that the provider must receive. */
  readonly received: readonly [name: string, value: RegExp];
  readonly limited: string;
};

const byKey: HeaderPair = ["x-api-key", OWN_KEY];
const byToken: HeaderPair = ["Authorization", `Bearer ${OWN_KEY}`];
const FOUNDRY = { betas: FOUNDRY_BETAS, upstream: "/foundry/anthropic", limited: "RateLimitReached" };
const MANTLE = { betas: MANTLE_BETAS, upstream: "/bedrock-mantle/anthropic", limited: "ThrottlingException" };

const MODES: readonly Mode[] = [
  {
    name: "Foundry",
    base: "/foundry/anthropic",
    credential: byKey,
    received: ["x-api-key", new RegExp(`^${OWN_KEY}$`)],
    ...FOUNDRY,
  },
  {
    name: "Foundry with a client key",
    base: "/foundry-central/anthropic",
    credential: ["x-api-key", CLIENT_KEY],
    received: ["x-api-key", new RegExp(`^${CENTRAL_KEY}$`)],
    ...FOUNDRY,
  },
  {
    name: "Mantle",
    base: "/mantle",
    credential: byToken,
    received: ["authorization", new RegExp(`^Bearer ${OWN_KEY}$`)],
    ...MANTLE,
  },
  {
    name: "Mantle with a client key, signed by the gateway",
    base: "/mantle-signed",
    credential: ["Authorization", `Bearer ${CLIENT_KEY}`],
    received: ["authorization", new RegExp(`^AWS4-HMAC-SHA256 Credential=${AWS_ID}/`)],
    ...MANTLE,
  },
];

const TOOLS = ["Bash", "Read", "Edit", "Grep"].map((name) => ({
  name,
  description: `${name}: ${"what the tool does. ".repeat(400)}`,
  input_schema: { type: "object", properties: { command: { type: "string" } } },
}));
const CACHED = { cache_control: { type: "ephemeral" } };

/** A body as large as those that were recorded, with the same parts. */
const bodyOf = (model: string, messages: readonly object[]): string =>
  JSON.stringify({
    model,
    messages,
    system: [{ type: "text", text: `You are Claude Code. ${"Rules. ".repeat(6000)}`, ...CACHED }],
    tools: TOOLS,
    metadata: { user_id: JSON.stringify({ device_id: "d", account_uuid: "", session_id: SESSION }) },
    max_tokens: 32_000,
    thinking: { type: "adaptive" },
    stream: true,
  });

const FIRST = {
  role: "user",
  content: [
    { type: "text", text: "<system-reminder>Be brief.</system-reminder>" },
    { type: "text", text: `${PROMPT} Use Bash.`, ...CACHED },
  ],
};

const post = (mode: Mode, body: string): Promise<RawResponse> =>
  rawRequest(interceptor.port, {
    target: `${mode.base}/v1/messages?beta=true`,
    headers: [mode.credential, ...turnHeaders(mode.betas)],
    body,
  });

/** The names of headers whose values the provider must receive unchanged. */
const KEPT = /^(?:accept|content-type|user-agent|x-(?:stainless|claude-code)-.*|anthropic-.*|x-app)$/i;

/** The provider got the client's bytes and headers, and the client got the provider's bytes. */
function expectUnchanged(mode: Mode, body: string, response: RawResponse, at: number): void {
  const passed = proxy.passed[at];
  expect(passed?.target).toBe(`${mode.upstream}/v1/messages?beta=true`);
  expect(passed?.body.toString() === body).toBe(true);
  const sent = turnHeaders(mode.betas).filter(([name]) => KEPT.test(name));
  expect(passed?.headers).toMatchObject(
    Object.fromEntries(sent.map(([name, value]) => [name.toLowerCase(), value])),
  );
  const [name, value] = mode.received;
  expect(passed?.headers[name]).toMatch(value);
  expect(Buffer.from(response.body)).toEqual(Buffer.concat(passed?.response ?? []));
}

/** The content of a streamed message, as the client keeps it. */
function contentOf(response: RawResponse): object[] {
  const ids = [...response.text().matchAll(/"type":"tool_use","id":"(\w+)","name":"(\w+)"/g)];
  return ids.map(([, id = "", name = ""]) => ({ type: "tool_use", id, name, input: { command: "ls" } }));
}

describe("Claude Code for another cloud", () => {
  it.each(MODES)("gets a turn with a tool call, byte by byte: $name", async (mode) => {
    const model = `anthropic.${uniqueModel()}`;
    const messages: object[] = [FIRST];
    const first = bodyOf(model, messages);
    const called = await post(mode, first);
    expectUnchanged(mode, first, called, 0);
    const calls = contentOf(called);
    expect(calls).toMatchObject([{ name: "Bash" }]);
    messages.push(
      { role: "assistant", content: calls },
      {
        role: "user",
        content: calls.map((call) => ({
          type: "tool_result",
          tool_use_id: (call as { id: string }).id,
          content: "a.txt",
        })),
      },
    );
    const second = bodyOf(model, messages);
    const ended = await post(mode, second);
    expectUnchanged(mode, second, ended, 1);
    expect(ended.text()).toContain('"stop_reason":"end_turn"');
    const { start, end, usage } = await interceptor.recorded(model);
    expect(start).toMatchObject({
      client: "Claude Code",
      client_session_id: SESSION,
      route: "/v1/messages",
      model,
    });
    expect(end).toMatchObject({ outcome: "completed", usage: "final" });
    expect(usage).toMatchObject({ usage: "final" });
  });

  it.each(MODES)("is aborted at the provider too: $name", async (mode) => {
    const connection = await openRaw(interceptor.port);
    connection.send({
      method: "POST",
      target: `${mode.base}/v1/messages?beta=true`,
      headers: [mode.credential, ...turnHeaders(mode.betas)],
      body: bodyOf("fault-slow", [FIRST]),
    });
    await connection.readUntil((received) => received.includes("message_start"));
    connection.abort();
    const { end } = await interceptor.recorded("fault-slow");
    expect(end).toMatchObject({ outcome: "cancelled", status: 200 });
    await until(
      () => proxy.passed[0]?.isAborted || undefined,
      () => "the provider's connection is still open",
    );
  });

  it.each(MODES)("gets the cloud's rate limit word by word: $name", async (mode) => {
    const body = bodyOf("fault-429", [FIRST]);
    const response = await post(mode, body);
    expect([response.status, response.values("retry-after")]).toEqual([429, ["1"]]);
    expectUnchanged(mode, body, response, 0);
    const { end } = await interceptor.recorded("fault-429");
    expect(end).toMatchObject({ outcome: "upstream_error", status: 429, error: mode.limited });
  });

  it.each(MODES.filter(({ name }) => name.startsWith("Mantle")))(
    "sends a probe before its turns, and gets the error of an unknown beta feature: $name",
    async (mode) => {
      const model = `anthropic.${uniqueModel()}`;
      const body = `{"model":"${model}","max_tokens":1,"messages":[{"role":"user","content":"."}]}`;
      const target = `${mode.base}/v1/messages`;
      const headers = [mode.credential, ...PROBE_HEADERS];
      const probe = await rawRequest(interceptor.port, { target, headers, body });
      expect([probe.status, Buffer.from(probe.body)]).toEqual([
        200,
        Buffer.concat(proxy.passed[0]?.response ?? []),
      ]);
      expect(proxy.passed[0]?.target).toBe(`${mode.upstream}/v1/messages`);
      expect((await interceptor.recorded(model)).start).toMatchObject({
        client: "Unknown",
        streaming: false,
      });

      const rejected = bodyOf(model, [FIRST]);
      const unknown = { ...mode, betas: FOUNDRY_BETAS };
      const response = await post(unknown, rejected);
      expect(response.status).toBe(400);
      expectUnchanged(unknown, rejected, response, 1);
      const { end } = await interceptor.recorded(response.values("x-interception-id")[0] ?? "");
      expect(end).toMatchObject({ status: 400, error: "invalid_request_error" });
    },
  );
});
