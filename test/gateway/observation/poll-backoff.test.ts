import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createPollBackoff } from "../../../src/gateway/observation/poll-backoff.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** How long it waits, by the clock that the test turns. */
async function waited(wait: () => Promise<void>): Promise<number> {
  const from = Date.now();
  const over = wait().then(() => Date.now() - from);
  await vi.runAllTimersAsync();
  return over;
}

describe("the waits between looks at a stream", () => {
  it("double up to the longest, as long as nothing hurries them", async () => {
    const { wait } = createPollBackoff(100, 1000, 1);
    const all: number[] = [];
    for (let n = 0; n < 6; n += 1) all.push(await waited(wait));
    expect(all).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it("begin anew after one that found much", async () => {
    const { wait, reset: hurry } = createPollBackoff(100, 1000, 1);
    await waited(wait);
    await waited(wait);
    hurry();
    expect([await waited(wait), await waited(wait)]).toEqual([100, 200]);
  });

  it("are never longer than the longest, be it the shortest too", async () => {
    const { wait } = createPollBackoff(100, 100, 1);
    expect([await waited(wait), await waited(wait)]).toEqual([100, 100]);
  });

  it("end at once, and for good, when there is nothing left to wait for", async () => {
    const { wait, cancel: skip } = createPollBackoff(100, 1000, 1);
    const over = wait();
    skip();
    await over;
    await wait();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("are spread, for streams that begin together, over half as long again", async () => {
    const firsts = await Promise.all(
      Array.from({ length: 100 }, () => {
        const from = Date.now();
        return createPollBackoff(100, 1000)
          .wait()
          .then(() => Date.now() - from);
      }).concat(vi.runAllTimersAsync().then(() => 100)),
    );
    expect(Math.min(...firsts)).toBeGreaterThanOrEqual(75);
    expect(Math.max(...firsts)).toBeLessThanOrEqual(125);
    // No tenth of that time has more than its share, and some.
    for (let from = 75; from < 125; from += 5) {
      const within = firsts.filter((ms) => ms >= from && ms < from + 5).length;
      expect(within).toBeLessThan(20);
    }
  });
});
