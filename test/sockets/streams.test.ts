/**
 * Part G of the catalogue, through the production bundle: responses that stream, break off, stall, report invalid usage
 * or lose their client.
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import {
  brotliCompressSync,
  constants,
  createGzip,
  deflateSync,
  gzip,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { InterceptionEnd, InterceptorEvent } from "../../src/events/event.ts";
import * as respond from "../support/response-steps.ts";
import type { Step } from "../support/response-steps.ts";
import { until } from "../support/deadline.ts";
import { startFakeUpstream, upstreamClosed } from "../support/fake-upstream.ts";
import { rawRequest } from "../support/raw-client.ts";
import { byteByByte, everySplit, rechunk } from "../support/rechunk.ts";
import { chunk, concat, toBytes, type HeaderPair } from "../support/wire.ts";
import { hidesTruncation } from "../support/workerd-build.ts";
import {
  interceptorOptions,
  credentials,
  digest,
  exchange,
  uniqueModel,
  waitForBody,
  PROMPT,
  receive,
  send,
  openUnread,
  startCheckedInterceptor,
  type Received,
  type CheckedInterceptor,
} from "./exchange.ts";
import type { TokenCounts } from "./token-counts.ts";
import { findUnusedPort } from "./unused-port.ts";

const MIB = 1024 * 1024;
const JSON_TYPE = "application/json";

/** A port without a listener. */
const unusedPort = await findUnusedPort();
const upstream = await startFakeUpstream();
afterEach(() => upstream.clear());
afterAll(() => upstream.close());

/** An interceptor with the default limits. */
const standard = await startCheckedInterceptor(
  interceptorOptions(
    upstream.url,
    {},
    { unreachable: { type: "openai", base_url: `http://127.0.0.1:${unusedPort}/v1` } },
  ),
);
/** An interceptor with short deadlines and a low bound on held bytes, so that a test can reach them. */
const limited = await startCheckedInterceptor(
  interceptorOptions(upstream.url, { headers_ms: 400, idle_ms: 400, observe_bytes: MIB }),
);

/** An idle timeout that a test can outwait, and within which a busy machine's provider sends a byte. */
const PATIENT_IDLE_MS = 1000;
const patient = await startCheckedInterceptor(interceptorOptions(upstream.url, { idle_ms: PATIENT_IDLE_MS }));

/** workerd logs this for each client stream that the Worker aborts, regardless of the error. */
const ABORTED_STREAM = /^Uncaught exception: workerd\/\S+ failed: remote\.jsg\./;

const CHAT_TARGET = "/openai/v1/chat/completions";
const NO_TOKENS: TokenCounts = {
  input_tokens: null,
  output_tokens: null,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
};
const tokens = (
  input: number | null,
  output: number | null,
  read: number | null,
  write: number | null,
): TokenCounts => ({
  input_tokens: input,
  output_tokens: output,
  cache_read_input_tokens: read,
  cache_write_input_tokens: write,
});

/** An API's request and its stream, as the provider sends it, as the client receives it and as it is recorded. */
type ApiStream = {
  readonly name: string;
  readonly target: string;
  readonly request: (model: string) => object;
  readonly events: readonly string[];
  /** Each event as the client receives it: "" where the gateway removes it. */
  readonly clientEvents: readonly string[];
  readonly final: TokenCounts;
};

const chatChunk = (delta: object, finish: string | null = null): string =>
  respond.event({ id: "chatcmpl-1", model: "gpt-9", choices: [{ index: 0, delta, finish_reason: finish }] });
const CHAT_USAGE = respond.event({
  id: "chatcmpl-1",
  choices: [],
  usage: { prompt_tokens: 30, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 10 } },
});
const DONE = respond.event("[DONE]");
const CHAT_CONTENT = [
  chatChunk({ role: "assistant", content: "" }),
  chatChunk({ content: "Grü" }),
  chatChunk({ content: "ße ✓" }),
  chatChunk({}, "stop"),
];
const CHAT_EVENTS = [...CHAT_CONTENT, CHAT_USAGE, DONE];
const messages = [{ role: "user", content: PROMPT }];
const chatRequest = (model: string, fields: object = {}): object => ({
  model,
  stream: true,
  messages,
  ...fields,
});
const chatRequestWithUsage = (model: string): object =>
  chatRequest(model, { stream_options: { include_usage: true } });

const named = (value: { readonly type: string; readonly [field: string]: unknown }): string =>
  respond.event(value, value.type);
const RESPONSES_EVENTS = [
  named({
    type: "response.created",
    response: { id: "resp_1", model: "gpt-9", status: "in_progress" },
  }),
  named({ type: "response.output_text.delta", delta: "Grü" }),
  named({ type: "response.output_text.delta", delta: "ße ✓" }),
  named({
    type: "response.completed",
    response: {
      id: "resp_1",
      model: "gpt-9",
      status: "completed",
      usage: {
        input_tokens: 50,
        input_tokens_details: { cached_tokens: 20, cache_write_tokens: 5 },
        output_tokens: 9,
        total_tokens: 59,
      },
    },
  }),
];

const MESSAGE_START = named({
  type: "message_start",
  message: {
    id: "msg_1",
    model: "claude-9",
    usage: { input_tokens: 12, cache_read_input_tokens: 3, cache_creation_input_tokens: 4, output_tokens: 1 },
  },
});
const textDelta = (text: string): string =>
  named({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } });
const messageDelta = (usage: object, stop: string | null = "end_turn"): string =>
  named({ type: "message_delta", delta: { stop_reason: stop }, usage });
