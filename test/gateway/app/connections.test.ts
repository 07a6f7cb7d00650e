/**
 * A request may have six connections that wait for response headers, and those of the records Worker count with the
 * gateway's. These tests count the ones that both need, and check the records where no connection is free.
 */
import { beforeEach, describe, expect, it } from "vitest";
import { env } from "cloudflare:workers";
import { eventText } from "../../../src/events/event-text.ts";
import { joinMessages } from "../../../src/events/queue-message.ts";
import { sendMessages } from "../../../src/gateway/sinks/queue.ts";
import { toLedgerEvents } from "../../../src/events/ledger-events.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { Sink } from "../../../src/gateway/sinks/recorder.ts";
import { createFallbackLog, FALLBACK_MESSAGE } from "../../../src/events/fallback-log.ts";
import { batchEvents, GATHER_MS } from "../../../src/gateway/sinks/batch-events.ts";
import type { Timing } from "../../../src/gateway/sinks/delivery.ts";
import { createFailedBatches } from "../../../src/gateway/sinks/failed-batches.ts";
import { recordsSink } from "../../../src/gateway/sinks/records.ts";
import type { Records } from "../../../src/records/wiring.ts";
import { API_ROUTES } from "../../../src/shared/api-routes.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { craftJwt } from "../../support/issuer-tokens.ts";
import { TOKEN as ADMIN_TOKEN } from "../../support/in-workerd/api-client.ts";
import {
  limitedNamespace,
  limitedQueue,
  limitedRecords,
  type Backend,
} from "../../support/in-workerd/limited-bindings.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { signed, SIGNING_KEY } from "../../support/in-workerd/signing.ts";
import {
  ID,
  openGateway,
  T0,
  type Exchange,
  type Gateway,
  type Sent,
} from "../../support/in-workerd/gateway-harness.ts";
import { CENTRAL_CHAT, json, only, post, STREAM_BODY, typesOf } from "../../support/in-workerd/calls.ts";
import { fixture } from "../../support/in-workerd/fixtures.ts";
import {
  connectionLimit,
  MAX_WAITING,
  type ConnectionLimit,
} from "../../support/in-workerd/connection-limit.ts";
import { CODER_AGENTS_UA, OWNER } from "../../support/in-workerd/values.ts";
import { until } from "../../support/in-workerd/waiting.ts";

const CODER = "https://coder.example";
const TOKEN = "abcdefghij-0123456789abcdefghijkl";
const JWKS = "https://issuer.example/keys";
/** Every timeout of these tests; no test waits for anything else meanwhile. */
const SOON_MS = 30;

const VARS = {
  IDENTITY: [
    { source: "coder", url: CODER, timeout_ms: SOON_MS },
    { source: "jwt", issuer: "https://issuer.example", jwks_url: JWKS, audience: "us", timeout_ms: SOON_MS },
  ],
  OWNER_ASSERTION: {
    allow: "any",
    directory: { url: CODER, token: "DIRECTORY_TOKEN", timeout_ms: SOON_MS, on_down: "accept" },
  },
  DIRECTORY_TOKEN: "directory-token-0123456789",
  RECORDING: { prompts: true },
};

const AGENTS = {
  authorization: `Bearer ${TOKEN}`,
  "user-agent": CODER_AGENTS_UA,
  "x-coder-owner-id": OWNER,
};

const ME = { id: "0a0a0a0a-0000-4000-8000-00000000000a", username: "agents", status: "active" };

/** The key of the token in `AGENTS`. */
const KEY = { scopes: ["coder:all"] };

/** Coder's responses to its three requests; the test supplies the provider's. */
function backends(limit: ConnectionLimit, provider: (sent: Sent) => Promise<Response>) {
  return (sent: Sent): Promise<Response> => {
    const { pathname, host } = new URL(sent.url);
    const respond = (): Promise<Response> => {
      if (pathname.endsWith("/users/me")) return Promise.resolve(Response.json(ME));
      if (isIdentityLookup(pathname)) return Promise.resolve(Response.json(KEY));
      if (host === "coder.example")
        return Promise.resolve(Response.json({ ...ME, id: OWNER, username: "alice" }));
      return provider(sent);
    };
    return limit.run(`${host}${pathname}`, respond, sent.signal);
  };
}

