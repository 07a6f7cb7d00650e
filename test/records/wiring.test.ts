import { retain } from "../support/in-workerd/retain.ts";
import { REFUSALS } from "../../src/shared/refusal.ts";
import {
  createExecutionContext,
  createMessageBatch,
  createScheduledController,
  getQueueResult,
  waitOnExecutionContext,
} from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { toMessages } from "../support/messages.ts";
import type { AdminHeaders } from "../../src/shared/admin-headers.ts";
import type { RecordsService } from "../../src/events/records-service.ts";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import type { Config } from "../../src/records/config/config.ts";
import RecordsWorker from "../../src/records/index.ts";
import { newPrivateKey } from "../../src/records/ledger/seal/note-keys.ts";
import { createRecords } from "../../src/records/wiring.ts";
import { sha256Hex } from "../../src/shared/digest.ts";
import { ROUTE_PREFIXES } from "../../src/shared/http/target.ts";
import { FOREIGN_KEY, KEY, signedMessage } from "../support/in-workerd/mac-keys.ts";
import { ACCESS, END, sentEvents, START, THOUGHT } from "../support/in-workerd/events.ts";
import { allRows, emptyLedger, type Rows } from "../support/in-workerd/ledger-database.ts";
import { emptySealedLedger } from "../support/in-workerd/sealed-ledger.ts";
import { toMessageBatch } from "../support/in-workerd/message-batch.ts";
import { memoryBucket } from "../support/in-workerd/ledger-deps.ts";
import { consoleOff } from "../support/console-settings.ts";

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TOKEN = "aei_admin-CANARY-0123456789";
const QUEUE_NAME = "ai-events";

/** A database whose every statement fails. */
const FAILING_DATABASE = {
  prepare: () => {
    throw new Error("D1_ERROR: overloaded");
  },
} as unknown as D1Database;

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});
afterEach(() => {
  vi.restoreAllMocks();
});

function configWith(over: Partial<Config> = {}): Config {
  return {
    database,
    archive: null,
    budgetObjects: null,
    retention: retain(60),
    ...consoleOff(),
    deadLetterQueue: null,
    eventMac: { keys: [], acceptsMissing: false },
    seals: null,
    ...over,
  };
}

type Spies = {
  /** The printed lines, parsed. */
  readonly logged: () => Record<string, unknown>[];
  readonly errors: () => string;
};

function consoleSpies(): Spies {
  const printed = vi.spyOn(console, "log").mockImplementation(() => undefined);
  const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
  return {
    logged: () => printed.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>),
    errors: () => errors.mock.calls.flat().join("\n"),
  };
}

const MESSAGE = { id: "m", timestamp: 0, attempts: 1, body: toMessages([START])[0] ?? "" };

type QueueMessage = Parameters<typeof createMessageBatch>[1][number];

function batchOf(events: readonly InterceptorEvent[]): MessageBatch {
  const messages = toMessages(events).map((body, at): QueueMessage => ({
    id: `m${at}`,
    timestamp: new Date(0),
    attempts: 1,
    body,
  }));
  return createMessageBatch(QUEUE_NAME, messages);
}

const rowCounts = (rows: Rows): Record<string, number> =>
  Object.fromEntries(Object.entries(rows).map(([table, { length }]) => [table, length]));

/** The rows of one event of every type: a start, its end and the usage share a row. */
const EVERY_EVENT_ROWS = {
  interceptions: 1,
  token_usages: 0,
  user_prompts: 1,
  tool_usages: 1,
  model_thoughts: 1,
  initiator_overrides: 2,
  retrieved_usages: 1,
  batch_files: 1,
  passthroughs: 1,
  refusals: 1,
  refusal_counts: 1,
  ledger_accesses: 0,
  budget_events: 6,
  cost_corrections: 1,
  upstream_attempts: 1,
};

