/**
 * Waits for one operation after another, and can be interrupted from outside. It stands in for `Promise.race` with a promise
 * that lives as long as the whole work: each race would add a reaction to that promise, which is kept as long as it.
 */
export type Interruptible<Reason> = {
  /** The operation's result, or the reason of the interruption. An operation that was interrupted goes on unobserved. */
  readonly wait: <T>(operation: Promise<T>) => Promise<T | Reason>;
  /** Ends the current wait and every later one. Only the first reason counts. */
  readonly interrupt: (reason: Reason) => void;
};

export function createInterruptible<Reason extends symbol>(): Interruptible<Reason> {
  let interrupted: Reason | null = null;
  let endWait: ((reason: Reason) => void) | null = null;
  return {
    wait: <T>(operation: Promise<T>) =>
      new Promise<T | Reason>((resolve, reject) => {
        endWait = resolve;
        operation.then(resolve, reject);
        if (interrupted !== null) resolve(interrupted);
      }),
    interrupt: (reason) => {
      interrupted ??= reason;
      endWait?.(interrupted);
    },
  };
}