const MESSAGE_STOP = named({ type: "message_stop" });
const MESSAGES_EVENTS = [
  MESSAGE_START,
  named({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
  textDelta("Grü"),
  textDelta("ße ✓"),
  named({ type: "content_block_stop", index: 0 }),
  messageDelta({ output_tokens: 61 }),
  MESSAGE_STOP,
];

const CHAT_WITH_USAGE: ApiStream = {
  name: "chat, usage requested by the client (piped natively)",
  target: CHAT_TARGET,
  request: chatRequestWithUsage,
  events: CHAT_EVENTS,
  clientEvents: CHAT_EVENTS,
  final: tokens(20, 7, 10, null),
};
const CHAT_USAGE_INJECTED: ApiStream = {
  ...CHAT_WITH_USAGE,
  name: "chat, usage requested by the gateway (usage event removed)",
  request: chatRequest,
  clientEvents: CHAT_EVENTS.map((event) => (event === CHAT_USAGE ? "" : event)),
};
const RESPONSES: ApiStream = {
  name: "responses (piped natively)",
  target: "/openai/v1/responses",
  request: (model) => ({ model, stream: true, input: PROMPT }),
  events: RESPONSES_EVENTS,
  clientEvents: RESPONSES_EVENTS,
  final: tokens(25, 9, 20, 5),
};
const MESSAGES: ApiStream = {
  name: "messages (piped natively)",
  target: "/anthropic/v1/messages",
  request: (model) => ({ model, stream: true, max_tokens: 99, messages }),
  events: MESSAGES_EVENTS,
  clientEvents: MESSAGES_EVENTS,
  final: tokens(12, 61, 3, 4),
};
const APIS = [CHAT_WITH_USAGE, CHAT_USAGE_INJECTED, RESPONSES, MESSAGES];
const CHATS = [CHAT_WITH_USAGE, CHAT_USAGE_INJECTED];

/** The API with other events. The client of `CHAT_USAGE_INJECTED` does not receive the usage event. */
const withEvents = (api: ApiStream, events: readonly string[]): ApiStream => ({
  ...api,
  events,
  clientEvents:
    api.request === CHAT_USAGE_INJECTED.request
      ? events.map((event) => (event === CHAT_USAGE ? "" : event))
      : events,
});

const clientText = (api: ApiStream, count = api.events.length): string =>
  api.clientEvents.slice(0, count).join("");

/** Bytes that the provider sends and the client does not receive. */
const hidden = (api: ApiStream): number =>
  toBytes(api.events.join("")).length - toBytes(clientText(api)).length;

/** A call with a model name that no other call has. */
function call(api: ApiStream, model = uniqueModel()): { model: string; target: string; body: object } {
  return { model, target: api.target, body: api.request(model) };
}

async function exchanged(interceptor: CheckedInterceptor, api: ApiStream): Promise<Received> {
  return exchange(interceptor.port, call(api));
}

/** Waits until `read` has the same value during 40 other exchanges. */
async function untilUnchanged(read: () => number): Promise<void> {
  let before = -1;
  for (let unchanged = 0; unchanged < 40;) {
    await exchange(standard.port, { target: CHAT_TARGET, body: { model: "other", messages } });
    unchanged = read() === before ? unchanged + 1 : 0;
    before = read();
  }
}

/** Steps that send each piece only once its gate is open. */
function gated(pieces: readonly (string | Uint8Array)[]): { steps: Step[]; open: (at: number) => void } {
  const gates = pieces.map(() => Promise.withResolvers<void>());
  const steps = pieces.flatMap((piece, at) => {
    const before = gates[at - 1];
    return before ? [respond.waitFor(before.promise), respond.body(piece)] : [respond.body(piece)];
  });
  return { steps, open: (at) => gates[at]?.resolve() };
}

const crlf = (text: string): string => text.replaceAll("\n", "\r\n");

/** Sends the same piece repeatedly until the peer disconnects. */
const repeat =
  (piece: string | Uint8Array): Step =>
  async (wire) => {
    let gone = false;
    void wire.gone.then(() => (gone = true));
    while (!gone) {
      await wire.body(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

/**
 * One exchange whose provider sends each piece only after the client has received the previous one. `pieces` are the
 * API's events as they are encoded on the wire. Returns the client's response and the recorded end.
 */
async function exchangeSingly(api: ApiStream, pieces: readonly Piece[], headers: readonly HeaderPair[] = []) {
  const { steps, open } = gated(pieces);
  upstream.respondWith(respond.sseSteps([...steps, respond.finish()], headers));
  const connection = await send(standard.port, call(api));
  for (const at of api.events.keys()) {
    await waitForBody(connection, clientText(api, at + 1));
    open(at);
  }
  const { status, complete, text, values, id } = await receive(connection);
  const { outcome, usage, input_tokens, output_tokens } = (await standard.recorded(id)).end;
  return {
    client: { status, complete, encoding: values("content-encoding"), text: text() },
    record: { outcome, usage, input_tokens, output_tokens },
  };
}

/** The result of `exchangeSingly` for a complete stream. */
const completeOf = (api: ApiStream): object => ({
  client: { status: 200, complete: true, encoding: [], text: clientText(api) },
  record: {
    outcome: "completed",
    usage: "final",
    input_tokens: api.final.input_tokens,
    output_tokens: api.final.output_tokens,
  },
});

type Piece = string | Uint8Array;
const GZIP: HeaderPair = ["Content-Encoding", "gzip"];

describe("each event arrives immediately: the provider sends it only after the client has received the previous one", () => {
  it.each(APIS)("G12 passes on uncompressed events: $name", async (api) => {
    expect(await exchangeSingly(api, api.events)).toEqual(completeOf(api));
  });

  it.each(APIS)(
    "G12 passes on events of one gzip stream that the provider flushes after each event: $name",
    async (api) => {
      expect(await exchangeSingly(api, await flushedPieces(api.events), [GZIP])).toEqual(completeOf(api));
    },
  );

  it.each(CHATS)("G12 passes on events of gzip members, one per event: $name", async (api) => {
    const members = api.events.map((event) => new Uint8Array(gzipSync(event)));
    expect(await exchangeSingly(api, members, [GZIP])).toEqual(completeOf(api));
  });

  it.each(CHATS)("G14 passes on events whose lines end in CRLF: $name", async (api) => {
    const withCrlf = { ...api, events: api.events.map(crlf), clientEvents: api.clientEvents.map(crlf) };
    expect(await exchangeSingly(withCrlf, withCrlf.events)).toEqual(completeOf(withCrlf));
  });

  it("G17 passes on pings and comments between events", async () => {
    const pings = [": hello\n\n", 'event: ping\ndata: {"type": "ping"}\n\n', ":\n", "\n"];
    const api = withEvents(MESSAGES, [...pings, ...MESSAGES_EVENTS]);
    expect(await exchangeSingly(api, api.events)).toEqual(completeOf(api));
  });

  it("G11 passes on whitespace that keeps a slow JSON response alive, then the short response as a whole", async () => {
    const value = JSON.stringify({
      id: "chatcmpl-1",
      choices: [],
      usage: { prompt_tokens: 30, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 10 } },
    });
    const pieces = ["\n", " ", "\n", value.slice(0, 9), value.slice(9)];
    const { steps, open } = gated(pieces);
    upstream.respondWith([
      respond.head({ headers: [["Content-Type", "application/json"]] }),
      ...steps,
      respond.finish(),
    ]);
    const model = uniqueModel();
    const connection = await send(standard.port, { target: CHAT_TARGET, body: { model, messages } });
    for (const at of pieces.keys()) {
      // The last 160 bytes are searched for secrets before the client gets them.
      await waitForBody(connection, pieces.slice(0, Math.min(at + 1, 3)).join(""));
      open(at);
    }
    const response = await receive(connection);
    expect([response.complete, response.text()]).toEqual([true, pieces.join("")]);
    expect((await standard.recorded(response.id)).end).toMatchObject({
      outcome: "completed",
      ...CHAT_WITH_USAGE.final,
    });
  });
});

/** One gzip stream in one piece per event. Each piece can be decompressed as soon as it arrives. */
async function flushedPieces(events: readonly string[]): Promise<Uint8Array[]> {
  const zip = createGzip();
  const out: Uint8Array[] = [];
  zip.on("data", (bytes: Uint8Array) => out.push(bytes));
  const pieces: Uint8Array[] = [];
  const take = () => void pieces.push(concat(out.splice(0)));
  for (const event of events) {
    zip.write(event);
    await new Promise<void>((resolve) => zip.flush(constants.Z_SYNC_FLUSH, resolve));
    take();
  }
  await new Promise((resolve) => zip.end(resolve));
  await until(
    () => (out.length > 0 ? true : undefined),
    () => "no trailer",
  );
  const trailer = concat(out);
  return pieces.map((piece, at) => (at === pieces.length - 1 ? concat([piece, trailer]) : piece));
}

describe("a provider that does not respond", () => {
  const json = { "Content-Type": "application/json" };

  it("G1 responds 502 in the route's dialect when the upstream refuses the connection", async () => {
    const model = uniqueModel();
    const response = await exchange(standard.port, {
      target: "/unreachable/v1/chat/completions",
      body: chatRequest(model),
    });
    expect([response.status, response.complete, response.values("x-interceptor-error")]).toEqual([
      502,
      true,
      ["upstream_unreachable"],
    ]);
    expect(response.values("content-type")[0]).toContain(json["Content-Type"]);
    expect(JSON.parse(response.text())).toMatchObject({
      error: { type: "server_error", code: "upstream_unreachable" },
    });
    const { end, usage } = await standard.recorded(model);
    expect(end).toMatchObject({ outcome: "upstream_error", status: 502, error: "upstream_unreachable" });
    expect(usage).toBeNull();
  });

  it.each([
    ["is reset before a response", [respond.reset()]],
    ["ends before a response", [respond.fin()]],
    ["ends within the response's head", [respond.raw("HTTP/1.1 200 OK\r\nContent-Ty"), respond.fin()]],
    ["does not speak HTTP", [respond.raw("SSH-2.0-OpenSSH_9.9\r\n\r\n"), respond.fin()]],
  ])("G1 responds 502 when the connection %s", async (_, steps) => {
    for (const api of [CHAT_USAGE_INJECTED, MESSAGES]) {
      upstream.respondWith(steps);
      const response = await exchanged(standard, api);
      expect([response.status, response.values("x-interceptor-error")]).toEqual([
        502,
        ["upstream_unreachable"],
      ]);
      expect((await standard.recorded(response.id)).end).toMatchObject({
        outcome: "upstream_error",
        usage: "unknown",
      });
    }
  });

  it.each(APIS)(
    "G2 responds 504 and closes the upstream when no headers arrive by the deadline: $name",
    async (api) => {
      upstream.respondWith([respond.hang()]);
      const response = await exchanged(limited, api);
      expect([response.status, response.values("x-interceptor-error")]).toEqual([504, ["upstream_timeout"]]);
      await upstreamClosed(await upstream.waitForCompleteRequest());
      const { end } = await limited.recorded(response.id);
      expect(end).toMatchObject({
        outcome: "upstream_error",
        status: 504,
        error: "upstream_timeout",
        ...NO_TOKENS,
      });
    },
  );
});

describe("responses that end early", () => {
  it.each([
    { api: CHAT_WITH_USAGE, after: 2, recorded: { usage: "unknown", ...NO_TOKENS } },
    { api: CHAT_USAGE_INJECTED, after: 2, recorded: { usage: "unknown", ...NO_TOKENS } },
    { api: CHAT_USAGE_INJECTED, after: 5, recorded: { usage: "final", ...CHAT_USAGE_INJECTED.final } },
    { api: RESPONSES, after: 2, recorded: { usage: "unknown", ...NO_TOKENS } },
    { api: MESSAGES, after: 3, recorded: { usage: "partial", ...tokens(12, 1, 3, 4) } },
  ])(
    "G3 records stalled with the usage so far when the provider is silent after $after events: $api.name",
    async ({ api, after, recorded }) => {
      upstream.respondWith(
        respond.sseSteps([...api.events.slice(0, after).map(respond.body), respond.hang()]),
      );
      limited.expectLine(ABORTED_STREAM);
      const response = await exchanged(limited, api);
      expect([response.status, response.complete, response.text()]).toEqual([
        200,
        hidesTruncation,
        clientText(api, after),
      ]);
      await upstreamClosed(await upstream.waitForCompleteRequest());
      const { end, usage } = await limited.recorded(response.id);
      expect(end).toMatchObject({ outcome: "stalled", status: 200, ...recorded });
      expect(usage === null).toBe(recorded.usage === "unknown");
    },
  );

  it.each([
    ["of declared length", [["Content-Length", "70"]] as HeaderPair[], "content-length" as const],
    ["in chunks", [], "chunked" as const],
  ])(
    "G3 records stalled when the provider is silent within a JSON response %s",
    async (_, length, framing) => {
      const headers: HeaderPair[] = [["Content-Type", "application/json"], ...length];
      upstream.respondWith([respond.head({ headers, framing }), respond.body('{"id":'), respond.hang()]);
      limited.expectLine(ABORTED_STREAM);
      const response = await exchange(limited.port, {
        target: CHAT_TARGET,
        body: { model: "stalls", messages },
      });
      expect((await limited.recorded("stalls")).end).toMatchObject({ outcome: "stalled", ...NO_TOKENS });
      await upstreamClosed(await upstream.waitForCompleteRequest());
      const inChunks = framing === "chunked";
      // The start of a body in chunks is held until it was searched for secrets.
      expect([response.status, response.complete, response.text()]).toEqual([
        200,
        hidesTruncation && inChunks,
        inChunks ? "" : '{"id":',
      ]);
    },
  );

  it.each(APIS)(
    "G4 breaks off the client's stream after a reset in mid-stream, without an added [DONE]: $name",
    async (api) => {
      const received = Promise.withResolvers<void>();
      const steps = [
        ...api.events.slice(0, 2).map(respond.body),
        respond.waitFor(received.promise),
        respond.reset(),
      ];
      upstream.respondWith(respond.sseSteps(steps));
      const connection = await send(standard.port, call(api));
      await waitForBody(connection, clientText(api, 2));
      received.resolve();
      const response = await receive(connection);
      expect([response.complete, response.text()]).toEqual([hidesTruncation, clientText(api, 2)]);
      expect((await standard.recorded(response.id)).end).toMatchObject({ outcome: "truncated", status: 200 });
    },
  );

  it.each(APIS)(
    "G4 delivers an event that a FIN follows immediately, then breaks off, 40 times: $name",
    async (api) => {
      // The FIN follows the last event immediately, so that both are often read at once.
      const last = api.events[1] ?? "";
      const steps = [respond.body(api.events[0] ?? ""), respond.raw(chunk(toBytes(last))), respond.fin()];
      for (let round = 0; round < 40; round += 1) {
        upstream.respondWith(respond.sseSteps(steps));
        const response = await exchanged(standard, api);
        expect([response.complete, response.text()]).toEqual([hidesTruncation, clientText(api, 2)]);
        expect((await standard.recorded(response.id)).end).toMatchObject({ outcome: "truncated" });
      }
    },
  );

  it.each(APIS)(
    "G4 passes on the received part of an event that breaks off and records truncated: $name",
    async (api) => {
      const half = (api.events[1] ?? "").slice(0, 20);
      upstream.respondWith(
        respond.sseSteps([respond.body(api.events[0] ?? ""), respond.body(half), respond.fin()]),
      );
      const response = await exchanged(standard, api);
      expect(response.complete).toBe(hidesTruncation);
      expect(clientText(api, 1) + half).toContain(response.text());
      expect(response.text().startsWith(clientText(api, 1))).toBe(true);
      expect((await standard.recorded(response.id)).end).toMatchObject({ outcome: "truncated", status: 200 });
    },
  );

  it.each(APIS)(
    "G5 knows a clean end without the terminal event by the finish reason: $name",
    async (api) => {
      const short = withEvents(api, api.events.slice(0, -1));
      upstream.respondWith(respond.sse(short.events));
      const response = await exchanged(standard, api);
      expect([response.complete, response.text()]).toEqual([true, clientText(short)]);
      // The Responses API states the reason only in its terminal event.
      const outcome = api.name.startsWith("responses") ? "truncated" : "completed";
      expect((await standard.recorded(response.id)).end).toMatchObject({ outcome, status: 200 });
    },
  );

  it.each(APIS)("G5 records truncated for an empty stream: $name", async (api) => {
    upstream.respondWith(respond.sse([]));
    const response = await exchanged(standard, api);
    expect([response.status, response.complete, response.text()]).toEqual([200, true, ""]);
    expect((await standard.recorded(response.id)).end).toMatchObject({ outcome: "truncated", ...NO_TOKENS });
  });

  it.each(APIS)("G5 records completed when the last event lacks its blank line: $name", async (api) => {
    const last = api.events.at(-1) ?? "";
    const short = withEvents(api, [...api.events.slice(0, -1), last.trimEnd()]);
    upstream.respondWith(respond.sse(short.events));
    const response = await exchanged(standard, api);
    expect([response.complete, response.text()]).toEqual([true, clientText(short)]);
    expect((await standard.recorded(response.id)).end).toMatchObject({ outcome: "completed", ...api.final });
  });

  it.each(APIS)(
    "G6 breaks off a stream that is shorter than its content-length and records truncated: $name",
    async (api) => {
      const short = withEvents(api, api.events.slice(0, -1));
      upstream.respondWith(respond.truncated(200, short.events.join(""), 5, "text/event-stream"));
      const response = await exchanged(standard, api);
      // If the gateway removes an event, the provider's length no longer applies and the client gets chunks.
      const complete = hidesTruncation && api === CHAT_USAGE_INJECTED;
      expect([response.status, response.complete, response.text()]).toEqual([
        200,
        complete,
        clientText(short),
      ]);
      expect((await standard.recorded(response.id)).end).toMatchObject({ outcome: "truncated", status: 200 });
    },
  );

  it.each([
    ["a small JSON response", JSON.stringify({ id: "chatcmpl-1", choices: [] }).slice(0, -1)],
    ["an empty JSON response", ""],
  ])(
    "G6 passes on %s that is shorter than its content-length, breaks off and records truncated",
    async (_, text) => {
      upstream.respondWith(respond.truncated(200, text, 7));
      const model = uniqueModel();
      const response = await exchange(standard.port, { target: CHAT_TARGET, body: { model, messages } });
      const { end } = await standard.recorded(model);
      expect(end).toMatchObject({
        outcome: "truncated",
        status: 200,
        response_bytes: text.length,
        ...NO_TOKENS,
      });
      expect([response.status, response.complete, response.text()]).toEqual([200, false, text]);
    },
  );

  it("G6 breaks off a JSON response of 300 KiB that is shorter than its content-length and records truncated", async () => {
    const text = JSON.stringify({ id: "chatcmpl-1", text: "x".repeat(300 * 1024) }).slice(0, -1);
    upstream.respondWith(respond.truncated(200, text, 7));
    const model = uniqueModel();
    const response = await exchange(standard.port, { target: CHAT_TARGET, body: { model, messages } });
    expect((await standard.recorded(model)).end).toMatchObject({ outcome: "truncated", ...NO_TOKENS });
    expect([response.status, response.complete, response.values("content-length")]).toEqual([
      200,
      false,
      [`${text.length + 7}`],
    ]);
    // When an upstream breaks off, workerd's native pipes drop the last block that they have read (up to 64 KiB).
    expect(response.body.length).toBeGreaterThan(text.length - 64 * 1024);
    expect(text.startsWith(response.text())).toBe(true);
  });

  it.each(APIS)(
    "G4 loses nothing when the connection breaks after the terminal event: $name",
    async (api) => {
      upstream.respondWith(respond.sseSteps([...api.events.map(respond.body), respond.fin()]));
      const response = await exchanged(standard, api);
      expect([response.complete, response.text()]).toEqual([hidesTruncation, clientText(api)]);
      const { end } = await standard.recorded(response.id);
      // The response is complete, but its stream is not: both outcomes are correct.
      expect(["completed", "truncated"]).toContain(end.outcome);
      expect(end).toMatchObject({ usage: "final", ...api.final });
    },
  );
});

describe("G7 a provider's error passes through unmodified: status, body, headers", () => {
  const KEPT: HeaderPair[] = [
    ["request-id", "req_011"],
    ["x-request-id", "req_abc"],
    ["retry-after", "17"],
    ["retry-after-ms", "17000"],
    ["x-should-retry", "false"],
    ["anthropic-ratelimit-requests-remaining", "0"],
    ["x-ratelimit-reset-tokens", "6m0s"],
  ];
  // Spacing, key order and escapes that the gateway's JSON encoder would not produce.
  const bodies = {
    openai:
      '{\n    "error": {\n  "message": "Grüße ✓ \\u00e9",  "type":"insufficient_quota", "param":null }}\n',
    anthropic:
      '{"type":"error", "error":{ "type":"insufficient_quota","message":"Grüße ✓"},"request_id":"req_011" }',
  };
  const all = [400, 401, 403, 404, 429, 500, 503, 529].flatMap((status) =>
    ["openai", "openai-central", "anthropic", "anthropic-central"].map((provider) => ({ status, provider })),
  );
  const isOfKey = ({ status, provider }: (typeof all)[number]): boolean =>
    provider.endsWith("-central") && (status === 401 || status === 403);
  const table = all.filter((row) => !isOfKey(row));

  it.each(all.filter(isOfKey))(
    "G7 $status by $provider is a 502 of the gateway",
    async ({ status, provider }) => {
      const path = provider.startsWith("openai") ? "chat/completions" : "messages";
      upstream.respondWith(respond.json(status, bodies.openai, KEPT));
      const response = await exchange(standard.port, {
        target: `/${provider}/v1/${path}`,
        body: chatRequest(uniqueModel()),
      });
      expect([response.status, response.values("x-interceptor-error")]).toEqual([
        502,
        ["upstream_key_rejected"],
      ]);
      expect(response.text()).not.toContain("insufficient_quota");
      const { end } = await standard.recorded(response.id);
      expect(end).toMatchObject({ outcome: "upstream_error", status: 502, error: "upstream_key_rejected" });
    },
  );

  it.each(table)("G7 passes on $status by $provider", async ({ status, provider }) => {
    const dialect = provider.startsWith("openai") ? "openai" : "anthropic";
    const path = dialect === "openai" ? "chat/completions" : "messages";
    const text = bodies[dialect];
    const framings = [
      respond.json(status, text, KEPT),
      [
        respond.head({ status, headers: [["Content-Type", "application/json"], ...KEPT] }),
        respond.body(text.slice(0, 9)),
        respond.body(text.slice(9)),
        respond.finish(),
      ],
    ];
    for (const steps of framings) {
      upstream.respondWith(steps);
      const response = await exchange(standard.port, {
        target: `/${provider}/v1/${path}`,
        body: chatRequest(uniqueModel()),
      });
      expect([response.status, response.complete, response.text()]).toEqual([status, true, text]);
      for (const [name, value] of KEPT) expect([name, response.values(name)]).toEqual([name, [value]]);
      expect(response.values("content-type")).toEqual(["application/json"]);
      expect(response.values("x-interceptor-error")).toEqual([]);
      const { end } = await standard.recorded(response.id);
      expect(end).toMatchObject({
        outcome: "upstream_error",
        status,
        error: "insufficient_quota",
        ...NO_TOKENS,
      });
    }
  });

  it.each(["openai", "openai-central"])(
    "G7 decompresses an error although identity was requested, by %s",
    async (provider) => {
      const zipped = new Uint8Array(await promisify(gzip)(bodies.openai));
      upstream.respondWith([
        respond.head({
          status: 429,
          headers: [
            ["Content-Type", "application/json"],
            ["Content-Encoding", "gzip"],
          ],
        }),
        respond.body(zipped),
        respond.finish(),
      ]);
      const response = await exchange(standard.port, {
        target: `/${provider}/v1/chat/completions`,
        body: chatRequest(uniqueModel()),
      });
      expect([response.status, response.values("content-encoding"), response.text()]).toEqual([
        429,
        [],
        bodies.openai,
      ]);
      expect((await standard.recorded(response.id)).end).toMatchObject({ error: "insufficient_quota" });
    },
  );

  it("G7 responds 502 to a broken error: it cannot be searched for secrets", async () => {
    for (const provider of ["openai", "openai-central"]) {
      upstream.respondWith([
        respond.head({ status: 500, headers: [["Content-Type", "application/json"]] }),
        respond.body(bodies.openai.slice(0, 9)),
        respond.fin(),
      ]);
      const model = uniqueModel();
      const response = await exchange(standard.port, {
        target: `/${provider}/v1/chat/completions`,
        body: chatRequest(model),
      });
      expect([response.status, response.complete]).toEqual([502, true]);
      expect((await standard.recorded(model)).end).toMatchObject({ outcome: "upstream_error", status: 502 });
    }
  });

  it.each(["openai", "openai-central"])(
    "G10 passes on a 502 in HTML unmodified and records that it is no API response, by %s",
    async (provider) => {
      const html = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body></html>\r\n";
      upstream.respondWith([
        respond.head({
          status: 502,
          headers: [
            ["Content-Type", "text/html"],
            ["Content-Length", String(html.length)],
          ],
          framing: "content-length",
        }),
        respond.body(html),
      ]);
      const response = await exchange(standard.port, {
        target: `/${provider}/v1/chat/completions`,
        body: chatRequest(uniqueModel()),
      });
      expect([response.status, response.text(), response.values("content-type")]).toEqual([
        502,
        html,
        ["text/html"],
      ]);
      expect(response.values("x-interceptor-error")).toEqual([]);
      const { end } = await standard.recorded(response.id);
      expect(end).toMatchObject({
        outcome: "upstream_error",
        status: 502,
        error: "upstream_html",
        ...NO_TOKENS,
      });
    },
  );
});

describe("responses without a body", () => {
  it.each([204, 205, 304])("G8 passes on %i without a body", async (status) => {
    for (const api of CHATS) {
      upstream.respondWith([
        respond.head({ status, headers: [["X-Request-Id", "r"]], framing: "content-length" }),
      ]);
      const response = await exchanged(standard, api);
      expect([response.status, response.body.length, response.values("x-request-id")]).toEqual([
        status,
        0,
        ["r"],
      ]);
      expect((await standard.recorded(response.id)).end).toMatchObject({ status, ...NO_TOKENS });
    }
  });

  it("G8 passes on the response to HEAD without a body and with its content-length", async () => {
    upstream.respondWith([
      respond.head({
        headers: [
          ["Content-Type", "application/json"],
          ["Content-Length", "321"],
        ],
        framing: "content-length",
      }),
    ]);
    const target = "/openai/v1/models/gpt-9";
    const response = await rawRequest(standard.port, {
      method: "HEAD",
      target,
      headers: credentials(target),
    });
    expect([response.status, response.body.length, response.values("content-length")]).toEqual([
      200,
      0,
      ["321"],
    ]);
    await standard.waitForEvents((events) => events.some((event) => event.record_type === "passthrough"));
  });
});

describe("responses of another kind than requested", () => {
  it("G11 reads the usage and removes nothing when JSON arrives in place of a stream", async () => {
    for (const api of [CHAT_WITH_USAGE, CHAT_USAGE_INJECTED, RESPONSES]) {
      const value =
        api.target === CHAT_TARGET
          ? {
              id: "x",
              choices: [],
              usage: {
                prompt_tokens: 30,
                completion_tokens: 7,
                prompt_tokens_details: { cached_tokens: 10 },
              },
            }
          : (
              JSON.parse(/^data: (.*)$/m.exec(RESPONSES_EVENTS.at(-1) ?? "")?.[1] ?? "") as {
                response: object;
              }
            ).response;
      upstream.respondWith(respond.json(200, value));
      const response = await exchanged(standard, api);
      expect(response.text()).toBe(JSON.stringify(value));
      expect((await standard.recorded(response.id)).end).toMatchObject({
        outcome: "completed",
        usage: "final",
        ...api.final,
      });
    }
  });

  it("G11 reads the usage and removes nothing when a stream arrives in place of JSON", async () => {
    for (const api of APIS) {
      upstream.respondWith(respond.sse(api.events));
      const model = uniqueModel();
      const body = { ...api.request(model), stream: false, stream_options: undefined };
      const response = await exchange(standard.port, { target: api.target, body });
      expect(response.text()).toBe(api.events.join(""));
      expect((await standard.recorded(response.id)).end).toMatchObject({
        outcome: "completed",
        usage: "final",
        ...api.final,
      });
    }
  });
});

describe("compressed responses although identity was requested", () => {
  it.each(APIS)("G12 decompresses br and reads the usage: $name", async (api) => {
    const bytes = new Uint8Array(brotliCompressSync(api.events.join("")));
    upstream.respondWith(respond.sse([bytes], [["Content-Encoding", "br"]]));
    const response = await exchanged(standard, api);
    expect([response.values("content-encoding"), response.text()]).toEqual([[], clientText(api)]);
    expect((await standard.recorded(response.id)).end).toMatchObject({ outcome: "completed", ...api.final });
  });

  it.each([
    ["deflate", (text: string) => deflateSync(text)],
    ["zstd", (text: string) => zstdCompressSync(text)],
    ["x-gzip", (text: string) => gzipSync(text)],
  ] as const)(
    "G12 passes on %s, which workerd does not decompress, with its content-encoding",
    async (encoding, encode) => {
      for (const api of APIS) {
        const bytes = new Uint8Array(encode(api.events.join("")));
        upstream.respondWith(respond.sse([bytes], [["Content-Encoding", encoding]]));
        const response = await exchanged(standard, api);
        const decompressed = response.values("content-encoding").length === 0;
        // Either decompressed without content-encoding, or unmodified with it; never unmodified without it.
        expect([
          api.name,
          decompressed ? response.text() === clientText(api) : Buffer.from(response.body).equals(bytes),
        ]).toEqual([api.name, true]);
        await standard.recorded(response.id);
      }
    },
  );

  it("G12 passes on a passthrough's compressed response decoded, as it was searched for secrets", async () => {
    const text = JSON.stringify({ data: ["Grüße ✓"] });
    const bytes = new Uint8Array(gzipSync(text));
    upstream.respondWith([
      respond.head({
        headers: [
          ["Content-Type", "application/json"],
          ["Content-Encoding", "gzip"],
          ["Content-Length", String(bytes.length)],
        ],
        framing: "content-length",
      }),
      respond.body(bytes),
    ]);
    const target = "/openai/v1/models";
    const response = await rawRequest(standard.port, { target, headers: credentials(target) });
    expect([response.status, response.values("content-encoding"), response.text()]).toEqual([200, [], text]);
    await standard.waitForEvents((events) => events.some((event) => event.record_type === "passthrough"));
  });
});

const starts = (events: readonly InterceptorEvent[]): number =>
  events.filter((event) => event.record_type === "interception_start").length;
const isEnd = (event: InterceptorEvent): event is InterceptionEnd => event.record_type === "interception_end";

/** The ends that are not recorded as completed with this usage. */
async function unexpectedEnds(plans: ReadonlyMap<string, unknown>, final: TokenCounts): Promise<string[]> {
  const ends = (await standard.waitForEvents((all) => all.filter(isEnd).length >= plans.size)).filter(isEnd);
  const expected = { outcome: "completed", usage: "final", usage_invalid: false, ...final };
  return ends
    .map((end) =>
      Object.entries(expected).filter(([key, value]) => end[key as keyof InterceptionEnd] !== value),
    )
    .flatMap((differing, at) => (differing.length > 0 ? [JSON.stringify(ends[at])] : []));
}

/**
 * Sends the API's stream in each of these divisions, several at a time. Returns the bodies that differ from `expected`
 * and the ends that are not recorded as completed with the API's usage.
 */
async function findDifferences(
  api: ApiStream,
  divisions: readonly (readonly Uint8Array[])[],
  expected: string,
): Promise<string[]> {
  const plans = new Map(divisions.map((pieces) => [uniqueModel(), pieces]));
  upstream.respondWith(({ text }) => {
    const { model } = JSON.parse(text()) as { model: string };
    return respond.sse(plans.get(model) ?? []);
  });
  const expectedBytes = toBytes(expected);
  const differences: string[] = [];
  const compare = async (model: string, pieces: readonly Uint8Array[]): Promise<void> => {
    const response = await exchange(standard.port, { target: api.target, body: api.request(model) });
    if (response.complete && Buffer.from(response.body).equals(expectedBytes)) return;
    differences.push(
      `split into ${pieces.map((piece) => piece.length).join()}: ${JSON.stringify(response.text())}`,
    );
  };
  const queue = [...plans];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) await compare(...next);
  };
  // Wait for every worker even if one fails, so that no exchange continues during the next test.
  const workers = await Promise.allSettled(Array.from({ length: 8 }, worker));
  differences.push(
    ...workers.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : [])),
  );
  return [...differences, ...(await unexpectedEnds(plans, api.final))];
}

