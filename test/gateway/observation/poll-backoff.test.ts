import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createPollBackoff } from "../../../src/gateway/observation/poll-backoff.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The duration of one wait, by the fake clock. */
async function durationOf(wait: () => Promise<void>): Promise<number> {
  const startedAt = Date.now();
  const duration = wait().then(() => Date.now() - startedAt);
  await vi.runAllTimersAsync();
  return duration;
}

describe("poll backoff", () => {
  it("doubles the interval up to the maximum", async () => {
    const { wait } = createPollBackoff(100, 1000, 1);
    const durations: number[] = [];
    for (let n = 0; n < 6; n += 1) durations.push(await durationOf(wait));
    expect(durations).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it("starts again at the minimum after a reset", async () => {
    const { wait, reset } = createPollBackoff(100, 1000, 1);
    await durationOf(wait);
    await durationOf(wait);
    reset();
    expect([await durationOf(wait), await durationOf(wait)]).toEqual([100, 200]);
  });

  it("never exceeds a maximum that equals the minimum", async () => {
    const { wait } = createPollBackoff(100, 100, 1);
    expect([await durationOf(wait), await durationOf(wait)]).toEqual([100, 100]);
  });

  it("ends the current wait and every later one after a cancel", async () => {
    const { wait, cancel } = createPollBackoff(100, 1000, 1);
    const current = wait();
    cancel();
    await current;
    await wait();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("spreads the first waits of streams that start together evenly over 75 to 125 %", async () => {
    const waits = await Promise.all(
      Array.from({ length: 100 }, () => {
        const startedAt = Date.now();
        return createPollBackoff(100, 1000)
          .wait()
          .then(() => Date.now() - startedAt);
      }).concat(vi.runAllTimersAsync().then(() => 100)),
    );
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(75);
    expect(Math.max(...waits)).toBeLessThanOrEqual(125);
    // No tenth of that range has more than twice its share.
    for (let from = 75; from < 125; from += 5) {
      const count = waits.filter((ms) => ms >= from && ms < from + 5).length;
      expect(count).toBeLessThan(20);
    }
  });
});
