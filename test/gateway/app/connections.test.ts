/**
 * A request may have six connections that wait for response headers. These tests count the ones that the gateway needs,
 * and check the records where no connection is free.
 */
import { describe, expect, it } from "vitest";
import { sendEvents } from "../../../src/gateway/sinks/queue.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { Sink } from "../../../src/gateway/sinks/recorder.ts";
import { createFallbackLog, FALLBACK_MESSAGE } from "../../../src/events/fallback-log.ts";
import { coalesceStarts } from "../../../src/gateway/sinks/coalesce-starts.ts";
import { recordsSink, type Timing } from "../../../src/gateway/sinks/records.ts";
import { craftJwt } from "../../support/issuer-tokens.ts";
import { openGateway, T0, type Gateway, type Sent } from "../../support/in-workerd/gateway-harness.ts";
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

/** Coder's responses to both of its requests; the test supplies the provider's. */
function backends(limit: ConnectionLimit, provider: (sent: Sent) => Promise<Response>) {
  return (sent: Sent): Promise<Response> => {
    const { pathname, host } = new URL(sent.url);
    const respond = (): Promise<Response> => {
      if (pathname.endsWith("/users/me")) return Promise.resolve(Response.json(ME));
      if (host === "coder.example")
        return Promise.resolve(Response.json({ ...ME, id: OWNER, username: "alice" }));
      return provider(sent);
    };
    return limit.run(`${host}${pathname}`, respond, sent.signal);
  };
}

/** Timers that fire when the test says so. */
function timers(): Timing & { readonly fire: () => void } {
  const waiting = new Set<() => void>();
  return {
    random: () => 1,
    after: (_, call) => {
      waiting.add(call);
      return () => void waiting.delete(call);
    },
    fire: () => {
      const due = [...waiting];
      waiting.clear();
      for (const call of due) call();
    },
  };
}

/** The records sink as wired, with a queue behind the same connection limit. The queue takes every message, or hangs. */
function createLedger(
  limit: ConnectionLimit,
  { timing, hangs, required }: { timing: Timing; hangs: boolean; required: boolean },
) {
  const lines: string[] = [];
  let sends = 0;
  const settled = (): Promise<unknown> =>
    hangs ? new Promise<never>(() => undefined) : Promise.resolve(undefined);
  const send = (): Promise<unknown> => limit.run(`queue ${(sends += 1)}`, settled);
  const queue = { send, sendBatch: send } as unknown as Queue;
  const sink: Sink = recordsSink({
    required,
    wants: () => true,
    deliver: (events) => sendEvents(queue, events),
    fallback: createFallbackLog((line) => void lines.push(line)),
    timing,
  });
  return { lines, sends: () => sends, sink: required ? sink : coalesceStarts(sink, timing.after) };
}

const isQueue = (what: string): boolean => what.startsWith("queue");

describe("a request that needs identity, directory, provider and queue", () => {
  it("has one waiting connection at a time where every backend responds", async () => {
    const limit = connectionLimit();
    const { sink } = createLedger(limit, { timing: timers(), hangs: false, required: true });
    const gateway = await openGateway({
      vars: VARS,
      sinks: [sink],
      provider: backends(limit, () => Promise.resolve(json(fixture("chat/json").bytes))),
      allowedContent: ["CANARY-prompt"],
    });
    const { events, response } = await gateway.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    expect(response.status).toBe(200);
    expect(gateway.sent.map(({ url }) => new URL(url).host)).toEqual([
      "coder.example",
      "coder.example",
      "central.example",
    ]);
    expect(typesOf(events)).toContain("initiator_override");
    expect(limit.peak()).toBe(1);
  });

  it("needs at most six connections where the provider is slow and the queue hangs", async () => {
    const limit = connectionLimit();
    const timing = timers();
    const { sink, sends, lines } = createLedger(limit, { timing, hangs: true, required: false });
    const headers = Promise.withResolvers<Response>();
    const gateway = await openGateway({
      vars: VARS,
      sinks: [sink],
      provider: backends(limit, () => headers.promise),
      allowedContent: ["CANARY-prompt"],
    });
    const exchange = gateway.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    // The delayed start, then its three attempts. Each one times out, but its connection stays open.
    for (let attempt = 1; attempt <= 3; attempt += 1) await fireUntil(timing, () => sends() === attempt);
    await fireUntil(timing, () => lines.length > 0);
    expect(limit.waiting().filter(isQueue)).toHaveLength(3);
    expect(limit.waiting()).toHaveLength(4);
    headers.resolve(json(fixture("chat/json").bytes));
    await until(() => typesOf(gateway.events).includes("interception_end"), "the end");
    const started = lines.length;
    await fireUntil(timing, () => lines.length > started);
    const { events } = await exchange;
    expect(only(events, "interception_end")).toMatchObject({ outcome: "completed" });
    expect([limit.peak(), limit.queued()]).toEqual([MAX_WAITING, 0]);
    const fallen = lines.map((line) => JSON.parse(line) as { message: string; event: InterceptorEvent });
    expect(fallen.every(({ message }) => message === FALLBACK_MESSAGE)).toBe(true);
    expect(new Set(typesOf(fallen.map(({ event }) => event)))).toEqual(new Set(typesOf(events)));
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

const isIdentityLookup = (url: string): boolean => url.endsWith("/users/me");
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