/** Timers that fire when the test says so. */
function timers(): Timing & { readonly fire: (withinMs?: number) => void } {
  const waiting = new Map<() => void, number>();
  return {
    random: () => 1,
    after: (ms, call) => {
      waiting.set(call, ms);
      return () => void waiting.delete(call);
    },
    fire: (withinMs = Number.POSITIVE_INFINITY) => {
      const due = [...waiting].filter(([, ms]) => ms <= withinMs);
      for (const [call] of due) {
        waiting.delete(call);
        call();
      }
    },
  };
}

type Transport = "queue" | "rpc";
const TRANSPORTS: readonly Transport[] = ["queue", "rpc"];

type LedgerOptions = {
  readonly timing: Timing;
  readonly transport: Transport;
  readonly backend: Backend;
  readonly required: boolean;
};

/** The records sink as wired, over the queue or the records Worker's RPC, behind the same connection limit. */
async function createLedger(limit: ConnectionLimit, { timing, transport, backend, required }: LedgerOptions) {
  const lines: string[] = [];
  const queue = limitedQueue(limit, backend);
  const records = await limitedRecords(limit, backend);
  const deliver = (texts: readonly string[]): Promise<void> =>
    transport === "queue" ? sendMessages(queue, joinMessages(texts)) : records.store(joinMessages(texts));
  const fallback = createFallbackLog((line) => void lines.push(line));
  const options = { wants: () => true, timing };
  const sink: Sink = required
    ? recordsSink({
        ...options,
        required,
        deliver: (events) => deliver(events.map(eventText)),
        fallback,
      })
    : batchEvents({
        ...options,
        deliver,
        failed: createFailedBatches(fallback, () => undefined),
        now: () => T0,
      });
  return { lines, sink };
}

const isStore = (what: string): boolean => what.startsWith("store");

const storing = (limit: ConnectionLimit): number => limit.waiting().filter(isStore).length;

let signatures = 0;
/** Headers of a signed owner, each time with another signature: identity, directory and replay cache are all needed. */
function signedAgents(): Promise<Record<string, string>> {
  signatures += 1;
  return signed({ uri: CENTRAL_CHAT, body: STREAM_BODY, at: T0 + signatures * 1000, headers: AGENTS });
}

const { NONCES } = env as unknown as { readonly NONCES: DurableObjectNamespace };

const signing = (limit: ConnectionLimit, backend: Backend = "responds") => ({
  ...VARS,
  OWNER_ASSERTION: {
    ...VARS.OWNER_ASSERTION,
    signature: "require",
    signing_keys: ["SIGNING_KEY"],
    replay_cache: true,
  },
  SIGNING_KEY,
  NONCES: limitedNamespace(NONCES, limit, backend),
});

