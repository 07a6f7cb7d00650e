import { afterEach, describe, expect, it, vi } from "vitest";
import { abortAfter, TIMED_OUT, withDeadline, type After } from "../../src/shared/deadline.ts";

afterEach(() => {
  vi.useRealTimers();
});

/** A timer that fires on demand. */
function manualTimer(): { readonly after: After; readonly fire: () => void; readonly isSet: () => boolean } {
  let pending: (() => void) | null = null;
  const after: After = (_, call) => {
    pending = call;
    return () => (pending = null);
  };
  return { after, fire: () => pending?.(), isSet: () => pending !== null };
}

describe("withDeadline", () => {
  it("resolves to the work's value and cancels its timer", async () => {
    const { after, isSet } = manualTimer();
    const { promise, resolve } = Promise.withResolvers<string>();
    const result = withDeadline(promise, 5, after);
    expect(isSet()).toBe(true);
    resolve("done");
    expect(await result).toBe("done");
    expect(isSet()).toBe(false);
  });

  it("rejects as the work does, and cancels its timer", async () => {
    const { after, isSet } = manualTimer();
    await expect(withDeadline(Promise.reject(new Error("down")), 5, after)).rejects.toThrow("down");
    expect(isSet()).toBe(false);
  });

  it("resolves to TIMED_OUT when the timer fires first", async () => {
    const { after, fire } = manualTimer();
    const { promise, resolve } = Promise.withResolvers<string>();
    const result = withDeadline(promise, 5, after);
    fire();
    expect(await result).toBe(TIMED_OUT);
    resolve("late");
  });

  it("leaves a later rejection of the work handled", async () => {
    const { after, fire } = manualTimer();
    const { promise, reject } = Promise.withResolvers<string>();
    const result = withDeadline(promise, 5, after);
    fire();
    expect(await result).toBe(TIMED_OUT);
    reject(new Error("late"));
    // An unhandled rejection would fail the run.
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
});

describe("abortAfter", () => {
  it("aborts at the deadline, not before", () => {
    vi.useFakeTimers();
    const abort = new AbortController();
    const deadline = abortAfter(100, abort);
    vi.advanceTimersByTime(99);
    expect([abort.signal.aborted, deadline.hasExpired()]).toEqual([false, false]);
    vi.advanceTimersByTime(1);
    expect([abort.signal.aborted, deadline.hasExpired()]).toEqual([true, true]);
  });

  it("does not abort after clear", () => {
    vi.useFakeTimers();
    const abort = new AbortController();
    const deadline = abortAfter(100, abort);
    deadline.clear();
    vi.advanceTimersByTime(1000);
    expect([abort.signal.aborted, deadline.hasExpired()]).toEqual([false, false]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("has not expired when another party aborts", () => {
    const abort = new AbortController();
    const deadline = abortAfter(100_000, abort);
    abort.abort();
    expect(deadline.hasExpired()).toBe(false);
    deadline.clear();
  });
});
