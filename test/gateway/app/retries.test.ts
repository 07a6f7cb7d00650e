/** Other keys and retries: what the provider gets, what the client gets, and what is recorded. */
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { createRenewedSecrets } from "../../../src/shared/renewed-secrets.ts";
import {
  BODY,
  chatResponse,
  CLIENT_KEY,
  json,
  only,
  OWN_KEY,
  post,
  sse,
  STREAM_BODY,
} from "../../support/in-workerd/calls.ts";
import type { Sent } from "../../support/in-workerd/gateway-harness.ts";
import {
  keyName,
  keyOf,
  openPool,
  POOL_CHAT,
  type PoolGateway,
  type PoolSetup,
} from "../../support/in-workerd/pool-gateway.ts";
import { utf8 } from "../../support/in-workerd/values.ts";

type Step = (sent: Sent) => Response | Promise<Response>;

const error = (status: number, headers: Record<string, string> = {}, text = "no"): Response =>
  json(`{"error":{"message":"${text}"}}`, { status, headers });
const status =
  (code: number, headers: Record<string, string> = {}, text?: string): Step =>
  () =>
    error(code, headers, text);
const errorOf =
  (members: object, code = 403): Step =>
  () =>
    json(JSON.stringify({ error: members }), { status: code });
const awsError =
  (name: string): Step =>
  () =>
    json('{"message":"no"}', { status: 403, headers: { "x-amzn-errortype": `${name}:http://internal/` } });
/** An error whose body cannot be searched for secrets. */
const unreadable =
  (code: number): Step =>
  () =>
    json("{}", { status: code, headers: { "content-encoding": "zstd" } });
const stream: Step = () => sse(new Response("data: [DONE]\n\n").body as ReadableStream);
const failing = (): never => {
  throw new Error("unexpected");
};
const lost: Step = () => {
  throw new TypeError("Network connection lost.");
};

/** A gateway whose provider responds by these steps in turn, and then always well. */
async function openWith(steps: readonly Step[], setup: Omit<PoolSetup, "provider"> = {}) {
  let at = 0;
  return openPool({ ...setup, provider: (sent) => steps[at++]?.(sent) ?? chatResponse() });
}

const call = (init: RequestInit = post(BODY, CLIENT_KEY)) => [POOL_CHAT, init] as const;
const attempts = (events: readonly InterceptorEvent[]) =>
  events.flatMap((event) => (event.record_type === "upstream_attempt" ? [event] : []));
const keysOf = (sent: readonly Sent[]): number[] => sent.map(({ headers }) => keyOf(headers));

