/**
 * One flight per key: whoever wants what another request is already asking for waits for its answer.
 *
 * In workerd a request may wait for another's promise: by our compatibility date (its flag
 * `handle_cross_request_promise_resolution`) each goes on in its own context. Measured in wrangler 4.155's workerd, as
 * test/sockets/identity.test.ts holds it: hundreds wait for one fetch, and it lives on when its own client has left, since
 * app.ts holds each request with `waitUntil` until it is answered. Without that, the promise of a request that is gone
 * stays unsettled for ever, and who waits for nothing else is ended by workerd, its connection closed. So each waits by a
 * timer of its own, and a flight that should long be over is not joined.
 */

/** The answer took too long, or the request that was asking is gone. */
export const TIMED_OUT = Symbol("late");

export type SingleFlight<T> = (key: string, start: () => Promise<T>) => Promise<T | typeof TIMED_OUT>;

/** So many at most are remembered; past that, who asks for the same asks again. */
const MAX_FLIGHTS = 10_000;

export function createSingleFlight<T>(timeoutMs: number, now: () => number): SingleFlight<T> {
  const flying = new Map<string, { readonly answer: Promise<T>; readonly since: number }>();

  const take = (key: string, start: () => Promise<T>): Promise<T> => {
    const [oldest] = flying.size >= MAX_FLIGHTS ? flying.keys() : [];
    if (oldest !== undefined) flying.delete(oldest);
    const land = (): void => {
      if (flying.get(key) === flight) flying.delete(key);
    };
    const flight = { answer: start().finally(land), since: now() };
    flying.set(key, flight);
    return flight.answer;
  };

  return (key, start) => {
    const flight = flying.get(key);
    const joins = flight !== undefined && now() - flight.since < timeoutMs;
    return inTime(joins ? flight.answer : take(key, start), timeoutMs);
  };
}

async function inTime<T>(answer: Promise<T>, timeoutMs: number): Promise<T | typeof TIMED_OUT> {
  const { promise: late, resolve } = Promise.withResolvers<typeof TIMED_OUT>();
  const timer = setTimeout(() => resolve(TIMED_OUT), timeoutMs);
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
