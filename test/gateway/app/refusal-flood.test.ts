/**
 * The attack: an unknown caller floods the gateway with refused requests, to fill the ledger or the queue. The gateway is wired as
 * in production, up to the rows in D1; only the queue is in memory.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readMessage, type MessageContent } from "../../../src/events/queue-message.ts";
import { createApp } from "../../../src/gateway/app/app.ts";
import { GROUP_MS } from "../../../src/gateway/sinks/refusal-counts.ts";
import { MAX_DETAILS } from "../../../src/gateway/sinks/refusal-details.ts";
import { createDeps } from "../../../src/gateway/wiring.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { fetchOk, items, part } from "../../support/in-workerd/api-client.ts";
import { BODY, CENTRAL_CHAT, CHAT, CLIENT_KEY, post } from "../../support/in-workerd/calls.ts";
import { configOf, T0 } from "../../support/in-workerd/gateway-harness.ts";
import { allRows, emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { shuffled } from "../../support/in-workerd/ledger-events.ts";
import { manualClock } from "../../support/in-workerd/manual-clock.ts";
import { between, seededRandom } from "../../support/rechunk.ts";

/** For thousands of requests: turns a hang into a failure; not a measure of speed. */
const GENEROUS_MS = 120_000;
const MINUTE = 60_000;
const REQUESTS = 10_000;

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});
afterEach(() => {
  vi.restoreAllMocks();
});

type Flooded = {
  readonly send: (path: string, init?: RequestInit) => Promise<Response>;
  readonly clock: ReturnType<typeof manualClock>;
  readonly messages: string[];
  readonly logged: () => number;
  /** Waits for all that goes on after the responses. */
  readonly settled: () => Promise<unknown>;
};

/** One isolate whose clock the test moves. */
async function openIsolate(
  vars: Record<string, unknown> = {},
  provider: (request: Request) => Promise<Response> = async () => {
    throw new Error("a refused request was forwarded");
  },
): Promise<Flooded> {
  const clock = manualClock(T0);
  const real = setTimeout;
  // Only the timer of the counts: the others guard against backends that hang.
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((call: () => void, ms = 0) => {
    if (ms !== GROUP_MS) return real(call, ms);
    return void clock.after(ms, call);
  }) as typeof setTimeout);
  const printed = vi.spyOn(console, "log").mockImplementation(() => undefined);
  const messages: string[] = [];
  const EVENTS = {
    send: async (message: string) => void messages.push(message),
    sendBatch: async (batch: Iterable<{ body: string }>) =>
      void messages.push(...[...batch].map(({ body }) => body)),
  };
  const platform = {
    fetch: (async (url: string, init: RequestInit) =>
      provider(new Request(url, init))) as unknown as typeof fetch,
    now: clock.now,
    logError: () => undefined,
  };
  const config = await configOf(
    { IDENTITY: [{ source: "keys" }, { source: "byok" }], EVENTS, ...vars },
    platform,
  );
  const app = createApp(createDeps(config, platform));
  const pending: Promise<unknown>[] = [];
  const context = { waitUntil: (promise: Promise<unknown>) => void pending.push(promise) };
  return {
    clock,
    messages,
    logged: () =>
      printed.mock.calls.filter(([line]) => String(line).includes('"record_type":"refusal"')).length,
    send: async (path, init) =>
      app.fetch(
        new Request(`https://gateway.example${path}`, init),
        {},
        context as unknown as ExecutionContext,
      ),
    settled: () => Promise.all(pending),
  };
}

const contentOf = (message: string): MessageContent => readMessage(message);
const typesOf = (messages: readonly string[]): Record<string, number> =>
  Object.fromEntries(
    [
      ...Map.groupBy(
        messages.flatMap((one) => contentOf(one).events),
        (event) => event.record_type,
      ),
    ].map(([type, events]) => [type, events.length]),
  );