describe.each(TRANSPORTS)(
  "a request that needs identity, directory, replay cache, provider and ledger (%s)",
  (transport) => {
    beforeEach(emptyLedger);

    it.each([true, false])(
      "has one waiting connection at a time where every backend responds (required: %s)",
      async (required) => {
        const limit = connectionLimit();
        const timing = timers();
        const { sink, lines } = await createLedger(limit, {
          timing,
          transport,
          backend: "responds",
          required,
        });
        const gateway = await openGateway({
          vars: signing(limit),
          sinks: [sink],
          provider: backends(limit, () => Promise.resolve(json(fixture("chat/json").bytes))),
          allowedContent: ["CANARY-prompt"],
        });
        const exchange = gateway.exchange(CENTRAL_CHAT, post(STREAM_BODY, await signedAgents()));
        await until(() => typesOf(gateway.events).includes("interception_end"), "the end");
        timing.fire(GATHER_MS);
        const { events, response } = await exchange;
        expect(response.status).toBe(200);
        expect(typesOf(events)).toContain("initiator_override");
        const store = transport === "queue" ? "store: queue" : "store: database";
        expect(limit.started()).toEqual([
          "coder.example/api/v2/users/me",
          "coder.example/api/v2/users/me/keys/abcdefghij",
          `coder.example/api/v2/users/${OWNER}`,
          "replay cache",
          ...(required ? [`${store} 1`] : []),
          "central.example/v1/chat/completions",
          required ? `${store} 2` : `${store} 1`,
        ]);
        expect([limit.peak(), lines]).toEqual([1, []]);
      },
    );

    it("needs at most six connections where the provider is slow and the ledger hangs", async () => {
      const limit = connectionLimit(Number.POSITIVE_INFINITY);
      const timing = timers();
      const { sink, lines } = await createLedger(limit, {
        timing,
        transport,
        backend: "hangs",
        required: false,
      });
      const headers = Promise.withResolvers<Response>();
      const gateway = await openGateway({
        vars: VARS,
        sinks: [sink],
        provider: backends(limit, () => headers.promise),
        allowedContent: ["CANARY-prompt"],
      });
      const exchange = gateway.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
      // The delayed start, then its three attempts. Each one times out, but its connection stays open.
      for (let attempt = 1; attempt <= 3; attempt += 1)
        await fireUntil(timing, () => storing(limit) === attempt);
      await fireUntil(timing, () => lines.length > 0);
      expect(storing(limit)).toBe(3);
      expect(limit.waiting()).toHaveLength(4);
      headers.resolve(json(fixture("chat/json").bytes));
      await until(() => typesOf(gateway.events).includes("interception_end"), "the end");
      const started = lines.length;
      await fireUntil(timing, () => lines.length > started);
      const { events } = await exchange;
      expect(only(events, "interception_end")).toMatchObject({ outcome: "completed" });
      expect(limit.peak()).toBe(MAX_WAITING);
      const fallen = lines.map((line) => JSON.parse(line) as { message: string; event: InterceptorEvent });
      expect(fallen.every(({ message }) => message === FALLBACK_MESSAGE)).toBe(true);
      expect(new Set(typesOf(fallen.map(({ event }) => event)))).toEqual(
        new Set(typesOf(toLedgerEvents(events))),
      );
    });

    it.each([
      ["before it is forwarded", { required: true, isSlow: false, error: "recording_unavailable", open: 6 }],
      ["by the provider at once", { required: false, isSlow: false, error: "upstream_unreachable", open: 3 }],
      ["by a slow provider", { required: false, isSlow: true, error: "upstream_unreachable", open: 6 }],
    ])(
      "needs at most six connections where the ledger hangs and it is refused %s",
      async (_, { required, isSlow, error, open }) => {
        const limit = connectionLimit(Number.POSITIVE_INFINITY);
        const timing = timers();
        const { sink, lines } = await createLedger(limit, { timing, transport, backend: "hangs", required });
        const { promise: response, reject } = Promise.withResolvers<Response>();
        const gateway = await openGateway({
          vars: VARS,
          sinks: [sink],
          provider: backends(limit, () => response),
          allowedContent: ["CANARY-prompt"],
        });
        let result: Exchange | null = null;
        const exchange = gateway
          .exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS))
          .then((one) => (result = one));
        if (isSlow) await fireUntil(timing, () => lines.length > 0);
        response.catch(() => undefined);
        reject(new Error("refused"));
        await fireUntil(timing, () => result !== null);
        const { events } = await exchange;
        expect(only(events, "interception_end").error).toBe(error);
        expect(typesOf(events)).toContain("refusal");
        expect([storing(limit), limit.peak()]).toEqual([open, open]);
        expect(lines.length).toBeGreaterThan(0);
      },
    );

    it("needs at most six connections as a passthrough with a rejected owner, where the ledger hangs", async () => {
      const limit = connectionLimit(Number.POSITIVE_INFINITY);
      const timing = timers();
      const { sink } = await createLedger(limit, { timing, transport, backend: "hangs", required: false });
      const headers = Promise.withResolvers<Response>();
      const gateway = await openGateway({
        vars: VARS,
        sinks: [sink],
        provider: backends(limit, () => headers.promise),
      });
      const exchange = gateway.exchange("/central/v1/models", {
        headers: { ...AGENTS, "x-coder-owner-id": "no" },
      });
      for (let attempt = 1; attempt <= 3; attempt += 1)
        await fireUntil(timing, () => storing(limit) === attempt);
      await until(() => limit.waiting().some((one) => one.includes("/models")), "the provider's connection");
      expect(limit.waiting()).toHaveLength(4);
      headers.resolve(json("{}"));
      await until(() => typesOf(gateway.events).includes("passthrough"), "the passthrough");
      let isDone = false;
      const done = exchange.then(() => (isDone = true));
      await fireUntil(timing, () => isDone);
      await done;
      expect(limit.peak()).toBe(MAX_WAITING);
    });
  },
);