describe("the RPC method store", () => {
  it("stores every event that has a table, each once when it is called again", async () => {
    const { logged, errors } = consoleSpies();
    const { store } = createRecords(configWith());
    await store(sentEvents);
    const first = await allRows(database);
    expect(rowCounts(first)).toEqual(EVERY_EVENT_ROWS);
    await store(sentEvents);
    expect(await allRows(database)).toEqual(first);
    expect([logged(), errors()]).toEqual([[], ""]);
  });

  // The attack: a caller of the binding reports a deletion, so that rows that it removed seem to be deleted by the cron.
  it("stores a made-up event of a reserved type apart from the ledger", async () => {
    const { errors } = consoleSpies();
    await createRecords(configWith()).store([START, { ...ACCESS, action: "purge" }]);
    expect(rowCounts(await allRows(database))).toMatchObject({ interceptions: 1, ledger_accesses: 0 });
    expect(errors()).toContain('"reasons":["reserved_type"]');
  });

  // A deployment in progress: the gateway is newer. It prints all events of the call, and replay stores them again.
  it("stores the events next to those of a newer version and other values, and rejects", async () => {
    const { errors } = consoleSpies();
    const { store } = createRecords(configWith());
    const other = { record_type: "from_a_later_version", interception_id: START.interception_id };
    const events = [
      START,
      other as unknown as InterceptorEvent,
      null as unknown as InterceptorEvent,
      THOUGHT,
    ];
    await expect(store(events)).rejects.toThrow(
      "2 values are not events of this version; the others are stored",
    );
    expect(rowCounts(await allRows(database))).toMatchObject({ interceptions: 1, model_thoughts: 1 });
    expect(errors()).toBe('{"event":"events_unknown","events":1}\n{"event":"events_malformed","events":1}');
  });

  it("drops no event without a database: it rejects, and the gateway prints the events", async () => {
    const { bucket, objects } = memoryBucket();
    for (const archive of [null, bucket]) {
      const { store } = createRecords(configWith({ database: null, archive }));
      await expect(store([START])).rejects.toThrow("LEDGER is not bound");
    }
    expect(objects.size).toBe(0);
  });

  it("accepts an empty list", async () => {
    await expect(createRecords(configWith()).store([])).resolves.toBeUndefined();
  });

  it("rejects when the database fails, so that the gateway retries", async () => {
    const { store } = createRecords(configWith({ database: FAILING_DATABASE }));
    await expect(store([START])).rejects.toThrow("D1_ERROR: overloaded");
  });

  // A call over the binding ends with its caller's context: the gateway's `waitUntil` has 30 seconds.
  it("is held by the records Worker's own waitUntil until the events are stored", async () => {
    const context = createExecutionContext();
    const held = vi.spyOn(context, "waitUntil");
    const worker = new RecordsWorker(context, { LEDGER: database });
    void worker.store(sentEvents);
    expect(held).toHaveBeenCalledTimes(1);
    await waitOnExecutionContext(context);
    expect(rowCounts(await allRows(database))).toEqual(EVERY_EVENT_ROWS);
  });

  // The attack: a client disconnects while its request fetches the issuer's keys, and every sign-in that waits for them fails.
  it("is held until it is done, and so is each request and each authorization", async () => {
    consoleSpies();
    const calls: ((worker: RecordsWorker) => Promise<unknown>)[] = [
      (worker) => worker.fetch(get("/api/v2/ai-gateway/usage", "sk-own")),
      (worker) => worker.authorize({ authorization: null, coderSessionToken: null }),
      (worker) => worker.spendOf("keys", "alice", 0),
    ];
    for (const call of calls) {
      const context = createExecutionContext();
      const held = vi.spyOn(context, "waitUntil");
      const result = call(new RecordsWorker(context, { LEDGER: database }));
      expect(held).toHaveBeenCalledTimes(1);
      const [[promise]] = held.mock.calls as [[Promise<unknown>]];
      // It settles with the call, not before it.
      expect(await promise).toBe(await result);
      await waitOnExecutionContext(context);
    }
  });

  it("rejects once, and leaves no unhandled rejection behind, when the database fails", async () => {
    const context = createExecutionContext();
    const worker = new RecordsWorker(context, { LEDGER: FAILING_DATABASE });
    await expect(worker.store([START])).rejects.toThrow("D1_ERROR: overloaded");
    await expect(waitOnExecutionContext(context)).resolves.toBeUndefined();
  });

  it("stores events that cross a service binding", async () => {
    const { default: binding } = exports as unknown as { readonly default: RecordsService };
    await binding.store(sentEvents);
    expect(rowCounts(await allRows(database))).toEqual(EVERY_EVENT_ROWS);
  });
});

