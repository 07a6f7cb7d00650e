/**
 * Several timers of one request on one native timer: a native one takes 10,000 instructions to set and cancel, and the phases of
 * a request (its body, the provider's headers, its response) each have a deadline that is hardly ever reached.
 */
import { realTimer, type After } from "./deadline.ts";

/** The native timer sleeps no longer, so that the deadline of a later phase seldom needs another one. */
const LONGEST_MS = 5000;

type Timer = { readonly at: number; readonly call: () => void };

/**
 * `now`: milliseconds since 1970, by the clock of the native timer. That timer is left behind; it ends with the request's
 * context.
 */
export function createSharedTimer(now: () => number = Date.now, native: After = realTimer): After {
  const timers = new Set<Timer>();
  let wakesAt = Number.POSITIVE_INFINITY;
  let cancel: (() => void) | null = null;

  const sleepUntil = (at: number): void => {
    const from = now();
    const next = Math.min(at, from + LONGEST_MS);
    if (next >= wakesAt) return;
    cancel?.();
    wakesAt = next;
    cancel = native(Math.max(1, next - from), wake);
  };
  function wake(): void {
    wakesAt = Number.POSITIVE_INFINITY;
    const at = now();
    for (const timer of timers)
      if (timer.at <= at) {
        timers.delete(timer);
        timer.call();
      }
    for (const timer of timers) sleepUntil(timer.at);
  }

  return (ms, call) => {
    const timer = { at: now() + ms, call };
    timers.add(timer);
    sleepUntil(timer.at);
    return () => void timers.delete(timer);
  };
}