describe("another key", () => {
  it.each([
    ["rejected by 401", status(401), "key_rejected", 401],
    ["rejected by 403", status(403), "key_rejected", 403],
    ["rate limited", status(429, { "retry-after": "20" }), "rate_limited", 429],
  ])("is used at once where a key is %s, and both attempts are recorded", async (_, step, reason, code) => {
    const gateway = await openWith([step]);
    const { response, events } = await gateway.exchange(...call());
    expect([response.status, gateway.waits]).toEqual([200, []]);
    expect(new Set(keysOf(gateway.sent)).size).toBe(2);
    expect(only(events, "interception_end")).toMatchObject({ outcome: "completed", status: 200 });
    expect(attempts(events)).toMatchObject([
      { position: 0, provider: "pool", key_hint: "sk-p...cdef", reason, status: code, cost_micros: 0 },
      { position: 1, reason: "used", status: 200, waited_ms: 0, cost_micros: null },
    ]);
    expect(gateway.held()).toBe(0);
  });

  it("is used by later requests, while a rejected one is left out for minutes", async () => {
    const gateway = await openWith([status(401)]);
    await gateway.exchange(...call());
    const [rejected = -1] = keysOf(gateway.sent);
    for (let n = 0; n < 20; n += 1) await gateway.exchange(...call());
    expect(keysOf(gateway.sent).slice(1)).not.toContain(rejected);
    expect(gateway.operatorErrors).toEqual([
      expect.objectContaining({ event: "provider_key_rejected", provider: "pool", key_hint: "sk-p...cdef" }),
    ]);
  });

  it.each([
    ["a 403 that is not about the key", status(403, {}, "The model is not available in your region")],
    ["a 401 for a missing permission", status(401, {}, "Missing scopes: model.request")],
  ])("is used for this request after %s, which does not reject the key for others", async (_, step) => {
    const gateway = await openWith([step], { keys: 2 });
    await gateway.exchange(...call());
    const [first = -1] = keysOf(gateway.sent);
    await gateway.exchange(...call());
    expect([keysOf(gateway.sent)[2], gateway.operatorErrors]).toEqual([first, []]);
  });

  it("is none: the client learns that the gateway's keys were rejected, not its own", async () => {
    const gateway = await openWith([status(401), status(403), status(401)]);
    const { response, text, events } = await gateway.exchange(...call());
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
      502,
      "upstream_key_rejected",
    ]);
    expect(text).toContain("gateway's own key");
    expect(attempts(events).map(({ reason }) => reason)).toEqual(Array(3).fill("key_rejected"));
    expect(only(events, "interception_end")).toMatchObject({ status: 502, error: "upstream_key_rejected" });
  });

  it("is none that is not rate limited: the client gets the provider's 429", async () => {
    const step = status(429, { "retry-after": "9" });
    const gateway = await openWith([step, step, step, step]);
    const { response } = await gateway.exchange(...call());
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "9"]);
    expect(gateway.sent).toHaveLength(3);
    // The next request has no valid key. It tries one, and waits for none.
    const next = await gateway.exchange(...call());
    expect([next.response.status, gateway.sent.length, gateway.waits]).toEqual([429, 4, []]);
    expect(attempts(next.events)).toEqual([]);
  });

  it("is rejected after a rate limit: the client gets the rate limit", async () => {
    const gateway = await openWith([status(429, { "retry-after": "9" }), status(401)], { keys: 2 });
    const { response } = await gateway.exchange(...call());
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "9"]);
  });

  it.each([500, 502, 503, 504, 529])(
    "is not tried after status %i, which is not about the key",
    async (code) => {
      const gateway = await openWith([status(code)]);
      const { response, events } = await gateway.exchange(...call());
      expect([response.status, gateway.sent.length, attempts(events)]).toEqual([code, 1, []]);
    },
  );

  it("is not tried for an upload, which is not held; the next request has another one", async () => {
    const gateway = await openWith([status(401)], { keys: 2 });
    const form = new FormData();
    form.set("model", "whisper-1");
    form.set("file", new File([new Uint8Array(400_000)], "a.wav"));
    const encoded = await new Response(form).bytes();
    const type = new Response(form).headers.get("content-type") ?? "";
    const boundary = /^--([^\r]+)/.exec(new TextDecoder().decode(encoded.subarray(0, 200)))?.[1] ?? "";
    const { response } = await gateway.exchange("/pool/v1/audio/transcriptions", {
      method: "POST",
      body: encoded,
      headers: {
        ...CLIENT_KEY,
        "content-type": `${type.split(";")[0] ?? ""}; boundary=${boundary}`,
        "content-length": String(encoded.byteLength),
      },
    });
    expect([response.status, gateway.sent.length]).toEqual([502, 1]);
    await gateway.exchange(...call());
    expect(new Set(keysOf(gateway.sent)).size).toBe(2);
  });

  it("is tried for a passthrough", async () => {
    const gateway = await openWith([status(401), () => json('{"data":[]}')]);
    const { response, events } = await gateway.exchange("/pool/v1/models", { headers: CLIENT_KEY });
    expect([response.status, attempts(events).length]).toEqual([200, 2]);
    expect(only(events, "passthrough")).toMatchObject({ status: 200 });
  });

  it("may meet an unexpected error of the gateway, also for a passthrough", async () => {
    const secrets = { ...createRenewedSecrets([]).finder, findAny: failing };
    const gateway = await openWith([() => json("{}", { headers: { "x-request-id": "r" } })], {
      parts: { secrets },
    });
    const { response, events } = await gateway.exchange("/pool/v1/models", { headers: CLIENT_KEY });
    expect(response.status).toBe(500);
    expect(only(events, "passthrough")).toMatchObject({ outcome: "refused", status: 500, error: "internal" });
  });

  it("is sent the same body, with the usage opt-in, and without it once the provider has rejected that", async () => {
    const gateway = await openWith([
      status(429, { "retry-after": "9" }),
      status(400, {}, "Unrecognized request argument supplied: stream_options"),
      status(429, { "retry-after": "9" }),
      stream,
    ]);
    const { response, events } = await gateway.exchange(...call(post(STREAM_BODY, CLIENT_KEY)));
    const bodies = gateway.sent.map(({ body }) => new TextDecoder().decode(body));
    expect([response.status, bodies.map((body) => body.includes("include_usage"))]).toEqual([
      200,
      [true, true, false, false],
    ]);
    expect(bodies.slice(2)).toEqual([STREAM_BODY, STREAM_BODY]);
    expect(only(events, "interception_end").usage_opt_in).toBe("rejected");
  });
});

