/** A clock and timers that move only when the test says so. */
import type { After } from "../../../src/shared/deadline.ts";

export type ManualClock = {
  readonly now: () => number;
  readonly after: After;
  /** Lets time pass, and fires each timer at its time. */
  readonly advance: (ms: number) => void;
  /** The number of timers that are set. */
  readonly timers: () => number;
};

type Timer = { readonly at: number; readonly call: () => void };

export function manualClock(start = 0): ManualClock {
  let time = start;
  const timers = new Set<Timer>();
  const next = (until: number): Timer | undefined =>
    [...timers].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0];
  return {
    now: () => time,
    after: (ms, call) => {
      const timer = { at: time + ms, call };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    advance: (ms) => {
      const end = time + ms;
      for (let timer = next(end); timer; timer = next(end)) {
        time = Math.max(time, timer.at);
        timers.delete(timer);
        timer.call();
      }
      time = end;
    },
    timers: () => timers.size,
  };
}
