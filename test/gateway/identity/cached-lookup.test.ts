import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSingleFlight, TIMED_OUT } from "../../../src/gateway/identity/single-flight.ts";
import {
  createCachedLookup,
  type CachedLookup,
  type LookupResult,
} from "../../../src/gateway/identity/cached-lookup.ts";
import { createTtlCache, MAX_ENTRIES } from "../../../src/shared/ttl-cache.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { actor, reasonOf } from "../../support/in-workerd/values.ts";

describe("a memory of credentials", () => {
  it("keeps what it was given until then, and not a millisecond longer", () => {
    let at = 1000;
    const memory = createTtlCache<string>(() => at);
    memory.set("a", "known", 2000);
    at = 1999;
    expect(memory.get("a")).toBe("known");
    at = 2000;
    expect(memory.get("a")).toBeNull();
    at = 1000;
    expect(memory.get("a")).toBeNull();
  });

  it("keeps nothing whose time is over", () => {
    const memory = createTtlCache<string>(() => 1000);
    memory.set("a", "known", 1000);
    expect(memory.get("a")).toBeNull();
  });

  it("takes what was kept last", () => {
    const memory = createTtlCache<string>(() => 0);
    memory.set("a", "first", 10);
    memory.set("a", "second", 20);
    expect(memory.get("a")).toBe("second");
  });

  it("C9 holds so many at most: the oldest makes room, one kept again is not the oldest", () => {
    const memory = createTtlCache<string>(() => 0, 3);
    for (const key of ["a", "b", "a", "c", "d"]) memory.set(key, key, 10);
    expect(["a", "b", "c", "d"].map(memory.get)).toEqual(["a", null, "c", "d"]);
  });

  it("C7 tells digests apart by their last digit", () => {
    const memory = createTtlCache<string>(() => 0);
    memory.set(`${"0".repeat(63)}1`, "one", 10);
    expect(memory.get(`${"0".repeat(63)}2`)).toBeNull();
    expect(memory.get("0".repeat(63))).toBeNull();
  });
});

const never = (): Promise<string> => Promise.withResolvers<string>().promise;

describe("flights", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("one is on its way per key, whoever wants it", async () => {
    const fly = createSingleFlight<string>(1000, Date.now);
    const answer = Promise.withResolvers<string>();
    let started = 0;
    const start = (): Promise<string> => ((started += 1), answer.promise);
    const waiting = Array.from({ length: 100 }, () => fly("a", start));
    const other = fly("b", async () => "other");
    answer.resolve("known");
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["known"]));
    expect(await other).toBe("other");
    expect(started).toBe(1);
    expect(await fly("a", async () => "again")).toBe("again");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("nobody waits longer than is allowed, and the next one does not join what should be over", async () => {
    const fly = createSingleFlight<string>(1000, Date.now);
    const first = fly("a", never);
    await vi.advanceTimersByTimeAsync(600);
    const second = fly("a", async () => "not asked");
    await vi.advanceTimersByTimeAsync(400);
    expect(await first).toBe(TIMED_OUT);
    expect(await fly("a", async () => "a new one")).toBe("a new one");
    await vi.advanceTimersByTimeAsync(600);
    expect(await second).toBe(TIMED_OUT);
  });

  it("an old one that lands late does not end the new one", async () => {
    const fly = createSingleFlight<string>(1000, Date.now);
    const [old, fresh] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
    const first = fly("a", () => old.promise);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await first).toBe(TIMED_OUT);
    const second = fly("a", () => fresh.promise);
    old.resolve("old");
    await vi.advanceTimersByTimeAsync(1);
    const third = fly("a", async () => "not asked");
    fresh.resolve("fresh");
    expect(await Promise.all([second, third])).toEqual(["fresh", "fresh"]);
  });

  it("a failure is everybody's, and the next one asks again", async () => {
    const fly = createSingleFlight<string>(1000, Date.now);
    const answer = Promise.withResolvers<string>();
    const waiting = [1, 2].map(() => fly("a", () => answer.promise));
    answer.reject(new TypeError("broken"));
    expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await fly("a", async () => "again")).toBe("again");
  });
});

