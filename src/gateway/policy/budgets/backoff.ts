/** Retries of calls to a budget object that does not respond, after the client has its response. */
import type { CallContext } from "./call.ts";

/**
 * Delays between attempts, in milliseconds. With the attempts' own deadlines they take up to 16 s of the 30 s that `waitUntil`
 * allows.
 */
export const BACKOFF_MS: readonly number[] = [1000, 2000, 4000];

export const wait = (ms: number, { after }: Pick<CallContext, "after">): Promise<void> =>
  new Promise((resolve) => void after(ms, resolve));