const headersOf = (authorization: string | null, coderSessionToken: string | null): AdminHeaders => ({
  authorization,
  coderSessionToken,
});

const withKey = () => createRecords(configWith({ eventMac: { keys: [KEY], acceptsMissing: false } }));
const apart = async (): Promise<unknown[]> =>
  (await database.prepare("SELECT via, reason FROM unauthenticated_events").all()).results;

describe("the RPC method store with a key", () => {
  it("stores the events of messages with a valid MAC", async () => {
    const { errors } = consoleSpies();
    await withKey().store([await signedMessage([START]), await signedMessage([END])]);
    const { interceptions } = await allRows(database);
    expect(interceptions).toMatchObject([{ api_key_id: START.api_key_id, outcome: END.outcome }]);
    expect([await apart(), errors()]).toEqual([[], ""]);
  });

  // The attack: another Worker of the account binds the records Worker, and calls its method.
  it.each([
    ["events of a gateway from before MACs, or of another caller", () => [START], "missing"],
    ["a message without a MAC", () => toMessages([START]), "missing"],
    [
      "a message with a MAC of another key",
      async () => [await signedMessage([START], FOREIGN_KEY)],
      "unknown_key",
    ],
  ] as const)("stores apart %s, and resolves", async (_, messages, reason) => {
    const { errors } = consoleSpies();
    await withKey().store([...(await messages()), await signedMessage([THOUGHT])]);
    expect(rowCounts(await allRows(database))).toMatchObject({ interceptions: 0, model_thoughts: 1 });
    expect(await apart()).toEqual([{ via: "r", reason }]);
    expect(JSON.parse(errors())).toMatchObject({
      event: "events_unauthenticated",
      events: 1,
      reasons: [reason],
    });
  });
});

describe("the records Worker without a key", () => {
  it("says once for each isolate that it stores events without a check of their MACs", async () => {
    const { errors } = consoleSpies();
    const env = { LEDGER: database };
    for (const _ of [1, 2]) await new RecordsWorker(createExecutionContext(), env).store([START]);
    expect(errors()).toBe('{"event":"event_mac_not_required","reason":"no_key"}');
    await new RecordsWorker(createExecutionContext(), { ...env, EVENT_MAC_KEY: KEY }).store([]);
    expect(errors()).toBe('{"event":"event_mac_not_required","reason":"no_key"}');
    await new RecordsWorker(createExecutionContext(), {
      ...env,
      EVENT_MAC_KEY: KEY,
      EVENT_MAC: "accept",
    }).store([]);
    expect(errors()).toContain('{"event":"event_mac_not_required","reason":"accept"}');
  });
});

