/** The circuit breakers and caps of providers that have them, shared by all requests of the isolate. */
import type { LogOperatorEvent } from "../../shared/operator-log.ts";
import type { Provider } from "../provider/provider.ts";
import { CircuitBreaker, type OnChange } from "./circuit-breaker.ts";
import { Slots } from "./slots.ts";

export type Guard = { readonly breaker: CircuitBreaker | null; readonly slots: Slots | null };

/** None for a provider without either: it pays nothing for them. */
export type Guards = ReadonlyMap<Provider, Guard>;

/** `now`: milliseconds since 1970. */
export function createGuards(
  providers: Iterable<Provider>,
  now: () => number,
  logError: LogOperatorEvent,
): Guards {
  const guards = new Map<Provider, Guard>();
  for (const provider of providers) {
    const { breaker, concurrency, name } = provider;
    const onChange: OnChange = (state, route) =>
      logError({ event: `provider_circuit_${state}`, provider: name, route });
    if (breaker === null && concurrency === null) continue;
    guards.set(provider, {
      breaker: breaker && new CircuitBreaker(breaker, now, onChange),
      slots: concurrency && new Slots(concurrency, now),
    });
  }
  return guards;
}
