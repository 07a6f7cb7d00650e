import { describe, expect, it } from "vitest";
import { createTtlCache } from "../../src/shared/ttl-cache.ts";

describe("TTL cache", () => {
  it("returns an entry until it expires, to the millisecond", () => {
    let at = 1000;
    const cache = createTtlCache<string>(() => at);
    cache.set("a", "value", 2000);
    at = 1999;
    expect(cache.get("a")).toBe("value");
    at = 2000;
    expect(cache.get("a")).toBeNull();
    at = 1000;
    expect(cache.get("a")).toBeNull();
  });

  it("does not store an entry that has already expired", () => {
    const cache = createTtlCache<string>(() => 1000);
    cache.set("a", "value", 1000);
    expect(cache.get("a")).toBeNull();
  });

  it("returns the value that was set last", () => {
    const cache = createTtlCache<string>(() => 0);
    cache.set("a", "first", 10);
    cache.set("a", "second", 20);
    expect(cache.get("a")).toBe("second");
  });

  it("C9 evicts the oldest entry when it is full; an entry that is set again is the newest", () => {
    const cache = createTtlCache<string>(() => 0, 3);
    for (const key of ["a", "b", "a", "c", "d"]) cache.set(key, key, 10);
    expect(["a", "b", "c", "d"].map(cache.get)).toEqual(["a", null, "c", "d"]);
  });

  it("holds no expired entry once another one is set", () => {
    let at = 1000;
    const cache = createTtlCache<string>(() => at);
    for (const key of ["a", "b"]) cache.set(key, key, 2000);
    at = 2000;
    cache.set("c", "c", 3000);
    // A clock that goes back shows whether they are held.
    at = 1000;
    expect(["a", "b", "c"].map(cache.get)).toEqual([null, null, "c"]);
  });

  it("C7 distinguishes digests that differ in their last digit", () => {
    const cache = createTtlCache<string>(() => 0);
    cache.set(`${"0".repeat(63)}1`, "one", 10);
    expect(cache.get(`${"0".repeat(63)}2`)).toBeNull();
    expect(cache.get("0".repeat(63))).toBeNull();
  });
});
