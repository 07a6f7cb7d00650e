/** Part G of the catalogue: answers that stream, break, stall, lie or are left, through the production bundle. */
import { createServer, type AddressInfo } from "node:net";
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
import type { InterceptionEnd, InterceptorEvent, TokenFields } from "../../src/events/event.ts";
import * as respond from "../support/response-steps.ts";
import type { Step } from "../support/response-steps.ts";
import { until } from "../support/deadline.ts";
import { startFakeUpstream, type UpstreamRequest } from "../support/fake-upstream.ts";
import { rawRequest } from "../support/raw-client.ts";
import { byteByByte, everySplit, rechunk } from "../support/rechunk.ts";
import { chunk, concat, toBytes, type HeaderPair } from "../support/wire.ts";
import { seemsWhole } from "../support/workerd-build.ts";
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

const MIB = 1024 * 1024;

/** Where nobody listens. */
const nowhere = await closedPort();
const upstream = await startFakeUpstream();
afterEach(() => upstream.clear());
afterAll(() => upstream.close());

/** The limits as they are by default. */
const patient = await startCheckedInterceptor(
  interceptorOptions(
    upstream.url,
    {},
    { nowhere: { type: "openai", base_url: `http://127.0.0.1:${nowhere}/v1` } },
  ),
);
/** Deadlines and a cap that a test can wait for. */
const hasty = await startCheckedInterceptor(
  interceptorOptions(upstream.url, { headers_ms: 400, idle_ms: 400, observe_bytes: MIB }),
);

/** workerd says this of each client's stream that the Worker itself breaks off, whatever it breaks it off with. */
const BROKEN_OFF = /^Uncaught exception: workerd\/\S+ failed: remote\.jsg\./;

const CHAT_TARGET = "/openai/v1/chat/completions";
const NO_TOKENS: TokenFields = {
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
): TokenFields => ({
  input_tokens: input,
  output_tokens: output,
  cache_read_input_tokens: read,
  cache_write_input_tokens: write,
});

/** An API's stream as the provider sends it, and what a client and the record get of it. */
type Way = {
  readonly name: string;
  readonly target: string;
  readonly ask: (model: string) => object;
  readonly events: readonly string[];
  /** Each event as the client sees it: "" where it is taken out. */
  readonly forwarded: readonly string[];
  readonly final: TokenFields;
};

const chatChunk = (delta: object, finish: string | null = null): string =>
  respond.event({ id: "chatcmpl-1", model: "gpt-9", choices: [{ index: 0, delta, finish_reason: finish }] });
const CHAT_USAGE = respond.event({
  id: "chatcmpl-1",
  choices: [],
  usage: { prompt_tokens: 30, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 10 } },
});
const DONE = respond.event("[DONE]");
const CHAT_WORDS = [
  chatChunk({ role: "assistant", content: "" }),
  chatChunk({ content: "Grü" }),
  chatChunk({ content: "ße ✓" }),
  chatChunk({}, "stop"),
];
const CHAT_EVENTS = [...CHAT_WORDS, CHAT_USAGE, DONE];
const messages = [{ role: "user", content: PROMPT }];
const askChat = (model: string, more: object = {}): object => ({ model, stream: true, messages, ...more });
const askWithUsage = (model: string): object => askChat(model, { stream_options: { include_usage: true } });

const named = (value: { readonly type: string }): string => respond.event(value, value.type);
const RESPONSES_EVENTS = [
  named({
    type: "response.created",
    response: { id: "resp_1", model: "gpt-9", status: "in_progress" },
  } as never),
  named({ type: "response.output_text.delta", delta: "Grü" } as never),
  named({ type: "response.output_text.delta", delta: "ße ✓" } as never),
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
  } as never),
];

const MESSAGE_START = named({
  type: "message_start",
  message: {
    id: "msg_1",
    model: "claude-9",
    usage: { input_tokens: 12, cache_read_input_tokens: 3, cache_creation_input_tokens: 4, output_tokens: 1 },
  },
} as never);
const textDelta = (text: string): string =>
  named({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } } as never);
const messageDelta = (usage: object, stop: string | null = "end_turn"): string =>
  named({ type: "message_delta", delta: { stop_reason: stop }, usage } as never);
const MESSAGE_STOP = named({ type: "message_stop" });
const MESSAGES_EVENTS = [
  MESSAGE_START,
  named({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } } as never),
  textDelta("Grü"),
  textDelta("ße ✓"),
  named({ type: "content_block_stop", index: 0 } as never),
  messageDelta({ output_tokens: 61 }),
  MESSAGE_STOP,
];

const ASKED: Way = {
  name: "chat, usage asked for (piped natively)",
  target: CHAT_TARGET,
  ask: askWithUsage,
  events: CHAT_EVENTS,
  forwarded: CHAT_EVENTS,
  final: tokens(20, 7, 10, null),
};
const UNASKED: Way = {
  ...ASKED,
  name: "chat, usage not asked for (usage event taken out)",
  ask: askChat,
  forwarded: CHAT_EVENTS.map((event) => (event === CHAT_USAGE ? "" : event)),
};
const RESPONSES: Way = {
  name: "responses (piped natively)",
  target: "/openai/v1/responses",
  ask: (model) => ({ model, stream: true, input: PROMPT }),
  events: RESPONSES_EVENTS,
  forwarded: RESPONSES_EVENTS,
  final: tokens(25, 9, 20, 5),
};
const MESSAGES: Way = {
  name: "messages (piped natively)",
  target: "/anthropic/v1/messages",
  ask: (model) => ({ model, stream: true, max_tokens: 99, messages }),
  events: MESSAGES_EVENTS,
  forwarded: MESSAGES_EVENTS,
  final: tokens(12, 61, 3, 4),
};
const WAYS = [ASKED, UNASKED, RESPONSES, MESSAGES];
const BOTH = [ASKED, UNASKED];

/** A way with other events. The usage event is taken out of what the client sees where it is of `UNASKED`. */
const withEvents = (way: Way, events: readonly string[]): Way => ({
  ...way,
  events,
  forwarded: way.ask === UNASKED.ask ? events.map((event) => (event === CHAT_USAGE ? "" : event)) : events,
});

const seenText = (way: Way, count = way.events.length): string => way.forwarded.slice(0, count).join("");

/** A call whose model is its own. */
function call(way: Way, model = uniqueModel()): { model: string; target: string; body: object } {
  return { model, target: way.target, body: way.ask(model) };
}

async function exchanged(interceptor: CheckedInterceptor, way: Way): Promise<Received> {
  return exchange(interceptor.port, call(way));
}

/** The upstream saw its connection closed from the other side, or closes it itself: a bound for a hang, not a measure. */
async function closedUpstream(request: UpstreamRequest): Promise<void> {
  await until(
    () => request.closedAt ?? undefined,
    () => "the upstream's connection was never closed",
  );
}

