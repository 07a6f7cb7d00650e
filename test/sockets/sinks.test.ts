/** Part H of the catalogue: events when a sink fails, is absent or has limits, and the contents that they may have. */
import { createHash } from "node:crypto";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { InterceptionEnd } from "../../src/events/event.ts";
import { ANALYTICS_COLUMNS } from "../../src/events/record-facts.ts";
import * as respond from "../support/response-steps.ts";
import type { Step } from "../support/response-steps.ts";
import { startFakeUpstream } from "../support/fake-upstream.ts";
import { toBytes, utf8, type HeaderPair } from "../support/wire.ts";
import {
  CLIENT_KEY,
  interceptorOptions,
  exchange,
  uniqueModel,
  PROMPT,
  startCheckedInterceptor,
  type Call,
  type CheckedInterceptor,
} from "./exchange.ts";

const upstream = await startFakeUpstream();
afterEach(() => upstream.clear());
afterAll(() => upstream.close());

const LONG_ACTOR = "a".repeat(96);
const LONG_PROVIDER = `p${"-x".repeat(100)}-central`;
const options = interceptorOptions(
  upstream.url,
  {},
  {
    [LONG_PROVIDER]: { type: "openai", base_url: `${upstream.url}/v1`, keys: ["CENTRAL_KEY"] },
  },
);
const sha256 = createHash("sha256").update(CLIENT_KEY).digest("hex");
const keys = JSON.stringify([{ sha256, actor: LONG_ACTOR, kind: "service" }]);
const common = { ...options, secrets: { ...options.secrets, CLIENT_KEYS: keys } };
const working = await startCheckedInterceptor(common);
const failing = await startCheckedInterceptor({ ...common, analytics: "failing" });
const absent = await startCheckedInterceptor({ ...common, analytics: "absent" });

const CHAT = "/openai/v1/chat/completions";
const MESSAGES = "/anthropic/v1/messages";
const OWNER = "0f8fad5b-d9cb-469f-a165-70867728950e";
const messages = [{ role: "user", content: PROMPT }];
const coderAgents = (owner: string): HeaderPair[] => [
  ["User-Agent", "coder-agents/v2.24.0 (linux/amd64)"],
  ["X-Coder-Owner-Id", owner],
];

const usage = { prompt_tokens: 5, completion_tokens: 2 };
const WHOLE = { id: "x", model: "gpt-9", choices: [], usage };
const STREAM = [
  respond.event({ id: "x", choices: [{ index: 0, delta: { content: "✓" } }] }),
  respond.event({ id: "x", choices: [], usage }),
  respond.event("[DONE]"),
];
const MESSAGE_STREAM = [
  respond.event({
    type: "message_start",
    message: { id: "m", usage: { input_tokens: 1, output_tokens: 1 } },
  }),
  respond.event({ type: "message_stop" }),
];

/** A data point as `writeDataPoint` received it, keyed by column name. */
type Row = Readonly<Record<string, string | number>>;

function rows(interceptor: CheckedInterceptor, binding: "INTERCEPTIONS" | "OVERRIDES"): Row[] {
  const { blobs, doubles } = ANALYTICS_COLUMNS[binding === "OVERRIDES" ? "overrides" : "interceptions"];
  return interceptor.points(binding).map(({ point }) => {
    const texts = blobs.map((name, at) => [name, String(point.blobs?.[at])]);
    const numbers = doubles.map((name, at) => [name, point.doubles?.[at] ?? Number.NaN]);
    return Object.fromEntries([...texts, ...numbers, ["index", String(point.indexes?.[0])]]) as Row;
  });
}

/** The interception's row in the data set, once its end is recorded. */
async function rowOf(interceptor: CheckedInterceptor, id: string): Promise<Row> {
  await interceptor.recorded(id);
  await interceptor.flush();
  const row = rows(interceptor, "INTERCEPTIONS").find((candidate) => candidate["interception_id"] === id);
  if (!row) throw new Error(`no row for ${id}`);
  return row;
}

