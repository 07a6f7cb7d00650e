/** Six connections of one request may wait for headers: how many ours needs, and what is recorded where there are none. */
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
/** What a time-out takes here: whoever waits for it waits for nothing else. */
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

/** Answers of Coder's two questions; the provider's is the test's. */
function backends(gate: ConnectionLimit, provider: (sent: Sent) => Promise<Response>) {
  return (sent: Sent): Promise<Response> => {
    const { pathname, host } = new URL(sent.url);
    const answer = (): Promise<Response> => {
      if (pathname.endsWith("/users/me")) return Promise.resolve(Response.json(ME));
      if (host === "coder.example")
        return Promise.resolve(Response.json({ ...ME, id: OWNER, username: "alice" }));
      return provider(sent);
    };
    return gate.run(`${host}${pathname}`, answer, sent.signal);
  };
}

/** Timers that go off when told. */
function timers(): Timing & { readonly goOff: () => void } {
  const waiting = new Set<() => void>();
  return {
    random: () => 1,
    after: (_, call) => {
      waiting.add(call);
      return () => void waiting.delete(call);
    },
    goOff: () => {
      const due = [...waiting];
      waiting.clear();
      for (const call of due) call();
    },
  };
}

/** The ledger as it is wired, to a queue behind the same connection limit that takes what it is sent, or never answers. */
function ledger(gate: ConnectionLimit, timing: Timing, hangs: boolean, required: boolean) {
  const lines: string[] = [];
  let sends = 0;
  const settled = (): Promise<unknown> =>
    hangs ? new Promise<never>(() => undefined) : Promise.resolve(undefined);
  const send = (): Promise<unknown> => gate.run(`queue ${(sends += 1)}`, settled);
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

describe("a request that asks everybody", () => {
  it("has one connection waiting at a time, where everybody answers", async () => {
    const gate = connectionLimit();
    const { sink } = ledger(gate, timers(), false, true);
    const house = await openGateway({
      vars: VARS,
      sinks: [sink],
      provider: backends(gate, () => Promise.resolve(json(fixture("chat/json").bytes))),
      allowedContent: ["CANARY-prompt"],
    });
    const { events, response } = await house.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    expect(response.status).toBe(200);
    expect(house.sent.map(({ url }) => new URL(url).host)).toEqual([
      "coder.example",
      "coder.example",
      "central.example",
    ]);
    expect(typesOf(events)).toContain("initiator_override");
    expect(gate.peak()).toBe(1);
  });

  it("needs six and no more, where the provider takes its time and the queue never answers", async () => {
    const gate = connectionLimit();
    const timing = timers();
    const { sink, sends, lines } = ledger(gate, timing, true, false);
    const headers = Promise.withResolvers<Response>();
    const house = await openGateway({
      vars: VARS,
      sinks: [sink],
      provider: backends(gate, () => headers.promise),
      allowedContent: ["CANARY-prompt"],
    });
    const visit = house.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    // The held start, then its three attempts, each given up and none of them ever done with.
    for (let attempt = 1; attempt <= 3; attempt += 1) await goOffUntil(timing, () => sends() === attempt);
    await goOffUntil(timing, () => lines.length > 0);
    expect(gate.waiting().filter(isQueue)).toHaveLength(3);
    expect(gate.waiting()).toHaveLength(4);
    headers.resolve(json(fixture("chat/json").bytes));
    await until(() => typesOf(house.events).includes("interception_end"), "the end");
    const started = lines.length;
    await goOffUntil(timing, () => lines.length > started);
    const { events } = await visit;
    expect(only(events, "interception_end")).toMatchObject({ outcome: "completed" });
    expect([gate.peak(), gate.queued()]).toEqual([MAX_WAITING, 0]);
    const fallen = lines.map((line) => JSON.parse(line) as { message: string; event: InterceptorEvent });
    expect(fallen.every(({ message }) => message === FALLBACK_MESSAGE)).toBe(true);
    expect(new Set(typesOf(fallen.map(({ event }) => event)))).toEqual(new Set(typesOf(events)));
  });
});

/** Lets time pass, turn by turn, as long as it takes. */
async function goOffUntil(timing: { readonly goOff: () => void }, isSo: () => boolean): Promise<void> {
  await until(() => {
    if (isSo()) return true;
    timing.goOff();
    return isSo();
  }, "what time would bring");
}

/** A house whose fetches find the connection limit's room taken, but for those that `lets` lets through beside it. */
async function crowdedOut(vars: Record<string, unknown>, lets: (url: string) => boolean): Promise<Gateway> {
  const full = connectionLimit(0);
  const free = connectionLimit();
  const through = backends(free, () => Promise.resolve(json(fixture("chat/json").bytes)));
  const never = backends(full, () => Promise.reject(new Error("never")));
  return openGateway({
    vars: { ...VARS, RECORDING: {}, LIMITS: { headers_ms: SOON_MS }, ...vars },
    provider: (sent) => (lets(sent.url) ? through(sent) : never(sent)),
  });
}

const isOwnLookUp = (url: string): boolean => url.endsWith("/users/me");
const isDirectory = (url: string): boolean => url.includes(`/users/${OWNER}`);

describe("where other connections have taken all six, what is asked in vain is recorded", () => {
  it("who calls: nobody is let in, and the refusal says that the source does not answer", async () => {
    const house = await crowdedOut({}, () => false);
    const { response, events } = await house.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    expect(response.status).toBe(503);
    expect(only(events, "refusal")).toMatchObject({
      reason: "identity_unavailable",
      detail: `coder: no response within ${SOON_MS} ms`,
    });
    expect(typesOf(events)).toEqual(["refusal"]);
  });

  it("an issuer's keys: likewise", async () => {
    const house = await crowdedOut({}, () => false);
    const claims = { iss: "https://issuer.example", aud: "us", sub: "alice", exp: T0 / 1000 + 60 };
    const token = craftJwt({ alg: "RS256", kid: "k" }, claims);
    const { response, events } = await house.exchange(
      CENTRAL_CHAT,
      post(STREAM_BODY, { authorization: `Bearer ${token}` }),
    );
    expect(response.status).toBe(503);
    expect(only(events, "refusal")).toMatchObject({ reason: "identity_unavailable" });
  });

  it("the directory: as it is configured, the owner counts and the record says that it was down", async () => {
    const house = await crowdedOut({}, (url) => !isDirectory(url));
    const { events } = await house.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    expect(only(events, "initiator_override")).toMatchObject({ owner_id: OWNER, directory: "down" });
    expect(house.operatorErrors).toEqual([`directory failed: no response within ${SOON_MS} ms`]);
  });

  it("the directory: or the actor stays, and the record says why", async () => {
    const directory = { ...VARS.OWNER_ASSERTION.directory, on_down: "reject" };
    const house = await crowdedOut(
      { OWNER_ASSERTION: { ...VARS.OWNER_ASSERTION, directory } },
      (url) => !isDirectory(url),
    );
    const { events } = await house.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    expect(only(events, "initiator_override_rejected")).toMatchObject({ directory: "down" });
    expect(only(events, "interception_end")).toMatchObject({ outcome: "completed" });
  });

  it("the provider: 504, and an end that says that no headers came", async () => {
    const house = await crowdedOut({}, (url) => isOwnLookUp(url) || isDirectory(url));
    const { response, events } = await house.exchange(CENTRAL_CHAT, post(STREAM_BODY, AGENTS));
    expect(response.status).toBe(504);
    expect(only(events, "interception_end")).toMatchObject({
      outcome: "upstream_error",
      status: 504,
      error: "upstream_timeout",
      usage: "unknown",
    });
  });
});
