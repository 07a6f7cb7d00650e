/**
 * The ledger's queue absent, failing, hanging or working, through the production bundle. The queue's state changes a
 * client's response only when recording is required. The tests also check where the events end up.
 */
import { createHash, createHmac } from "node:crypto";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { toLedgerEvents } from "../../src/events/ledger-events.ts";
import { startEmulator } from "../../tools/emulator/server.ts";
import * as respond from "../support/response-steps.ts";
import type { Step } from "../support/response-steps.ts";
import { until } from "../support/deadline.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import type { InterceptorOptions } from "../support/interceptor.ts";
import type { HeaderPair } from "../support/wire.ts";
import {
  interceptorOptions,
  exchange,
  uniqueModel,
  waitForBody,
  OWN_KEY,
  receive,
  send,
  startCheckedInterceptor,
  type Call,
  type Received,
  type CheckedInterceptor,
} from "./exchange.ts";

const upstream = await startFakeUpstream();
const emulator = await startEmulator({ port: 0, eventMs: 0, slowMs: 50 });
afterEach(() => upstream.clear());
afterAll(() => Promise.all([upstream.close(), emulator.close()]));

const EVENT_MAC_KEY = "of-the-test-0123456789-abcdefghijklmnopqrstuvwxyz";
const ALL_CONTENT = { prompts: true, tool_inputs: true, thoughts: true, error_messages: true };
const startWith = (
  queue: NonNullable<InterceptorOptions["queue"]>,
  required = false,
  url = upstream.url,
  macKey: { readonly EVENT_MAC_KEY?: string } = {},
): Promise<CheckedInterceptor> => {
  const { vars, secrets } = interceptorOptions(url);
  return startCheckedInterceptor({
    vars: { ...vars, RECORDING: { ...ALL_CONTENT, required } },
    secrets: { ...secrets, ...macKey },
    queue,
  });
};
const withoutQueue = await startWith("absent");
const refusing = await startWith("refusing");
const hanging = await startWith("hanging");
const refusingRequired = await startWith("refusing", true);
const hangingRequired = await startWith("hanging", true);
const takingRequired = await startWith("taking", true);
const taking = await startWith("taking", false, emulator.url);
const signing = await startWith("taking", false, emulator.url, { EVENT_MAC_KEY });