async function onlyRequest(): Promise<UpstreamRequest> {
  const [request] = await upstream.waitForRequests(1);
  if (!request) throw new Error("no request");
  return request;
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

/** The same piece again and again, until the other side has gone. */
const again =
  (piece: string | Uint8Array): Step =>
  async (wire) => {
    let gone = false;
    void wire.gone.then(() => (gone = true));
    while (!gone) {
      await wire.body(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };

async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * An answer whose provider sends each piece only once the client has had the one before; `pieces` are the way's events
 * as they are on the wire. Hands on what the client got and what was recorded.
 */
async function singly(way: Way, pieces: readonly Piece[], headers: readonly HeaderPair[] = []) {
  const { steps, open } = gated(pieces);
  upstream.respondWith(respond.sseSteps([...steps, respond.finish()], headers));
  const connection = await send(patient.port, call(way));
  for (const at of way.events.keys()) {
    await waitForBody(connection, seenText(way, at + 1));
    open(at);
  }
  const { status, complete: whole, text, values, id } = await receive(connection);
  const { outcome, usage, input_tokens, output_tokens } = (await patient.recorded(id)).end;
  return {
    client: { status, whole, encoding: values("content-encoding"), text: text() },
    record: { outcome, usage, input_tokens, output_tokens },
  };
}

/** What `singly` has for a stream that is whole. */
const allOf = (way: Way): object => ({
  client: { status: 200, whole: true, encoding: [], text: seenText(way) },
  record: {
    outcome: "completed",
    usage: "final",
    input_tokens: way.final.input_tokens,
    output_tokens: way.final.output_tokens,
  },
});

type Piece = string | Uint8Array;
const GZIP: HeaderPair = ["Content-Encoding", "gzip"];

describe("events arrive singly and at once: the provider sends one only after the client has the one before", () => {
  it.each(WAYS)("G12 as they come: $name", async (way) => {
    expect(await singly(way, way.events)).toEqual(allOf(way));
  });

  it.each(WAYS)("G12 out of one gzip stream that the provider flushes at each event: $name", async (way) => {
    expect(await singly(way, await flushedPieces(way.events), [GZIP])).toEqual(allOf(way));
  });

  it.each(BOTH)("G12 out of gzip members, one for each event: $name", async (way) => {
    const members = way.events.map((event) => new Uint8Array(gzipSync(event)));
    expect(await singly(way, members, [GZIP])).toEqual(allOf(way));
  });

  it.each(BOTH)("G14 with lines that end in CRLF: $name", async (way) => {
    const same = { ...way, events: way.events.map(crlf), forwarded: way.forwarded.map(crlf) };
    expect(await singly(same, same.events)).toEqual(allOf(same));
  });

  it("G17 pings and comments among them", async () => {
    const pings = [": hello\n\n", 'event: ping\ndata: {"type": "ping"}\n\n', ":\n", "\n"];
    const way = withEvents(MESSAGES, [...pings, ...MESSAGES_EVENTS]);
    expect(await singly(way, way.events)).toEqual(allOf(way));
  });

  it("G11 white space that keeps a slow JSON answer alive, then the answer", async () => {
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
    const connection = await send(patient.port, { target: CHAT_TARGET, body: { model, messages } });
    for (const at of pieces.keys()) {
      await waitForBody(connection, pieces.slice(0, at + 1).join(""));
      open(at);
    }
    const got = await receive(connection);
    expect([got.complete, got.text()]).toEqual([true, pieces.join("")]);
    expect((await patient.recorded(got.id)).end).toMatchObject({ outcome: "completed", ...ASKED.final });
  });
});

/** One gzip stream in as many pieces as there are events, each of which inflates as soon as it has come. */
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

describe("a provider that does not answer", () => {
  const json = { "Content-Type": "application/json" };

  it("G1 an upstream that refuses the connection is a 502 in the route's dialect", async () => {
    const model = uniqueModel();
    const got = await exchange(patient.port, {
      target: "/nowhere/v1/chat/completions",
      body: askChat(model),
    });
    expect([got.status, got.complete, got.values("x-interceptor-error")]).toEqual([
      502,
      true,
      ["upstream_unreachable"],
    ]);
    expect(got.values("content-type")[0]).toContain(json["Content-Type"]);
    expect(JSON.parse(got.text())).toMatchObject({
      error: { type: "server_error", code: "upstream_unreachable" },
    });
    const { end, usage } = await patient.recorded(model);
    expect(end).toMatchObject({ outcome: "upstream_error", status: 502, error: "upstream_unreachable" });
    expect(usage).toBeNull();
  });

  it.each([
    ["is reset before an answer", [respond.reset()]],
    ["ends before an answer", [respond.fin()]],
    ["ends within its head", [respond.raw("HTTP/1.1 200 OK\r\nContent-Ty"), respond.fin()]],
    ["does not speak HTTP", [respond.raw("SSH-2.0-OpenSSH_9.9\r\n\r\n"), respond.fin()]],
  ])("G1 a connection that %s is a 502", async (_, steps) => {
    for (const way of [UNASKED, MESSAGES]) {
      upstream.respondWith(steps);
      const got = await exchanged(patient, way);
      expect([got.status, got.values("x-interceptor-error")]).toEqual([502, ["upstream_unreachable"]]);
      expect((await patient.recorded(got.id)).end).toMatchObject({
        outcome: "upstream_error",
        usage: "unknown",
      });
    }
  });

  it.each(WAYS)("G2 no headers by the deadline is a 504, and the upstream is closed: $name", async (way) => {
    upstream.respondWith([respond.hang()]);
    const got = await exchanged(hasty, way);
    expect([got.status, got.values("x-interceptor-error")]).toEqual([504, ["upstream_timeout"]]);
    await closedUpstream(await onlyRequest());
    const { end } = await hasty.recorded(got.id);
    expect(end).toMatchObject({
      outcome: "upstream_error",
      status: 504,
      error: "upstream_timeout",
      ...NO_TOKENS,
    });
  });
});

describe("answers that stop short", () => {
  it.each([
    { way: ASKED, after: 2, left: { usage: "unknown", ...NO_TOKENS } },
    { way: UNASKED, after: 2, left: { usage: "unknown", ...NO_TOKENS } },
    { way: UNASKED, after: 5, left: { usage: "final", ...UNASKED.final } },
    { way: RESPONSES, after: 2, left: { usage: "unknown", ...NO_TOKENS } },
    { way: MESSAGES, after: 3, left: { usage: "partial", ...tokens(12, 1, 3, 4) } },
  ])(
    "G3 silence after $after events is a stall, and what was seen is kept: $way.name",
    async ({ way, after, left }) => {
      upstream.respondWith(
        respond.sseSteps([...way.events.slice(0, after).map(respond.body), respond.hang()]),
      );
      hasty.expectLine(BROKEN_OFF);
      const got = await exchanged(hasty, way);
      expect([got.status, got.complete, got.text()]).toEqual([200, seemsWhole, seenText(way, after)]);
      await closedUpstream(await onlyRequest());
      const { end, usage } = await hasty.recorded(got.id);
      expect(end).toMatchObject({ outcome: "stalled", status: 200, ...left });
      expect(usage === null).toBe(left.usage === "unknown");
    },
  );

  it.each([
    ["of declared length", [["Content-Length", "70"]] as HeaderPair[], "content-length" as const],
    ["in chunks", [], "chunked" as const],
  ])("G3 silence within a JSON answer %s is a stall", async (_, length, framing) => {
    const headers: HeaderPair[] = [["Content-Type", "application/json"], ...length];
    upstream.respondWith([respond.head({ headers, framing }), respond.body('{"id":'), respond.hang()]);
    hasty.expectLine(BROKEN_OFF);
    const got = await exchange(hasty.port, { target: CHAT_TARGET, body: { model: "stalls", messages } });
    expect((await hasty.recorded("stalls")).end).toMatchObject({ outcome: "stalled", ...NO_TOKENS });
    await closedUpstream(await onlyRequest());
    const whole = seemsWhole && framing === "chunked";
    expect([got.status, got.complete, got.text()]).toEqual([200, whole, '{"id":']);
  });

  it.each(WAYS)(
    "G4 a reset in mid-stream is seen as a break, without a [DONE] of ours: $name",
    async (way) => {
      const received = Promise.withResolvers<void>();
      const steps = [
        ...way.events.slice(0, 2).map(respond.body),
        respond.waitFor(received.promise),
        respond.reset(),
      ];
      upstream.respondWith(respond.sseSteps(steps));
      const connection = await send(patient.port, call(way));
      await waitForBody(connection, seenText(way, 2));
      received.resolve();
      const got = await receive(connection);
      expect([got.complete, got.text()]).toEqual([seemsWhole, seenText(way, 2)]);
      expect((await patient.recorded(got.id)).end).toMatchObject({ outcome: "truncated", status: 200 });
    },
  );

  it.each(WAYS)(
    "G4 a FIN on the heels of an event, many times: the event still arrives, then the break: $name",
    async (way) => {
      // In one write with the last event, so that both are often read at once.
      const last = way.events[1] ?? "";
      const steps = [respond.body(way.events[0] ?? ""), respond.raw(chunk(toBytes(last))), respond.fin()];
      for (let round = 0; round < 40; round += 1) {
        upstream.respondWith(respond.sseSteps(steps));
        const got = await exchanged(patient, way);
        expect([got.complete, got.text()]).toEqual([seemsWhole, seenText(way, 2)]);
        expect((await patient.recorded(got.id)).end).toMatchObject({ outcome: "truncated" });
      }
    },
  );

  it.each(WAYS)(
    "G4 a break within an event: what came of it goes on, and the record is truncated: $name",
    async (way) => {
      const half = (way.events[1] ?? "").slice(0, 20);
      upstream.respondWith(
        respond.sseSteps([respond.body(way.events[0] ?? ""), respond.body(half), respond.fin()]),
      );
      const got = await exchanged(patient, way);
      expect(got.complete).toBe(seemsWhole);
      expect(seenText(way, 1) + half).toContain(got.text());
      expect(got.text().startsWith(seenText(way, 1))).toBe(true);
      expect((await patient.recorded(got.id)).end).toMatchObject({ outcome: "truncated", status: 200 });
    },
  );

  it.each(WAYS)("G5 a clean end without the terminal event is truncated: $name", async (way) => {
    const short = withEvents(way, way.events.slice(0, -1));
    upstream.respondWith(respond.sse(short.events));
    const got = await exchanged(patient, way);
    expect([got.complete, got.text()]).toEqual([true, seenText(short)]);
    expect((await patient.recorded(got.id)).end).toMatchObject({ outcome: "truncated", status: 200 });
  });

  it.each(WAYS)("G5 an empty stream is truncated: $name", async (way) => {
    upstream.respondWith(respond.sse([]));
    const got = await exchanged(patient, way);
    expect([got.status, got.complete, got.text()]).toEqual([200, true, ""]);
    expect((await patient.recorded(got.id)).end).toMatchObject({ outcome: "truncated", ...NO_TOKENS });
  });

  it.each(WAYS)("G5 a stream's last event without its blank line still counts: $name", async (way) => {
    const last = way.events.at(-1) ?? "";
    const short = withEvents(way, [...way.events.slice(0, -1), last.trimEnd()]);
    upstream.respondWith(respond.sse(short.events));
    const got = await exchanged(patient, way);
    expect([got.complete, got.text()]).toEqual([true, seenText(short)]);
    expect((await patient.recorded(got.id)).end).toMatchObject({ outcome: "completed", ...way.final });
  });

  it.each(WAYS)(
    "G6 a stream shorter than its content-length is truncated, and breaks off for the client: $name",
    async (way) => {
      const short = withEvents(way, way.events.slice(0, -1));
      upstream.respondWith(respond.truncated(200, short.events.join(""), 5, "text/event-stream"));
      const got = await exchanged(patient, way);
      // Where an event is taken out, it is not the provider's length any more: the client gets chunks.
      const whole = seemsWhole && way === UNASKED;
      expect([got.status, got.complete, got.text()]).toEqual([200, whole, seenText(short)]);
      expect((await patient.recorded(got.id)).end).toMatchObject({ outcome: "truncated", status: 200 });
    },
  );

  it.each([
    ["a small JSON answer", JSON.stringify({ id: "chatcmpl-1", choices: [] }).slice(0, -1)],
    ["a JSON answer without a byte", ""],
  ])(
    "G6 %s shorter than its content-length is truncated: the client gets what there was, then the break",
    async (_, text) => {
      upstream.respondWith(respond.truncated(200, text, 7));
      const model = uniqueModel();
      const got = await exchange(patient.port, { target: CHAT_TARGET, body: { model, messages } });
      const { end } = await patient.recorded(model);
      expect(end).toMatchObject({
        outcome: "truncated",
        status: 200,
        response_bytes: text.length,
        ...NO_TOKENS,
      });
      expect([got.status, got.complete, got.text()]).toEqual([200, false, text]);
    },
  );

  it("G6 a JSON answer of 300 KiB shorter than its content-length is truncated, and the client gets no end", async () => {
    const text = JSON.stringify({ id: "chatcmpl-1", text: "x".repeat(300 * 1024) }).slice(0, -1);
    upstream.respondWith(respond.truncated(200, text, 7));
    const model = uniqueModel();
    const got = await exchange(patient.port, { target: CHAT_TARGET, body: { model, messages } });
    expect((await patient.recorded(model)).end).toMatchObject({ outcome: "truncated", ...NO_TOKENS });
    expect([got.status, got.complete, got.values("content-length")]).toEqual([
      200,
      false,
      [`${text.length + 7}`],
    ]);
    // Where an upstream breaks off, workerd drops what its native pipes have read of the last block (up to 64 KiB).
    expect(got.body.length).toBeGreaterThan(text.length - 64 * 1024);
    expect(text.startsWith(got.text())).toBe(true);
  });

  it.each(WAYS)("G4 a break after the terminal event loses nothing: $name", async (way) => {
    upstream.respondWith(respond.sseSteps([...way.events.map(respond.body), respond.fin()]));
    const got = await exchanged(patient, way);
    expect([got.complete, got.text()]).toEqual([seemsWhole, seenText(way)]);
    const { end } = await patient.recorded(got.id);
    // The answer has reached its end, the stream has not: either name is true.
    expect(["completed", "truncated"]).toContain(end.outcome);
    expect(end).toMatchObject({ usage: "final", ...way.final });
  });
});

describe("G7 a provider's error goes on as it was sent: status, body, headers", () => {
  const KEPT: HeaderPair[] = [
    ["request-id", "req_011"],
    ["x-request-id", "req_abc"],
    ["retry-after", "17"],
    ["retry-after-ms", "17000"],
    ["x-should-retry", "false"],
    ["anthropic-ratelimit-requests-remaining", "0"],
    ["x-ratelimit-reset-tokens", "6m0s"],
  ];
  // Spaced, ordered and worded as no encoder of ours would.
  const bodies = {
    openai:
      '{\n    "error": {\n  "message": "Grüße ✓ \\u00e9",  "type":"insufficient_quota", "param":null }}\n',
    anthropic:
      '{"type":"error", "error":{ "type":"insufficient_quota","message":"Grüße ✓"},"request_id":"req_011" }',
  };
  const table = [400, 401, 403, 404, 429, 500, 503, 529].flatMap((status) =>
    ["openai", "openai-central", "anthropic", "anthropic-central"].map((provider) => ({ status, provider })),
  );

  it.each(table)("G7 $status by $provider", async ({ status, provider }) => {
    const dialect = provider.startsWith("openai") ? "openai" : "anthropic";
    const path = dialect === "openai" ? "chat/completions" : "messages";
    const text = bodies[dialect];
    const responses = [
      respond.json(status, text, KEPT),
      [
        respond.head({ status, headers: [["Content-Type", "application/json"], ...KEPT] }),
        respond.body(text.slice(0, 9)),
        respond.body(text.slice(9)),
        respond.finish(),
      ],
    ];
    for (const steps of responses) {
      upstream.respondWith(steps);
      const got = await exchange(patient.port, {
        target: `/${provider}/v1/${path}`,
        body: askChat(uniqueModel()),
      });
      expect([got.status, got.complete, got.text()]).toEqual([status, true, text]);
      for (const [name, value] of KEPT) expect([name, got.values(name)]).toEqual([name, [value]]);
      expect(got.values("content-type")).toEqual(["application/json"]);
      expect(got.values("x-interceptor-error")).toEqual([]);
      const { end } = await patient.recorded(got.id);
      expect(end).toMatchObject({
        outcome: "upstream_error",
        status,
        error: "insufficient_quota",
        ...NO_TOKENS,
      });
    }
  });

  it.each(["openai", "openai-central"])(
    "G7 an error that is compressed all the same, by %s",
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
      const got = await exchange(patient.port, {
        target: `/${provider}/v1/chat/completions`,
        body: askChat(uniqueModel()),
      });
      expect([got.status, got.values("content-encoding"), got.text()]).toEqual([429, [], bodies.openai]);
      expect((await patient.recorded(got.id)).end).toMatchObject({ error: "insufficient_quota" });
    },
  );

  it("G7 an error that breaks off breaks off for the caller with a key of its own, and is a 502 with the gateway's", async () => {
    for (const [provider, status] of [
      ["openai", 500],
      ["openai-central", 502],
    ] as const) {
      upstream.respondWith([
        respond.head({ status: 500, headers: [["Content-Type", "application/json"]] }),
        respond.body(bodies.openai.slice(0, 9)),
        respond.fin(),
      ]);
      const model = uniqueModel();
      const got = await exchange(patient.port, {
        target: `/${provider}/v1/chat/completions`,
        body: askChat(model),
      });
      expect([got.status, got.complete]).toEqual([status, seemsWhole || provider === "openai-central"]);
      expect((await patient.recorded(model)).end).toMatchObject({ outcome: "upstream_error", status });
    }
  });

  it.each(["openai", "openai-central"])(
    "G10 a 502 in HTML is passed on as it is, by %s",
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
      const got = await exchange(patient.port, {
        target: `/${provider}/v1/chat/completions`,
        body: askChat(uniqueModel()),
      });
      expect([got.status, got.text(), got.values("content-type")]).toEqual([502, html, ["text/html"]]);
      expect(got.values("x-interceptor-error")).toEqual([]);
      const { end } = await patient.recorded(got.id);
      expect(end).toMatchObject({ outcome: "upstream_error", status: 502, error: null, ...NO_TOKENS });
    },
  );
});

describe("answers without a body", () => {
  it.each([204, 205, 304])("G8 %i is passed on without one", async (status) => {
    for (const way of BOTH) {
      upstream.respondWith([
        respond.head({ status, headers: [["X-Request-Id", "r"]], framing: "content-length" }),
      ]);
      const got = await exchanged(patient, way);
      expect([got.status, got.body.length, got.values("x-request-id")]).toEqual([status, 0, ["r"]]);
      expect((await patient.recorded(got.id)).end).toMatchObject({ status, ...NO_TOKENS });
    }
  });

  it("G8 HEAD is passed on without one, its content-length kept", async () => {
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
    const got = await rawRequest(patient.port, { method: "HEAD", target, headers: credentials(target) });
    expect([got.status, got.body.length, got.values("content-length")]).toEqual([200, 0, ["321"]]);
    await patient.waitForEvents((events) => events.some((event) => event.record_type === "passthrough"));
  });
});

describe("answers that are not of the kind that was asked for", () => {
  it("G11 JSON where a stream was asked for: usage is read, and nothing taken out", async () => {
    for (const way of WAYS) {
      const whole =
        way.target === CHAT_TARGET
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
      if (way === MESSAGES) continue;
      upstream.respondWith(respond.json(200, whole));
      const got = await exchanged(patient, way);
      expect(got.text()).toBe(JSON.stringify(whole));
      expect((await patient.recorded(got.id)).end).toMatchObject({
        outcome: "completed",
        usage: "final",
        ...way.final,
      });
    }
  });

  it("G11 a stream where JSON was asked for: usage is read, and nothing taken out", async () => {
    for (const way of WAYS) {
      upstream.respondWith(respond.sse(way.events));
      const model = uniqueModel();
      const body = { ...way.ask(model), stream: false, stream_options: undefined };
      const got = await exchange(patient.port, { target: way.target, body });
      expect(got.text()).toBe(way.events.join(""));
      expect((await patient.recorded(got.id)).end).toMatchObject({
        outcome: "completed",
        usage: "final",
        ...way.final,
      });
    }
  });
});

describe("answers compressed though identity was asked for", () => {
  it.each(WAYS)("G12 br is undone, and usage read: $name", async (way) => {
    const bytes = new Uint8Array(brotliCompressSync(way.events.join("")));
    upstream.respondWith(respond.sse([bytes], [["Content-Encoding", "br"]]));
    const got = await exchanged(patient, way);
    expect([got.values("content-encoding"), got.text()]).toEqual([[], seenText(way)]);
    expect((await patient.recorded(got.id)).end).toMatchObject({ outcome: "completed", ...way.final });
  });

  it.each([
    ["deflate", (text: string) => deflateSync(text)],
    ["zstd", (text: string) => zstdCompressSync(text)],
    ["x-gzip", (text: string) => gzipSync(text)],
  ] as const)(
    "G12 %s, which workerd does not undo, reaches the client as it came, and named as what it is",
    async (encoding, encode) => {
      for (const way of WAYS) {
        const bytes = new Uint8Array(encode(way.events.join("")));
        upstream.respondWith(respond.sse([bytes], [["Content-Encoding", encoding]]));
        const got = await exchanged(patient, way);
        const undone = got.values("content-encoding").length === 0;
        // Either decoded and not named, or as it came and named: never as it came and not named.
        expect([
          way.name,
          undone ? got.text() === seenText(way) : Buffer.from(got.body).equals(bytes),
        ]).toEqual([way.name, true]);
        await patient.recorded(got.id);
      }
    },
  );

  it("G12 a passthrough's compressed answer can be read by the client, and has its length or none", async () => {
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
    const got = await rawRequest(patient.port, { target, headers: credentials(target) });
    expect([got.status, got.values("content-encoding")]).toEqual([200, ["gzip"]]);
    expect(Buffer.from(got.body).equals(bytes)).toBe(true);
    await patient.waitForEvents((events) => events.some((event) => event.record_type === "passthrough"));
  });
});

const starts = (events: readonly InterceptorEvent[]): number =>
  events.filter((event) => event.record_type === "interception_start").length;
const isEnd = (event: InterceptorEvent): event is InterceptionEnd => event.record_type === "interception_end";

/** Ends recorded otherwise than as completed with this usage. */
async function oddEnds(plans: ReadonlyMap<string, unknown>, final: TokenFields): Promise<string[]> {
  const ends = (await patient.waitForEvents((all) => all.filter(isEnd).length >= plans.size)).filter(isEnd);
  const wanted = { outcome: "completed", usage: "final", usage_invalid: false, ...final };
  return ends
    .map((end) =>
      Object.entries(wanted).filter(([key, value]) => end[key as keyof InterceptionEnd] !== value),
    )
    .flatMap((wrong, at) => (wrong.length > 0 ? [JSON.stringify(ends[at])] : []));
}

/**
 * A way's stream cut in each of these manners, several at a time: says what the client saw otherwise than `expected`,
 * and what was recorded otherwise than as completed with the way's usage.
 */
async function oddOnes(
  way: Way,
  cuts: readonly (readonly Uint8Array[])[],
  expected: string,
): Promise<string[]> {
  const plans = new Map(cuts.map((pieces) => [uniqueModel(), pieces]));
  upstream.respondWith(({ text }) => {
    const { model } = JSON.parse(text()) as { model: string };
    return respond.sse(plans.get(model) ?? []);
  });
  const wanted = toBytes(expected);
  const odd: string[] = [];
  const one = async (model: string, pieces: readonly Uint8Array[]): Promise<void> => {
    const got = await exchange(patient.port, { target: way.target, body: way.ask(model) });
    if (got.complete && Buffer.from(got.body).equals(wanted)) return;
    odd.push(`cut into ${pieces.map((piece) => piece.length).join()}: ${JSON.stringify(got.text())}`);
  };
  const queue = [...plans];
  const lane = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) await one(...next);
  };
  // All are waited for, also where one fails: none may run on into the next test.
  const lanes = await Promise.allSettled(Array.from({ length: 8 }, lane));
  odd.push(...lanes.flatMap((result) => (result.status === "rejected" ? [String(result.reason)] : [])));
  return [...odd, ...(await oddEnds(plans, way.final))];
}

