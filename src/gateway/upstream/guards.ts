/** The circuit breakers and caps of providers that have them, shared by all requests of the isolate. */
import type { Provider } from "../provider/provider.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { Slots } from "./slots.ts";

export type Guard = { readonly breaker: CircuitBreaker | null; readonly slots: Slots | null };

/** None for a provider without either: it pays nothing for them. */
export type Guards = ReadonlyMap<Provider, Guard>;

/** `now`: milliseconds since 1970. */
export function createGuards(providers: Iterable<Provider>, now: () => number): Guards {
  const guards = new Map<Provider, Guard>();
  for (const provider of providers) {
    const { breaker, concurrency } = provider;
    if (breaker === null && concurrency === null) continue;
    guards.set(provider, {
      breaker: breaker && new CircuitBreaker(breaker, now),
      slots: concurrency && new Slots(concurrency, now),
    });
  }
  return guards;
}