describe("the same bytes in other chunks", () => {
  it.each(APIS)("G13 reads a stream that is split at any byte: $name", async (api) => {
    const splits = [...everySplit(toBytes(api.events.join("")))];
    expect(await findDifferences(api, splits, clientText(api))).toEqual([]);
  });

  it.each(APIS)(
    "G13 reads a stream that is split into single bytes, or at random 40 times: $name",
    async (api) => {
      const bytes = toBytes(api.events.join(""));
      const cuts = [byteByByte(bytes), ...Array.from({ length: 40 }, (_, seed) => rechunk(bytes, seed))];
      expect(await findDifferences(api, cuts, clientText(api))).toEqual([]);
    },
  );

  const endings: readonly [name: string, end: (event: string, at: number) => string][] = [
    ["CRLF", crlf],
    ["CR", (event) => event.replaceAll("\n", "\r")],
    ["alternating LF and CRLF", (event, at) => (at % 2 === 0 ? event : crlf(event))],
    ["a CR and a CRLF", (event) => event.replace(/\n\n$/, "\r\r\n")],
  ];
  const table = endings.flatMap(([name, end]) => APIS.map((api) => ({ ending: name, end, api })));

  it.each(table)(
    "G14 reads lines that end in $ending, in one piece and split at each line end: $api.name",
    async ({ end, api }) => {
      const events = api.events.map(end);
      const received = api.clientEvents.map((event, at) => (event === "" ? "" : end(event, at))).join("");
      const bytes = toBytes(events.join(""));
      const atLineEnd = (at: number): boolean =>
        [10, 13].includes(bytes[at] ?? 0) || [10, 13].includes(bytes[at - 1] ?? 0);
      const cuts = [...bytes.keys()].filter((at) => at > 0 && atLineEnd(at));
      const pieces = cuts.map((at) => [bytes.subarray(0, at), bytes.subarray(at)]);
      expect(await findDifferences(api, [[bytes], ...pieces, byteByByte(bytes)], received)).toEqual([]);
    },
  );

  it.each(APIS)("G14 reads a stream that starts with a byte order mark: $name", async (api) => {
    const bytes = toBytes(`\uFEFF${api.events.join("")}`);
    const cuts = [[bytes], [bytes.subarray(0, 1), bytes.subarray(1)], byteByByte(bytes)];
    expect(await findDifferences(api, cuts, `\uFEFF${clientText(api)}`)).toEqual([]);
  });

  it.each([10, 16_000, 16_384, 20_000, 40_000])(
    "G14 removes the usage event when the blank line before it is split, after an event of %i characters",
    async (size) => {
      const long = chatChunk({ content: "x".repeat(size) });
      const bytes = toBytes(long + CHAT_USAGE + DONE);
      const end = toBytes(long).length;
      const cuts = [-2, -1, 0, 1].map((by) => [bytes.subarray(0, end + by), bytes.subarray(end + by)]);
      expect(await findDifferences(CHAT_USAGE_INJECTED, cuts, long + DONE)).toEqual([]);
    },
  );
});

