import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { createVerify } from "../../src/events/event-mac.ts";
import { authenticateFound } from "../../tools/replay/authenticate.ts";
import { findLogged } from "../../tools/replay/logged-events.ts";
import { KEY, NEXT_KEY } from "../support/in-workerd/mac-keys.ts";
import { readMessage } from "../../src/events/queue-message.ts";
import type { RecordsService } from "../../src/events/records-service.ts";
import worker from "../../src/gateway/index.ts";
import { GATHER_MS } from "../../src/gateway/sinks/batch-events.ts";
import { GROUP_MS } from "../../src/gateway/sinks/refusal-counts.ts";
import { registry } from "../../src/gateway/wiring.ts";
import { API_ROUTES } from "../../src/shared/api-routes.ts";
import { ROUTE_PREFIXES } from "../../src/shared/http/target.ts";
import { StrictAnalytics } from "../support/strict-analytics.ts";
import { fixture } from "../support/in-workerd/fixtures.ts";
import { drain, wholeBody } from "../support/in-workerd/upstream-body.ts";
import { CODER_AGENTS_UA, OWNER, text } from "../support/in-workerd/values.ts";

const PROVIDERS = {
  openai: { type: "openai", base_url: "https://api.openai.example/v1" },
  anthropic: { type: "anthropic", base_url: "https://api.anthropic.example" },
};

afterEach(() => {
  vi.restoreAllMocks();
});

type Call = { readonly response: Response; readonly text: string };

/** Calls the gateway and waits for its response and for the work that continues after it. */
async function call(env: Record<string, unknown>, path: string, init: RequestInit = {}): Promise<Call> {
  const context = createExecutionContext();
  const request = new Request(`https://gateway.example${path}`, init as never);
  const response = await worker.fetch(request as never, env, context);
  const { bytes } = await drain(response.body);
  await waitOnExecutionContext(context);
  return { response, text: text(bytes) };
}

type Spies = {
  /** The lines of the interception log, parsed. */
  readonly logged: () => Record<string, unknown>[];
  readonly errors: () => string;
  readonly fetched: () => number;
};

/** Replaces the console and the network. The provider responds to every request. */
function spies(): Spies {
  const real = setTimeout;
  // Batches and the counts of refusals are written at once.
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((fire: () => void, ms?: number) =>
    real(fire, ms === GATHER_MS || ms === GROUP_MS ? 0 : ms)) as typeof setTimeout);
  const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(
    async () =>
      new Response(wholeBody(fixture("chat/json").bytes), {
        headers: { "content-type": "application/json" },
      }),
  );
  const printed = vi.spyOn(console, "log").mockImplementation(() => undefined);
  const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
  return {
    logged: () => printed.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>),
    errors: () => errors.mock.calls.flat().join("\n"),
    fetched: () => fetched.mock.calls.length,
  };
}

describe("the gateway as it is wired", () => {
  it("forwards a call, prints its log lines, writes its rows and returns the provider's bytes", async () => {
    const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(
      async () =>
        new Response(wholeBody(fixture("chat/plain").bytes), {
          headers: { "content-type": "text/event-stream" },
        }),
    );
    const printed = vi.spyOn(console, "log").mockImplementation(() => undefined);
    const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const interceptions = new StrictAnalytics();
    const overrides = new StrictAnalytics();
    const env = { PROVIDERS, INTERCEPTIONS: interceptions, OVERRIDES: overrides };

    const { response, text: body } = await call(env, "/v1/chat/completions", {
      method: "POST",
      body: '{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}',
      headers: {
        authorization: "Bearer sk-own",
        "user-agent": CODER_AGENTS_UA,
        "x-coder-owner-id": OWNER,
      },
    });

    expect(body).toBe(fixture("chat/plain").text);
    expect(response.status).toBe(200);
    const id = response.headers.get("x-interception-id");
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(fetched).toHaveBeenCalledTimes(1);
    expect(fetched.mock.calls[0]?.[0]).toBe("https://api.openai.example/v1/chat/completions");

    const events = printed.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
    expect(events.map((event) => event["record_type"])).toEqual([
      "initiator_override",
      "interception_start",
      "token_usage",
      "interception_end",
    ]);
    for (const event of events) {
      expect(event).toMatchObject({ message: "interception log", interception_id: id, initiator_id: OWNER });
    }
    expect(interceptions.points.map(({ indexes, blobs }) => [indexes, blobs?.[1]])).toEqual([
      [[OWNER], "interception_end"],
    ]);
    expect(overrides.points.map(({ indexes, blobs }) => [indexes, blobs?.[1]])).toEqual([
      [[OWNER], "initiator_override"],
    ]);
    expect(errors).not.toHaveBeenCalled();
  });

  it("H1 logs the failure of a sink and still returns the response", async () => {
    const { errors } = spies();
    const broken = new StrictAnalytics();
    broken.failing = true;
    const { response } = await call({ PROVIDERS, INTERCEPTIONS: broken }, "/openai/v1/models", {
      headers: { authorization: "Bearer sk-own" },
    });
    expect(response.status).toBe(200);
    expect(errors()).toMatch(
      /^\{"event":"sink_failed","sink":"analytics_engine","interception_id":"[0-9a-f-]{36}","error":"Error"\}$/,
    );
  });

  it("reads its configuration once per environment", async () => {
    vi.spyOn(console, "log").mockImplementation(() => undefined);
    let times = 0;
    const env = {
      get PROVIDERS() {
        times += 1;
        return PROVIDERS;
      },
    };
    await call(env, "/healthz");
    const once = times;
    expect(once).toBeGreaterThan(0);
    for (const path of ["/healthz", "/nothing"]) await call(env, path);
    expect(times).toBe(once);
    expect((await call({ PROVIDERS: { other: PROVIDERS.openai } }, "/healthz")).response.status).toBe(200);
  });

  it("gives each interception its own id", async () => {
    vi.spyOn(console, "log").mockImplementation(() => undefined);
    const env = { PROVIDERS };
    const ids = new Set<string | null>();
    for (let at = 0; at < 20; at += 1)
      ids.add((await call(env, "/nothing")).response.headers.get("x-interception-id"));
    expect(ids.size).toBe(20);
  });

  it("registers the dialects and identity sources of the contract", () => {
    expect(registry.dialects.map(({ type }) => type)).toEqual(["openai", "anthropic", "azure"]);
    expect(registry.sources.map(({ source, verifies }) => [source, verifies])).toEqual([
      ["byok", false],
      ["keys", true],
      ["coder", true],
      ["jwt", true],
      ["access", true],
    ]);
  });
});