describe("the state of a key", () => {
  // The attack: a caller brings about an error that quotes its own words, and so rejects the keys for all other callers.
  it.each<[string, number, Step, boolean]>([
    ["the code invalid_api_key", 1, errorOf({ message: "no", code: "invalid_api_key" }), true],
    ["the type account_deactivated", 1, errorOf({ message: "no", type: "account_deactivated" }), true],
    [
      "a message that quotes words about a key",
      0,
      errorOf({ message: "model 'invalid api key' is unknown" }),
      false,
    ],
    [
      "a code about the request",
      0,
      errorOf({ code: "invalid_key_value_pair", type: "permission_error" }),
      false,
    ],
    ["AWS's name of an unknown access key", 1, awsError("UnrecognizedClientException"), true],
    ["AWS's name of a wrong signature", 0, awsError("InvalidSignatureException"), false],
    ["a missing permission", 0, errorOf({ message: "Missing scopes: a", code: "missing_scope" }, 401), false],
  ])("after an error with %s is rejected %i times", async (_, count, step, isRejected) => {
    const gateway = await openWith([step], { keys: 2 });
    await gateway.exchange(...call());
    const [first = -1] = keysOf(gateway.sent);
    await gateway.exchange(...call());
    expect([gateway.operatorErrors.length, keysOf(gateway.sent)[2] === first]).toEqual([count, !isRejected]);
  });

  it("does not change by a response that quotes a key with a status that is not about it", async () => {
    const gateway = await openWith([status(500, {}, keyName(0)), status(400, {}, keyName(0))], { keys: 2 });
    for (const _ of [500, 400]) {
      const { response, events } = await gateway.exchange(...call());
      expect([response.headers.get("x-interceptor-error"), attempts(events)]).toEqual([
        "upstream_key_rejected",
        [],
      ]);
    }
    expect(keysOf(gateway.sent)).toEqual([0, 0]);
  });

  it("cools down after a 429 whose body cannot be read, and another key is tried", async () => {
    const gateway = await openWith([unreadable(429)], { keys: 2 });
    const { response, events } = await gateway.exchange(...call());
    expect([response.status, attempts(events)[0]?.reason]).toEqual([200, "rate_limited"]);
  });

  it("is that of a rejected key after a 401 whose body cannot be read, and another key is tried", async () => {
    const gateway = await openWith([unreadable(401)], { keys: 2 });
    const { response, events } = await gateway.exchange(...call());
    expect([response.status, attempts(events)[0]?.reason]).toEqual([200, "key_rejected"]);
    expect(gateway.operatorErrors.map(({ event }) => event)).toEqual(["provider_key_rejected"]);
  });

  it("may change before the request is sent: a valid key is used, and the attempt names it", async () => {
    const { promise, resolve } = Promise.withResolvers<null>();
    const isHeld = Promise.withResolvers<void>();
    const toRecordedEndUser = (): Promise<null> => {
      isHeld.resolve();
      return promise;
    };
    const gateway = await openWith([status(401)], { keys: 2, parts: { toRecordedEndUser } });
    const pending = gateway.call(...call(post(BODY.replace("{", '{"user":"u",'), CLIENT_KEY)));
    await isHeld.promise;
    // Another request finds out that the key is rejected, after the first one has chosen it.
    gateway.clock.at += 1;
    const other = await gateway.call(...call());
    await other.settled();
    resolve(null);
    const { response, settled } = await pending;
    await settled();
    expect([response.status, keysOf(gateway.sent)]).toEqual([200, [0, 1, 1]]);
    const [second, first] = Object.values(
      Object.groupBy(attempts(gateway.events), ({ interception_id: id }) => id),
    );
    expect([second?.length, first]).toMatchObject([2, [{ position: 0, reason: "used" }]]);
  });
});