describe("unusual events", () => {
  it.each(APIS)("G15 passes on malformed events and reads the usage from the others: $name", async (api) => {
    const malformed = [
      "data: {\n\n",
      'data: {"usage":{"prompt_tokens":\n\n',
      'event: message_delta\ndata: {"type":"message_delta",\n\n',
      'event: response.completed\ndata: "type":"response.completed"\n\n',
      "data\n\n",
      ": data: [DONE]\n\n",
      "data: null\n\ndata: 7\n\ndata: []\n\n",
      "id: 1\nretry: 10\nfoo: bar\n\n",
    ];
    const altered = withEvents(api, [
      ...malformed,
      ...api.events.slice(0, -1),
      ...malformed,
      ...api.events.slice(-1),
    ]);
    upstream.respondWith(respond.sse(altered.events));
    const response = await exchanged(standard, api);
    expect(response.text()).toBe(clientText(altered));
    expect((await standard.recorded(response.id)).end).toMatchObject({
      outcome: "completed",
      usage: "final",
      ...api.final,
    });
  });

  it.each(CHATS)("G15 passes on bytes that are not UTF-8: $name", async (api) => {
    const invalid = concat([
      toBytes('data: {"x":"'),
      new Uint8Array([0xff, 0xc3, 0x28, 0]),
      toBytes('"}\n\n'),
    ]);
    upstream.respondWith(respond.sse([invalid, ...api.events]));
    const response = await exchanged(standard, api);
    expect(Buffer.from(response.body).equals(concat([invalid, toBytes(clientText(api))]))).toBe(true);
    expect((await standard.recorded(response.id)).end).toMatchObject({ outcome: "completed", ...api.final });
  });

  it.each(CHATS)(
    "G16 passes on a line of 16 MiB in full, does not keep it, and reads the usage after it: $name",
    async (api) => {
      const piece = new Uint8Array(64 * 1024).fill(0x78);
      const pieces = [toBytes("data: "), ...Array.from({ length: 256 }, () => piece), toBytes("\n\n")];
      upstream.respondWith(respond.sse([...pieces, ...api.events]));
      const response = await openUnread(standard.port, call(api));
      const received = await digest(response);
      const expected = concat([...pieces, toBytes(clientText(api))]);
      expect(received).toEqual({
        bytes: expected.length,
        sha256: createHash("sha256").update(expected).digest("hex"),
      });
      const { end } = await standard.recorded(String(response.headers["x-interception-id"]));
      const complete = { observation: "complete", usage: "final", ...api.final };
      expect(end).toMatchObject({
        outcome: "completed",
        response_bytes: received.bytes + hidden(api),
        ...complete,
      });
    },
  );

  it.each(CHATS)(
    "G17 keeps a stream open that sends only comments for three times the idle timeout: $name",
    async (api) => {
      const deadline = performance.now() + 3 * 400;
      let pings = 0;
      let pinged = Promise.withResolvers<void>();
      // Each comment is sent when the client has received the previous one, so the stream is never silent for long.
      const ping: Step = async (wire) => {
        while (performance.now() < deadline) {
          pinged = Promise.withResolvers();
          await wire.body(": ping\n\n");
          pings += 1;
          await Promise.race([pinged.promise, wire.gone]);
        }
      };
      upstream.respondWith(respond.sseSteps([ping, ...api.events.map(respond.body), respond.finish()]));
      const connection = await send(limited.port, call(api));
      for (let count = 1; performance.now() < deadline; count += 1) {
        await until(
          () => pings >= count || performance.now() >= deadline || undefined,
          () => `${pings} pings`,
        );
        await waitForBody(connection, ": ping\n\n".repeat(Math.min(count, pings)));
        pinged.resolve();
      }
      const response = await receive(connection);
      expect([response.complete, response.text()]).toEqual([
        true,
        ": ping\n\n".repeat(pings) + clientText(api),
      ]);
      expect((await limited.recorded(response.id)).end).toMatchObject({
        outcome: "completed",
        usage: "final",
        ...api.final,
      });
    },
  );
});