describe("look-ups of credentials", () => {
  const RULES = { ttlMs: 60_000, negativeTtlMs: 10_000, timeoutMs: 1000 };
  const unknown = new Refusal("invalid_credential");
  const down = new Refusal("identity_unavailable");
  const known = actor();

  /** A backend that says what it is told to, a look-up before it, and a clock. */
  function backend(rules = RULES): {
    clock: { at: number };
    asked: string[];
    says: (next: LookupResult) => void;
    ask: (token: string) => Promise<LookupResult>;
  } {
    const clock = { at: 0 };
    const asked: string[] = [];
    let next: LookupResult = unknown;
    const look: CachedLookup = createCachedLookup(rules, () => clock.at);
    const ask = async (token: string): Promise<LookupResult> =>
      look(token, async () => (asked.push(token), next));
    return { clock, asked, says: (verdict) => (next = verdict), ask };
  }

  it("C8 who is revoked while known is refused within the time that is promised", async () => {
    const { clock, asked, says, ask } = backend();
    says(known);
    expect(await ask("a")).toEqual(known);
    says(unknown);
    clock.at = 59_999;
    expect(await ask("a")).toEqual(known);
    expect(asked).toHaveLength(1);
    clock.at = 60_000;
    expect(await ask("a")).toEqual(unknown);
  });

  it("C8 that time runs from the question, not from the answer", async () => {
    const clock = { at: 0 };
    const look = createCachedLookup(RULES, () => clock.at);
    const slow = async (): Promise<LookupResult> => {
      clock.at = 900;
      return known;
    };
    await look("a", slow);
    clock.at = 60_000;
    expect(await look("a", async () => unknown)).toEqual(unknown);
  });

  it("who is refused stays so for a short time", async () => {
    const { clock, asked, says, ask } = backend();
    expect(await ask("a")).toEqual(unknown);
    says(known);
    clock.at = 9999;
    expect(await ask("a")).toEqual(unknown);
    expect(asked).toHaveLength(1);
    clock.at = 10_000;
    expect(await ask("a")).toEqual(known);
  });

  it("C18 no answer is nobody's and is not kept; who is known stays so for as long as ever, and no longer", async () => {
    const { clock, asked, says, ask } = backend();
    says(known);
    await ask("a");
    says(down);
    expect(await ask("b")).toEqual(down);
    expect(await ask("b")).toEqual(down);
    expect(asked).toEqual(["a", "b", "b"]);
    clock.at = 59_999;
    expect(await ask("a")).toEqual(known);
    clock.at = 60_000;
    expect(await ask("a")).toEqual(down);
  });

  it("C18 a backend that never answers is down", async () => {
    const look = createCachedLookup({ ...RULES, timeoutMs: 5 }, Date.now);
    const answer = await look("a", () => Promise.withResolvers<LookupResult>().promise);
    expect(reasonOf(answer)).toBe("identity_unavailable");
  });

  it("times of 0 keep nothing", async () => {
    const { asked, says, ask } = backend({ ...RULES, ttlMs: 0, negativeTtlMs: 0 });
    says(known);
    await ask("a");
    await ask("a");
    says(unknown);
    await ask("b");
    await ask("b");
    expect(asked).toEqual(["a", "a", "b", "b"]);
  });

  it("a hundred at once are one question", async () => {
    const { asked, says, ask } = backend();
    says(known);
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask("a")));
    expect(new Set(answers)).toEqual(new Set([known]));
    expect(asked).toHaveLength(1);
  });

  it("C9 strangers, however many, displace only strangers", async () => {
    const { asked, says, ask } = backend();
    says(known);
    await ask("known");
    says(unknown);
    for (let at = 0; at < 3 * MAX_ENTRIES; at += 1) await ask(`stranger ${at}`);
    asked.length = 0;
    expect(await ask("known")).toEqual(known);
    await ask(`stranger ${3 * MAX_ENTRIES - 1}`);
    expect(asked).toEqual([]);
    // The first of them has made room: only its being asked about again shows that it was forgotten.
    await ask("stranger 0");
    expect(asked).toEqual(["stranger 0"]);
  });
});
