/** Attempts to deliver events, and their retries with jitter. */
import { realTimer, TIMED_OUT, withDeadline, type After } from "../../shared/deadline.ts";

/** Timers and jitter; tests pass their own. */
export type Timing = {
  readonly after: After;
  /** From 0 to 1. */
  readonly random: () => number;
};

export const REAL_TIMING: Timing = { after: realTimer, random: Math.random };

/** The deadline of one attempt, and the longest pause before each retry: 6.3 s in total at most. */
const ATTEMPT_MS = 2000;
const PAUSES_MS = [50, 250];

/** Tries, and tries again after each pause. Rejects as the last attempt did. `onFailed` is called after each failed attempt. */
export async function retry(
  attempt: () => Promise<unknown>,
  timing: Timing,
  onFailed: () => void = () => undefined,
): Promise<void> {
  for (const pause of [...PAUSES_MS, null]) {
    try {
      return await attemptInTime(attempt, timing);
    } catch (error) {
      onFailed();
      if (pause === null) throw error;
      // Full pause or half of it: requests that failed together do not retry together.
      await sleep(pause * (0.5 + timing.random() / 2), timing);
    }
  }
}

/** Rejects when the attempt takes too long. A late attempt goes on unobserved; storing events twice changes nothing. */
async function attemptInTime(attempt: () => Promise<unknown>, { after }: Timing): Promise<void> {
  const result = await withDeadline(attempt(), ATTEMPT_MS, after);
  if (result === TIMED_OUT) throw new DOMException("not taken in time", "TimeoutError");
}

function sleep(ms: number, { after }: Timing): Promise<void> {
  return new Promise((resolve) => void after(ms, resolve));
}