describe("the RPC method authorize", () => {
  it.each([
    ["Authorization", headersOf(`Bearer ${TOKEN}`, null)],
    ["Coder-Session-Token", headersOf(null, TOKEN)],
    ["both headers", headersOf(`Bearer ${TOKEN}`, TOKEN)],
  ])("accepts the admin token in %s", async (_, headers) => {
    const { authorize } = createRecords(configWith(consoleOff(await sha256Hex(TOKEN))));
    expect(await authorize(headers)).toBeNull();
  });

  it.each([
    ["no header", headersOf(null, null)],
    ["another token", headersOf(`Bearer ${TOKEN}x`, null)],
    ["another session token", headersOf(null, `${TOKEN}x`)],
    ["a token without its scheme", headersOf(TOKEN, null)],
    ["another scheme", headersOf(`Basic ${TOKEN}`, null)],
    ["an empty token", headersOf("Bearer ", "")],
    ["two different tokens", headersOf(`Bearer ${TOKEN}`, `${TOKEN}x`)],
    ["the token twice", headersOf(`Bearer ${TOKEN}, Bearer ${TOKEN}`, null)],
    ["the token's digest", headersOf("Bearer DIGEST", null)],
  ])("rejects %s, and quotes no token", async (_, headers) => {
    const digest = await sha256Hex(TOKEN);
    const { authorize } = createRecords(configWith(consoleOff(digest)));
    const sent = { ...headers, authorization: headers.authorization?.replace("DIGEST", digest) ?? null };
    const refusal = await authorize(sent);
    expect(refusal).toMatchObject({ code: "admin_only" });
    expect(JSON.stringify(refusal)).not.toContain("CANARY");
  });

  it("rejects every token when none is configured", async () => {
    const { authorize } = createRecords(configWith());
    const refusal = { code: "admin_only", data: { detail: "ADMIN_TOKEN is not set" } };
    expect(await authorize(headersOf(`Bearer ${TOKEN}`, null))).toEqual(refusal);
    expect(await authorize(headersOf(null, null))).toEqual(refusal);
  });

  it("returns a refusal that crosses a service binding", async () => {
    const { default: binding } = exports as unknown as { readonly default: RecordsService };
    expect(await binding.authorize(headersOf(`Bearer ${TOKEN}`, null))).toEqual({
      code: "admin_only",
      data: { detail: "ADMIN_TOKEN is not set" },
    });
  });
});

const get = (path: string, token?: string): Request =>
  new Request(
    `https://records.example${path}`,
    token ? { headers: { authorization: `Bearer ${token}` } } : {},
  );

describe("the API", () => {
  const routes = [...new Set(ENDPOINTS.map(({ path }) => path.split("/")[1] ?? ""))];

  it.each(routes)("refuses %s under both prefixes when no token is set", async (route) => {
    const { logged } = consoleSpies();
    const { fetch: serve } = createRecords(configWith());
    for (const prefix of ROUTE_PREFIXES) {
      const response = await serve(get(`${prefix}/${route}`, "sk-own"));
      expect(response.status).toBe(401);
      expect(response.headers.get("x-interceptor-error")).toBe("admin_only");
      expect(response.headers.get("x-interception-id")).toMatch(UUID_V7);
      expect(await response.json()).toHaveProperty("message");
    }
    expect(logged()).toHaveLength(ROUTE_PREFIXES.length);
  });

  it("serves the holder of the configured token, from the configured database", async () => {
    const { logged, errors } = consoleSpies();
    const { fetch: serve, store } = createRecords(configWith(consoleOff(await sha256Hex(TOKEN))));
    await store(sentEvents);
    const response = await serve(get("/api/v2/ai-gateway/interceptions", TOKEN));
    expect(response.status).toBe(200);
    expect(await response.text()).toContain(START.interception_id);
    // Without a context of a request, nothing waits for the event of the read to be stored; it is logged at once.
    expect([logged(), errors()]).toEqual([
      [
        expect.objectContaining({
          record_type: "ledger_access",
          action: "read_content",
          target: "/interceptions",
        }),
      ],
      "",
    ]);
  });

  it("reports a missing ledger to the holder of the token only", async () => {
    consoleSpies();
    const config = configWith({ database: null, ...consoleOff(await sha256Hex(TOKEN)) });
    const { fetch: serve } = createRecords(config);
    const errorOf = async (token: string): Promise<string | null> =>
      (await serve(get("/api/v2/ai-gateway/sessions", token))).headers.get("x-interceptor-error");
    expect(await errorOf(TOKEN)).toBe("ledger_unavailable");
    expect(await errorOf(`${TOKEN}x`)).toBe("admin_only");
  });

  it.each([
    ["/api/v2/ai-gateway/sessions", "GET", `${TOKEN}x`, 401, "admin_only", "the admin token differs"],
    ["/api/v2/aibridge/nothing", "GET", TOKEN, 404, "not_found", null],
    ["/v1/chat/completions", "POST", TOKEN, 404, "not_found", null],
    ["/api/v2/ai-gateway/sessions", "DELETE", TOKEN, 405, "method_not_allowed", null],
  ])(
    "prints the refusal of %s as a line of the interception log",
    async (path, method, token, status, reason, detail) => {
      const { logged, errors } = consoleSpies();
      const { fetch: serve } = createRecords(configWith(consoleOff(await sha256Hex(TOKEN))));
      const before = Date.now();
      const request = new Request(get(path, token), { method });
      const response = await serve(request);
      expect(response.status).toBe(status);
      const [line, ...others] = logged();
      expect(others).toEqual([]);
      expect(line).toEqual({
        message: "interception log",
        record_type: "refusal",
        interception_id: response.headers.get("x-interception-id"),
        reason,
        status,
        detail,
        method,
        provider: null,
        route: null,
        client: null,
        actor_id: null,
        actor_kind: null,
        identity_source: null,
        actor_verified: false,
        api_key_id: null,
        initiator_source: null,
        initiator_id: null,
        created_at: expect.any(String) as string,
        worker_version: null,
        client_country: null,
        client_ray: null,
        client_ip: null,
        object_ids: [],
      });
      const at = Date.parse(String(line?.["created_at"]));
      expect(at).toBeGreaterThanOrEqual(before);
      expect(at).toBeLessThanOrEqual(Date.now());
      expect(JSON.stringify(line)).not.toContain("CANARY");
      expect(errors()).toBe("");
    },
  );
});