/** A request with a made-up key, provider or path. */
function randomRequest(random: () => number): readonly [path: string, init: RequestInit] {
  const word = between(random, 0, 1e9).toString(36);
  const bearer = { authorization: `Bearer sk-${word}${word}${word}` };
  const requests: readonly (readonly [string, RequestInit])[] = [
    [CENTRAL_CHAT, post(BODY, bearer)],
    [CENTRAL_CHAT, post(BODY, { "x-coder-ai-governance-token": `aei_${word}` })],
    [CHAT, post(BODY, { authorization: `Basic ${word}` })],
    [CHAT, { method: "POST", body: BODY }],
    [`/${word}/v1/chat/completions`, post(BODY, bearer)],
    [`/central/${word}`, { headers: bearer }],
    [`/central/v1/v1/chat/completions`, post(BODY, bearer)],
    [`/${word}%2f${word}`, {}],
  ];
  return requests[between(random, 0, requests.length - 1)] ?? [CHAT, {}];
}

/** The sum of the API's counts. */
async function apiSums(): Promise<Record<"refusals" | "verified" | "unverified", number>> {
  const json = await fetchOk("/refusals/counts?per=minute", { now: () => T0 + 3 * MINUTE });
  const sum = (name: string): number =>
    items(json, "results").reduce<number>((total, row) => total + Number(part(row, name)), 0);
  return { refusals: sum("refusals"), verified: sum("verified"), unverified: sum("unverified") };
}

describe("10,000 refused requests of an unknown caller in one minute", () => {
  it(
    "write a bounded number of messages and rows, while the counts add up to 10,000",
    async () => {
      const { send, clock, messages, logged, settled } = await openIsolate();
      const random = seededRandom(7);
      const reasons = new Set<string | null>();
      for (let n = 0; n < REQUESTS; n += 1) {
        const response = await send(...randomRequest(random));
        expect(response.status).toBeGreaterThanOrEqual(400);
        reasons.add(response.headers.get("x-interceptor-error"));
        clock.advance(5);
      }
      clock.advance(GROUP_MS);
      await settled();
      expect(reasons.size).toBeGreaterThanOrEqual(5);
      expect(logged()).toBe(REQUESTS);

      // Per isolate and minute: the details of each reason, and a group of counts every ten seconds.
      expect(messages.length).toBeLessThanOrEqual(MAX_DETAILS * reasons.size + MINUTE / GROUP_MS);
      const { refusal = 0, refusal_count: counts = 0, ...others } = typesOf(messages);
      expect(others).toEqual({});
      expect(refusal).toBe(MAX_DETAILS * reasons.size);
      expect(counts).toBeLessThanOrEqual((MINUTE / GROUP_MS) * 2 * reasons.size);

      // Every message twice, in another order, as a queue may deliver them.
      for (const message of [...messages, ...shuffled(messages, random)])
        await storeEvents(database, contentOf(message).events);
      const rows = await allRows(database);
      expect(rows["refusals"]).toHaveLength(refusal);
      expect(rows["refusal_counts"]).toHaveLength(counts);
      expect(await apiSums()).toEqual({ refusals: REQUESTS, verified: 0, unverified: REQUESTS });
    },
    GENEROUS_MS,
  );

  it(
    "do not displace the refusals of verified actors, which are stored in full",
    async () => {
      const { send, clock, messages, settled } = await openIsolate();
      const random = seededRandom(8);
      // A valid client key for a provider of which the gateway holds no key.
      const keyMissing = [CHAT, post(BODY, CLIENT_KEY)] as const;
      for (let n = 0; n < 600; n += 1) {
        const response = await send(...(n % 3 ? randomRequest(random) : keyMissing));
        expect(response.status).toBeGreaterThanOrEqual(400);
        clock.advance(10);
      }
      clock.advance(GROUP_MS);
      await settled();
      const events = messages.flatMap((message) => contentOf(message).events);
      for (let delivery = 0; delivery < 2; delivery += 1) await storeEvents(database, events);
      const verified = (await allRows(database))["refusals"]?.filter((row) => row["actor_verified"] === 1);
      expect(verified).toHaveLength(200);
      expect(verified?.[0]).toMatchObject({
        reason: "provider_key_missing",
        actor_id: "ci-bot",
        identity_source: "keys",
      });
      expect(await apiSums()).toEqual({ refusals: 600, verified: 200, unverified: 400 });
    },
    GENEROUS_MS,
  );
});