describe("a replay cache that hangs", () => {
  it("has one connection, which ends with its deadline of 2 seconds", async () => {
    const limit = connectionLimit();
    const gateway = await openGateway({
      vars: signing(limit, "hangs"),
      provider: backends(limit, () => Promise.resolve(json(fixture("chat/json").bytes))),
    });
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(STREAM_BODY, await signedAgents()));
    expect(only(events, "initiator_override_rejected").reason).toBe("replay_unavailable");
    expect(limit.peak()).toBe(1);
  });
});

/** The records Worker with the interception id that the gateway harness expects: its own ids are not fixed. */
async function recordsOf(limit: ConnectionLimit): Promise<Records> {
  const records = await limitedRecords(limit, "responds");
  const fetchWithId = async (request: Request): Promise<Response> => {
    const recorded: Promise<unknown>[] = [];
    const response = await records.fetch(request, (promise) => void recorded.push(promise));
    const copy = new Response(await response.text(), response);
    // The event of this read is stored before the next request.
    await Promise.all(recorded);
    copy.headers.set("x-interception-id", ID);
    return copy;
  };
  return { ...records, fetch: fetchWithId };
}

describe("a request to the records API through the gateway", () => {
  const ADMIN = { authorization: `Bearer ${ADMIN_TOKEN}` };

  it.each(API_ROUTES.filter((route) => route !== "explain"))(
    "has one connection at a time: %s",
    async (route) => {
      await emptyLedger();
      const limit = connectionLimit(Number.POSITIVE_INFINITY);
      const gateway = await openGateway({ parts: { records: await recordsOf(limit) } });
      for (const path of [route, ...(route === "sessions" ? ["sessions/none"] : [])]) {
        const { response } = await gateway.call(`/api/v2/ai-gateway/${path}`, { headers: ADMIN });
        // 409: nothing is sealed yet.
        expect([200, 404, 409]).toContain(response.status);
        await response.text();
      }
      expect(limit.peak()).toBeLessThanOrEqual(1);
      expect(limit.started().every(isStore)).toBe(true);
    },
  );

  it("explain has one at a time too, and none to the replay cache or the database", async () => {
    const limit = connectionLimit(Number.POSITIVE_INFINITY);
    const gateway = await openGateway({
      vars: signing(limit),
      parts: { records: await recordsOf(limit) },
      provider: backends(limit, () => Promise.reject(new Error("never"))),
    });
    const described = {
      method: "POST",
      path: CENTRAL_CHAT,
      headers: Object.entries(await signedAgents()),
      body_sha256: await sha256Hex(STREAM_BODY),
    };
    const { response, text } = await gateway.exchange(
      "/api/v2/ai-gateway/explain",
      post(JSON.stringify(described), ADMIN),
    );
    expect([response.status, text]).toEqual([200, expect.stringContaining(OWNER)]);
    expect(limit.started()).toEqual([
      "coder.example/api/v2/users/me",
      "coder.example/api/v2/users/me/keys/abcdefghij",
      `coder.example/api/v2/users/${OWNER}`,
    ]);
    expect(limit.peak()).toBe(1);
  });
});