describe("the same bytes cut in other places", () => {
  it.each(WAYS)("G13 at every byte: $name", async (way) => {
    const splits = [...everySplit(toBytes(way.events.join("")))];
    expect(await oddOnes(way, splits, seenText(way))).toEqual([]);
  });

  it.each(WAYS)("G13 into single bytes, and at random 40 times: $name", async (way) => {
    const bytes = toBytes(way.events.join(""));
    const cuts = [byteByByte(bytes), ...Array.from({ length: 40 }, (_, seed) => rechunk(bytes, seed))];
    expect(await oddOnes(way, cuts, seenText(way))).toEqual([]);
  });

  const endings: readonly [name: string, end: (event: string, at: number) => string][] = [
    ["CRLF", crlf],
    ["CR", (event) => event.replaceAll("\n", "\r")],
    ["LF and CRLF by turns", (event, at) => (at % 2 === 0 ? event : crlf(event))],
    ["a CR and a CRLF", (event) => event.replace(/\n\n$/, "\r\r\n")],
  ];
  const table = endings.flatMap(([name, end]) => WAYS.map((way) => ({ ending: name, end, way })));

  it.each(table)(
    "G14 lines that end in $ending, whole and cut at each line's end: $way.name",
    async ({ end, way }) => {
      const events = way.events.map(end);
      const forwarded = way.forwarded.map((event, at) => (event === "" ? "" : end(event, at))).join("");
      const bytes = toBytes(events.join(""));
      const atLineEnd = (at: number): boolean =>
        [10, 13].includes(bytes[at] ?? 0) || [10, 13].includes(bytes[at - 1] ?? 0);
      const cuts = [...bytes.keys()].filter((at) => at > 0 && atLineEnd(at));
      const pieces = cuts.map((at) => [bytes.subarray(0, at), bytes.subarray(at)]);
      expect(await oddOnes(way, [[bytes], ...pieces, byteByByte(bytes)], forwarded)).toEqual([]);
    },
  );

  it.each(WAYS)("G14 a byte order mark at the start: $name", async (way) => {
    const bytes = toBytes(`\uFEFF${way.events.join("")}`);
    const cuts = [[bytes], [bytes.subarray(0, 1), bytes.subarray(1)], byteByByte(bytes)];
    expect(await oddOnes(way, cuts, `\uFEFF${seenText(way)}`)).toEqual([]);
  });

  it.each([10, 16_000, 16_384, 20_000, 40_000])(
    "G14 the usage event is taken out wherever the blank line before it is cut, behind an event of %i characters",
    async (size) => {
      const long = chatChunk({ content: "x".repeat(size) });
      const bytes = toBytes(long + CHAT_USAGE + DONE);
      const end = toBytes(long).length;
      const cuts = [-2, -1, 0, 1].map((by) => [bytes.subarray(0, end + by), bytes.subarray(end + by)]);
      expect(await oddOnes(UNASKED, cuts, long + DONE)).toEqual([]);
    },
  );
});

