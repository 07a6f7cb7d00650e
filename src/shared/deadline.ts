/** Deadlines: for a promise, and for work that an AbortController ends. */

/** Calls back after `ms` milliseconds; the returned function cancels it. Tests pass their own. */
export type After = (ms: number, call: () => void) => () => void;

export const realTimer: After = (ms, call) => {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
};

export const TIMED_OUT = Symbol("timed out");

/** The promise's value, or `TIMED_OUT` after `ms`. The work itself goes on; no timer is left behind. */
export async function withDeadline<T>(
  work: Promise<T>,
  ms: number,
  after: After = realTimer,
): Promise<T | typeof TIMED_OUT> {
  const { promise: late, resolve } = Promise.withResolvers<typeof TIMED_OUT>();
  const cancel = after(ms, () => resolve(TIMED_OUT));
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}

export type Deadline = {
  /** Whether the deadline is why the work was aborted. */
  readonly hasExpired: () => boolean;
  /** Cancels the timer. Call it when the work has ended. */
  readonly clear: () => void;
};

/** Aborts the controller after `ms`. */
export function abortAfter(ms: number, abort: AbortController, after: After = realTimer): Deadline {
  let expired = false;
  const cancel = after(ms, () => {
    expired = true;
    abort.abort();
  });
  return { hasExpired: () => expired, clear: cancel };
}