describe("the queue consumer", () => {
  it("stores a batch's events and acknowledges its messages", async () => {
    const { errors } = consoleSpies();
    const batch = batchOf(sentEvents);
    await createRecords(configWith()).consume(batch);
    expect(rowCounts(await allRows(database))).toEqual(EVERY_EVENT_ROWS);
    const result = await getQueueResult(batch, createExecutionContext());
    expect([result.explicitAcks, result.retryMessages]).toEqual([["m0"], []]);
    expect(errors()).toBe("");
  });

  it("writes a batch's events to the archive when one is bound", async () => {
    const { bucket, objects } = memoryBucket();
    await createRecords(configWith({ archive: bucket })).consume(batchOf(sentEvents));
    expect(objects.size).toBe(1);
    expect(rowCounts(await allRows(database))).toEqual(EVERY_EVENT_ROWS);
  });

  it("retries messages that the database did not store, and logs the error", async () => {
    const { errors } = consoleSpies();
    const batch = batchOf([START]);
    await createRecords(configWith({ database: FAILING_DATABASE })).consume(batch);
    const result = await getQueueResult(batch, createExecutionContext());
    expect(result.explicitAcks).toEqual([]);
    expect(result.retryMessages).toEqual([{ msgId: "m0" }]);
    expect(errors()).toContain('{"event":"messages_not_stored","messages":1,"error":"');
  });

  it.each([
    ["ai-events", {}, false],
    ["ai-events-staging", {}, false],
    ["deadlines", {}, false],
    ["ai-events-dead", {}, true],
    ["ai-events-dead-staging", {}, true],
    ["llm-log-dlq", {}, true],
    ["dead-sea-events", { deadLetterQueue: "dead-sea-lost" }, false],
    ["dead-sea-lost", { deadLetterQueue: "dead-sea-lost" }, true],
  ])("recognizes whether %s is the dead-letter queue, with %o", async (queue, over, isDead) => {
    consoleSpies();
    const { batch, calls } = toMessageBatch({ queue, messages: [MESSAGE] });
    await createRecords(configWith({ database: FAILING_DATABASE, ...over })).consume(batch);
    // The consumer of events backs off; a dead letter is kept with its next delivery.
    expect(calls).toEqual({ m: { retry: isDead ? 0 : 30 } });
  });

  it("accepts an empty batch", async () => {
    const { errors } = consoleSpies();
    await expect(createRecords(configWith()).consume(batchOf([]))).resolves.toBeUndefined();
    expect(errors()).toBe("");
  });
});