/** The counts of a test's refusals cannot be sent ten seconds later: another test runs by then. */
beforeEach(() => {
  for (const interceptor of [refusing, hanging, refusingRequired, hangingRequired]) {
    interceptor.expectLine(
      /^\{"message":"interception ledger fallback","event":\{"record_type":"refusal_count",/,
    );
    interceptor.expectLine(/^\{"event":"sink_failed","sink":"refusal_counts",/);
  }
});

/** Twice as long as the ledger sink retries. */
const GIVEN_UP_MS = 30_000;

const FALLBACK = '{"message":"interception ledger fallback","event":';

/** The events in the fallback lines, except the counts of refusals, which follow ten seconds later. */
function fallbackEvents(interceptor: CheckedInterceptor): InterceptorEvent[] {
  return interceptor
    .lines()
    .filter(({ message }) => message.startsWith(FALLBACK))
    .map(({ message }) => (JSON.parse(message) as { readonly event: InterceptorEvent }).event)
    .filter(({ record_type }) => record_type !== "refusal_count");
}

/** The logged events in the ledger's form, without the field that marks a log line. */
function ledgerEvents(interceptor: CheckedInterceptor): readonly InterceptorEvent[] {
  const logged = interceptor.events().map((event) => {
    const { message: _, ...fields } = event as InterceptorEvent & { readonly message: string };
    return fields as InterceptorEvent;
  });
  return toLedgerEvents(logged);
}

const nameOf = (event: InterceptorEvent): string =>
  `${event.interception_id} ${event.record_type} ${"position" in event ? event.position : 0}`;
const byName = (events: readonly InterceptorEvent[]): InterceptorEvent[] =>
  events.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));

const SINK_FAILED = '{"event":"sink_failed","sink":"ledger",';

/** The error lines of the ledger sink, sorted. */
function sinkErrors(interceptor: CheckedInterceptor): string[] {
  return interceptor
    .lines()
    .filter(({ message }) => message.startsWith(SINK_FAILED))
    .map(({ message }) => message)
    .toSorted();
}

/**
 * Checks that each event of this test is in exactly one fallback line, that each interception has one error line, and
 * that no line contains the secret.
 */
async function expectAllInFallback(interceptor: CheckedInterceptor, errorName: string): Promise<void> {
  await until(
    () => fallbackEvents(interceptor).length >= ledgerEvents(interceptor).length || undefined,
    () =>
      `${fallbackEvents(interceptor).length} of ${ledgerEvents(interceptor).length} events in fallback lines`,
    GIVEN_UP_MS,
  );
  await interceptor.flush();
  expect(byName(fallbackEvents(interceptor))).toEqual(byName(ledgerEvents(interceptor)));
  const ids = new Set(ledgerEvents(interceptor).map(({ interception_id }) => interception_id));
  expect(sinkErrors(interceptor)).toEqual(
    [...ids].map((id) => `${SINK_FAILED}"interception_id":"${id}","error":"${errorName}"}`).toSorted(),
  );
  expect(JSON.stringify(interceptor.lines())).not.toContain(SECRET);
}

/** Allows the lines that a failing queue causes. */
function allowFallbackLines(interceptor: CheckedInterceptor): void {
  interceptor.expectLine(/^\{"message":"interception ledger fallback","event":\{/);
  interceptor.expectLine(
    /^\{"event":"sink_failed","sink":"ledger","interception_id":"[0-9a-f-]{36}","error":"\w+"\}$/,
  );
}

/** A key in prompts, tool inputs, thoughts and errors. No record may contain it, nor the client's own key. */
const SECRET = "sk-said-5d4c3b2a19087f6e";
const USER_TEXT = `Use ${OWN_KEY} or ${SECRET}, please.`;
const REDACTED = "Use [redacted:provider_key] or [redacted:provider_key], please.";

const CHAT = "/openai/v1/chat/completions";
const MESSAGES = "/anthropic/v1/messages";
const FILES = "/openai-central/v1/files";
const OWNER = "0f8fad5b-d9cb-469f-a165-70867728950e";
const coderAgents = (owner: string): HeaderPair[] => [
  ["User-Agent", "coder-agents/v2.24.0 (linux/amd64)"],
  ["X-Coder-Owner-Id", owner],
];
const messages = [{ role: "user", content: USER_TEXT }];

const input = JSON.stringify({ text: `with ${SECRET}` });
const toolCall = { id: "call_1", type: "function", function: { name: "write_file", arguments: input } };
const usage = { prompt_tokens: 5, completion_tokens: 2 };
const WHOLE = {
  id: "x",
  model: "gpt-9",
  choices: [{ index: 0, message: { tool_calls: [toolCall] }, finish_reason: "tool_calls" }],
  usage,
};
const STREAM = [
  respond.event({ id: "x", choices: [{ index: 0, delta: { content: "✓" } }] }),
  respond.event({ id: "x", choices: [{ index: 0, delta: { tool_calls: [{ index: 0, ...toolCall }] } }] }),
  respond.event({ id: "x", choices: [{ index: 0, delta: {}, finish_reason: "tool_calls" }] }),
  respond.event({ id: "x", choices: [], usage }),
  respond.event("[DONE]"),
];
const MESSAGE_STREAM = [
  { type: "message_start", message: { id: "m", usage: { input_tokens: 1, output_tokens: 1 } } },
  { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: `Is ${SECRET} one?` } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9 } },
  { type: "message_stop" },
].map((event) => respond.event(event, event.type));
const TOO_MANY = { error: { message: `slow down, ${SECRET}`, type: "rate_limit", param: null, code: null } };

type Kind = { readonly kind: string; readonly call: Call; readonly steps: readonly Step[] };

const KINDS: readonly Kind[] = [
  { kind: "JSON", call: { target: CHAT, body: { model: "m", messages } }, steps: respond.json(200, WHOLE) },
  {
    kind: "a stream",
    call: {
      target: CHAT,
      body: { model: "m", stream: true, stream_options: { include_usage: true }, messages },
    },
    steps: respond.sse(STREAM, [["X-Request-Id", "req_1"]]),
  },
  {
    kind: "a stream whose usage event is removed",
    call: { target: CHAT, body: { model: "m", stream: true, messages } },
    steps: respond.sse(STREAM),
  },
  {
    kind: "a stream of messages",
    call: { target: MESSAGES, body: { model: "m", stream: true, messages } },
    steps: respond.sse(MESSAGE_STREAM),
  },
  {
    kind: "a provider's error",
    call: { target: CHAT, body: { model: "m", messages } },
    steps: respond.json(429, TOO_MANY, [["Retry-After", "1"]]),
  },
  {
    kind: "an override",
    call: { target: CHAT, body: { model: "m", messages }, headers: coderAgents(OWNER) },
    steps: respond.json(200, WHOLE),
  },
  {
    kind: "a rejected owner, on a passthrough",
    call: { target: "/openai/v1/embeddings", body: { model: "m" }, headers: coderAgents("no") },
    steps: respond.json(200, { data: [] }),
  },
  {
    kind: "a passthrough",
    call: { target: "/openai/v1/embeddings", body: { model: "m" } },
    steps: respond.json(200, { data: [] }),
  },
  { kind: "a refusal", call: { target: CHAT, body: "{" }, steps: [] },
];

/** The client's response without the interception id. */
async function responseFrom(interceptor: CheckedInterceptor, { kind, call }: Kind): Promise<object> {
  upstream.respondWith(
    (request) =>
      KINDS.find((candidate) => candidate.kind === request.values("x-stainless-kind")[0])?.steps ?? [],
  );
  const headers: HeaderPair[] = [...(call.headers ?? []), ["X-Stainless-Kind", kind]];
  const { status, complete, text, headers: all } = await exchange(interceptor.port, { ...call, headers });
  const others = all.filter(([name]) => name.toLowerCase() !== "x-interception-id");
  return { status, complete, text: text(), headers: others };
}

describe("H5 a queue that responds 429 to every send", () => {
  it.each(KINDS)("leaves the response unchanged and loses no event: $kind", async (kind) => {
    allowFallbackLines(refusing);
    const expected = await responseFrom(withoutQueue, kind);
    expect(await responseFrom(refusing, kind)).toEqual(expected);
    await refusing.waitForEvents((events) =>
      events.some(({ record_type }) => ["interception_end", "passthrough", "refusal"].includes(record_type)),
    );
    await expectAllInFallback(refusing, "Error");
  });

  it("completes a stream although the sink gives up meanwhile", async () => {
    allowFallbackLines(refusing);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const [first = "", ...rest] = STREAM;
    const later = [respond.waitFor(released), ...rest.map((event) => respond.body(event)), respond.finish()];
    upstream.respondWith(respond.sseSteps([respond.body(first), ...later]));
    const body = { model: uniqueModel(), stream: true, stream_options: { include_usage: true }, messages };
    const connection = await send(refusing.port, { target: CHAT, body });
    await waitForBody(connection, first);
    await until(
      () => sinkErrors(refusing).length > 0 || undefined,
      () => "the sink never gave up",
    );
    release();
    const { complete, text } = await receive(connection);
    expect([complete, text()]).toEqual([true, STREAM.join("")]);
    await refusing.recorded(body.model);
    await expectAllInFallback(refusing, "Error");
  });
});

describe("H5 a queue that never responds", () => {
  it("completes every response before the sink gives up, and loses no event", async () => {
    allowFallbackLines(hanging);
    const expected = await Promise.all(KINDS.map((kind) => responseFrom(withoutQueue, kind)));
    expect(await Promise.all(KINDS.map((kind) => responseFrom(hanging, kind)))).toEqual(expected);
    await hanging.flush();
    expect([fallbackEvents(hanging), sinkErrors(hanging)]).toEqual([[], []]);
    // Two passthroughs and a refusal are not interceptions.
    const ends = KINDS.length - 3;
    await hanging.waitForEvents(
      (events) => events.filter(({ record_type }) => record_type === "interception_end").length >= ends,
    );
    await expectAllInFallback(hanging, "TimeoutError");
  });
});

const UNRECORDED = "The request could not be recorded, so it was not forwarded. Retry later.";

/** A call and the body of its refusal, by API. */
const REQUIRED: readonly (readonly [string, Call, (id: string) => object])[] = [
  [
    "chat",
    { target: CHAT, body: { model: "m", messages } },
    () => ({
      error: { message: UNRECORDED, type: "server_error", param: null, code: "recording_unavailable" },
    }),
  ],
  [
    "a chat stream for an owner",
    { target: CHAT, body: { model: "m", stream: true, messages }, headers: coderAgents(OWNER) },
    () => ({
      error: { message: UNRECORDED, type: "server_error", param: null, code: "recording_unavailable" },
    }),
  ],
  [
    "messages",
    { target: MESSAGES, body: { model: "m", stream: true, messages } },
    (id) => ({ type: "error", error: { type: "api_error", message: UNRECORDED }, request_id: id }),
  ],
];

const OWNED_FILES: Call = { target: FILES, body: "", headers: coderAgents(OWNER) };

function typesOf(events: readonly InterceptorEvent[], id: string): string[] {
  return events.filter(({ interception_id }) => interception_id === id).map(({ record_type }) => record_type);
}

/** Checks for a 503 with this body, and for the complete log of the refused interception. */
function expectUnrecorded(
  interceptor: CheckedInterceptor,
  { status, values, text, id }: Received,
  expectedBody: (id: string) => object,
): void {
  expect([status, values("x-interceptor-error")]).toEqual([503, ["recording_unavailable"]]);
  expect(JSON.parse(text())).toEqual(expectedBody(id));
  const types = typesOf(interceptor.events(), id).filter((type) => type !== "initiator_override");
  expect(types).toEqual(["interception_start", "prompt_usage", "interception_end", "refusal"]);
  const end = interceptor
    .events()
    .find((event) => event.record_type === "interception_end" && event.interception_id === id);
  expect(end).toMatchObject({ outcome: "refused", status: 503, usage: "unknown", input_tokens: null });
}

describe("H7 when recording is required and the queue responds 429", () => {
  it.each(REQUIRED)(
    "refuses %s in its dialect and sends the provider nothing",
    async (_, call, expectedBody) => {
      allowFallbackLines(refusingRequired);
      const received = await exchange(refusingRequired.port, call);
      await refusingRequired.waitForEvents((all) => typesOf(all, received.id).includes("refusal"));
      expectUnrecorded(refusingRequired, received, expectedBody);
      await expectAllInFallback(refusingRequired, "Error");
      expect(upstream.requests).toEqual([]);
    },
  );

  // H2 of the security review: a passthrough without an owner was forwarded, and the ledger never had it.
  it.each([
    ["for an owner", OWNED_FILES, ["initiator_override"]],
    ["without an owner", { target: FILES }, []],
  ] as const)("refuses a passthrough %s, because it cannot be recorded", async (_, call, first) => {
    allowFallbackLines(refusingRequired);
    const { status, id } = await exchange(refusingRequired.port, call);
    expect(status).toBe(503);
    const events = await refusingRequired.waitForEvents((all) => typesOf(all, id).includes("refusal"));
    expect(typesOf(events, id)).toEqual([...first, "passthrough_start", "passthrough", "refusal"]);
    await expectAllInFallback(refusingRequired, "Error");
    expect(upstream.requests).toEqual([]);
  });
});

describe("H7 when recording is required and the queue never responds", () => {
  it("refuses every request and sends the provider nothing, although one client disconnects meanwhile", async () => {
    allowFallbackLines(hangingRequired);
    const model = uniqueModel();
    const disconnecting = await send(hangingRequired.port, { target: CHAT, body: { model, messages } });
    await hangingRequired.waitForEvents((all) =>
      all.some((event) => "model" in event && event.model === model),
    );
    disconnecting.abort();
    const [forOwner, ...received] = await Promise.all(
      [OWNED_FILES, ...REQUIRED.map(([, call]) => call)].map((call) => exchange(hangingRequired.port, call)),
    );
    expect(forOwner?.status).toBe(503);
    const { start, end } = await hangingRequired.recorded(model);
    for (const [at, [, , expectedBody]] of REQUIRED.entries()) {
      const response = received[at];
      if (response) expectUnrecorded(hangingRequired, response, expectedBody);
    }
    expect(received).toHaveLength(REQUIRED.length);
    expect([start.prompt_count, end.outcome, end.usage]).toEqual([1, "refused", "unknown"]);
    await expectAllInFallback(hangingRequired, "TimeoutError");
    expect(upstream.requests).toEqual([]);
  });
});

/** Responds with these steps after it has noted the types of the events in the queue. */
function respondAfterSnapshot(steps: readonly Step[]): { readonly before: string[] } {
  const before: string[] = [];
  const snapshot: Step = async () => {
    await takingRequired.flush();
    before.push(...takingRequired.queued().map(({ record_type }) => record_type));
  };
  upstream.respondWith([snapshot, ...steps]);
  return { before };
}

describe("H7 when recording is required and the queue accepts everything", () => {
  it("forwards a request once its start and prompt are in the queue, and queues the other events later", async () => {
    const { before } = respondAfterSnapshot(respond.sse(STREAM));
    const body = { model: uniqueModel(), stream: true, stream_options: { include_usage: true }, messages };
    const call = { target: CHAT, body, headers: coderAgents(OWNER) };
    const { status, text, id } = await exchange(takingRequired.port, call);
    expect([status, text()]).toEqual([200, STREAM.join("")]);
    const early = ["initiator_override", "interception_start", "prompt_usage"];
    expect(before).toEqual(early);
    await takingRequired.recorded(id);
    await until(
      () => takingRequired.queued().length >= early.length + 2 || undefined,
      () => JSON.stringify(takingRequired.queued()),
    );
    const queued = takingRequired.queued();
    expect(typesOf(queued, id)).toEqual([...early, "interception_end", "tool_usage"]);
    expect(queued.find((event) => event.record_type === "prompt_usage")).toMatchObject({ prompt: REDACTED });
    expect(JSON.stringify(queued)).not.toMatch(new RegExp(`${SECRET}|${OWN_KEY}`));
  });

  it("queues events of one response that take two messages", async () => {
    const calls = Array.from({ length: 10 }, (_, index) => ({
      ...toolCall,
      id: `call_${index}`,
      function: { name: "write_file", arguments: JSON.stringify({ text: "✓".repeat(8000) }) },
    }));
    const choices = [{ index: 0, message: { tool_calls: calls }, finish_reason: "tool_calls" }];
    upstream.respondWith(respond.json(200, { ...WHOLE, choices }));
    const { id } = await exchange(takingRequired.port, { target: CHAT, body: { model: "m", messages } });
    const tools = await until(
      () => {
        const all = takingRequired.queued().filter((event) => event.record_type === "tool_usage");
        return all.length >= calls.length ? all : undefined;
      },
      () => JSON.stringify(takingRequired.queued()),
    );
    expect(tools.map(({ tool_call_id }) => tool_call_id)).toEqual(calls.map((one) => one.id));
    const own = takingRequired
      .queuedTexts()
      .filter((text) => text.includes(id) && text.includes("tool_usage"));
    expect(own.length).toBeGreaterThan(1);
  });

  it("forwards a passthrough once its owner and its start are in the queue", async () => {
    const { before } = respondAfterSnapshot(respond.json(200, { data: [] }));
    expect((await exchange(takingRequired.port, OWNED_FILES)).status).toBe(200);
    expect(before).toEqual(["initiator_override", "passthrough_start"]);
  });
});

const callDelta = (id: string): object => ({ ...toolCall, index: id === "call_1" ? 0 : 1, id });
const toolBlock = (index: number, id: string): string =>
  respond.event({ type: "content_block_start", index, content_block: { type: "tool_use", id, name: "f" } });
const inputPiece = (index: number, partial_json: string): string =>
  respond.event({ type: "content_block_delta", index, delta: { type: "input_json_delta", partial_json } });

/** The text that the MAC of a message covers, and the MAC, by an implementation of its own. */
function expectMac(message: string): void {
  const [, mac, events = ""] = /^\{"version":1,"mac":"([^"]+)","events":(\[.*\])\}$/s.exec(message) ?? [];
  const label = "ai-edge-interceptor event";
  const id = createHash("sha256").update(`${label} key id\n${EVENT_MAC_KEY}`).digest("hex").slice(0, 8);
  const covered = `${label} mac\nmessage/1\n${id}\n${events}`;
  expect(mac).toBe(`${id}.${createHmac("sha256", EVENT_MAC_KEY).update(covered).digest("base64url")}`);
}