type FakeQueue = { readonly binding: object; readonly types: () => string[]; readonly texts: string[] };

/** A queue that keeps its messages, or rejects all of them. */
function fakeQueue(isDown = false): FakeQueue {
  const texts: string[] = [];
  const take = async (message: unknown): Promise<void> => {
    if (isDown) throw new Error("Too Many Requests");
    texts.push(String(message));
  };
  const binding = {
    send: take,
    sendBatch: async (messages: Iterable<{ body: unknown }>) => {
      for (const { body } of messages) await take(body);
    },
  };
  const types = (): string[] =>
    texts.flatMap((body) => readMessage(body).events.map((event) => event.record_type));
  return { binding, types, texts };
}

/** A records Worker that keeps what it receives. Its prototype differs from a table's, as a service binding's does. */
class FakeRecords implements RecordsService {
  readonly stored: InterceptorEvent[] = [];
  readonly messages: (string | InterceptorEvent)[] = [];
  readonly requests: Request[] = [];
  /** The arguments of `authorize`. */
  readonly authorized: unknown[] = [];
  readonly isDown: boolean;

  constructor(isDown = false) {
    this.isDown = isDown;
  }

  async fetch(request: Request): Promise<Response> {
    this.requests.push(request);
    return Response.json({ served: true }, { headers: { "x-interception-id": "from-records" } });
  }

  async store(messages: readonly (string | InterceptorEvent)[]): Promise<void> {
    if (this.isDown) throw new Error("the records Worker is down");
    this.messages.push(...messages);
    this.stored.push(...messages.flatMap((message) => readMessage(message).events));
  }

  spendOf(): Promise<null> {
    return Promise.reject(new Error("no one requested this"));
  }

  async authorize(headers: unknown): Promise<null> {
    this.authorized.push(headers);
    return null;
  }
}

const SECRET = "sk-proj-SECRET-0123456789abcdef";
const CHAT: RequestInit = {
  method: "POST",
  body: JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: `corp-7 ${SECRET}` }] }),
  headers: { authorization: "Bearer sk-own" },
};
const OWN_KEY = { headers: { authorization: "Bearer sk-own" } };

/** A model call, a passthrough and a refusal. */
async function callEach(env: Record<string, unknown>): Promise<void> {
  await call(env, "/v1/chat/completions", CHAT);
  await call(env, "/v1/models", OWN_KEY);
  await call(env, "/nothing");
}

const downQueue = (): object => ({ EVENTS: fakeQueue(true).binding });
const downRecords = (): object => ({ RECORDS: new FakeRecords(true) });

