import { beforeEach, describe, expect, it } from "vitest";
import type { UpstreamCredential } from "../../../src/gateway/upstream/provider-key.ts";
import { KeyPool, REJECTED_MS } from "../../../src/gateway/upstream/key-pool.ts";
import { MAX_COOLING_MS } from "../../../src/gateway/upstream/retry-after.ts";

const key = (name: string): UpstreamCredential => ({
  kind: "centralized",
  hint: name,
  header: ["authorization", `Bearer ${name}`],
});
const [A, B, C] = [key("a"), key("b"), key("c")];
const zero = (): number => 0;
const last = (): number => 1 - 2 ** -32;

let now = 0;
let pool = new KeyPool([A, B, C], () => now);
beforeEach(() => {
  now = 1000;
  pool = new KeyPool([A, B, C], () => now);
});

describe("the choice of a key", () => {
  it("prefers the fewest open calls, and takes ties at random", () => {
    expect([pool.choose(zero), pool.choose(last)]).toEqual([A, C]);
    const closeA = pool.open(A);
    expect([pool.choose(zero), pool.choose(last)]).toEqual([B, C]);
    pool.open(B);
    pool.open(C);
    pool.open(C);
    expect([pool.choose(zero), pool.choose(last)]).toEqual([A, B]);
    closeA();
    closeA();
    expect([pool.choose(zero), pool.choose(last)]).toEqual([A, A]);
  });

  it("does not count a call that is open for an hour, whose invocation has ended", () => {
    pool.open(A);
    pool.open(A);
    now += 3_600_000;
    pool.open(B);
    pool.open(C);
    expect(pool.choose(last)).toBe(A);
  });

  it("leaves out keys that cool down, until their time", () => {
    pool.rateLimited(A, 500);
    pool.rateLimited(B, 300);
    expect(pool.choose(zero)).toBe(C);
    now += 300;
    expect(pool.choose(zero)).toBe(B);
    now += 200;
    expect(pool.choose(zero)).toBe(A);
  });

  it("takes the key that is ready first where all cool down, and says when", () => {
    pool.rateLimited(A, 500);
    pool.rateLimited(B, 300);
    pool.rateLimited(C, 400);
    expect([pool.choose(zero), pool.nextReady()]).toEqual([B, { credential: B, inMs: 300 }]);
    expect(pool.choose(zero, "valid")).toBeNull();
    expect(pool.choose(zero, "not rejected", new Set([B]))).toBe(C);
  });

  it("says when the provider's own time ends, although a key cools down for a shorter time", () => {
    pool.rejected(A);
    pool.rateLimited(B, MAX_COOLING_MS + 90_000);
    pool.rateLimited(C, MAX_COOLING_MS + 60_000);
    expect(pool.nextReady()).toEqual({ credential: C, inMs: MAX_COOLING_MS + 60_000 });
    now += MAX_COOLING_MS;
    expect([pool.choose(zero, "valid", new Set([A])), pool.nextReady()?.inMs]).toEqual([B, 0]);
  });

  it("prefers a key that cools down to one that was rejected, and takes that where all were", () => {
    pool.rejected(A);
    now += 1;
    pool.rejected(B);
    pool.rateLimited(C, 60_000);
    expect(pool.choose(zero)).toBe(C);
    pool.rejected(C);
    expect(pool.choose(zero)).toBe(A);
    expect(pool.choose(zero, "not rejected")).toBeNull();
    expect(pool.nextReady()).toBeNull();
  });
});

describe("a chosen key", () => {
  it.each([
    ["cools down", () => pool.rateLimited(A, 500)],
    ["is rejected", () => void pool.rejected(A)],
  ])("gives way to a valid one if it %s before it is used", (_, change) => {
    expect(pool.confirm(A, last)).toBe(A);
    change();
    expect(pool.confirm(A, last)).toBe(C);
  });

  it("is used if no other one is valid, or if it only has more open calls", () => {
    pool.open(A);
    expect(pool.confirm(A, zero)).toBe(A);
    for (const one of [A, B, C]) pool.rateLimited(one, 500);
    expect(pool.confirm(A, zero)).toBe(A);
  });
});

describe("a rejected key", () => {
  it("is tried by one request after its time, and is valid again once it is accepted", () => {
    pool.rejected(A);
    expect(pool.choose(zero)).toBe(B);
    now += REJECTED_MS;
    expect(pool.choose(zero)).toBe(A);
    pool.open(A);
    expect(pool.choose(zero)).toBe(B);
    pool.accepted(A);
    pool.open(B);
    pool.open(C);
    expect(pool.choose(zero)).toBe(A);
  });

  it("is tried by one of two requests that chose it before either was sent", () => {
    pool.rejected(A);
    now += REJECTED_MS;
    const chosen = [pool.choose(zero) ?? B, pool.choose(zero) ?? B];
    const sent = chosen.map((credential) => {
      const confirmed = pool.confirm(credential, zero);
      pool.open(confirmed);
      return confirmed;
    });
    expect([chosen, sent]).toEqual([
      [A, A],
      [A, B],
    ]);
  });

  it("is tried by another request where the first one came to no end", () => {
    pool.rejected(A);
    now += REJECTED_MS;
    pool.open(A);
    now += 30_000;
    pool.open(B);
    pool.open(C);
    expect(pool.choose(zero)).toBe(A);
  });

  it("is new once, until it is accepted", () => {
    expect([pool.rejected(A), pool.rejected(A)]).toEqual([true, false]);
    pool.accepted(A);
    expect(pool.rejected(A)).toBe(true);
  });

  it("is valid where it was only rate limited", () => {
    pool.rejected(A);
    pool.rateLimited(A, 10);
    now += 10;
    expect(pool.choose(zero)).toBe(A);
  });
});

it("does nothing for a key that is not the pool's", () => {
  const other = key("a");
  pool.open(other)();
  pool.accepted(other);
  pool.rateLimited(other, 10);
  expect([pool.rejected(other), pool.confirm(other, zero), pool.choose(zero)]).toEqual([false, other, A]);
});