const usageEvent = (value: unknown, more: object = { choices: [] }): string =>
  respond.event({ id: "chatcmpl-1", ...more, usage: value });

describe("the usage that a response reports", () => {
  const withContent = { choices: [{ index: 0, delta: { content: "x" }, finish_reason: null }] };
  const completed = (type: string, response: object): string => named({ type, response });
  const reported = { input_tokens: 5, output_tokens: 2 };
  const start = RESPONSES_EVENTS[0] ?? "";

  const chat = [
    {
      label: "null, then final",
      events: [usageEvent(null, withContent), usageEvent({ prompt_tokens: 5, completion_tokens: 2 }), DONE],
      counts: tokens(5, 2, null, null),
      state: "final",
    },
    { label: "absent", events: [chatChunk({ content: "x" }), DONE], counts: NO_TOKENS, state: "unknown" },
    {
      label: "null in every event",
      events: [usageEvent(null, withContent), DONE],
      counts: NO_TOKENS,
      state: "unknown",
    },
    {
      label: "twice: the last report is used",
      events: [
        usageEvent({ prompt_tokens: 5, completion_tokens: 1 }),
        usageEvent({ prompt_tokens: 5, completion_tokens: 2 }),
        DONE,
      ],
      counts: tokens(5, 2, null, null),
      state: "final",
    },
    {
      label: "next to content, increasing",
      events: [
        usageEvent({ prompt_tokens: 5, completion_tokens: 1 }, withContent),
        usageEvent({ prompt_tokens: 5, completion_tokens: 2 }, withContent),
        DONE,
      ],
      counts: tokens(5, 2, null, null),
      state: "final",
    },
    {
      label: "more cached tokens than the prompt has: they are not in it, flagged as invalid",
      events: [
        usageEvent({ prompt_tokens: 5, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 9 } }),
        DONE,
      ],
      counts: tokens(5, 2, 9, null),
      state: "partial",
      flagged: true,
    },
  ].map((row) => ({
    flagged: false,
    outcome: "completed",
    error: null,
    ...row,
    api: CHAT_WITH_USAGE,
    id: "G18",
  }));

  const responses = [
    { label: "completed", events: RESPONSES_EVENTS, counts: RESPONSES.final, state: "final" },
    {
      label: "incomplete",
      events: [start, completed("response.incomplete", { status: "incomplete", usage: reported })],
      counts: tokens(5, 2, null, null),
      state: "final",
    },
    {
      label: "failed, with usage",
      events: [
        start,
        completed("response.failed", {
          status: "failed",
          error: { code: "server_error", message: "m" },
          usage: reported,
        }),
      ],
      counts: tokens(5, 2, null, null),
      state: "final",
      outcome: "upstream_error",
      error: "server_error",
    },
    {
      label: "failed, without usage",
      events: [start, completed("response.failed", { status: "failed", error: null, usage: null })],
      counts: NO_TOKENS,
      state: "unknown",
      outcome: "upstream_error",
      error: "failed",
    },
    {
      label: "an error event",
      events: [start, named({ type: "error", code: "server_error", message: "m", param: null })],
      counts: NO_TOKENS,
      state: "unknown",
      outcome: "upstream_error",
      error: "server_error",
    },
    {
      label: "a stray [DONE] after the end",
      events: [...RESPONSES_EVENTS, DONE],
      counts: RESPONSES.final,
      state: "final",
    },
  ].map((row) => ({ flagged: false, outcome: "completed", error: null, ...row, api: RESPONSES, id: "G19" }));

  const messagesRows = [
    {
      label: "start and delta: cumulative, not summed",
      events: MESSAGES_EVENTS,
      counts: MESSAGES.final,
      state: "final",
    },
    {
      label: "several deltas: the last report is used",
      events: [
        MESSAGE_START,
        messageDelta({ output_tokens: 20 }, null),
        messageDelta({ output_tokens: 61 }),
        MESSAGE_STOP,
      ],
      counts: MESSAGES.final,
      state: "final",
    },
    {
      label: "a delta that repeats figures: the larger ones count",
      events: [
        MESSAGE_START,
        messageDelta({
          input_tokens: 13,
          cache_read_input_tokens: 5,
          cache_creation_input_tokens: 0,
          output_tokens: 61,
        }),
        MESSAGE_STOP,
      ],
      counts: tokens(13, 61, 5, 4),
      state: "final",
    },
    {
      label: "a delta with nulls: the earlier counts are kept",
      events: [
        MESSAGE_START,
        messageDelta({ input_tokens: null, cache_read_input_tokens: null, output_tokens: 61 }),
        MESSAGE_STOP,
      ],
      counts: MESSAGES.final,
      state: "final",
    },
    {
      label: "an error event after the start",
      events: [
        MESSAGE_START,
        named({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } }),
      ],
      counts: tokens(12, 1, 3, 4),
      state: "partial",
      outcome: "upstream_error",
      error: "overloaded_error",
    },
  ].map((row) => ({ flagged: false, outcome: "completed", error: null, ...row, api: MESSAGES, id: "G20" }));

  const numbers = ["-1", "1e308", "1e999", '"5.5"', "9007199254740993", "1.5", "true", "[]", "{}"]
    .flatMap((figure) => [
      {
        label: `chat reports ${figure}`,
        events: [`data: {"choices":[],"usage":{"prompt_tokens":${figure},"completion_tokens":2}}\n\n`, DONE],
        counts: tokens(null, 2, null, null),
        api: CHAT_WITH_USAGE,
      },
      {
        label: `responses reports ${figure}`,
        events: [
          `data: {"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":${figure}}}}\n\n`,
        ],
        counts: tokens(5, null, null, null),
        api: RESPONSES,
      },
      {
        label: `messages reports ${figure}`,
        events: [
          MESSAGE_START,
          `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":${figure}}}\n\n`,
          MESSAGE_STOP,
        ],
        counts: tokens(12, 1, 3, 4),
        api: MESSAGES,
      },
    ])
    .map((row) => ({
      outcome: "completed",
      error: null,
      state: "partial",
      flagged: true,
      ...row,
      id: "G21",
    }));

  it.each([...chat, ...responses, ...messagesRows, ...numbers])(
    "$id reads the usage: $label",
    async ({ api, events, counts, state, flagged, outcome, error }) => {
      upstream.respondWith(respond.sse(events));
      const response = await exchanged(standard, api);
      expect([response.complete, response.text()]).toEqual([true, events.join("")]);
      const { end, usage } = await standard.recorded(response.id);
      expect(end).toMatchObject({ outcome, error, usage: state, usage_invalid: flagged, ...counts });
      const event = usage && { usage: usage.usage, output_tokens: usage.output_tokens };
      const expected = { usage: state, output_tokens: counts.output_tokens };
      expect(event).toEqual(state === "unknown" ? null : expected);
    },
  );

  it("G18 records an unknown count as null in the log and as -1 in Analytics Engine", async () => {
    upstream.respondWith(respond.sse([DONE]));
    const response = await exchanged(standard, CHAT_WITH_USAGE);
    expect((await standard.recorded(response.id)).end).toMatchObject(NO_TOKENS);
    await standard.flush();
    const [row] = standard.points("INTERCEPTIONS");
    expect(row?.point.doubles?.slice(4, 8)).toEqual([-1, -1, -1, -1]);
  });

  it.each([
    ["usage requested by the client", chatRequestWithUsage],
    ["usage requested by the gateway", chatRequest],
  ])("G25 ignores content that looks like an end or like usage: %s", async (_, request) => {
    const tricks = [
      "data: [DONE]",
      "\n\ndata: [DONE]\n\n",
      '"usage":{"prompt_tokens":999}',
      '{"choices":[],"usage":{"prompt_tokens":999}}',
      'event: message_stop\ndata: {"type":"message_stop"}',
    ];
    const events = [
      ...tricks.map((content) => chatChunk({ content })),
      chatChunk({ usage: { choices: [] } }),
    ];
    const api = withEvents(request === chatRequest ? CHAT_USAGE_INJECTED : CHAT_WITH_USAGE, events);
    upstream.respondWith(respond.sse(api.events));
    const cutOff = await exchanged(standard, api);
    expect(cutOff.text()).toBe(events.join(""));
    expect((await standard.recorded(cutOff.id)).end).toMatchObject({ outcome: "truncated", ...NO_TOKENS });

    const complete = withEvents(api, [...events, ...CHAT_EVENTS]);
    upstream.respondWith(respond.sse(complete.events));
    const response = await exchanged(standard, complete);
    expect(response.text()).toBe(clientText(complete));
    expect((await standard.recorded(response.id)).end).toMatchObject({
      outcome: "completed",
      ...CHAT_WITH_USAGE.final,
    });
  });

  it.each([RESPONSES, MESSAGES])("G25 ignores content that looks like an event: $name", async (api) => {
    const texts = [
      `"type":"message_stop"`,
      `"type":"error","error":{"type":"overloaded_error"}`,
      `"type":"response.completed","response":{"usage":{"input_tokens":999}}`,
    ];
    const deltas = texts.map((text) =>
      api === MESSAGES ? textDelta(text) : named({ type: "response.output_text.delta", delta: text }),
    );
    // The same keys and values in a nested object.
    const inner = {
      type: "message_delta",
      usage: { output_tokens: 999, input_tokens: 999 },
      delta: { stop_reason: "x" },
    };
    const nested = named({
      type: "content_block_start",
      index: 1,
      content_block: { type: "tool_use", input: inner },
    });
    const altered = withEvents(api, [...api.events.slice(0, 1), ...deltas, nested, ...api.events.slice(1)]);
    upstream.respondWith(respond.sse(altered.events));
    const response = await exchanged(standard, altered);
    expect(response.text()).toBe(clientText(altered));
    expect((await standard.recorded(response.id)).end).toMatchObject({
      outcome: "completed",
      error: null,
      ...api.final,
    });
  });

  it.each([
    {
      api: CHAT_WITH_USAGE,
      error: respond.event({ error: { message: "m", type: "server_error", param: null, code: null } }),
      after: [DONE],
      name: "server_error",
    },
    {
      api: CHAT_USAGE_INJECTED,
      error: respond.event({ error: { message: "m", type: "server_error", param: null, code: null } }),
      after: [],
      name: "server_error",
    },
    {
      api: RESPONSES,
      error: named({ type: "error", code: "rate_limit_exceeded", message: "m" }),
      after: [],
      name: "rate_limit_exceeded",
    },
    {
      api: MESSAGES,
      error: named({ type: "error", error: { type: "overloaded_error", message: "m" } }),
      after: [],
      name: "overloaded_error",
    },
  ])(
    "G26 passes on an error event in a 200 response and records upstream_error: $api.name",
    async ({ api, error, after, name }) => {
      const events = [...api.events.slice(0, 2), error, ...after];
      upstream.respondWith(respond.sse(events));
      const response = await exchanged(standard, api);
      expect([response.status, response.text()]).toEqual([200, events.join("")]);
      expect((await standard.recorded(response.id)).end).toMatchObject({
        outcome: "upstream_error",
        status: 200,
        error: name,
      });
    },
  );
});