describe("odd events", () => {
  it.each(WAYS)("G15 malformed ones are passed on, and usage comes from the rest: $name", async (way) => {
    const bad = [
      "data: {\n\n",
      'data: {"usage":{"prompt_tokens":\n\n',
      'event: message_delta\ndata: {"type":"message_delta",\n\n',
      'event: response.completed\ndata: "type":"response.completed"\n\n',
      "data\n\n",
      ": data: [DONE]\n\n",
      "data: null\n\ndata: 7\n\ndata: []\n\n",
      "id: 1\nretry: 10\nfoo: bar\n\n",
    ];
    const some = withEvents(way, [...bad, ...way.events.slice(0, -1), ...bad, ...way.events.slice(-1)]);
    upstream.respondWith(respond.sse(some.events));
    const got = await exchanged(patient, way);
    expect(got.text()).toBe(seenText(some));
    expect((await patient.recorded(got.id)).end).toMatchObject({
      outcome: "completed",
      usage: "final",
      ...way.final,
    });
  });

  it.each(BOTH)("G15 bytes that are not UTF-8 are passed on: $name", async (way) => {
    const odd = concat([toBytes('data: {"x":"'), new Uint8Array([0xff, 0xc3, 0x28, 0]), toBytes('"}\n\n')]);
    upstream.respondWith(respond.sse([odd, ...way.events]));
    const got = await exchanged(patient, way);
    expect(Buffer.from(got.body).equals(concat([odd, toBytes(seenText(way))]))).toBe(true);
    expect((await patient.recorded(got.id)).end).toMatchObject({ outcome: "completed", ...way.final });
  });

  it.each(BOTH)(
    "G16 a line of 16 MiB passes whole, and the observer gives up past its cap: $name",
    async (way) => {
      const piece = new Uint8Array(64 * 1024).fill(0x78);
      const pieces = [toBytes("data: "), ...Array.from({ length: 256 }, () => piece), toBytes("\n\n")];
      upstream.respondWith(respond.sse([...pieces, ...way.events]));
      const response = await openUnread(patient.port, call(way));
      const got = await digest(response);
      const wanted = concat([...pieces, toBytes(seenText(way))]);
      expect(got).toEqual({
        bytes: wanted.length,
        sha256: createHash("sha256").update(wanted).digest("hex"),
      });
      const { end } = await patient.recorded(String(response.headers["x-interception-id"]));
      expect(end.outcome).toBe("completed");
      // Beside the stream the end is not seen past the cap; what is carried is all seen, but the long event not kept.
      const unseen = { observation: "truncated", usage: "unknown", ...NO_TOKENS };
      expect(end).toMatchObject(
        way === ASKED ? unseen : { observation: "complete", usage: "final", ...way.final },
      );
    },
  );

  it.each(BOTH)(
    "G17 nothing but comments for many times the idle deadline: the stream stays open: $name",
    async (way) => {
      const far = performance.now() + 3 * 400;
      let pings = 0;
      let pinged = Promise.withResolvers<void>();
      // Each comment goes out when the client has the one before, so the stream is never silent for long.
      const ping: Step = async (wire) => {
        while (performance.now() < far) {
          pinged = Promise.withResolvers();
          await wire.body(": ping\n\n");
          pings += 1;
          await Promise.race([pinged.promise, wire.gone]);
        }
      };
      upstream.respondWith(respond.sseSteps([ping, ...way.events.map(respond.body), respond.finish()]));
      const connection = await send(hasty.port, call(way));
      for (let count = 1; performance.now() < far; count += 1) {
        await until(
          () => pings >= count || performance.now() >= far || undefined,
          () => `${pings} pings`,
        );
        await waitForBody(connection, ": ping\n\n".repeat(Math.min(count, pings)));
        pinged.resolve();
      }
      const got = await receive(connection);
      expect([got.complete, got.text()]).toEqual([true, ": ping\n\n".repeat(pings) + seenText(way)]);
      expect((await hasty.recorded(got.id)).end).toMatchObject({
        outcome: "completed",
        usage: "final",
        ...way.final,
      });
    },
  );
});