describe("the least loaded key", () => {
  it("is used by parallel requests", async () => {
    const open: (() => void)[] = [];
    const gateway = await openPool({
      keys: 2,
      provider: () =>
        new Promise<Response>((resolve) => {
          open.push(() => resolve(chatResponse()));
        }),
    });
    const calls: ReturnType<typeof gateway.call>[] = [];
    for (let n = 1; n <= 6; n += 1) {
      calls.push(gateway.call(...call()));
      await expect.poll(() => open.length).toBe(n);
    }
    expect(keysOf(gateway.sent).toSorted()).toEqual([0, 0, 0, 1, 1, 1]);
    for (const respond of open) respond();
    const responses = await Promise.all(calls);
    await Promise.all(responses.map(({ settled }) => settled()));
    expect(responses.map(({ response }) => response.status)).toEqual(Array(6).fill(200));
  });

  // Both keys are free each time, and the fixed randomness takes the first.
  it("is free again after a response, a stream, an error, a passthrough and a lost connection", async () => {
    const gateway = await openWith([chatResponse, stream, status(400), () => json("{}"), lost], { keys: 2 });
    await gateway.exchange(...call());
    await gateway.exchange(...call(post(STREAM_BODY, CLIENT_KEY)));
    await gateway.exchange(...call());
    await gateway.exchange("/pool/v1/models", { headers: CLIENT_KEY });
    await gateway.exchange(...call());
    await gateway.exchange(...call());
    expect(keysOf(gateway.sent)).toEqual(Array(6).fill(0));
  });
});