describe("the cron", () => {
  it("closes interceptions that never ended and deletes expired rows", async () => {
    consoleSpies();
    const { store, maintain } = createRecords(configWith({ retention: retain(1) }));
    await store([START]);
    const startedAt = Date.parse(START.started_at);
    await maintain(startedAt + 7 * 3_600_000);
    expect((await allRows(database))["interceptions"]).toMatchObject([{ outcome: "orphaned" }]);
    await maintain(startedAt + 2 * 86_400_000);
    expect((await allRows(database))["interceptions"]).toEqual([]);
  });

  it("does nothing without a database", async () => {
    const { errors } = consoleSpies();
    const records = createRecords(configWith({ database: null, archive: memoryBucket().bucket }));
    await expect(records.maintain(0)).resolves.toBeUndefined();
    expect(errors()).toBe("");
  });

  it("rejects and logs when the database fails", async () => {
    const { errors } = consoleSpies();
    const { maintain } = createRecords(configWith({ database: FAILING_DATABASE }));
    await expect(maintain(0)).rejects.toThrow("D1_ERROR: overloaded");
    expect(errors()).toContain('{"event":"maintenance_failed","error":"');
  });
});

const workerWith = (env: Record<string, unknown>): RecordsWorker =>
  new RecordsWorker(createExecutionContext(), env);

describe("the records Worker's entry", () => {
  it("passes requests, events, batches and the cron's time on", async () => {
    consoleSpies();
    const env = { LEDGER: database, ADMIN_TOKEN: await sha256Hex(TOKEN) };
    const context = createExecutionContext();
    const worker = new RecordsWorker(context, env);
    await worker.store([START]);
    const response = await worker.fetch(get("/api/v2/ai-gateway/interceptions", TOKEN));
    expect(await response.text()).toContain(START.interception_id);
    await waitOnExecutionContext(context);
    expect(await worker.authorize(headersOf(null, TOKEN))).toBeNull();
    await worker.queue(batchOf(sentEvents));
    // That of the read.
    expect(rowCounts(await allRows(database))).toEqual({ ...EVERY_EVENT_ROWS, ledger_accesses: 1 });
    const scheduledTime = new Date(Date.parse(START.started_at) + 61 * 86_400_000);
    await worker.scheduled(createScheduledController({ scheduledTime }));
    expect((await allRows(database))["interceptions"]).toEqual([]);
  });

  it("seals the ledger every minute, and does its maintenance on every other cron", async () => {
    const { logged } = consoleSpies();
    await emptySealedLedger();
    const SEAL_KEY = await newPrivateKey("a.example/log", new Uint8Array(32));
    const worker = workerWith({ LEDGER: database, SEALS: { origin: "a.example/log" }, SEAL_KEY });
    await worker.queue(batchOf(sentEvents));
    await worker.scheduled(createScheduledController({ cron: "* * * * *" }));
    const notes = logged().filter(({ event }) => event === "ledger_sealed");
    expect(notes).toHaveLength(1);
    expect(notes[0]?.["checkpoint"]).toMatch(/^a\.example\/log\n\d\d\n/);
    await worker.scheduled(createScheduledController({ cron: "*/10 * * * *" }));
    expect(logged().filter(({ event }) => event === "ledger_sealed")).toHaveLength(1);
  });

  it("reads its configuration once per environment, across instances", async () => {
    let times = 0;
    const env = {
      get LEDGER() {
        times += 1;
        return database;
      },
    };
    await workerWith(env).store([]);
    const once = times;
    expect(once).toBeGreaterThan(0);
    await workerWith(env).store([]);
    await workerWith(env).authorize(headersOf(null, null));
    expect(times).toBe(once);
  });

  it("lets the cron's failure reject, so that Cloudflare shows the run as failed", async () => {
    const { errors } = consoleSpies();
    const worker = workerWith({ LEDGER: FAILING_DATABASE });
    await expect(worker.scheduled(createScheduledController())).rejects.toThrow("D1_ERROR: overloaded");
    expect(errors()).toContain("maintenance");
  });
});

