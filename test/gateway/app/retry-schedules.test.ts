/**
 * Random schedules of a provider's faults (rejected and repaired keys, storms of rate limits, lost connections, errors, slow
 * responses) against a simple model of what a pool may know. The clock is a fake one, and a failure names its seed.
 */
import { describe, expect, it } from "vitest";
import { chatResponse, CLIENT_KEY, json, post, sse } from "../../support/in-workerd/calls.ts";
import type { Sent } from "../../support/in-workerd/gateway-harness.ts";
import { keyOf, openPool, POOL_CHAT, type PoolGateway } from "../../support/in-workerd/pool-gateway.ts";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";

type Fault = 401 | 403 | 429 | 500 | 503 | 504 | 529 | "lost" | "broken stream";

/** A key at the provider. */
type Key = {
  isRejected: boolean;
  /** It may not do what the requests need: a 403 that changes no state. */
  isForbidden: boolean;
  /** The provider limits its rate until then. */
  limitedUntil: number;
};

/** One fetch, in the order of sending. */
type Fetch = {
  readonly request: string;
  readonly key: number;
  readonly at: number;
  readonly fault: Fault | null;
  readonly idempotencyKey: string | null;
};

type Schedule = {
  readonly keys: number;
  readonly retries: Record<string, unknown> | undefined;
  readonly deadlineMs: number;
  readonly attempts: number;
  readonly retryOn: "not_run" | "idempotent" | "any";
  /** Faults that are not about a key. */
  readonly others: boolean;
};

const REJECTED_MS = 300_000;
const DEFAULT_COOLING_MS = 5000;
const MAY_HAVE_RUN = new Set<Fault | null>([500, 504, "lost"]);

function scheduleOf(random: () => number): Schedule {
  const retryOn = (["not_run", "idempotent", "any"] as const)[between(random, 0, 2)] ?? "any";
  const attempts = retryOn === "not_run" ? between(random, 1, 4) : between(random, 2, 4);
  const deadlineMs = between(random, 1, 40_000);
  const retries = { attempts, deadline_ms: deadlineMs, wait_ms: between(random, 0, 3000), retry_on: retryOn };
  return { keys: between(random, 2, 5), retries, deadlineMs, attempts, retryOn, others: random() < 0.5 };
}

/** The provider of one schedule, and what it was sent. */
class FaultyProvider {
  readonly keys: Key[];
  readonly fetches: Fetch[] = [];
  readonly violations: string[] = [];
  /** Until then a pool that has seen all responses avoids the key. */
  readonly avoidedUntil: number[];
  readonly #random: () => number;
  readonly #schedule: Schedule;
  gateway: PoolGateway | null = null;

  constructor(schedule: Schedule, random: () => number) {
    this.#schedule = schedule;
    this.#random = random;
    this.keys = Array.from({ length: schedule.keys }, () => ({
      isRejected: false,
      isForbidden: false,
      limitedUntil: 0,
    }));
    this.avoidedUntil = this.keys.map(() => 0);
  }

  get now(): number {
    return this.gateway?.clock.at ?? 0;
  }

