/** Collects the events that the gateway logs, and waits for further ones. */
import { setTimeout as wait } from "node:timers/promises";
import type { InterceptorEvent } from "../../src/events/event.ts";

export type EventLog = {
  readonly add: (event: InterceptorEvent) => void;
  readonly of: (interceptionId: string) => readonly InterceptorEvent[];
  /** Resolves with true once `condition` holds, with false if it does not hold within `ms`. */
  readonly until: (condition: () => boolean, ms: number) => Promise<boolean>;
};

export function createEventLog(): EventLog {
  const events: InterceptorEvent[] = [];
  const onNext: (() => void)[] = [];
  const next = (): Promise<void> => new Promise((resolve) => onNext.push(resolve));
  return {
    add: (event) => {
      events.push(event);
      for (const wake of onNext.splice(0)) wake();
    },
    of: (interceptionId) => events.filter((event) => event.interception_id === interceptionId),
    until: async (condition, ms) => {
      const timer = new AbortController();
      let timedOut = false;
      const timeout = wait(ms, undefined, { signal: timer.signal }).then(
        () => void (timedOut = true),
        () => undefined,
      );
      while (!condition() && !timedOut) await Promise.race([next(), timeout]);
      timer.abort();
      return condition();
    },
  };
}
