/**
 * The waits between looks at a stream: each twice as long as the last, as long as a look finds little, since each look
 * wakes JavaScript. They can be cut short for good, once there is nothing left to wait for.
 */

export type PollBackoff = {
  readonly wait: () => Promise<void>;
  /** Much was found: the next wait is a short one. */
  readonly reset: () => void;
  /** Ends the wait under way and every later one. */
  readonly cancel: () => void;
};

/**
 * From `leastMs` to `mostMs`, each times `stretch`: streams that began together must not all be looked at in the same
 * millisecond for as long as they live: a thousand looks on end could hold everybody's events up.
 */
export function createPollBackoff(leastMs: number, mostMs: number, stretch = nextJitter()): PollBackoff {
  let paceMs = leastMs;
  let skipped = false;
  let wake: (() => void) | null = null;

  const wait = (): Promise<void> => {
    if (skipped) return Promise.resolve();
    const ms = paceMs * stretch;
    paceMs = Math.min(2 * paceMs, mostMs);
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
      paceMs = leastMs;
    },
    cancel: () => {
      skipped = true;
      wake?.();
    },
  };
}

const GOLDEN_RATIO = 0.618_033_988_75;
let last = 0;

/** From 0.75 to 1.25, however many there are spread evenly, as multiples of the golden ratio are. */
function nextJitter(): number {
  last = (last + GOLDEN_RATIO) % 1;
  return 0.75 + last / 2;
}