  /** Keys break and are repaired, and time passes. */
  change(): void {
    for (const key of this.keys) {
      if (this.#random() < 0.2) key.isRejected = this.#random() < 0.5;
      if (this.#random() < 0.2) key.isForbidden = this.#random() < 0.3;
      if (this.#random() < 0.3) key.limitedUntil = this.now + between(this.#random, 0, 40_000);
    }
    if (this.gateway) this.gateway.clock.at += between(this.#random, 0, 60_000);
  }

  /** Whether a key works, and no earlier response was a reason to avoid it. */
  hasHealthyKey(): boolean {
    return this.keys.some(
      (key, at) =>
        !key.isRejected &&
        !key.isForbidden &&
        key.limitedUntil <= this.now &&
        (this.avoidedUntil[at] ?? 0) <= this.now,
    );
  }

  respond(sent: Sent): Response {
    const at = keyOf(sent.headers);
    const key = this.keys[at];
    if (!key) throw new Error("no key");
    const { now } = this;
    const request = /"user","content":"(\d+)"/.exec(new TextDecoder().decode(sent.body))?.[1] ?? "";
    const idempotencyKey = sent.headers.get("idempotency-key");
    this.#checkChoice(at, request);
    const fault = this.#faultOf(key);
    this.fetches.push({ request, key: at, at: now, fault, idempotencyKey });
    return this.#toResponse(fault, at, key);
  }

  /** No request goes to a key that the pool must avoid while it has another one to try. */
  #checkChoice(at: number, request: string): void {
    const mine = this.fetches.filter((one) => one.request === request);
    const isBound =
      this.#schedule.retryOn === "idempotent" && mine.some(({ fault }) => MAY_HAVE_RUN.has(fault));
    if (isBound || (this.avoidedUntil[at] ?? 0) <= this.now) return;
    const tried = new Set(mine.map(({ key }) => key));
    const others = this.avoidedUntil.filter((until, key) => until <= this.now && !tried.has(key));
    if (others.length > 0) this.violations.push(`key ${at} was used, and another one was valid`);
  }

  #faultOf(key: Key): Fault | null {
    if (key.isRejected) return 401;
    if (key.limitedUntil > this.now) return 429;
    if (key.isForbidden) return 403;
    if (!this.#schedule.others || this.#random() < 0.6) return null;
    const faults: Fault[] = [500, 503, 504, 529, "lost", "broken stream"];
    return faults[between(this.#random, 0, faults.length - 1)] ?? null;
  }

  #toResponse(fault: Fault | null, at: number, key: Key): Response {
    if (this.#random() < 0.2 && this.gateway) this.gateway.clock.at += between(this.#random, 0, 5000);
    const { now } = this;
    if (fault === "lost") throw new TypeError("Network connection lost.");
    if (fault === 401) this.avoidedUntil[at] = now + REJECTED_MS;
    if (fault === null || fault === "broken stream") this.avoidedUntil[at] = 0;
    if (fault === 429) {
      const states = this.#random() < 0.8;
      const after = Math.ceil(Math.max(0, key.limitedUntil - now) / 1000);
      this.avoidedUntil[at] = now + (states ? after * 1000 : DEFAULT_COOLING_MS);
      return json("{}", { status: 429, headers: states ? { "retry-after": String(after) } : {} });
    }
    if (fault === "broken stream") return sse(brokenStream());
    return fault === null ? chatResponse() : json('{"error":{}}', { status: fault });
  }
}

const brokenStream = (): ReadableStream =>
  new ReadableStream({
    type: "bytes",
    start: (controller) => controller.enqueue(new TextEncoder().encode('data: {"choices":[]}\n\n')),
    pull: (controller) => controller.error(new Error("reset")),
  });

/** The rules that every request keeps, by what was sent for it. */
function checkFetches(fetches: readonly Fetch[], schedule: Schedule): void {
  const { attempts, keys, retryOn, deadlineMs } = schedule;
  expect(fetches.length).toBeLessThanOrEqual(attempts + keys - 1);
  const [first] = fetches;
  const keysBefore = new Set<number>();
  for (const [at, one] of fetches.entries()) {
    const earlier = fetches.slice(0, at);
    // Nothing follows a response whose bytes the client got, and no retry begins after the deadline.
    expect(earlier.every(({ fault }) => fault !== null && fault !== "broken stream")).toBe(true);
    const before = earlier.at(-1)?.fault;
    const isSwitch = (before === 401 || before === 403 || before === 429) && !keysBefore.has(one.key);
    if (at > 0 && !isSwitch) expect(one.at - (first?.at ?? 0)).toBeLessThanOrEqual(deadlineMs);
    keysBefore.add(one.key);
    const risky = earlier.filter(({ fault }) => MAY_HAVE_RUN.has(fault));
    if (risky.length === 0) continue;
    // Permission: by configuration, or an idempotency key that the provider knows beside this key.
    expect(retryOn).not.toBe("not_run");
    if (retryOn === "any") continue;
    for (const ran of risky) {
      expect(one.key).toBe(ran.key);
      expect([one.idempotencyKey, ran.idempotencyKey]).not.toContain(null);
      expect(one.idempotencyKey).toBe(ran.idempotencyKey);
    }
  }
}

async function runRequest(provider: FaultyProvider, n: number, schedule: Schedule): Promise<void> {
  const { gateway } = provider;
  if (!gateway) throw new Error("no gateway");
  const before = provider.fetches.length;
  const isHealthy = provider.hasHealthyKey();
  const body = `{"model":"gpt-4o","messages":[{"role":"user","content":"${n}"}]}`;
  const { response, events } = await gateway.exchange(POOL_CHAT, post(body, CLIENT_KEY));
  const mine = provider.fetches.slice(before);
  checkFetches(mine, schedule);
  const ofKeys = mine.every(({ fault }) => fault === null || fault === 401 || fault === 403 || fault === 429);
  if (isHealthy && ofKeys) expect([response.status, mine.at(-1)?.fault]).toEqual([200, null]);
  // A rejected central key is never the client's fault.
  expect([401, 403]).not.toContain(response.status);
  const recorded = events.filter(({ record_type: type }) => type === "upstream_attempt");
  expect(recorded).toHaveLength(mine.length > 1 ? mine.length : 0);
  expect([provider.violations, gateway.held()]).toEqual([[], 0]);
}

/** @returns The number of fetches. */
async function runSchedule(seed: number): Promise<number> {
  const random = seededRandom(seed);
  const schedule = scheduleOf(random);
  const provider = new FaultyProvider(schedule, random);
  provider.gateway = await openPool({
    keys: schedule.keys,
    ...(schedule.retries ? { retries: schedule.retries } : {}),
    provider: (sent) => provider.respond(sent),
    parts: { randomUuid: () => randomUuid(random) },
  });
  for (let n = 0; n < 25; n += 1) {
    if (random() < 0.4) provider.change();
    await runRequest(provider, n, schedule);
  }
  return provider.fetches.length;
}

/** The harness knows an interception by the end of its id. */
const randomUuid = (random: () => number): string =>
  `${between(random, 0, 2 ** 32 - 1)
    .toString(16)
    .padStart(8, "0")}-89ab-4abc-8def-0123456789ab`;

describe("random faults of a provider's keys", () => {
  it("lose no request that had a healthy key, and retry none without permission", async () => {
    let fetches = 0;
    await forSeedsAsync(120, async (seed) => void (fetches += await runSchedule(seed)));
    // Each schedule has 25 requests.
    expect(fetches).toBeGreaterThan(120 * 25);
  });
});

describe("a storm of rate limits", () => {
  it("gets no more than one attempt of each request while all keys cool down, and none is lost after it", async () => {
    let isOver = false;
    const gateway = await openPool({
      keys: 3,
      provider: () =>
        isOver ? chatResponse() : json("{}", { status: 429, headers: { "retry-after": "20" } }),
    });
    const send = async (): Promise<number> => {
      const { response } = await gateway.exchange(
        POOL_CHAT,
        post('{"model":"gpt-4o","messages":[]}', CLIENT_KEY),
      );
      return response.status;
    };
    expect(await send()).toBe(429);
    expect(gateway.sent).toHaveLength(3);
    for (let n = 0; n < 10; n += 1) expect(await send()).toBe(429);
    expect(gateway.sent).toHaveLength(13);
    isOver = true;
    gateway.clock.at += 20_000;
    for (let n = 0; n < 10; n += 1) expect(await send()).toBe(200);
    expect(gateway.sent).toHaveLength(23);
  });

  it("reaches a rejected key with one of many requests, once its time has come", async () => {
    let begun = 0;
    const gateway = await openPool({
      keys: 2,
      provider: ({ headers }) => {
        begun += 1;
        return keyOf(headers) === 0 ? json("{}", { status: 401 }) : chatResponse();
      },
    });
    const send = async (): Promise<number> => {
      const { response, settled } = await gateway.call(
        POOL_CHAT,
        post('{"model":"gpt-4o","messages":[]}', CLIENT_KEY),
      );
      await settled();
      return response.status;
    };
    expect(await send()).toBe(200);
    gateway.clock.at += REJECTED_MS;
    begun = 0;
    const statuses: number[] = [];
    for (let n = 0; n < 20; n += 1) statuses.push(await send());
    expect([new Set(statuses), begun]).toEqual([new Set([200]), 21]);
  });
});
