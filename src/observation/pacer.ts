/**
 * The waits between looks at a stream: each twice as long as the last, as long as a look finds little, since each look
 * wakes JavaScript. They can be cut short for good, once there is nothing left to wait for.
 */

export type Pacer = {
  readonly wait: () => Promise<void>;
  /** Much was found: the next wait is a short one. */
  readonly hurry: () => void;
  /** Ends the wait under way and every later one. */
  readonly skip: () => void;
};

/** From `leastMs` to `mostMs`. */
export function pacer(leastMs: number, mostMs: number): Pacer {
  let paceMs = leastMs;
  let skipped = false;
  let wake: (() => void) | null = null;

  const wait = (): Promise<void> => {
    if (skipped) return Promise.resolve();
    const ms = paceMs;
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
    hurry: () => {
      paceMs = leastMs;
    },
    skip: () => {
      skipped = true;
      wake?.();
    },
  };
}
