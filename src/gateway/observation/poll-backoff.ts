/**
 * The growing interval between reads of the observed branch. Each read wakes JavaScript, so the interval doubles while
 * reads return little. It can be cancelled once there is nothing left to wait for.
 */

export type PollBackoff = {
  readonly wait: () => Promise<void>;
  /** A read returned much: the next wait has the shortest interval again. */
  readonly reset: () => void;
  /** Ends the current wait and every later one. */
  readonly cancel: () => void;
};

/**
 * Intervals from `minMs` to `maxMs`, each multiplied by `jitter`. The jitter keeps streams that started together from
 * being read in the same millisecond: a thousand reads in a row could delay every client's events.
 */
export function createPollBackoff(minMs: number, maxMs: number, jitter = nextJitter()): PollBackoff {
  let intervalMs = minMs;
  let cancelled = false;
  let wake: (() => void) | null = null;

  const wait = (): Promise<void> => {
    if (cancelled) return Promise.resolve();
    const ms = intervalMs * jitter;
    intervalMs = Math.min(2 * intervalMs, maxMs);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  };

  return {
    wait,
    reset: () => {
      intervalMs = minMs;
    },
    cancel: () => {
      cancelled = true;
      wake?.();
    },
  };
}

const GOLDEN_RATIO = 0.618_033_988_75;
let lastFraction = 0;

/** From 0.75 to 1.25. Multiples of the golden ratio stay evenly spread for any number of streams. */
function nextJitter(): number {
  lastFraction = (lastFraction + GOLDEN_RATIO) % 1;
  return 0.75 + lastFraction / 2;
}