const usageEvent = (value: unknown, more: object = { choices: [] }): string =>
  respond.event({ id: "chatcmpl-1", ...more, usage: value });

describe("what an answer says it used", () => {
  const beside = { choices: [{ index: 0, delta: { content: "x" }, finish_reason: null }] };
  const completed = (type: string, response: object): string => named({ type, response } as never);
  const counted = { input_tokens: 5, output_tokens: 2 };
  const start = RESPONSES_EVENTS[0] ?? "";

  const chat = [
    {
      what: "null, then final",
      events: [usageEvent(null, beside), usageEvent({ prompt_tokens: 5, completion_tokens: 2 }), DONE],
      is: tokens(5, 2, null, null),
      state: "final",
    },
    { what: "absent", events: [chatChunk({ content: "x" }), DONE], is: NO_TOKENS, state: "unknown" },
    { what: "null to the end", events: [usageEvent(null, beside), DONE], is: NO_TOKENS, state: "unknown" },
    {
      what: "twice: the last counts",
      events: [
        usageEvent({ prompt_tokens: 5, completion_tokens: 1 }),
        usageEvent({ prompt_tokens: 5, completion_tokens: 2 }),
        DONE,
      ],
      is: tokens(5, 2, null, null),
      state: "final",
    },
    {
      what: "beside content, growing",
      events: [
        usageEvent({ prompt_tokens: 5, completion_tokens: 1 }, beside),
        usageEvent({ prompt_tokens: 5, completion_tokens: 2 }, beside),
        DONE,
      ],
      is: tokens(5, 2, null, null),
      state: "final",
    },
    {
      what: "more cached than there was: none is left, and flagged",
      events: [
        usageEvent({ prompt_tokens: 5, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 9 } }),
        DONE,
      ],
      is: tokens(0, 2, 9, null),
      state: "partial",
      flagged: true,
    },
  ].map((row) => ({ flagged: false, outcome: "completed", error: null, ...row, way: ASKED, id: "G18" }));

  const responses = [
    { what: "completed", events: RESPONSES_EVENTS, is: RESPONSES.final, state: "final" },
    {
      what: "incomplete",
      events: [start, completed("response.incomplete", { status: "incomplete", usage: counted })],
      is: tokens(5, 2, null, null),
      state: "final",
    },
    {
      what: "failed, with usage",
      events: [
        start,
        completed("response.failed", {
          status: "failed",
          error: { code: "server_error", message: "m" },
          usage: counted,
        }),
      ],
      is: tokens(5, 2, null, null),
      state: "final",
      outcome: "upstream_error",
      error: "server_error",
    },
    {
      what: "failed, without",
      events: [start, completed("response.failed", { status: "failed", error: null, usage: null })],
      is: NO_TOKENS,
      state: "unknown",
      outcome: "upstream_error",
      error: "failed",
    },
    {
      what: "an error event",
      events: [start, named({ type: "error", code: "server_error", message: "m", param: null } as never)],
      is: NO_TOKENS,
      state: "unknown",
      outcome: "upstream_error",
      error: "server_error",
    },
    {
      what: "a stray [DONE] after the end",
      events: [...RESPONSES_EVENTS, DONE],
      is: RESPONSES.final,
      state: "final",
    },
  ].map((row) => ({ flagged: false, outcome: "completed", error: null, ...row, way: RESPONSES, id: "G19" }));

  const messagesRows = [
    {
      what: "start and delta: cumulative, not summed",
      events: MESSAGES_EVENTS,
      is: MESSAGES.final,
      state: "final",
    },
    {
      what: "several deltas: the last counts",
      events: [
        MESSAGE_START,
        messageDelta({ output_tokens: 20 }, null),
        messageDelta({ output_tokens: 61 }),
        MESSAGE_STOP,
      ],
      is: MESSAGES.final,
      state: "final",
    },
    {
      what: "a delta that repeats the input and corrects the cache",
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
      is: tokens(13, 61, 5, 0),
      state: "final",
    },
    {
      what: "a delta with nulls: what was said before stands",
      events: [
        MESSAGE_START,
        messageDelta({ input_tokens: null, cache_read_input_tokens: null, output_tokens: 61 }),
        MESSAGE_STOP,
      ],
      is: MESSAGES.final,
      state: "final",
    },
    {
      what: "an error event after the start",
      events: [
        MESSAGE_START,
        named({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } } as never),
      ],
      is: tokens(12, 1, 3, 4),
      state: "partial",
      outcome: "upstream_error",
      error: "overloaded_error",
    },
  ].map((row) => ({ flagged: false, outcome: "completed", error: null, ...row, way: MESSAGES, id: "G20" }));

  const numbers = ["-1", "1e308", "1e999", '"5"', "9007199254740993", "1.5", "true", "[]", "{}"]
    .flatMap((figure) => [
      {
        what: `chat says ${figure}`,
        events: [`data: {"choices":[],"usage":{"prompt_tokens":${figure},"completion_tokens":2}}\n\n`, DONE],
        is: tokens(null, 2, null, null),
        way: ASKED,
      },
      {
        what: `responses says ${figure}`,
        events: [
          `data: {"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":${figure}}}}\n\n`,
        ],
        is: tokens(5, null, null, null),
        way: RESPONSES,
      },
      {
        what: `messages says ${figure}`,
        events: [
          MESSAGE_START,
          `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":${figure}}}\n\n`,
          MESSAGE_STOP,
        ],
        is: tokens(12, 1, 3, 4),
        way: MESSAGES,
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
    "$id $what",
    async ({ way, events, is, state, flagged, outcome, error }) => {
      upstream.respondWith(respond.sse(events));
      const got = await exchanged(patient, way);
      expect([got.complete, got.text()]).toEqual([true, events.join("")]);
      const { end, usage: told } = await patient.recorded(got.id);
      expect(end).toMatchObject({ outcome, error, usage: state, usage_invalid: flagged, ...is });
      const event = told && { usage: told.usage, output_tokens: told.output_tokens };
      expect(event).toEqual(state === "unknown" ? null : { usage: state, output_tokens: is.output_tokens });
    },
  );

  it("G18 a figure that is not known is null in the log and below 0 in Analytics Engine, never 0", async () => {
    upstream.respondWith(respond.sse([DONE]));
    const got = await exchanged(patient, ASKED);
    expect((await patient.recorded(got.id)).end).toMatchObject(NO_TOKENS);
    await patient.flush();
    const [row] = patient.points("INTERCEPTIONS");
    expect(row?.point.doubles?.slice(4, 8)).toEqual([-1, -1, -1, -1]);
  });

  it.each([
    ["message", askWithUsage],
    ["message, usage taken out", askChat],
  ])("G25 text that looks like an end or like usage is not taken for it: %s", async (_, ask) => {
    const tricks = [
      "data: [DONE]",
      "\n\ndata: [DONE]\n\n",
      '"usage":{"prompt_tokens":999}',
      '{"choices":[],"usage":{"prompt_tokens":999}}',
      'event: message_stop\ndata: {"type":"message_stop"}',
    ];
    const events = [
      ...tricks.map((content) => chatChunk({ content })),
      chatChunk({ usage: { choices: [] } } as never),
    ];
    const way = withEvents(ask === askChat ? UNASKED : ASKED, events);
    upstream.respondWith(respond.sse(way.events));
    const cutOff = await exchanged(patient, way);
    expect(cutOff.text()).toBe(events.join(""));
    expect((await patient.recorded(cutOff.id)).end).toMatchObject({ outcome: "truncated", ...NO_TOKENS });

    const whole = withEvents(way, [...events, ...CHAT_EVENTS]);
    upstream.respondWith(respond.sse(whole.events));
    const got = await exchanged(patient, whole);
    expect(got.text()).toBe(seenText(whole));
    expect((await patient.recorded(got.id)).end).toMatchObject({ outcome: "completed", ...ASKED.final });
  });

  it.each([RESPONSES, MESSAGES])(
    "G25 text that looks like an event is not taken for one: $name",
    async (way) => {
      const looks = [
        `"type":"message_stop"`,
        `"type":"error","error":{"type":"overloaded_error"}`,
        `"type":"response.completed","response":{"usage":{"input_tokens":999}}`,
      ];
      const deltas = looks.map((text) =>
        way === MESSAGES
          ? textDelta(text)
          : named({ type: "response.output_text.delta", delta: text } as never),
      );
      // The same as keys and values of an object further in.
      const inner = {
        type: "message_delta",
        usage: { output_tokens: 999, input_tokens: 999 },
        delta: { stop_reason: "x" },
      };
      const nested = named({
        type: "content_block_start",
        index: 1,
        content_block: { type: "tool_use", input: inner },
      } as never);
      const some = withEvents(way, [...way.events.slice(0, 1), ...deltas, nested, ...way.events.slice(1)]);
      upstream.respondWith(respond.sse(some.events));
      const got = await exchanged(patient, some);
      expect(got.text()).toBe(seenText(some));
      expect((await patient.recorded(got.id)).end).toMatchObject({
        outcome: "completed",
        error: null,
        ...way.final,
      });
    },
  );

  it.each([
    {
      way: ASKED,
      error: respond.event({ error: { message: "m", type: "server_error", param: null, code: null } }),
      after: [DONE],
      name: "server_error",
    },
    {
      way: UNASKED,
      error: respond.event({ error: { message: "m", type: "server_error", param: null, code: null } }),
      after: [],
      name: "server_error",
    },
    {
      way: RESPONSES,
      error: named({ type: "error", code: "rate_limit_exceeded", message: "m" } as never),
      after: [],
      name: "rate_limit_exceeded",
    },
    {
      way: MESSAGES,
      error: named({ type: "error", error: { type: "overloaded_error", message: "m" } } as never),
      after: [],
      name: "overloaded_error",
    },
  ])(
    "G26 an error event inside a 200 is passed on and is an upstream_error: $way.name",
    async ({ way, error, after, name }) => {
      const events = [...way.events.slice(0, 2), error, ...after];
      upstream.respondWith(respond.sse(events));
      const got = await exchanged(patient, way);
      expect([got.status, got.text()]).toEqual([200, events.join("")]);
      expect((await patient.recorded(got.id)).end).toMatchObject({
        outcome: "upstream_error",
        status: 200,
        error: name,
      });
    },
  );
});