describe("the records Worker's entry with an invalid config", () => {
  const env = { RETENTION_DAYS: "CANARY" };
  const ISSUES =
    /^\{"event":"configuration_invalid","issues":\["RETENTION_DAYS must be .*","LEDGER is required /;

  it("retries the queue's messages after 600 s", async () => {
    const { errors } = consoleSpies();
    for (const attempts of [1, 99]) {
      const { batch, calls } = toMessageBatch({ queue: QUEUE_NAME, messages: [{ ...MESSAGE, attempts }] });
      // Not by throwing: the queue would deliver again after `retry_delay`, and use up 100 attempts in two hours.
      await workerWith(env).queue(batch);
      expect(calls).toEqual({ m: { retry: 600 } });
    }
    expect(errors()).toMatch(ISSUES);
    expect(errors()).not.toContain("CANARY");
  });

  // Nothing is behind the dead-letter queue: a message that exhausts its retries there would be deleted.
  it.each([
    ["its name", env, "ai-events-dead-staging"],
    ["DEAD_LETTER_QUEUE", { ...env, DEAD_LETTER_QUEUE: "failed" }, "failed"],
  ])(
    "prints the dead letters of a queue known by %s before they would be deleted",
    async (_, vars, queue) => {
      const { errors, logged } = consoleSpies();
      const deliver = async (attempts: number): Promise<unknown> => {
        const { batch, calls } = toMessageBatch({ queue, messages: [{ ...MESSAGE, attempts }] });
        await workerWith(vars).queue(batch);
        return calls["m"];
      };
      expect(await deliver(1)).toEqual({ retry: 600 });
      expect(logged()).toEqual([]);
      // Twice, because the log of one delivery may be lost.
      expect(await deliver(2)).toEqual({ retry: 1 });
      expect(await deliver(3)).toBe("ack");
      const piece = { queue_message: "m", text: MESSAGE.body };
      expect(logged()).toMatchObject([piece, piece]);
      expect(errors()).toContain('{"event":"message_printed","message_id":"m","pieces":1}');
    },
  );

  it("rejects the cron", async () => {
    const { errors } = consoleSpies();
    const controller = createScheduledController();
    await expect(workerWith(env).scheduled(controller)).rejects.toThrow("the configuration is invalid");
    expect(errors()).toMatch(ISSUES);
  });

  it("responds with 500, an interception id and no issue", async () => {
    const { errors } = consoleSpies();
    const ids = new Set<string | null>();
    for (const path of ["/api/v2/ai-gateway/sessions", "/healthz", "/"]) {
      const response = await workerWith(env).fetch(get(path, TOKEN));
      expect(response.status).toBe(500);
      expect(response.headers.get("x-interceptor-error")).toBe("misconfigured");
      expect(response.headers.get("x-interception-id")).toMatch(UUID_V7);
      ids.add(response.headers.get("x-interception-id"));
      expect(await response.json()).toEqual({ message: REFUSALS.misconfigured[1] });
    }
    expect(ids.size).toBe(3);
    expect(errors()).toMatch(ISSUES);
    expect(errors()).not.toContain("CANARY");
  });

  it("rejects the RPC method store, so that the gateway keeps the events", async () => {
    const { errors } = consoleSpies();
    await expect(workerWith(env).store([START])).rejects.toThrow("the configuration is invalid");
    expect(errors()).toMatch(ISSUES);
  });

  it("refuses the RPC method authorize, for every token", async () => {
    const { errors } = consoleSpies();
    expect(await workerWith(env).authorize(headersOf(`Bearer ${TOKEN}`, TOKEN))).toEqual({
      code: "misconfigured",
      data: {},
    });
    expect(errors()).toMatch(ISSUES);
  });
});
