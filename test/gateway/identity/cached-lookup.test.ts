import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  createCachedLookup,
  type CachedLookup,
  type LookupResult,
} from "../../../src/gateway/identity/cached-lookup.ts";
import { createSingleFlight } from "../../../src/shared/single-flight.ts";
import { TIMED_OUT } from "../../../src/shared/deadline.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { MAX_ENTRIES } from "../../../src/shared/ttl-cache.ts";
import { actor, reasonOf } from "../../support/in-workerd/values.ts";

const never = (): Promise<string> => Promise.withResolvers<string>().promise;

describe("single-flight", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("starts one operation per key for concurrent calls", async () => {
    const run = createSingleFlight<string>(1000, Date.now);
    const result = Promise.withResolvers<string>();
    let started = 0;
    const start = (): Promise<string> => ((started += 1), result.promise);
    const waiting = Array.from({ length: 100 }, () => run("a", start));
    const other = run("b", async () => "other");
    result.resolve("value");
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["value"]));
    expect(await other).toBe("other");
    expect(started).toBe(1);
    expect(await run("a", async () => "again")).toBe("again");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("times out each call by itself, and does not join an operation older than the timeout", async () => {
    const run = createSingleFlight<string>(1000, Date.now);
    const first = run("a", never);
    await vi.advanceTimersByTimeAsync(600);
    const second = run("a", async () => "not started");
    await vi.advanceTimersByTimeAsync(400);
    expect(await first).toBe(TIMED_OUT);
    expect(await run("a", async () => "a new one")).toBe("a new one");
    await vi.advanceTimersByTimeAsync(600);
    expect(await second).toBe(TIMED_OUT);
  });

  it("keeps the new operation pending when an old one settles late", async () => {
    const run = createSingleFlight<string>(1000, Date.now);
    const [old, fresh] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
    const first = run("a", () => old.promise);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await first).toBe(TIMED_OUT);
    const second = run("a", () => fresh.promise);
    old.resolve("old");
    await vi.advanceTimersByTimeAsync(1);
    const third = run("a", async () => "not started");
    fresh.resolve("fresh");
    expect(await Promise.all([second, third])).toEqual(["fresh", "fresh"]);
  });

  it("rejects every waiting call if the operation fails, and starts again for the next call", async () => {
    const run = createSingleFlight<string>(1000, Date.now);
    const result = Promise.withResolvers<string>();
    const waiting = [1, 2].map(() => run("a", () => result.promise));
    result.reject(new TypeError("broken"));
    expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await run("a", async () => "again")).toBe("again");
  });
});

describe("cached lookup of credentials", () => {
  const OPTIONS = { ttlMs: 60_000, negativeTtlMs: 10_000, timeoutMs: 1000 };
  const unknown = new Refusal("invalid_credential");
  const down = new Refusal("identity_unavailable");
  const known = actor();

  /** A fake backend with a cached lookup in front of it, and a clock. */
  function createBackend(options = OPTIONS): {
    clock: { at: number };
    queries: string[];
    respondWith: (next: LookupResult) => void;
    lookUp: (token: string) => Promise<LookupResult>;
  } {
    const clock = { at: 0 };
    const queries: string[] = [];
    let result: LookupResult = unknown;
    const cachedLookup: CachedLookup = createCachedLookup(options, () => clock.at);
    const lookUp = (token: string): Promise<LookupResult> =>
      cachedLookup(token, async () => (queries.push(token), result));
    return { clock, queries, respondWith: (next) => (result = next), lookUp };
  }

  it("C8 rejects a credential that is revoked while its actor is cached once ttlMs has passed", async () => {
    const { clock, queries, respondWith, lookUp } = createBackend();
    respondWith(known);
    expect(await lookUp("a")).toEqual(known);
    respondWith(unknown);
    clock.at = 59_999;
    expect(await lookUp("a")).toEqual(known);
    expect(queries).toHaveLength(1);
    clock.at = 60_000;
    expect(await lookUp("a")).toEqual(unknown);
  });

  it("C8 counts ttlMs from the query, not from the response", async () => {
    const clock = { at: 0 };
    const lookUp = createCachedLookup(OPTIONS, () => clock.at);
    const slow = async (): Promise<LookupResult> => {
      clock.at = 900;
      return known;
    };
    await lookUp("a", slow);
    clock.at = 60_000;
    expect(await lookUp("a", async () => unknown)).toEqual(unknown);
  });

  it("caches a rejection for negativeTtlMs", async () => {
    const { clock, queries, respondWith, lookUp } = createBackend();
    expect(await lookUp("a")).toEqual(unknown);
    respondWith(known);
    clock.at = 9999;
    expect(await lookUp("a")).toEqual(unknown);
    expect(queries).toHaveLength(1);
    clock.at = 10_000;
    expect(await lookUp("a")).toEqual(known);
  });

  it("C18 does not cache a failure of the backend, nor extend the TTL of a cached actor", async () => {
    const { clock, queries, respondWith, lookUp } = createBackend();
    respondWith(known);
    await lookUp("a");
    respondWith(down);
    expect(await lookUp("b")).toEqual(down);
    expect(await lookUp("b")).toEqual(down);
    expect(queries).toEqual(["a", "b", "b"]);
    clock.at = 59_999;
    expect(await lookUp("a")).toEqual(known);
    clock.at = 60_000;
    expect(await lookUp("a")).toEqual(down);
  });

  it("C18 returns identity_unavailable if the backend never responds", async () => {
    const lookUp = createCachedLookup({ ...OPTIONS, timeoutMs: 5 }, Date.now);
    const result = await lookUp("a", () => Promise.withResolvers<LookupResult>().promise);
    expect(reasonOf(result)).toBe("identity_unavailable");
  });

  it("caches nothing with TTLs of 0", async () => {
    const { queries, respondWith, lookUp } = createBackend({ ...OPTIONS, ttlMs: 0, negativeTtlMs: 0 });
    respondWith(known);
    await lookUp("a");
    await lookUp("a");
    respondWith(unknown);
    await lookUp("b");
    await lookUp("b");
    expect(queries).toEqual(["a", "a", "b", "b"]);
  });

  it("sends one query for a hundred concurrent lookups", async () => {
    const { queries, respondWith, lookUp } = createBackend();
    respondWith(known);
    const results = await Promise.all(Array.from({ length: 100 }, () => lookUp("a")));
    expect(new Set(results)).toEqual(new Set([known]));
    expect(queries).toHaveLength(1);
  });

  it("C9 evicts only unknown credentials, however many unknown ones are sent", async () => {
    const { queries, respondWith, lookUp } = createBackend();
    respondWith(known);
    await lookUp("known");
    respondWith(unknown);
    for (let at = 0; at < 3 * MAX_ENTRIES; at += 1) await lookUp(`unknown ${at}`);
    queries.length = 0;
    expect(await lookUp("known")).toEqual(known);
    await lookUp(`unknown ${3 * MAX_ENTRIES - 1}`);
    expect(queries).toEqual([]);
    // The first unknown credential was evicted: only a new query shows it.
    await lookUp("unknown 0");
    expect(queries).toEqual(["unknown 0"]);
  });
});