describe("Finding H9 the messages in the queue", () => {
  it("have a MAC each, over their exact text, from the first one of the isolate on", async () => {
    const body = { model: uniqueModel(), stream: true, messages: [{ role: "user", content: "東京 \u2028" }] };
    const { id } = await exchange(signing.port, { target: CHAT, body });
    await signing.recorded(id);
    await until(
      () => signing.queued().some((event) => event.record_type === "interception_end") || undefined,
      () => JSON.stringify(signing.queued()),
    );
    const texts = signing.queuedTexts();
    expect(texts.length).toBeGreaterThan(0);
    texts.forEach(expectMac);
  });
});

describe("G23 a client that disconnects after two tool calls", () => {
  it.each([
    {
      kind: "chat",
      target: CHAT,
      first: respond.event({
        id: "x",
        choices: [{ index: 0, delta: { tool_calls: [callDelta("call_1")] } }],
      }),
      second: respond.event({
        id: "x",
        choices: [{ index: 0, delta: { tool_calls: [callDelta("call_2")] } }],
      }),
      inputs: ['{"text":"with [redacted:provider_key]"}', '{"text":"with [redacted:provider_key]"}'],
      used: "unknown",
    },
    {
      kind: "messages",
      target: MESSAGES,
      first: (MESSAGE_STREAM[0] ?? "") + toolBlock(0, "call_1") + inputPiece(0, "{}"),
      second: toolBlock(1, "call_2") + inputPiece(1, '{"path":"a'),
      inputs: ["{}", '{"path":"a'],
      used: "partial",
    },
  ])(
    "queues both calls with the input received so far: $kind",
    async ({ target, first, second, inputs, used }) => {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const steps = [respond.body(first), respond.waitFor(released), respond.body(second), respond.hang()];
      upstream.respondWith(respond.sseSteps(steps));
      const model = uniqueModel();
      const connection = await send(takingRequired.port, { target, body: { model, stream: true, messages } });
      await waitForBody(connection, first);
      release();
      await waitForBody(connection, first + second);
      connection.abort();
      const { end } = await takingRequired.recorded(model);
      expect([end.outcome, end.usage, end.tool_call_count]).toEqual(["cancelled", used, 2]);
      const tools = await until(
        () => {
          const all = takingRequired.queued().filter((event) => event.record_type === "tool_usage");
          return all.length >= 2 ? all : undefined;
        },
        () => JSON.stringify(takingRequired.queued()),
      );
      expect(tools.map((tool) => [tool.tool_call_id, tool.input])).toEqual([
        ["call_1", inputs[0]],
        ["call_2", inputs[1]],
      ]);
    },
  );
});