/** Fires the timers again and again until the condition holds. */
async function fireUntil(timing: { readonly fire: () => void }, condition: () => boolean): Promise<void> {
  await until(() => {
    if (condition()) return true;
    timing.fire();
    return condition();
  }, "the effect of a timer");
}

/** A gateway without a free connection, except for fetches of URLs that `isExempt` names. */
async function openWithoutConnections(
  vars: Record<string, unknown>,
  isExempt: (url: string) => boolean,
): Promise<Gateway> {
  const full = connectionLimit(0);
  const free = connectionLimit();
  const connected = backends(free, () => Promise.resolve(json(fixture("chat/json").bytes)));
  const blocked = backends(full, () => Promise.reject(new Error("never")));
  return openGateway({
    vars: { ...VARS, RECORDING: {}, LIMITS: { headers_ms: SOON_MS }, ...vars },
    provider: (sent) => (isExempt(sent.url) ? connected(sent) : blocked(sent)),
  });
}

const isIdentityLookup = (url: string): boolean => url.includes("/users/me");
const isDirectory = (url: string): boolean => url.includes(`/users/${OWNER}`);

describe("where other connections occupy all six", () => {
  it("the identity source times out: the request is refused, and the refusal names the source", async () => {
    const gateway = await openWithoutConnections({}, () => false);
    const { response, events } = await gateway.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    expect(response.status).toBe(503);
    expect(only(events, "refusal")).toMatchObject({
      reason: "identity_unavailable",
      detail: `coder: no response within ${SOON_MS} ms`,
    });
    expect(typesOf(events)).toEqual(["refusal"]);
  });

  it("the fetch of an issuer's keys times out: the request is refused", async () => {
    const gateway = await openWithoutConnections({}, () => false);
    const claims = { iss: "https://issuer.example", aud: "us", sub: "alice", exp: T0 / 1000 + 60 };
    const token = craftJwt({ alg: "RS256", kid: "k" }, claims);
    const { response, events } = await gateway.exchange(
      CENTRAL_CHAT,
      post(STREAM_BODY, { authorization: `Bearer ${token}` }),
    );
    expect(response.status).toBe(503);
    expect(only(events, "refusal")).toMatchObject({ reason: "identity_unavailable" });
  });

  it("the directory times out with on_down = accept: the owner is accepted, and the record has directory = down", async () => {
    const gateway = await openWithoutConnections({}, (url) => !isDirectory(url));
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    expect(only(events, "initiator_override")).toMatchObject({ owner_id: OWNER, directory: "down" });
    expect(gateway.operatorErrors).toEqual([
      { event: "directory_failed", reason: `no response within ${SOON_MS} ms` },
    ]);
  });

  it("the directory times out with on_down = reject: the actor remains the initiator, and the record has directory = down", async () => {
    const directory = { ...VARS.OWNER_ASSERTION.directory, on_down: "reject" };
    const gateway = await openWithoutConnections(
      { OWNER_ASSERTION: { ...VARS.OWNER_ASSERTION, directory } },
      (url) => !isDirectory(url),
    );
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    expect(only(events, "initiator_override_rejected")).toMatchObject({ directory: "down" });
    expect(only(events, "interception_end")).toMatchObject({ outcome: "completed" });
  });

  it("the provider times out: 504, and the end has upstream_timeout", async () => {
    const gateway = await openWithoutConnections({}, (url) => isIdentityLookup(url) || isDirectory(url));
    const { response, events } = await gateway.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    expect(response.status).toBe(504);
    expect(only(events, "interception_end")).toMatchObject({
      outcome: "upstream_error",
      status: 504,
      error: "upstream_timeout",
      usage: "unknown",
    });
  });
});