describe("the events to the records Worker as they are wired", () => {
  const LOGGED = [
    "interception_start",
    "token_usage",
    "interception_end",
    "passthrough_start",
    "passthrough",
    "refusal",
  ];
  // The end carries the usage.
  const STORED = [...LOGGED.filter((type) => type !== "token_usage"), "refusal_count"];

  it("the queue gets the events that the ledger stores; the log gets all", async () => {
    const { logged, errors } = spies();
    const { binding, types } = fakeQueue();
    await callEach({ PROVIDERS, EVENTS: binding });
    expect(types()).toEqual(STORED);
    expect(logged().map((event) => event["record_type"])).toEqual(LOGGED);
    expect(errors()).toBe("");
  });

  it("the queue gets all events with RECORDING.all_events", async () => {
    spies();
    const { binding, types } = fakeQueue();
    await callEach({ PROVIDERS, EVENTS: binding, RECORDING: { all_events: true } });
    expect(types()).toEqual(STORED);
  });

  it.each([{}, { all_events: true }])(
    "the records Worker gets the events that its ledger stores, without a queue and with RECORDING %j",
    async (RECORDING) => {
      const { logged, errors } = spies();
      const records = new FakeRecords();
      await callEach({ PROVIDERS, RECORDS: records, RECORDING });
      expect(records.stored.map((event) => event.record_type)).toEqual(STORED);
      expect(logged().map((event) => event["record_type"])).toEqual(LOGGED);
      expect(errors()).toBe("");
    },
  );

  it("the queue gets the events, and not the records Worker, when both are bound", async () => {
    spies();
    const { binding, types } = fakeQueue();
    const records = new FakeRecords();
    await callEach({ PROVIDERS, EVENTS: binding, RECORDS: records });
    expect(types()).toEqual(STORED);
    expect(records.stored).toEqual([]);
  });

  it("the queue and the records Worker get the same messages, each with a valid MAC", async () => {
    spies();
    const { binding, texts } = fakeQueue();
    const records = new FakeRecords();
    const env = { PROVIDERS, EVENT_MAC_KEY: `${NEXT_KEY} ${KEY}` };
    await callEach({ ...env, EVENTS: binding });
    await callEach({ ...env, RECORDS: records });
    expect(texts.length).toBe(records.messages.length);
    const verify = createVerify([NEXT_KEY]);
    for (const message of [...texts, ...records.messages]) {
      const { mac, events } = readMessage(message);
      expect(events.length).toBeGreaterThan(0);
      expect(mac && (await verify(mac))).toMatchObject({ isValid: true });
    }
  });

  it("the fallback lines have a MAC each, which is valid for the line", async () => {
    const { logged } = spies();
    await call({ PROVIDERS, EVENT_MAC_KEY: KEY, ...downQueue() }, "/v1/chat/completions", CHAT);
    const lines = logged().filter(({ message }) => message === "interception ledger fallback");
    expect(lines.length).toBeGreaterThan(1);
    const printed = lines.map((line) => JSON.stringify(line)).join("\n");
    const { accepted, rejected } = await authenticateFound(
      [findLogged(printed, false)],
      createVerify([KEY]),
      0,
    );
    expect([accepted.length, rejected]).toEqual([lines.length, []]);
  });

  it("the log gets a line that authenticates each group of lines, with RECORDING.log_mac", async () => {
    const { logged, errors } = spies();
    await callEach({ PROVIDERS, EVENT_MAC_KEY: KEY, RECORDING: { log_mac: true } });
    const lines = logged();
    expect(lines.map((line) => line["record_type"])).toEqual([
      "interception_start",
      "events_mac",
      "token_usage",
      "interception_end",
      "events_mac",
      "passthrough_start",
      "events_mac",
      "passthrough",
      "events_mac",
      "refusal",
      "events_mac",
    ]);
    expect(errors()).toBe("");
    const printed = lines.map((line) => JSON.stringify(line)).join("\n");
    const { accepted, rejected } = await authenticateFound(
      [findLogged(printed, true)],
      createVerify([KEY]),
      0,
    );
    expect([accepted.map(({ event }) => event.record_type), rejected]).toEqual([LOGGED, []]);
  });

  it("the gateway alone only logs", async () => {
    const { logged, errors } = spies();
    await callEach({ PROVIDERS });
    expect(logged().map((event) => event["record_type"])).toEqual(LOGGED);
    expect(errors()).toBe("");
  });

  it("H11 records no prompt by default, and redacts built-in and configured patterns in recorded prompts", async () => {
    spies();
    const [byDefault, withPrompts] = [fakeQueue(), fakeQueue()];
    await call({ PROVIDERS, EVENTS: byDefault.binding }, "/v1/chat/completions", CHAT);
    const RECORDING = { prompts: true, redact: ["corp-\\d"] };
    await call({ PROVIDERS, EVENTS: withPrompts.binding, RECORDING }, "/v1/chat/completions", CHAT);
    expect(byDefault.texts.join()).not.toMatch(/SECRET|corp-/);
    expect(withPrompts.texts.join()).not.toMatch(/SECRET|corp-/);
    expect(withPrompts.texts.join()).toContain('"prompt":"[redacted:pattern] [redacted:provider_key]"');
  });

  const REQUIRED = [503, "recording_unavailable", 0] as const;
  const NOT_REQUIRED = [200, null, 1] as const;

  it.each([
    ["required", "the queue", downQueue, { required: true }, REQUIRED],
    ["not required", "the queue", downQueue, {}, NOT_REQUIRED],
    ["required", "the records Worker", downRecords, { required: true }, REQUIRED],
    ["not required", "the records Worker", downRecords, {}, NOT_REQUIRED],
  ] as const)(
    "H5 H7 when recording is %s and %s is down, the fallback log gets start and end",
    async (_, __, bindings, RECORDING, [status, error, fetches]) => {
      const { logged, errors, fetched } = spies();
      const { response } = await call({ PROVIDERS, ...bindings(), RECORDING }, "/v1/chat/completions", CHAT);
      expect(response.status).toBe(status);
      expect(response.headers.get("x-interceptor-error")).toBe(error);
      expect(fetched()).toBe(fetches);
      const fallback = logged().filter(({ message }) => message === "interception ledger fallback");
      const types = fallback.map(({ event }) => (event as InterceptorEvent).record_type);
      expect(types.filter((type) => type.startsWith("interception_")).toSorted()).toEqual([
        "interception_end",
        "interception_start",
      ]);
      // The refusal has no verified actor: its count could not be written either.
      const failed = fetches === 0 ? ["ledger", "refusal_counts"] : ["ledger"];
      const lines = failed.map((sink) => ({
        event: "sink_failed",
        sink,
        interception_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
        error: "Error",
      }));
      expect(
        errors()
          .split("\n")
          .map((line) => JSON.parse(line) as unknown),
      ).toEqual(lines);
    },
  );
});

