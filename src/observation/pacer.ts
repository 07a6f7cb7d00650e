/** A wait between looks that can be cut short for good, once there is nothing left to wait for. */

export type Pacer = {
  readonly wait: () => Promise<void>;
  /** Ends the wait under way and every later one. */
  readonly skip: () => void;
};

export function pacer(paceMs: number): Pacer {
  let skipped = false;
  let wake: (() => void) | null = null;
  return {
    wait: () =>
      skipped
        ? Promise.resolve()
        : new Promise((resolve) => {
            const timer = setTimeout(resolve, paceMs);
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          }),
    skip: () => {
      skipped = true;
      wake?.();
    },
  };
}
