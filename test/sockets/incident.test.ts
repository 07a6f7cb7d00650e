/**
 * Finding H8 with the production bundle: the hashes of bodies, compared with those that Node computes of the bytes on the
 * wire, and headers about the network where no edge of Cloudflare's is there.
 */
import { createHash, randomBytes } from "node:crypto";
import { gzipSync, zstdCompressSync } from "node:zlib";
import OpenAI, { toFile } from "openai";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { InterceptionEnd } from "../../src/events/event.ts";
import { canonicalSettings } from "../../src/shared/config/version.ts";
import type { RawResponse } from "../support/raw-client.ts";
import * as respond from "../support/response-steps.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import {
  interceptorOptions,
  OWN_KEY,
  send,
  startCheckedInterceptor,
  uniqueModel,
  type Call,
} from "./exchange.ts";

const MIB = 1024 * 1024;
const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

const upstream = await startFakeUpstream();
afterEach(() => upstream.clear());
afterAll(() => upstream.close());

const options = interceptorOptions(upstream.url, { body_bytes: 16 * MIB, upload_bytes: 32 * MIB });
const vars = { ...options.vars, RECORDING: { response_hash: true, network: "full" } };
const interceptor = await startCheckedInterceptor({ ...options, vars });
const client = new OpenAI({ baseURL: `${interceptor.url}/openai/v1`, apiKey: OWN_KEY, maxRetries: 0 });

const CHAT = "/openai/v1/chat/completions";
const WHOLE = { id: "x", model: "m", choices: [], usage: { prompt_tokens: 5, completion_tokens: 2 } };

async function call(sent: Call): Promise<RawResponse> {
  const connection = await send(interceptor.port, sent);
  const response = await connection.readResponse();
  connection.destroy();
  return response;
}

/** A model call of about this size. */
const bodyOf = (model: string, size: number): string =>
  JSON.stringify({ model, messages: [{ role: "user", content: randomBytes(size / 2).toString("hex") }] });

describe("Finding H8: the hash of a request's body, over sockets,", () => {
  it.each([100, 200_000, 5 * MIB])("is that of %i bytes that the provider received", async (size) => {
    upstream.respondWith(respond.json(200, WHOLE));
    const model = uniqueModel();
    const body = bodyOf(model, size);
    const response = await call({ target: CHAT, body });
    expect(response.status).toBe(200);
    const { start } = await interceptor.recorded(model);
    expect(start.request_sha256).toBe(sha256(body));
    expect(start.request_sha256).toBe(sha256(upstream.requests[0]?.body() ?? ""));
  });

  it.each([
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
  ] as const)("is that of the bytes decoded from %s", async (coding, encode) => {
    upstream.respondWith(respond.json(200, WHOLE));
    const model = uniqueModel();
    const body = bodyOf(model, 100_000);
    const sent = { target: CHAT, body: encode(body), headers: [["Content-Encoding", coding] as const] };
    await call(sent);
    const { start } = await interceptor.recorded(model);
    expect(start.request_sha256).toBe(sha256(body));
  });

  it.each([1000, 200 * 1024, 8 * MIB])("is that of a form of %i bytes", async (size) => {
    upstream.respondWith(respond.json(200, { text: "hello" }));
    const model = uniqueModel();
    const file = await toFile(randomBytes(size), "a.mp3");
    await client.audio.transcriptions.create({ file, model });
    const { start, end } = await interceptor.recorded(model);
    expect(start.request_sha256).toBeNull();
    expect(end.upload_sha256).toBe(sha256(upstream.requests[0]?.body() ?? ""));
  });

  it("is that of a batch that is streamed through", async () => {
    upstream.respondWith(respond.json(200, { id: "msgbatch_1", type: "message_batch" }));
    const body = JSON.stringify({ requests: [{ custom_id: "a", params: { x: "y".repeat(4 * MIB) } }] });
    const target = "/anthropic/v1/messages/batches";
    const response = await call({ target, body });
    const { end } = await interceptor.recorded(response.values("x-interception-id")[0] ?? "");
    expect(end.upload_sha256).toBe(sha256(body));
    expect(end.upload_sha256).toBe(sha256(upstream.requests[0]?.body() ?? ""));
  });
});

const event = (n: number) => respond.event({ id: "x", choices: [], text: "é".repeat(n) });

describe("Finding H8: the hash of a response, over sockets,", () => {
  it.each([
    ["JSON in one piece", respond.json(200, WHOLE)],
    ["JSON of 2 MiB", respond.json(200, { ...WHOLE, text: "x".repeat(2 * MIB) })],
    ["an error", respond.json(400, { error: { message: "no", type: "invalid_request_error" } })],
    ["a stream", respond.sse([event(1), event(2), respond.event("[DONE]")])],
    ["a burst", respond.sse(Array.from({ length: 2000 }, (_, n) => event(n % 200)))],
  ] as const)("is that of the client's bytes: %s", async (_, steps) => {
    upstream.respondWith(steps);
    const model = uniqueModel();
    const body = { model, stream: true, stream_options: { include_usage: true }, messages: [] };
    const response = await call({ target: CHAT, body });
    const end: InterceptionEnd = (await interceptor.recorded(model)).end;
    expect(end.response_sha256).toBe(sha256(response.body));
  });
});

describe("Finding H8: the configuration of a request", () => {
  it("is the version that check-config computes from the same variables and bindings", async () => {
    upstream.respondWith(respond.json(200, WHOLE));
    const model = uniqueModel();
    await call({ target: CHAT, body: bodyOf(model, 10) });
    const { start } = await interceptor.recorded(model);
    const environment: Record<string, unknown> = { ...vars, EVENTS: {}, INTERCEPTIONS: {}, OVERRIDES: {} };
    const settings = canonicalSettings((name) => environment[name]);
    expect(start.config_version).toBe(sha256(settings).slice(0, 16));
  });
});

// The attack: without Cloudflare's edge in front, a client writes the address of another person.
describe("Finding H8: headers about the network", () => {
  it("are not recorded where nothing but the client has set them", async () => {
    upstream.respondWith(respond.json(200, WHOLE));
    const model = uniqueModel();
    const headers = [
      ["CF-Connecting-IP", "203.0.113.77"],
      ["CF-Ray", "8a1b2c3d4e5f6070-AMS"],
      ["CF-IPCountry", "NL"],
    ] as const;
    await call({ target: CHAT, body: bodyOf(model, 10), headers });
    const { start } = await interceptor.recorded(model);
    expect(start).toMatchObject({ client_country: null, client_ray: null, client_ip: null });
  });
});