describe("clients that disconnect", () => {
  it.each(APIS)(
    "G22 closes the upstream and records one end after a reset before the headers: $name",
    async (api) => {
      upstream.respondWith([respond.hang()]);
      const { model, ...rest } = call(api);
      const connection = await send(standard.port, rest);
      const request = await upstream.waitForCompleteRequest();
      connection.abort();
      await upstreamClosed(request);
      const { end } = await standard.recorded(model);
      expect(end).toMatchObject({ outcome: "cancelled", status: null, usage: "unknown", ...NO_TOKENS });
    },
  );

  it("G22 closes the upstream at the headers deadline after a plain close before the headers", async () => {
    // workerd sees only a FIN, which it does not treat as a disconnect.
    upstream.respondWith([respond.hang()]);
    const model = uniqueModel();
    const connection = await send(limited.port, { target: CHAT_TARGET, body: chatRequest(model) });
    const request = await upstream.waitForCompleteRequest();
    connection.destroy();
    await upstreamClosed(request);
    const { end } = await limited.recorded(model);
    expect(["cancelled", "upstream_error"]).toContain(end.outcome);
    expect(end).toMatchObject(NO_TOKENS);
  });

  it.each([
    ["of declared length", [["Content-Length", "70"]] as HeaderPair[], "content-length" as const],
    ["in chunks", [], "chunked" as const],
  ])("G22 records one end after a disconnect within a JSON response %s", async (_, length, framing) => {
    const begun = Promise.withResolvers<void>();
    upstream.respondWith([
      respond.head({ headers: [["Content-Type", "application/json"], ...length], framing }),
      respond.body('{"id":'),
      async () => begun.resolve(),
      respond.hang(),
    ]);
    const model = uniqueModel();
    const connection = await send(standard.port, { target: CHAT_TARGET, body: { model, messages } });
    const request = await upstream.waitForCompleteRequest();
    await begun.promise;
    connection.abort();
    await upstreamClosed(request);
    expect((await standard.recorded(model)).end).toMatchObject({ outcome: "cancelled", ...NO_TOKENS });
  });

  it("G22 records one end after a disconnect within a provider's error, with the gateway's key", async () => {
    const begun = Promise.withResolvers<void>();
    upstream.respondWith([
      respond.head({ status: 500, headers: [["Content-Type", "application/json"]] }),
      respond.body("{"),
      async () => begun.resolve(),
      respond.hang(),
    ]);
    const model = uniqueModel();
    const connection = await send(standard.port, {
      target: "/openai-central/v1/chat/completions",
      body: chatRequest(model),
    });
    const request = await upstream.waitForCompleteRequest();
    await begun.promise;
    connection.abort();
    await upstreamClosed(request);
    expect((await standard.recorded(model)).end).toMatchObject({ outcome: "cancelled", ...NO_TOKENS });
  });

  it("G22 closes the upstream and records a passthrough after a disconnect before the headers", async () => {
    upstream.respondWith([respond.hang()]);
    const connection = await send(standard.port, {
      target: "/openai/v1/conversations",
      body: { model: "m", input: PROMPT },
    });
    const request = await upstream.waitForCompleteRequest();
    connection.abort();
    await upstreamClosed(request);
    const events = await standard.waitForEvents((all) => all.length > 1);
    expect(events).toMatchObject([
      { record_type: "passthrough_start", route: "/conversations" },
      { record_type: "passthrough", route: "/conversations", outcome: "cancelled" },
    ]);
  });

  type Usage = { readonly usage: string } & TokenCounts;
  const unknown: Usage = { usage: "unknown", ...NO_TOKENS };
  const disconnects: { api: ApiStream; when: string; sent: number; recorded: Usage; outcomes: string[] }[] =
    APIS.flatMap((api) => {
      const started: Usage = api === MESSAGES ? { usage: "partial", ...tokens(12, 1, 3, 4) } : unknown;
      const all: Usage = { usage: "final", ...api.final };
      return [
        { api, when: "after the first event", sent: 1, recorded: started, outcomes: ["cancelled"] },
        { api, when: "in the middle", sent: 3, recorded: started, outcomes: ["cancelled"] },
        // The response is complete, but its stream is not: both outcomes are correct.
        {
          api,
          when: "after the last event",
          sent: api.events.length,
          recorded: all,
          outcomes: ["cancelled", "completed"],
        },
      ];
    });

  it.each(disconnects)(
    "G23 closes the upstream and records one end with the usage so far, $when: $api.name",
    async ({ api, sent, recorded, outcomes }) => {
      upstream.respondWith(
        respond.sseSteps([...api.events.slice(0, sent).map(respond.body), respond.hang()]),
      );
      const connection = await send(standard.port, call(api));
      await waitForBody(connection, clientText(api, sent));
      const id =
        /x-interception-id: (\S+)/i.exec(Buffer.from(connection.received()).toString("latin1"))?.[1] ?? "";
      connection.abort();
      await upstreamClosed(await upstream.waitForCompleteRequest());
      const { end, usage } = await standard.recorded(id);
      expect(outcomes).toContain(end.outcome);
      expect(end).toMatchObject({ status: 200, ...recorded });
      expect(end.response_bytes).toBe(toBytes(api.events.slice(0, sent).join("")).length);
      expect(usage === null).toBe(recorded.usage === "unknown");
    },
  );

  it.each(APIS)("G23 records cancelled after a disconnect at the first byte: $name", async (api) => {
    // The first event is searched for secrets, so the client's first byte arrives with all of it.
    const [first = ""] = api.events;
    upstream.respondWith(respond.sseSteps([respond.body(first), respond.hang()]));
    const { model, ...rest } = call(api);
    const connection = await send(standard.port, rest);
    await waitForBody(connection, first.slice(0, 1));
    connection.abort();
    await upstreamClosed(await upstream.waitForCompleteRequest());
    const usage = api === MESSAGES ? tokens(12, 1, 3, 4) : NO_TOKENS;
    expect((await standard.recorded(model)).end).toMatchObject({ outcome: "cancelled", ...usage });
  });

  it.each(APIS)(
    "G23 records cancelled after a plain close while the provider still sends: $name",
    async (api) => {
      const piece = api.target === CHAT_TARGET ? chatChunk({ content: "x" }) : (api.events[1] ?? "");
      upstream.respondWith(respond.sseSteps([respond.body(api.events[0] ?? ""), repeat(piece)]));
      const { model, ...rest } = call(api);
      const connection = await send(standard.port, rest);
      await waitForBody(connection, clientText(api, 1));
      connection.destroy();
      await upstreamClosed(await upstream.waitForCompleteRequest());
      expect((await standard.recorded(model)).end).toMatchObject({ outcome: "cancelled", status: 200 });
    },
  );

  it("G23 counts events that have arrived but are unread when the client disconnects", async () => {
    for (const api of APIS) {
      // The observer reads the first event, then waits for its poll interval: the others are unread at the disconnect.
      const received = Promise.withResolvers<void>();
      const [first = "", ...others] = api.events;
      const steps = [
        respond.body(first),
        respond.waitFor(received.promise),
        respond.body(others.join("")),
        respond.hang(),
      ];
      upstream.clear();
      upstream.respondWith(respond.sseSteps(steps));
      const { model, ...rest } = call(api);
      const connection = await send(standard.port, rest);
      await waitForBody(connection, clientText(api, 1));
      received.resolve();
      await waitForBody(connection, clientText(api));
      connection.abort();
      await upstreamClosed(await upstream.waitForCompleteRequest());
      expect((await standard.recorded(model)).end).toMatchObject({ usage: "final", ...api.final });
    }
  });

  it.each(CHATS)(
    "G24 bounds the bytes taken from the provider when the client reads nothing: $name",
    async (api) => {
      const piece = toBytes(`: ${"x".repeat(64 * 1024 - 4)}\n\n`);
      let bytesTaken = 0;
      const flood: Step = async (wire) => {
        for (let n = 0; n < 1024; n += 1) {
          await wire.body(piece);
          bytesTaken += piece.length;
        }
      };
      const plan = respond.sseSteps([flood, ...api.events.map(respond.body), respond.finish()]);
      const { model, ...rest } = call(api);
      upstream.respondWith((request) =>
        request.text().includes(`"${model}"`) ? plan : respond.json(200, {}),
      );
      const response = await openUnread(standard.port, rest);
      response.pause();
      await untilUnchanged(() => bytesTaken);
      console.log(
        `G24 ${api.name}: taken ${(bytesTaken / MIB).toFixed(1)} MiB of 64 while the client reads nothing`,
      );
      // The kernel's four socket buffers hold nearly all of it, some MiB each.
      expect(bytesTaken).toBeLessThan(32 * MIB);
      const expected = toBytes(clientText(api));
      const received = await digest(response);
      expect(received.bytes).toBe(64 * MIB + expected.length);
      const { end } = await standard.recorded(model);
      const complete = { observation: "complete", usage: "final", ...api.final };
      expect(end).toMatchObject({ outcome: "completed", status: 200, ...complete });
    },
  );

  it.each(CHATS)(
    "G24 closes the upstream and records one end when a client that reads nothing disconnects: $name",
    async (api) => {
      upstream.respondWith(respond.sseSteps([repeat(`: ${"x".repeat(64 * 1024)}\n\n`)]));
      const { model, ...rest } = call(api);
      const response = await openUnread(standard.port, rest);
      response.pause();
      response.destroy();
      await upstreamClosed(await upstream.waitForCompleteRequest());
      expect((await standard.recorded(model)).end).toMatchObject({ outcome: "cancelled", ...NO_TOKENS });
    },
  );

  it("G24 records the complete usage of an event stream of 20 MiB that the client reads", async () => {
    const piece = chatChunk({ content: "x".repeat(16 * 1024) });
    const flood = Array.from({ length: 1280 }, () => respond.body(piece));
    upstream.respondWith(respond.sseSteps([...flood, ...CHAT_EVENTS.map(respond.body), respond.finish()]));
    const { model, ...rest } = call(CHAT_WITH_USAGE);
    const { bytes } = await digest(await openUnread(limited.port, rest));
    expect(bytes).toBeGreaterThan(20 * MIB);
    expect((await limited.recorded(model)).end).toMatchObject({
      outcome: "completed",
      observation: "complete",
      usage: "final",
      response_bytes: bytes,
      ...CHAT_WITH_USAGE.final,
    });
  });

  it.each(CHATS)(
    "G24 does not take a client that reads nothing for a silent provider: $name",
    async (api) => {
      const piece = toBytes(`: ${"x".repeat(64 * 1024 - 4)}\n\n`);
      const flood = Array.from({ length: 512 }, () => respond.body(piece));
      upstream.respondWith(respond.sseSteps([...flood, ...api.events.map(respond.body), respond.finish()]));
      const { model, ...rest } = call(api);
      const response = await openUnread(patient.port, rest);
      response.pause();
      await new Promise((resolve) => setTimeout(resolve, 4 * PATIENT_IDLE_MS));
      expect(patient.events().filter(isEnd)).toEqual([]);
      const received = await digest(response);
      expect(received.bytes).toBe(32 * MIB + toBytes(clientText(api)).length);
      expect((await patient.recorded(model)).end).toMatchObject({
        outcome: "completed",
        usage: "final",
        ...api.final,
      });
    },
  );

  const largeBody = (type: string, rest: readonly Step[]): Step[] => [
    respond.head({ headers: [["Content-Type", type]] }),
    respond.body(type === JSON_TYPE ? '{"x":"' : ""),
    ...Array.from({ length: 64 }, () => respond.body(": x\n\n".repeat(16 * 1024))),
    ...rest,
  ];

  it.each([
    ["JSON", JSON_TYPE, "truncated"],
    ["an event stream", "text/event-stream", "complete"],
  ])(
    "G24 detects a disconnect past the bytes that are held and records the observation: %s",
    async (_, type, observation) => {
      upstream.respondWith(largeBody(type, [respond.hang()]));
      const { model, ...rest } = call(CHAT_WITH_USAGE);
      const response = await openUnread(limited.port, rest);
      const wanted = 64 * 16 * 1024 * 5;
      let bytes = 0;
      for await (const received of response) {
        bytes += (received as Uint8Array).length;
        // Disconnects after all bytes have arrived, while the provider is silent.
        if (bytes < wanted) continue;
        response.socket.resetAndDestroy();
        break;
      }
      await upstreamClosed(await upstream.waitForCompleteRequest());
      expect((await limited.recorded(model)).end).toMatchObject({ outcome: "cancelled", observation });
    },
  );

  it.each([
    ["JSON", JSON_TYPE, "truncated"],
    ["an event stream", "text/event-stream", "complete"],
  ])(
    "G24 records truncated when the upstream breaks off past the bytes that are held: %s",
    async (_, type, observation) => {
      upstream.respondWith(largeBody(type, [respond.fin()]));
      const { model, ...rest } = call(CHAT_WITH_USAGE);
      const response = await openUnread(limited.port, rest);
      const brokeOff = await digest(response).then(
        () => false,
        () => true,
      );
      expect(brokeOff).toBe(!hidesTruncation);
      expect((await limited.recorded(model)).end).toMatchObject({ outcome: "truncated", observation });
    },
  );

  it("G3 records stalled when the provider is silent past the bytes that are held", async () => {
    upstream.respondWith(largeBody(JSON_TYPE, [respond.hang()]));
    limited.expectLine(ABORTED_STREAM);
    const { model, ...rest } = call(CHAT_WITH_USAGE);
    const received = digest(await openUnread(limited.port, rest)).catch(() => null);
    expect((await limited.recorded(model)).end).toMatchObject({
      outcome: "stalled",
      observation: "truncated",
    });
    await upstreamClosed(await upstream.waitForCompleteRequest());
    await received;
  });

  it.each([
    ["an event stream", "text/event-stream"],
    ["JSON", JSON_TYPE],
  ])("G23 records cancelled after a reset while most of a response is unread: %s", async (_, type) => {
    const piece = toBytes(`: ${"x".repeat(64 * 1024 - 4)}\n\n`);
    let sent = 0;
    const flood: Step = async (wire) => {
      for (; sent < 1024; sent += 1) await wire.body(piece);
    };
    const { model, ...rest } = call(CHAT_WITH_USAGE);
    const plan = [respond.head({ headers: [["Content-Type", type]] }), flood, respond.finish()];
    upstream.respondWith((request) => (request.text().includes(`"${model}"`) ? plan : respond.json(200, {})));
    const response = await openUnread(standard.port, rest);
    response.pause();
    await untilUnchanged(() => sent);
    expect(standard.events().filter((event) => isEnd(event) && event.model === model)).toEqual([]);
    response.socket.resetAndDestroy();
    const { end } = await standard.recorded(model);
    expect(end).toMatchObject({ outcome: "cancelled", status: 200, ...NO_TOKENS });
    await upstreamClosed(await upstream.waitForRequest((one) => one.text().includes(`"${model}"`)));
  });

  it.each(APIS)(
    "G27 records one end with final usage after a disconnect in the same tick as the end, 60 times: $name",
    async (api) => {
      upstream.respondWith(respond.sse(api.events));
      const calls = Array.from({ length: 60 }, () => call(api));
      for (const { target, body } of calls) {
        const connection = await send(standard.port, { target, body });
        await waitForBody(connection, clientText(api));
        connection.abort();
      }
      for (const { model } of calls) {
        const { end } = await standard.recorded(model);
        expect(["completed", "cancelled"]).toContain(end.outcome);
        expect(end).toMatchObject({ usage: "final", ...api.final });
      }
    },
  );

  it.each(APIS)("G27 records one end after a disconnect at any moment, 60 times: $name", async (api) => {
    upstream.respondWith(respond.sse(api.events));
    const calls = Array.from({ length: 60 }, () => call(api));
    const total = toBytes(api.events.join("")).length;
    for (const [at, { target, body }] of calls.entries()) {
      const connection = await send(standard.port, { target, body });
      // Most clients disconnect after part of the response, and every fourth one before any of it.
      if (at % 4 !== 0) {
        const wanted = Math.floor((total * at) / calls.length / 2);
        await connection.readUntil((text) => text.length >= wanted);
      } else {
        await upstream.waitForRequest((request) => request.text().includes(`"${calls[at]?.model ?? ""}"`));
      }
      connection.abort();
    }
    const open = () =>
      upstream.requests.filter(({ closedAt, responseSent }) => closedAt === null && !responseSent);
    await until(
      () => open().length === 0 || undefined,
      () => `${open().length} upstream connections are still open`,
    );
    const events = await standard.waitForEvents((all) => all.filter(isEnd).length === starts(all));
    const outcomes = new Set(events.filter(isEnd).map(({ outcome }) => outcome));
    expect(["completed", "cancelled"]).toEqual(expect.arrayContaining([...outcomes]));
  });
});