describe("the records API as it is wired", () => {
  it.each(API_ROUTES)("%s is refused without a records Worker, under both prefixes", async (route) => {
    spies();
    for (const prefix of ROUTE_PREFIXES) {
      const { response, text: body } = await call({ PROVIDERS }, `${prefix}/${route}`, OWN_KEY);
      expect(response.status).toBe(503);
      expect(response.headers.get("x-interceptor-error")).toBe("records_unavailable");
      expect(response.headers.get("x-interception-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(JSON.parse(body)).toHaveProperty("message");
    }
  });

  it.each(API_ROUTES.filter((route) => route !== "explain" && route !== "budgets"))(
    "%s is forwarded to the records Worker, under both prefixes, and no provider is called",
    async (route) => {
      const { fetched } = spies();
      const records = new FakeRecords();
      for (const prefix of ROUTE_PREFIXES) {
        const { response, text: body } = await call(
          { PROVIDERS, RECORDS: records },
          `${prefix}/${route}?limit=1`,
        );
        expect(response.status).toBe(200);
        expect(JSON.parse(body)).toEqual({ served: true });
      }
      expect(records.requests.map(({ url }) => new URL(url).pathname)).toEqual(
        ROUTE_PREFIXES.map((prefix) => `${prefix}/${route}`),
      );
      expect(fetched()).toBe(0);
    },
  );

  it("explain is authorized by the records Worker and served by the gateway", async () => {
    spies();
    const records = new FakeRecords();
    const { response, text: body } = await call(
      { PROVIDERS, RECORDS: records },
      `${ROUTE_PREFIXES[0]}/explain`,
      {
        method: "POST",
        body: JSON.stringify({ path: "/v1/models", headers: { authorization: "Bearer sk-own" } }),
        headers: {
          authorization: "Bearer admin",
          "coder-session-token": "admin",
          "content-type": "application/json",
        },
      },
    );
    expect(response.status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ destination: "provider", route: { kind: "passthrough" } });
    expect(records.authorized).toEqual([
      {
        authorization: "Bearer admin",
        coderSessionToken: "admin",
        session: {
          method: "POST",
          host: null,
          cookie: null,
          csrfToken: null,
          origin: null,
          secFetchSite: null,
          contentType: "application/json",
          accessToken: null,
        },
      },
    ]);
    expect(records.requests).toEqual([]);
  });

  it("no API route is forwarded with FORWARD_API off", async () => {
    spies();
    const records = new FakeRecords();
    for (const route of API_ROUTES) {
      const { response } = await call(
        { PROVIDERS, RECORDS: records, FORWARD_API: false },
        `${ROUTE_PREFIXES[0]}/${route}`,
      );
      expect(response.status).toBe(404);
      expect(response.headers.get("x-interceptor-error")).toBe("not_found");
    }
    expect([records.requests, records.authorized]).toEqual([[], []]);
  });
});