const prompt = `Call get_weather and get_time. ${SECRET} opens the door.`;
const RECORDED_PROMPT = "Call get_weather and get_time. [redacted:provider_key] opens the door.";
const parameters = { type: "object", properties: { place: { type: "string" }, days: { type: "integer" } } };
const names = ["get_weather", "get_time"];

/** The queued events of one interception, found by the id of the provider's response. */
async function queuedOf(messageId: string): Promise<InterceptorEvent[]> {
  const find = () => {
    const all = taking.queued();
    const end = all.find((event) => event.record_type === "interception_end" && event.msg_id === messageId);
    return end && all.filter(({ interception_id }) => interception_id === end.interception_id);
  };
  return until(find, () => `no end of ${messageId} in the queue\n${JSON.stringify(taking.queued())}`);
}

type Conversation = {
  readonly prompt: string | null;
  /** The tool call whose result the request brings. */
  readonly resultOf: string | null;
  readonly finish: string | null;
  /** Id, name and input of each. */
  readonly calls: readonly (readonly [string | null, string, unknown])[];
  readonly thoughts: readonly string[];
};

/** The part of the conversation that an interception's queued events record. */
function conversationIn(events: readonly InterceptorEvent[]): Conversation {
  const of = <T extends InterceptorEvent["record_type"]>(type: T) =>
    events.filter(
      (event): event is Extract<InterceptorEvent, { record_type: T }> => event.record_type === type,
    );
  const [start] = of("interception_start");
  const [end] = of("interception_end");
  const tools = of("tool_usage");
  const thoughts = of("model_thought");
  expect(end).toMatchObject({
    outcome: "completed",
    usage: "final",
    tool_call_count: tools.length,
    thought_count: thoughts.length,
    // The rest of the usage event, which the log has.
    usage_metadata: expect.any(Object) as unknown,
    raw_usage: expect.stringContaining("tokens") as unknown,
  });
  expect(of("token_usage")).toEqual([]);
  return {
    prompt: of("prompt_usage")[0]?.prompt ?? null,
    resultOf: start?.correlating_tool_call_id ?? null,
    finish: end?.finish_reason ?? null,
    calls: tools.map(({ tool_call_id, tool, input: toolInput }) => [
      tool_call_id,
      tool,
      JSON.parse(toolInput ?? "null") as unknown,
    ]),
    thoughts: thoughts.map(({ content }) => content),
  };
}

