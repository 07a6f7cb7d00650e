/**
 * Single-flight: concurrent calls with the same key share one pending operation.
 *
 * In workerd a request may await a promise that another request created. Our compatibility date includes the flag
 * `handle_cross_request_promise_resolution`, by which each request continues in its own context. Measured in the workerd
 * of wrangler 4.155 and held by test/sockets/identity.test.ts: hundreds of requests wait for one fetch. The fetch also
 * survives the disconnect of the client that started it, because each Worker keeps a request alive with `waitUntil` until it has a
 * response: the gateway in `exchange.ts` (`handle`), the records Worker in `index.ts` (`#held`).
 *
 * Without `waitUntil`, the promise of a cancelled request never settles. workerd then ends every request that waits for
 * nothing else, and closes its connection. So each caller has a timer of its own, and a call does not join an operation
 * that is older than the timeout.
 */
import { withDeadline, type TIMED_OUT } from "./deadline.ts";

/**
 * Joins the pending operation of this key, or starts one.
 * @returns its result, or `TIMED_OUT` if there is none within the timeout. Rejects as the operation does.
 */
export type SingleFlight<T> = (key: string, start: () => Promise<T>) => Promise<T | typeof TIMED_OUT>;

/** Bounds memory. Beyond this many, the oldest operation can no longer be joined, and its key starts another. */
const MAX_PENDING = 10_000;

export function createSingleFlight<T>(timeoutMs: number, now: () => number): SingleFlight<T> {
  const pending = new Map<string, { readonly result: Promise<T>; readonly since: number }>();

  const run = (key: string, start: () => Promise<T>): Promise<T> => {
    const [oldest] = pending.size >= MAX_PENDING ? pending.keys() : [];
    if (oldest !== undefined) pending.delete(oldest);
    const remove = (): void => {
      // A newer operation may have replaced this one.
      if (pending.get(key) === operation) pending.delete(key);
    };
    const operation = { result: start().finally(remove), since: now() };
    pending.set(key, operation);
    return operation.result;
  };

  return (key, start) => {
    const operation = pending.get(key);
    const canJoin = operation !== undefined && now() - operation.since < timeoutMs;
    return withDeadline(canJoin ? operation.result : run(key, start), timeoutMs);
  };
}