describe("the counts of refusals", () => {
  it("keep no response waiting, also with RECORDING.required", async () => {
    const { send, messages, clock, settled } = await openIsolate({ RECORDING: { required: true } });
    for (let n = 0; n < 20; n += 1) expect((await send(CENTRAL_CHAT, post(BODY, {}))).status).toBe(401);
    expect(typesOf(messages)).toEqual({ refusal: MAX_DETAILS });
    clock.advance(GROUP_MS);
    await settled();
    expect(typesOf(messages)).toEqual({ refusal: MAX_DETAILS, refusal_count: 1 });
  });

  it("are sent with RECORDING.all_events too, and then each refusal is", async () => {
    const { send, messages, clock, settled } = await openIsolate({ RECORDING: { all_events: true } });
    for (let n = 0; n < 50; n += 1) await send("/nothing");
    clock.advance(GROUP_MS);
    await settled();
    expect(typesOf(messages)).toEqual({ refusal: 50, refusal_count: 1 });
  });
});

const VICTIM = "7b0e3e5c-4b7e-4d3a-9a51-1f2e3d4c5b6a";
const withKey = (key: string): RequestInit =>
  post(BODY, {
    authorization: `Bearer ${key}`,
    "user-agent": "coder-agents/v2.36.0",
    "x-coder-owner-id": VICTIM,
  });
const rejectsKey = async (): Promise<Response> =>
  Response.json({ error: { message: "Incorrect API key provided." } }, { status: 401 });
const succeeds = async (): Promise<Response> =>
  Response.json({ id: "chatcmpl-1", object: "chat.completion", model: "m", choices: [] });

describe("calls with made-up provider keys that the provider rejects", () => {
  it(
    "Finding H4: write a bounded number of messages and rows, while the counts add up",
    async () => {
      // The attack: anyone in the internet writes calls onto a user's account, with a new key each time.
      const { send, clock, messages, settled } = await openIsolate({}, rejectsKey);
      const random = seededRandom(9);
      for (let n = 0; n < 1000; n += 1) {
        const response = await send(CHAT, withKey(`sk-${between(random, 1e8, 9e8)}${n}aBcD`));
        expect(response.status).toBe(401);
        await response.arrayBuffer();
        clock.advance(20);
      }
      clock.advance(GROUP_MS);
      await settled();
      const types = typesOf(messages);
      expect(types["interception_start"]).toBe(MAX_DETAILS);
      expect(types["interception_end"]).toBe(MAX_DETAILS);
      expect(types["initiator_override"]).toBe(MAX_DETAILS);
      for (const message of messages) await storeEvents(database, contentOf(message).events);
      const rows = await allRows(database);
      expect(rows["interceptions"]).toHaveLength(MAX_DETAILS);
      const counts = await apiSums();
      expect(counts).toEqual({ refusals: 1000, verified: 0, unverified: 1000 });
      expect(rows["refusal_counts"]?.every((row) => row["reason"] === "own_key_unconfirmed")).toBe(true);
    },
    GENEROUS_MS,
  );

  it("do not displace the calls of a key that has succeeded, also once it is revoked", async () => {
    const good = "sk-good-0123456789abcdefGHIJ";
    let isRevoked = false;
    const { send, clock, messages, settled } = await openIsolate({}, async (request) =>
      request.headers.get("authorization") === `Bearer ${good}` && !isRevoked ? succeeds() : rejectsKey(),
    );
    await (await send(CHAT, withKey(good))).arrayBuffer();
    isRevoked = true;
    for (let n = 0; n < 40; n += 1)
      await (await send(CHAT, withKey(n % 2 ? good : `sk-made-up-${n}-0123456789abcdef`))).arrayBuffer();
    clock.advance(GROUP_MS);
    await settled();
    expect(typesOf(messages)).toMatchObject({ interception_end: 1 + 20 + MAX_DETAILS, refusal_count: 1 });
  });
});