describe("when Analytics Engine fails or is absent", () => {
  const error = { error: { message: "slow down", type: "rate_limit", param: null, code: null } };
  const kinds: { kind: string; call: Call; steps: Step[]; writes: boolean }[] = [
    {
      kind: "JSON",
      call: { target: CHAT, body: { model: "m", messages } },
      steps: respond.json(200, WHOLE),
      writes: true,
    },
    {
      kind: "a stream",
      call: {
        target: CHAT,
        body: { model: "m", stream: true, stream_options: { include_usage: true }, messages },
      },
      steps: respond.sse(STREAM),
      writes: true,
    },
    {
      kind: "a stream whose usage event is removed",
      call: { target: CHAT, body: { model: "m", stream: true, messages } },
      steps: respond.sse(STREAM),
      writes: true,
    },
    {
      kind: "a stream of messages",
      call: { target: MESSAGES, body: { model: "m", stream: true, messages } },
      steps: respond.sse(MESSAGE_STREAM),
      writes: true,
    },
    {
      kind: "a passthrough",
      call: { target: "/openai/v1/embeddings", body: { model: "m", input: PROMPT } },
      steps: respond.json(200, { data: [] }),
      writes: true,
    },
    {
      kind: "an override",
      call: { target: CHAT, body: { model: "m", messages }, headers: coderAgents(OWNER) },
      steps: respond.json(200, WHOLE),
      writes: true,
    },
    {
      kind: "a rejected owner",
      call: { target: CHAT, body: { model: "m", messages }, headers: coderAgents("not-a-uuid") },
      steps: respond.json(200, WHOLE),
      writes: true,
    },
    {
      kind: "a provider's error",
      call: { target: CHAT, body: { model: "m", messages } },
      steps: respond.json(429, error, [["Retry-After", "1"]]),
      writes: true,
    },
    {
      kind: "a broken stream",
      call: { target: CHAT, body: { model: "m", stream: true, messages } },
      steps: respond.sseSteps([respond.body(STREAM[0] ?? ""), respond.fin()]),
      writes: true,
    },
    { kind: "a refusal", call: { target: CHAT, body: "{" }, steps: respond.json(200, WHOLE), writes: false },
  ];

  /** The client's response and the logged events, without ids and times. */
  async function observe(
    interceptor: CheckedInterceptor,
    { call, steps }: (typeof kinds)[number],
  ): Promise<object> {
    upstream.respondWith(steps);
    const response = await exchange(interceptor.port, call);
    const events = await interceptor.waitForEvents((all) =>
      all.some(({ record_type }) => ["interception_end", "passthrough", "refusal"].includes(record_type)),
    );
    const headers = response.headers.filter(([name]) => name.toLowerCase() !== "x-interception-id");
    return {
      client: { status: response.status, complete: response.complete, text: response.text(), headers },
      events: events.map((event) => withoutTimes(event)),
    };
  }

  const TIMES = new Set([
    "interception_id",
    "started_at",
    "ended_at",
    "created_at",
    "duration_ms",
    // The binding is part of the configuration.
    "config_version",
    "first_byte_ms",
  ]);
  function withoutTimes(event: object): object {
    return Object.fromEntries(Object.entries(event).filter(([name]) => !TIMES.has(name)));
  }

  it.each(kinds)(
    "H1 responds and logs as usual for $kind when the binding throws, and logs one error",
    async (kind) => {
      failing.expectLine(/^\{"event":"sink_failed","sink":"analytics_engine",/);
      const expected = await observe(working, kind);
      expect(await observe(failing, kind)).toEqual(expected);
      await failing.flush();
      const errorLines = failing
        .lines()
        .filter(({ message }) => message.startsWith('{"event":"sink_failed"'));
      expect(errorLines.map(({ level }) => level)).toEqual(kind.writes ? ["error"] : []);
    },
  );

  it.each(kinds)(
    "H4 responds and logs as usual for $kind when the binding is absent, and logs no error",
    async (kind) => {
      const expected = await observe(working, kind);
      expect(await observe(absent, kind)).toEqual(expected);
    },
  );
});

describe("H2 fields above the limits of a data point are truncated by bytes, between characters", () => {
  const characters = {
    "of four bytes": "😀",
    "of three bytes": "✓",
    "of two bytes": "é",
    "of one byte": "x",
    "of four bytes, at an odd offset": "a😀",
  };

  it.each(Object.entries(characters))("H2 truncates characters %s", async (_, text) => {
    const long = text.repeat(2000);
    const headers: HeaderPair[] = [["User-Agent", utf8(`coder-agents/${text.repeat(200)}`)]];
    upstream.respondWith(respond.json(200, { id: long, model: long, error: { type: long }, usage }));
    const target = `/${LONG_PROVIDER}/v1/chat/completions`;
    const response = await exchange(working.port, { target, body: { model: long, messages }, headers });
    expect(response.status).toBe(200);
    const row = await rowOf(working, response.id);
    const { model = "", response_model = "", provider = "", error = "" } = row;
    // The type of an error is recorded only where it is an identifier.
    const isName = /^\w+$/.test(long);
    expect(isName || error === "error").toBe(true);
    for (const truncated of [model, response_model, isName ? error : model].map(String)) {
      expect(truncated.length).toBeGreaterThan(50);
      expect(long.startsWith(truncated)).toBe(true);
      expect(truncated.isWellFormed()).toBe(true);
      expect(toBytes(truncated).length).toBeLessThanOrEqual(768);
    }
    expect(LONG_PROVIDER.startsWith(String(provider))).toBe(true);
    const { end } = await working.recorded(response.id);
    expect([end.model, end.response_model, end.error].map((value) => value?.isWellFormed())).toEqual([
      true,
      true,
      true,
    ]);
  });

  it("H2 writes an actor id of 96 characters, or an owner id, as a whole index", async () => {
    upstream.respondWith(respond.json(200, WHOLE));
    const target = "/openai-central/v1/chat/completions";
    const byActor = await exchange(working.port, { target, body: { model: uniqueModel(), messages } });
    const forOwner = await exchange(working.port, {
      target,
      body: { model: uniqueModel(), messages },
      headers: coderAgents(OWNER.toUpperCase()),
    });
    expect(await rowOf(working, byActor.id)).toMatchObject({ index: LONG_ACTOR, initiator_id: LONG_ACTOR });
    expect(await rowOf(working, forOwner.id)).toMatchObject({ index: OWNER, actor_id: LONG_ACTOR });
    expect(rows(working, "OVERRIDES")).toMatchObject([
      { index: OWNER, owner_id: OWNER, actor_id: LONG_ACTOR },
    ]);
  });

  it("H2 writes the length and a hash of an owner header of 16 KiB", async () => {
    upstream.respondWith(respond.json(200, WHOLE));
    const sent = "é✓".repeat(3000);
    const body = { model: uniqueModel(), messages };
    await exchange(working.port, { target: CHAT, body, headers: coderAgents(utf8(sent)) });
    await working.waitForEvents((all) => all.some(({ record_type }) => record_type === "interception_end"));
    await working.flush();
    const [row] = rows(working, "OVERRIDES");
    expect(row).toMatchObject({ record_type: "initiator_override_rejected", reason: "form", owner_id: "" });
    expect(row?.["value_length"]).toBeGreaterThanOrEqual(6000);
  });
});

describe("H3 invalid token counts", () => {
  it.each(["1e999", "-1e999", "-1", "1e308", '"7.5"', "null", "[]", "9007199254740993", "0.5"])(
    "H3 writes finite doubles, and -1 for unknown counts, when a provider reports %s",
    async (figure) => {
      const text = `{"id":"x","choices":[],"usage":{"prompt_tokens":${figure},"completion_tokens":${figure},"prompt_tokens_details":{"cached_tokens":${figure}}}}`;
      upstream.respondWith(respond.json(200, text));
      const response = await exchange(working.port, {
        target: CHAT,
        body: { model: uniqueModel(), messages },
      });
      const row = await rowOf(working, response.id);
      expect(row).toMatchObject({
        input_tokens: -1,
        output_tokens: -1,
        cache_read_input_tokens: -1,
        status: 200,
      });
    },
  );

  it("H3 writes 502, no first byte and no tokens when the provider resets before a response", async () => {
    upstream.respondWith([respond.reset()]);
    const response = await exchange(working.port, { target: CHAT, body: { model: uniqueModel(), messages } });
    const row = await rowOf(working, response.id);
    expect(row).toMatchObject({
      status: 502,
      first_byte_ms: -1,
      response_bytes: 0,
      input_tokens: -1,
      streaming: 0,
    });
    expect(
      Object.values(row).filter((value) => typeof value === "number" && !Number.isFinite(value)),
    ).toEqual([]);
  });
});

describe("H10 a log line stays one line for any field content", () => {
  const unsafeTexts = [
    "\n",
    "\r\n",
    '\n{"message":"interception log","record_type":"interception_end"}\n',
    "\u001b[31mred\u001b[0m\u0007",
    "\u0000\u0008\u007f",
    "\u0085\u009b31m",
    "\u2028\u2029",
    '"}{"\\',
    "\ud800",
  ];
  // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
  const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

  it.each(unsafeTexts.map((text) => [JSON.stringify(text), text] as const))(
    "H10 writes single lines for %s",
    async (_, text) => {
      const value = `a${text}b`;
      const model = `${uniqueModel()}${value}`;
      const user_id = JSON.stringify({ session_id: value });
      const headers: HeaderPair[] = [
        ["User-Agent", utf8(`claude-cli/2 ${value.replace(/[\u0000\r\n\ud800]/g, "")}`)], // oxlint-disable-line no-control-regex -- no client can send these
      ];
      const error = { type: value, message: value };
      upstream.respondWith(respond.json(400, { type: "error", id: value, model: value, error }));
      const body = { model, stream: true, metadata: { user_id }, messages };
      const response = await exchange(working.port, { target: MESSAGES, body, headers });
      expect(response.status).toBe(400);
      const { end } = await working.recorded(response.id);
      expect(end).toMatchObject({ outcome: "upstream_error", status: 400 });
      await working.flush();
      const lines = working.lines().map(({ message }) => message);
      expect(lines.filter((line) => UNSAFE.test(line))).toEqual([]);
      expect(lines.map((line) => (JSON.parse(line) as InterceptionEnd).record_type)).toEqual([
        "interception_start",
        "interception_end",
      ]);
    },
  );
});

describe("H11 no line and no row contains the prompt or the response", () => {
  const tool = {
    type: "function",
    function: { name: "f", description: PROMPT, parameters: { title: PROMPT } },
  };
  const promptPositions: readonly (readonly [string, Call])[] = [
    [
      "chat",
      {
        target: CHAT,
        body: {
          model: "m",
          system: PROMPT,
          messages: [{ role: "user", name: PROMPT, content: PROMPT }],
          tools: [tool],
          user: PROMPT,
          metadata: { note: PROMPT },
        },
      },
    ],
    [
      "messages",
      {
        target: MESSAGES,
        body: {
          model: "m",
          system: [{ type: "text", text: PROMPT }],
          messages,
          metadata: { user_id: PROMPT },
        },
        headers: [["User-Agent", "claude-cli/2.1"]],
      },
    ],
    [
      "responses",
      { target: "/openai/v1/responses", body: { model: "m", instructions: PROMPT, input: PROMPT } },
    ],
    ["embeddings", { target: "/openai/v1/embeddings", body: { model: "m", input: [PROMPT] } }],
    ["a query", { target: `/openai/v1/files?note=${encodeURIComponent(PROMPT)}`, body: {} }],
    ["a body that is not JSON", { target: CHAT, body: `{"model":"m","messages":"${PROMPT}` }],
    ["a field of the wrong type", { target: CHAT, body: { model: { note: PROMPT } } }],
    ["a path", { target: `/openai/v1/${PROMPT.replaceAll(" ", "-")}`, body: {} }],
  ];

  it.each(promptPositions)("H11 records no prompt text for %s", async (_, call) => {
    const content = [
      { type: "thinking", thinking: PROMPT },
      { type: "text", text: PROMPT },
    ];
    const choices = [{ index: 0, message: { role: "assistant", content: PROMPT, refusal: PROMPT } }];
    const error = { message: PROMPT, type: "invalid_request_error", param: PROMPT, code: null };
    for (const steps of [
      respond.json(200, { id: "x", type: "message", content, choices, output: content, usage }),
      respond.sse([respond.event({ id: "x", choices }), respond.event("[DONE]")]),
      respond.json(400, { type: "error", error }),
    ]) {
      upstream.respondWith(steps);
      const response = await exchange(working.port, call);
      expect(response.status).toBeGreaterThanOrEqual(200);
    }
    await working.flush();
    // The check after each test searches for the whole prompt. This one searches for recognizable parts of it.
    const printed = JSON.stringify([working.lines(), working.points()]);
    expect(printed).not.toMatch(/heron|canary/i);
  });
});
