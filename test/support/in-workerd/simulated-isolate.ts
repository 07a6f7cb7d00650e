/**
 * An isolate with many requests in virtual time, as the platform treats them: a timer, a send and a printed line belong to the
 * request in whose context they were made, and with a request that the platform ends, its timers and sends end silently.
 */
import type { After } from "../../../src/shared/deadline.ts";

export type SimulatedRequest = {
  readonly id: string;
  /** The lines that it has printed. */
  readonly lines: string[];
  isCancelled: boolean;
};

type Timer = { readonly at: number; readonly call: () => void; readonly request: SimulatedRequest };

export type SimulatedIsolate = {
  readonly now: () => number;
  readonly after: After;
  readonly print: (line: string) => void;
  /** The work's result; it never settles for a request that has been cancelled meanwhile. */
  readonly perform: <T>(work: () => Promise<T>) => Promise<T>;
  readonly open: (id: string) => SimulatedRequest;
  /** Runs code in the request's context, and what follows from it at once. */
  readonly run: (request: SimulatedRequest, code: () => unknown) => Promise<void>;
  readonly advance: (ms: number) => Promise<void>;
  readonly requests: readonly SimulatedRequest[];
};

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
/** More microtasks than follow from any step here. A macrotask each would make the tests of many requests slow. */
async function settle(): Promise<void> {
  for (let at = 0; at < 200; at += 1) await Promise.resolve();
}

export function simulateIsolate(start: number): SimulatedIsolate {
  let time = start;
  let current: SimulatedRequest | null = null;
  const timers = new Set<Timer>();
  const requests: SimulatedRequest[] = [];
  const context = (): SimulatedRequest => {
    if (current === null) throw new Error("outside of every request's context");
    return current;
  };
  const run = async (request: SimulatedRequest, code: () => unknown): Promise<void> => {
    current = request;
    code();
    await settle();
    current = null;
  };
  const nextTimer = (end: number): Timer | undefined =>
    [...timers]
      .filter(({ at, request }) => at <= end && !request.isCancelled)
      .toSorted((a, b) => a.at - b.at)[0];
  return {
    requests,
    now: () => time,
    after: (ms, call) => {
      const timer = { at: time + ms, call, request: context() };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    print: (line) => void context().lines.push(line),
    perform: async (work) => {
      const request = context();
      const result = await work();
      return request.isCancelled ? never() : result;
    },
    open: (id) => {
      const request = { id, lines: [], isCancelled: false };
      requests.push(request);
      return request;
    },
    run,
    advance: async (ms) => {
      const end = time + ms;
      for (let timer = nextTimer(end); timer; timer = nextTimer(end)) {
        time = Math.max(time, timer.at);
        timers.delete(timer);
        await run(timer.request, timer.call);
      }
      time = end;
    },
  };
}