describe("retries", () => {
  const RETRIES = { attempts: 3, wait_ms: 1000 };

  it("wait at random, up to a time that doubles, and after the provider's own time", async () => {
    const steps = [status(503), status(529, { "retry-after": "4" })];
    const gateway = await openWith(steps, { keys: 1, retries: RETRIES });
    const { response, events } = await gateway.exchange(...call());
    // The fixed randomness is 0x01234567 of 2 ** 32.
    const part = 0x01234567 / 2 ** 32;
    expect(response.status).toBe(200);
    expect(gateway.waits).toEqual([part * 1000, 4000 + part * 2000]);
    expect(attempts(events)).toMatchObject([
      { reason: "unavailable", status: 503, waited_ms: 0 },
      { reason: "unavailable", status: 529, waited_ms: 4 },
      { reason: "used", waited_ms: 4009 },
    ]);
  });

  it("wait for the provider's own time, also after a response that is no rate limit", async () => {
    const headers = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "9s" };
    const gateway = await openWith([status(503, headers), status(429, headers)], {
      keys: 1,
      retries: RETRIES,
    });
    await gateway.exchange(...call());
    // The reset of a rate limit says nothing about a provider that is overloaded.
    expect(gateway.waits.map(Math.floor)).toEqual([4, 9008]);
  });

  it("wait for a time beyond that for which a key cools down", async () => {
    const retries = { ...RETRIES, deadline_ms: 600_000 };
    const limited = status(429, { "retry-after": "320" });
    const gateway = await openWith([limited, limited], {
      keys: 2,
      retries,
      maxWaitMs: 400_000,
      vars: { LIMITS: { body_ms: 3_600_000, headers_ms: 900_000 } },
    });
    const { response } = await gateway.exchange(...call());
    expect([response.status, gateway.waits.map(Math.floor)]).toEqual([200, [320_004]]);
  });

  it("share the time for the headers, also with the request that is sent without the usage opt-in", async () => {
    const gateway: PoolGateway = await openPool({
      keys: 1,
      retries: { ...RETRIES, wait_ms: 0 },
      vars: { LIMITS: { body_ms: 3_600_000, headers_ms: 600_123 } },
      provider: () => {
        const steps = [
          status(503),
          status(400, {}, "Unrecognized request argument supplied: stream_options"),
          stream,
        ];
        gateway.clock.at += 1000;
        return steps[gateway.sent.length - 1]?.(gateway.sent[0] as Sent) ?? chatResponse();
      },
    });
    await gateway.exchange(...call(post(STREAM_BODY, CLIENT_KEY)));
    expect(gateway.deadlines.filter((ms) => ms % 1000 === 123)).toEqual([600_123, 599_123, 598_123]);
  });

  it.each([
    ["begin", 1000, 200, 2],
    ["do not begin", 1001, 503, 1],
  ])("%s where %i ms of the 2000 ms for the headers have passed", async (_, passedMs, code, count) => {
    const gateway: PoolGateway = await openPool({
      keys: 1,
      retries: { ...RETRIES, wait_ms: 0 },
      vars: { LIMITS: { body_ms: 3_600_000, headers_ms: 2000 } },
      provider: () => {
        if (gateway.sent.length > 1) return chatResponse();
        gateway.clock.at += passedMs;
        return error(503);
      },
    });
    const { response } = await gateway.exchange(...call());
    expect([response.status, gateway.sent.length]).toEqual([code, count]);
  });

  it.each([
    ["are bounded by the deadline with one key", 1, 429, 1],
    ["are not what bounds another key at once", 2, 200, 2],
  ])("%s", async (_, keys, code, count) => {
    const gateway: PoolGateway = await openPool({
      keys,
      retries: { ...RETRIES, deadline_ms: 5000 },
      provider: () => {
        if (gateway.sent.length > 1) return chatResponse();
        gateway.clock.at += 6000;
        return error(429, { "retry-after": "1" });
      },
    });
    const { response } = await gateway.exchange(...call());
    expect([response.status, gateway.sent.length]).toEqual([code, count]);
  });

  it("end with the provider's last response", async () => {
    const gateway = await openWith(Array<Step>(9).fill(status(503)), { keys: 1, retries: RETRIES });
    const { response } = await gateway.exchange(...call());
    expect([response.status, gateway.sent.length]).toEqual([503, 3]);
  });

  it.each([
    ["x-should-retry: false", { "x-should-retry": "false" }],
    ["a time beyond the deadline", { "retry-after": "30" }],
  ])("are not made with %s", async (_, headers) => {
    const gateway = await openWith([status(429, headers)], { keys: 1, retries: RETRIES });
    const { response } = await gateway.exchange(...call());
    expect([response.status, gateway.sent.length, gateway.waits]).toEqual([429, 1, []]);
  });

  it("wait for the key of a pool that is ready first", async () => {
    const gateway = await openWith(
      [status(429, { "retry-after": "20" }), status(429, { "retry-after": "3" })],
      {
        keys: 2,
        retries: RETRIES,
      },
    );
    const { response } = await gateway.exchange(...call());
    const [, second = -1, third] = keysOf(gateway.sent);
    expect([response.status, third, Math.floor(gateway.waits[0] ?? 0)]).toEqual([200, second, 3004]);
  });

  it("are made with the client's own key too, without its hint in the record", async () => {
    const gateway = await openWith([status(429)], { keys: 0, retries: RETRIES });
    const { response, events } = await gateway.exchange(...call(post(BODY, OWN_KEY)));
    expect([response.status, attempts(events).map(({ key_hint: hint }) => hint)]).toEqual([
      200,
      [null, null],
    ]);
  });

  it.each([
    ["status 500", status(500)],
    ["status 504", status(504)],
    ["status 524", status(524)],
    ["a lost connection", lost],
  ])("are not made after %s, which may have run", async (_, step) => {
    const gateway = await openWith([step], { keys: 2, retries: RETRIES });
    await gateway.exchange(...call());
    expect(gateway.sent).toHaveLength(1);
  });

  it.each([
    ["status 500", status(500), 500],
    ["a lost connection", lost, null],
  ])("are made after %s where the provider honours an idempotency key", async (_, step, code) => {
    const retries = { ...RETRIES, retry_on: "idempotent" };
    const gateway = await openWith([step, status(429, { "retry-after": "1" })], { keys: 2, retries });
    const { response, events } = await gateway.exchange(...call());
    expect([response.status, attempts(events)[0]?.status]).toEqual([200, code]);
    // The provider knows the idempotency key beside one of its keys only.
    expect(new Set(keysOf(gateway.sent)).size).toBe(1);
    const sent = gateway.sent.map(({ headers }) => headers.get("idempotency-key"));
    expect(sent).toEqual(Array(3).fill(response.headers.get("x-interception-id")));
  });

  it.each([
    ["any", {}, true],
    ["idempotent", {}, false],
  ])("may use another key after an attempt that may have run with %s", async (retryOn, _, isOther) => {
    const retries = { ...RETRIES, wait_ms: 0, retry_on: retryOn };
    const steps = [status(500), status(429, { "retry-after": "0" })];
    const gateway = await openWith(steps, { keys: 2, retries });
    await gateway.exchange(...call());
    expect(new Set(keysOf(gateway.sent)).size).toBe(isOther ? 2 : 1);
  });

  it("may use another key for a request that reads, which needs no idempotency key", async () => {
    const retries = { ...RETRIES, wait_ms: 0, retry_on: "idempotent" };
    const steps = [status(500), status(429, { "retry-after": "0" }), () => json('{"data":[]}')];
    const gateway = await openWith(steps, { keys: 2, retries });
    await gateway.exchange("/pool/v1/models", { headers: CLIENT_KEY });
    expect(new Set(keysOf(gateway.sent)).size).toBe(2);
  });

  it("send one body with one idempotency key, also where another request finds the usage opt-in rejected", async () => {
    const other: { send?: () => Promise<unknown> } = {};
    const gateway = await openWith(
      [
        async () => {
          await other.send?.();
          return error(500);
        },
        status(400, {}, "Unrecognized request argument supplied: stream_options"),
        stream,
        stream,
      ],
      { keys: 1, retries: { ...RETRIES, retry_on: "idempotent" } },
    );
    const send = (): Promise<unknown> => gateway.exchange(...call(post(STREAM_BODY, CLIENT_KEY)));
    other.send = send;
    await send();
    const [first, , without, last] = gateway.sent.map(({ headers, body }) => ({
      key: headers.get("idempotency-key"),
      body: new TextDecoder().decode(body),
    }));
    expect(without?.body).toBe(STREAM_BODY);
    expect(last).toEqual(first);
  });

  it("send one idempotency key for each body: without the usage opt-in another one", async () => {
    const retries = { ...RETRIES, retry_on: "idempotent" };
    const steps = [
      status(500),
      status(400, {}, "Unrecognized request argument supplied: stream_options"),
      status(500),
      stream,
    ];
    for (const [own, first] of [
      [{}, /^[0-9a-f-]{36}$/],
      [{ "idempotency-key": "mine" }, /^[0-9a-f]{64}$/],
    ] as const) {
      const gateway = await openWith(steps, { keys: 1, retries });
      await gateway.exchange(...call(post(STREAM_BODY, { ...CLIENT_KEY, ...own })));
      const sent = gateway.sent.map(({ headers }) => headers.get("idempotency-key") ?? "");
      const [key = ""] = sent;
      expect(key).toMatch(first);
      expect(sent).toEqual([key, key, `${key}-2`, `${key}-2`]);
    }
  });

  it("send the client's idempotency key where it has one, in the form of its first attempt", async () => {
    const retries = { ...RETRIES, retry_on: "idempotent" };
    const gateway = await openWith([status(500)], { keys: 1, retries });
    await gateway.exchange(...call(post(BODY, { ...CLIENT_KEY, "idempotency-key": "mine" })));
    const [first, second] = gateway.sent.map(({ headers }) => headers.get("idempotency-key"));
    expect([first?.length, second]).toEqual([64, first]);
  });

  it("are made of any attempt where the configuration says so, and of a request that reads", async () => {
    const any = await openWith([lost], { keys: 1, retries: { ...RETRIES, retry_on: "any" } });
    expect((await any.exchange(...call())).response.status).toBe(200);
    expect(any.sent[1]?.headers.has("idempotency-key")).toBe(false);
    const read = await openWith([status(502), () => json('{"data":[]}')], { keys: 1, retries: RETRIES });
    const { response } = await read.exchange("/pool/v1/models", { headers: CLIENT_KEY });
    expect([response.status, read.sent.length]).toEqual([200, 2]);
  });

  it("are not made after bytes of a response, however it ends", async () => {
    const broken = new ReadableStream({
      type: "bytes",
      start: (controller) => controller.enqueue(utf8('data: {"choices":[]}\n\n')),
      pull: (controller) => controller.error(new Error("reset")),
    });
    const retries = { ...RETRIES, retry_on: "any" };
    const gateway = await openWith([() => sse(broken)], { keys: 2, retries });
    const { events } = await gateway.exchange(...call(post(STREAM_BODY, CLIENT_KEY)));
    expect([gateway.sent.length, only(events, "interception_end").outcome]).toEqual([1, "truncated"]);
  });

  it.each([
    ["which cost nothing where no attempt ran", 503, "unavailable", 0],
    ["which have no known cost where one may have run", 524, "server_error", null],
  ] as const)("end at once when the client disconnects during a wait, %s", async (_, code, reason, cost) => {
    const client = new AbortController();
    const gateway = await openWith([status(code)], {
      keys: 1,
      retries: { ...RETRIES, retry_on: "any" },
      onWait: () => client.abort(),
    });
    const { settled } = await gateway.call(POOL_CHAT, { ...post(BODY, CLIENT_KEY), signal: client.signal });
    await settled();
    expect(gateway.sent).toHaveLength(1);
    expect(only(gateway.events, "interception_end")).toMatchObject({
      outcome: "cancelled",
      status: null,
      cost_micros: cost,
    });
    expect(attempts(gateway.events)).toMatchObject([{ reason, status: code }]);
    expect(gateway.held()).toBe(0);
  });

  it("hold the body once, until the last attempt", async () => {
    const held: number[] = [];
    const gateway = await openPool({
      keys: 1,
      retries: RETRIES,
      provider: () => {
        held.push(gateway.held());
        return held.length < 3 ? error(503) : chatResponse();
      },
    });
    await gateway.exchange(...call());
    expect([held, gateway.held()]).toEqual([Array(3).fill(BODY.length), 0]);
  });

  it("are not recorded where there was one attempt", async () => {
    const gateway = await openWith([], { keys: 2, retries: RETRIES });
    const { events } = await gateway.exchange(...call());
    expect(attempts(events)).toEqual([]);
  });
});