describe("the SDKs' tool calls and prompts in the queue", () => {
  it("records openai's streams: parallel chat tool calls, their results, a response's calls and reasoning", async () => {
    const openai = new OpenAI({ baseURL: `${taking.url}/openai/v1`, apiKey: OWN_KEY, maxRetries: 0 });
    const model = uniqueModel();
    const tools = names.map((name) => ({ type: "function" as const, function: { name, parameters } }));
    const conversation: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: prompt }];
    const first = await openai.chat.completions
      .stream({ model, messages: conversation, tools })
      .finalChatCompletion();
    const { message, finish_reason } = first.choices[0] ?? {};
    const calls = (message?.tool_calls ?? []).flatMap((call) => (call.type === "function" ? [call] : []));
    expect(calls.map((call) => call.function.name)).toEqual(names);
    expect(conversationIn(await queuedOf(first.id))).toEqual({
      prompt: RECORDED_PROMPT,
      resultOf: null,
      finish: finish_reason,
      calls: calls.map(({ id, function: { name, arguments: written } }) => [id, name, JSON.parse(written)]),
      thoughts: [],
    });

    if (message) conversation.push(message);
    for (const { id } of calls) conversation.push({ role: "tool", tool_call_id: id, content: "rain" });
    const second = await openai.chat.completions
      .stream({ model, messages: conversation, tools })
      .finalChatCompletion();
    const afterResults = {
      prompt: null,
      resultOf: calls.at(-1)?.id,
      finish: "stop",
      calls: [],
      thoughts: [],
    };
    expect(conversationIn(await queuedOf(second.id))).toEqual(afterResults);

    const response = await openai.responses
      .stream({
        model,
        input: prompt,
        tools: names.map((name) => ({ type: "function" as const, name, parameters, strict: false })),
        reasoning: { summary: "auto" },
      })
      .finalResponse();
    const thoughts = response.output.flatMap((item) => (item.type === "reasoning" ? item.summary : []));
    expect(thoughts.length).toBeGreaterThan(0);
    expect(conversationIn(await queuedOf(response.id))).toEqual({
      prompt: RECORDED_PROMPT,
      resultOf: null,
      finish: "completed",
      calls: response.output.flatMap((item) =>
        item.type === "function_call" ? [[item.call_id, item.name, JSON.parse(item.arguments)]] : [],
      ),
      thoughts: thoughts.map(({ text }) => text),
    });
    expect(JSON.stringify(taking.queued())).not.toContain(SECRET);
  });

  it("records @anthropic-ai/sdk's streams: thinking and parallel calls, then their results", async () => {
    const anthropic = new Anthropic({ baseURL: `${taking.url}/anthropic`, apiKey: OWN_KEY, maxRetries: 0 });
    const tools = names.map((name) => ({ name, input_schema: { ...parameters, type: "object" as const } }));
    const thinking = { type: "enabled" as const, budget_tokens: 1024 };
    const options = { model: uniqueModel(), max_tokens: 2000, tools, thinking };
    const conversation: Anthropic.MessageParam[] = [{ role: "user", content: prompt }];
    const first = await anthropic.messages.stream({ ...options, messages: conversation }).finalMessage();
    const calls = first.content.flatMap((block) => (block.type === "tool_use" ? [block] : []));
    expect(calls.map(({ name }) => name)).toEqual(names);
    expect(conversationIn(await queuedOf(first.id))).toEqual({
      prompt: RECORDED_PROMPT,
      resultOf: null,
      finish: first.stop_reason,
      calls: calls.map(({ id, name, input: toolInput }) => [id, name, toolInput]),
      thoughts: first.content.flatMap((block) => (block.type === "thinking" ? [block.thinking] : [])),
    });

    const results = calls.map(({ id }) => ({
      type: "tool_result" as const,
      tool_use_id: id,
      content: "rain",
    }));
    conversation.push({ role: "assistant", content: first.content }, { role: "user", content: results });
    const second = await anthropic.messages.stream({ ...options, messages: conversation }).finalMessage();
    expect(conversationIn(await queuedOf(second.id))).toMatchObject({
      prompt: null,
      resultOf: calls.at(-1)?.id,
      finish: second.stop_reason,
      calls: [],
    });
    expect(JSON.stringify(taking.queued())).not.toContain(SECRET);
  });
});
