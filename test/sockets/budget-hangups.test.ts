/** The cost of a call when its client disconnects, in each phase, over real connections to the production bundle. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { until } from "../support/deadline.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import { startInterceptor, type RunningInterceptor } from "../support/interceptor.ts";
import { openRaw, rawRequest } from "../support/raw-client.ts";
import type { RawRequest } from "../support/raw-request.ts";
import * as respond from "../support/response-steps.ts";

const PATH = "/openai/v1/chat/completions";
const CALLERS = Array.from({ length: 8 }, (_, n) => `aei_caller-${n}-0123456789-abcdefghijkl`);
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const upstream = await startFakeUpstream();
let interceptor: RunningInterceptor;
let callers = 0;
let key = "";

beforeAll(async () => {
  const entries = CALLERS.map((one, n) => ({ sha256: sha256(one), actor: `caller-${n}`, kind: "user" }));
  interceptor = await startInterceptor({
    budgets: "bound",
    vars: {
      PROVIDERS: { openai: { type: "openai", base_url: `${upstream.url}/v1`, keys: ["PROVIDER_KEY"] } },
      IDENTITY: [{ source: "keys" }],
      BUDGETS: { people: { dollars: 1 } },
    },
    secrets: { PROVIDER_KEY: "sk-of-the-provider-0123456789", CLIENT_KEYS: JSON.stringify(entries) },
  });
});
afterAll(async () => {
  await interceptor.close();
  await upstream.close();
});
beforeEach(() => {
  key = CALLERS[callers] ?? "";
  callers += 1;
  upstream.clear();
});

const requestOf = (body: object): RawRequest => ({
  method: "POST",
  target: PATH,
  headers: [
    ["Authorization", `Bearer ${key}`],
    ["Content-Type", "application/json"],
  ],
  body: JSON.stringify(body),
});

const MESSAGES = [{ role: "user", content: "x".repeat(392) }];
const STREAM = { model: "gpt-4o", stream: true, max_tokens: 1000, messages: MESSAGES };
/** $2.50 and $10 per million tokens, so many micro-dollars each; one token for each 2 bytes, or for 4 of the estimate. */
const bytesOf = (body: object): number => JSON.stringify(body).length;
const mostOf = (body: object): number => Math.ceil(Math.ceil(bytesOf(body) / 2) * 2.5) + 10_000;
const inputOf = (body: object): number => Math.ceil(Math.ceil(bytesOf(body) / 4) * 2.5);

const chunkOf = (content: string): string =>
  respond.event({ id: "chatcmpl-1", model: "gpt-4o", choices: [{ index: 0, delta: { content } }] });
const FIRST = chunkOf("hello");
const LAST =
  respond.event({ id: "chatcmpl-1", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }) +
  respond.event({ choices: [], usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 } });

/** Micro-dollars that are charged, once nothing is reserved any more: a call that is refused names both. */
async function chargedTo(): Promise<number> {
  const probe = { ...STREAM, stream: false, n: 100, max_tokens: 16_000 };
  return until(
    async () => {
      const { status, text } = await rawRequest(interceptor.port, requestOf(probe));
      const [, spent = "", reserved = ""] = /: \$([\d.]+) of .* used, \$([\d.]+) reserved/.exec(text()) ?? [];
      expect(status).toBe(403);
      return Number(reserved) === 0 ? { micros: Math.round(Number(spent) * 1e6) } : undefined;
    },
    () => "the call is reserved and not charged",
  ).then(({ micros }) => micros);
}

/** A connection that is only closed for writing may still read: workerd reports a reset. */
describe("a client that resets the connection", () => {
  it("before its request is complete is charged nothing", async () => {
    const connection = await openRaw(interceptor.port);
    const { headers } = requestOf(STREAM);
    const head = headers?.map(([name, value]) => `${name}: ${String(value)}\r\n`).join("") ?? "";
    connection.write(`POST ${PATH} HTTP/1.1\r\nHost: gateway\r\n${head}Content-Length: 500\r\n\r\n{"model":`);
    connection.abort();
    expect(await chargedTo()).toBe(0);
    expect(upstream.requests).toHaveLength(0);
  });

  it("before the provider responds is charged the input, and the whole of what was reserved without a stream", async () => {
    for (const stream of [true, false]) {
      upstream.clear();
      const body = { ...STREAM, stream };
      const connection = await openRaw(interceptor.port);
      upstream.respondWith([respond.hang()]);
      connection.send(requestOf(body));
      await upstream.waitForCompleteRequest();
      connection.abort();
      const charged = await chargedTo();
      expect(charged).toBe(stream ? inputOf(body) : inputOf(STREAM) + mostOf(body));
    }
  });

  it("in the stream is charged the input, and what has arrived", async () => {
    upstream.respondWith(respond.sseSteps([respond.body(FIRST), respond.hang()]));
    const connection = await openRaw(interceptor.port);
    connection.send(requestOf(STREAM));
    await connection.readUntil((received) => received.includes("hello"));
    connection.abort();
    const charged = await chargedTo();
    const arrived = Math.ceil(FIRST.length / 8) * 10;
    expect(charged).toBe(inputOf(STREAM) + arrived);
  });

  it("after the usage, and before the end, is charged the provider's figures", async () => {
    upstream.respondWith(respond.sseSteps([respond.body(FIRST + LAST), respond.hang()]));
    const connection = await openRaw(interceptor.port);
    connection.send(requestOf({ ...STREAM, stream_options: { include_usage: true } }));
    await connection.readUntil((received) => received.includes("completion_tokens"));
    connection.abort();
    // 100 tokens of 2.5 micro-dollars, and 50 of 10.
    expect(await chargedTo()).toBe(750);
  });
});