describe("clients that leave", () => {
  it.each(WAYS)(
    "G22 before the headers, by a reset: the upstream is closed, and the start has its one end: $name",
    async (way) => {
      upstream.respondWith([respond.hang()]);
      const { model, ...rest } = call(way);
      const connection = await send(patient.port, rest);
      const request = await onlyRequest();
      connection.abort();
      await closedUpstream(request);
      const { end } = await patient.recorded(model);
      expect(end).toMatchObject({ outcome: "cancelled", status: null, usage: "unknown", ...NO_TOKENS });
    },
  );

  it("G22 before the headers, by a plain close: as workerd sees no more than a FIN, the headers' deadline ends it", async () => {
    upstream.respondWith([respond.hang()]);
    const model = uniqueModel();
    const connection = await send(hasty.port, { target: CHAT_TARGET, body: askChat(model) });
    const request = await onlyRequest();
    connection.destroy();
    await closedUpstream(request);
    const { end } = await hasty.recorded(model);
    expect(["cancelled", "upstream_error"]).toContain(end.outcome);
    expect(end).toMatchObject(NO_TOKENS);
  });

  it.each([
    [
      "of declared length, before its body is whole",
      [["Content-Length", "70"]] as HeaderPair[],
      "content-length" as const,
    ],
    ["in chunks", [], "chunked" as const],
  ])("G22 after the provider's headers of a JSON answer %s: one end", async (_, length, framing) => {
    const begun = Promise.withResolvers<void>();
    upstream.respondWith([
      respond.head({ headers: [["Content-Type", "application/json"], ...length], framing }),
      respond.body('{"id":'),
      () => begun.resolve(),
      respond.hang(),
    ]);
    const model = uniqueModel();
    const connection = await send(patient.port, { target: CHAT_TARGET, body: { model, messages } });
    const request = await onlyRequest();
    await begun.promise;
    if (framing === "chunked") await waitForBody(connection, '{"id":');
    connection.abort();
    await closedUpstream(request);
    expect((await patient.recorded(model)).end).toMatchObject({ outcome: "cancelled", ...NO_TOKENS });
  });

  it("G22 while the provider's error is still coming, with the gateway's key: one end", async () => {
    const begun = Promise.withResolvers<void>();
    upstream.respondWith([
      respond.head({ status: 500, headers: [["Content-Type", "application/json"]] }),
      respond.body("{"),
      () => begun.resolve(),
      respond.hang(),
    ]);
    const model = uniqueModel();
    const connection = await send(patient.port, {
      target: "/openai-central/v1/chat/completions",
      body: askChat(model),
    });
    const request = await onlyRequest();
    await begun.promise;
    connection.abort();
    await closedUpstream(request);
    expect((await patient.recorded(model)).end).toMatchObject({ outcome: "cancelled", ...NO_TOKENS });
  });

  it("G22 a passthrough before its headers: the upstream is closed, and it is counted all the same", async () => {
    upstream.respondWith([respond.hang()]);
    const connection = await send(patient.port, {
      target: "/openai/v1/embeddings",
      body: { model: "m", input: PROMPT },
    });
    const request = await onlyRequest();
    connection.abort();
    await closedUpstream(request);
    const events = await patient.waitForEvents((all) => all.length > 0);
    expect(events).toMatchObject([{ record_type: "passthrough", route: "/embeddings" }]);
  });

  type Left = { readonly usage: string } & TokenFields;
  const unknown: Left = { usage: "unknown", ...NO_TOKENS };
  const leaving: { way: Way; when: string; sent: number; left: Left; outcomes: string[] }[] = WAYS.flatMap(
    (way) => {
      const started: Left = way === MESSAGES ? { usage: "partial", ...tokens(12, 1, 3, 4) } : unknown;
      const all: Left = { usage: "final", ...way.final };
      return [
        { way, when: "after the first event", sent: 1, left: started, outcomes: ["cancelled"] },
        { way, when: "in the middle", sent: 3, left: started, outcomes: ["cancelled"] },
        // The answer has reached its end, the stream has not: either name is true.
        {
          way,
          when: "after the last event",
          sent: way.events.length,
          left: all,
          outcomes: ["cancelled", "completed"],
        },
      ];
    },
  );

  it.each(leaving)(
    "G23 $when: upstream closed, one end, what was seen is kept: $way.name",
    async ({ way, sent, left, outcomes }) => {
      upstream.respondWith(
        respond.sseSteps([...way.events.slice(0, sent).map(respond.body), respond.hang()]),
      );
      const connection = await send(patient.port, call(way));
      await waitForBody(connection, seenText(way, sent));
      const id =
        /x-interception-id: (\S+)/i.exec(Buffer.from(connection.received()).toString("latin1"))?.[1] ?? "";
      connection.abort();
      await closedUpstream(await onlyRequest());
      const { end, usage } = await patient.recorded(id);
      expect(outcomes).toContain(end.outcome);
      expect(end).toMatchObject({ status: 200, ...left });
      expect(end.response_bytes).toBe(toBytes(way.events.slice(0, sent).join("")).length);
      expect(usage === null).toBe(left.usage === "unknown");
    },
  );

  it.each(WAYS)("G23 after the very first byte: $name", async (way) => {
    const first = way.events[0] ?? "";
    // The way that takes the usage event out passes on whole events: there the first byte comes with the first event.
    const before = way === UNASKED ? [first] : [first.slice(0, 1)];
    upstream.respondWith(respond.sseSteps([...before.map(respond.body), respond.hang()]));
    const { model, ...rest } = call(way);
    const connection = await send(patient.port, rest);
    await waitForBody(connection, before.join("").slice(0, 1));
    connection.abort();
    await closedUpstream(await onlyRequest());
    expect((await patient.recorded(model)).end).toMatchObject({ outcome: "cancelled", ...NO_TOKENS });
  });

  it.each(WAYS)("G23 by a plain close while the provider still speaks: $name", async (way) => {
    const word = way.target === CHAT_TARGET ? chatChunk({ content: "x" }) : (way.events[1] ?? "");
    upstream.respondWith(respond.sseSteps([respond.body(way.events[0] ?? ""), again(word)]));
    const { model, ...rest } = call(way);
    const connection = await send(patient.port, rest);
    await waitForBody(connection, seenText(way, 1));
    connection.destroy();
    await closedUpstream(await onlyRequest());
    expect((await patient.recorded(model)).end).toMatchObject({ outcome: "cancelled", status: 200 });
  });

  it("G23 what has come and not been looked at when the client leaves is counted: each event in a burst of its own", async () => {
    for (const way of WAYS) {
      // The first look comes with the first event, the next a pace later: the rest waits unread when the client leaves.
      const received = Promise.withResolvers<void>();
      const [first = "", ...others] = way.events;
      const steps = [
        respond.body(first),
        respond.waitFor(received.promise),
        respond.body(others.join("")),
        respond.hang(),
      ];
      upstream.clear();
      upstream.respondWith(respond.sseSteps(steps));
      const { model, ...rest } = call(way);
      const connection = await send(patient.port, rest);
      await waitForBody(connection, seenText(way, 1));
      received.resolve();
      await waitForBody(connection, seenText(way));
      connection.abort();
      await closedUpstream(await onlyRequest());
      expect((await patient.recorded(model)).end).toMatchObject({ usage: "final", ...way.final });
    }
  });

  it.each(BOTH)(
    "G24 a client that reads nothing: what is taken from the provider stays bounded: $name",
    async (way) => {
      const piece = toBytes(`: ${"x".repeat(64 * 1024 - 4)}\n\n`);
      let taken = 0;
      const flood: Step = async (wire) => {
        for (let n = 0; n < 1024; n += 1) {
          await wire.body(piece);
          taken += piece.length;
        }
      };
      const plan = respond.sseSteps([flood, ...way.events.map(respond.body), respond.finish()]);
      const { model, ...rest } = call(way);
      upstream.respondWith((request) =>
        request.text().includes(`"${model}"`) ? plan : respond.json(200, {}),
      );
      const response = await openUnread(hasty.port, rest);
      response.pause();
      // Nothing more is taken while the interceptor, through the same process, does other work.
      let before = -1;
      for (let still = 0; still < 40;) {
        const other = { target: CHAT_TARGET, body: { model: "other", messages } };
        await exchange(hasty.port, other);
        still = taken === before ? still + 1 : 0;
        before = taken;
      }
      console.log(`G24 ${way.name}: taken ${(taken / MIB).toFixed(1)} MiB of 64 with nobody reading`);
      // 1 MiB is observed; the kernel's own buffers on the way (four of them, some MiB each) take the rest.
      expect(taken).toBeLessThan(32 * MIB);
      const wanted = toBytes(seenText(way));
      const got = await digest(response);
      expect(got.bytes).toBe(64 * MIB + wanted.length);
      const forwarded = { observation: "complete", usage: "final", ...way.final };
      const unseen = { observation: "truncated", usage: "unknown", ...NO_TOKENS };
      const { end } = await hasty.recorded(model);
      expect(end).toMatchObject({
        outcome: "completed",
        status: 200,
        ...(way === ASKED ? unseen : forwarded),
      });
    },
  );

  it.each(BOTH)(
    "G24 a client that reads nothing and leaves: upstream closed, one end: $name",
    async (way) => {
      upstream.respondWith(respond.sseSteps([again(`: ${"x".repeat(64 * 1024)}\n\n`)]));
      const { model, ...rest } = call(way);
      const response = await openUnread(patient.port, rest);
      response.pause();
      response.destroy();
      await closedUpstream(await onlyRequest());
      expect((await patient.recorded(model)).end).toMatchObject({ outcome: "cancelled", ...NO_TOKENS });
    },
  );

  it("G24 past what is observed, a client that leaves is still noticed, and the record says that it saw a part", async () => {
    const piece = `: ${"x".repeat(64 * 1024 - 4)}\n\n`;
    const steps = [...Array.from({ length: 64 }, () => respond.body(piece)), respond.hang()];
    upstream.respondWith(respond.sseSteps(steps));
    const { model, ...rest } = call(ASKED);
    const response = await openUnread(hasty.port, rest);
    let bytes = 0;
    for await (const some of response) {
      bytes += (some as Uint8Array).length;
      // With all that there is, and nothing more to come.
      if (bytes < 64 * piece.length) continue;
      response.socket.resetAndDestroy();
      break;
    }
    await closedUpstream(await onlyRequest());
    expect((await hasty.recorded(model)).end).toMatchObject({
      outcome: "cancelled",
      observation: "truncated",
    });
  });

  it("G24 past what is observed, an upstream that breaks off is truncated, and the record says that it saw a part", async () => {
    const piece = `: ${"x".repeat(64 * 1024 - 4)}\n\n`;
    const steps = [...Array.from({ length: 64 }, () => respond.body(piece)), respond.fin()];
    upstream.respondWith(respond.sseSteps(steps));
    const { model, ...rest } = call(ASKED);
    const response = await openUnread(hasty.port, rest);
    const brokeOff = await digest(response).then(
      () => false,
      () => true,
    );
    expect(brokeOff).toBe(!seemsWhole);
    expect((await hasty.recorded(model)).end).toMatchObject({
      outcome: "truncated",
      observation: "truncated",
    });
  });

  it.each(WAYS)(
    "G27 in the same tick as the end, 60 times: one end each, usage final: $name",
    async (way) => {
      upstream.respondWith(respond.sse(way.events));
      const left = Array.from({ length: 60 }, () => call(way));
      for (const { target, body } of left) {
        const connection = await send(patient.port, { target, body });
        await waitForBody(connection, seenText(way));
        connection.abort();
      }
      for (const { model } of left) {
        const { end } = await patient.recorded(model);
        expect(["completed", "cancelled"]).toContain(end.outcome);
        expect(end).toMatchObject({ usage: "final", ...way.final });
      }
    },
  );

  it.each(WAYS)("G27 at any moment at all, 60 times: one end each: $name", async (way) => {
    upstream.respondWith(respond.sse(way.events));
    const left = Array.from({ length: 60 }, () => call(way));
    const whole = toBytes(way.events.join("")).length;
    for (const [at, { target, body }] of left.entries()) {
      const connection = await send(patient.port, { target, body });
      // After some part of the answer; and for some, without waiting for any of it.
      if (at % 4 !== 0) {
        const wanted = Math.floor((whole * at) / left.length / 2);
        await connection.readUntil((text) => text.length >= wanted);
      } else {
        await upstream.waitForRequest((request) => request.text().includes(`"${left[at]?.model ?? ""}"`));
      }
      connection.abort();
    }
    const open = () =>
      upstream.requests.filter(({ closedAt, responseSent: responded }) => closedAt === null && !responded);
    await until(
      () => open().length === 0 || undefined,
      () => `${open().length} upstream connections were left open`,
    );
    const events = await patient.waitForEvents((all) => all.filter(isEnd).length === starts(all));
    const outcomes = new Set(events.filter(isEnd).map(({ outcome }) => outcome));
    expect(["completed", "cancelled"]).toEqual(expect.arrayContaining([...outcomes]));
  });
});
