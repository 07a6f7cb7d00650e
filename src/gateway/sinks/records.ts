/**
 * Sink: the exact record. Hands each group of events on, to the queue or straight to the database; tries again a few
 * times, and where that is in vain puts every event into the log whole, from where `npm run replay` feeds it back.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import type { Sink } from "./recorder.ts";
import type { FallbackLog } from "../../events/fallback-log.ts";
import { isUnfinished } from "./coalesce-starts.ts";

export type RecordsSinkOptions = {
  readonly required: boolean;
  /** Whether an event is kept there at all. */
  readonly wants: (event: InterceptorEvent) => boolean;
  /** Takes all of them or rejects; may be given the same again after it has taken them. */
  readonly deliver: (events: readonly InterceptorEvent[]) => Promise<unknown>;
  /** Puts events that could not be delivered into the log. */
  readonly fallback: FallbackLog;
  readonly timing?: Timing;
};

/** Time and chance, which tests play themselves. */
export type Timing = {
  /** Calls after so many milliseconds; what it returns calls it off. */
  readonly after: (ms: number, call: () => void) => () => void;
  /** From 0 to 1. */
  readonly random: () => number;
};

const REAL: Timing = {
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
  random: Math.random,
};

/** How long one attempt may take, and the longest pause before each further one: together at most 6.3 s. */
const ATTEMPT_MS = 2000;
const PAUSES_MS = [50, 250];

/**
 * So many characters of an interception that has not ended go into the log at once: the line that tells its end must find
 * room among the 16,384 that the log takes of one request. What is over waits for it.
 */
const ROOM_BEFORE_END = 4500;
/** So many interceptions are waited for: of requests that the platform ended, nobody takes theirs out. */
const MAX_OPEN = 500;

/** One whose start is not delivered yet, or was in vain; `waiting`: what of it has to be in the log and is not. */
type OpenInterception = { ended: boolean; waiting: readonly InterceptorEvent[] };

export function recordsSink({ required, wants, deliver, fallback, timing = REAL }: RecordsSinkOptions): Sink {
  const open = new Map<string, OpenInterception>();

  const begin = async (id: string, events: readonly InterceptorEvent[]): Promise<void> => {
    const own: OpenInterception = { ended: open.size >= MAX_OPEN, waiting: [] };
    if (!own.ended) open.set(id, own);
    try {
      await retry(() => deliver(events), timing);
    } catch (error) {
      own.waiting = fallback(events, own.ended ? undefined : ROOM_BEFORE_END);
      throw error;
    } finally {
      if (own.waiting.length === 0) open.delete(id);
    }
  };
  const finish = async (id: string, events: readonly InterceptorEvent[]): Promise<void> => {
    try {
      await retry(() => deliver(events), timing);
    } catch (error) {
      fallback(events);
      throw error;
    } finally {
      end(id);
    }
  };
  const end = (id: string): void => {
    const own = open.get(id);
    if (!own) return;
    open.delete(id);
    own.ended = true;
    fallback(own.waiting);
  };
  const write = (events: readonly InterceptorEvent[]): void | Promise<void> => {
    const wanted = events.filter(wants);
    const id = wanted[0]?.interception_id;
    if (id === undefined) return undefined;
    return isUnfinished(wanted) ? begin(id, wanted) : finish(id, wanted);
  };
  return { name: "ledger", required, write };
}

/** Tries, and tries again after each pause; rejects as the last attempt did. */
async function retry(attempt: () => Promise<unknown>, timing: Timing): Promise<void> {
  for (const pause of PAUSES_MS) {
    try {
      return await inTime(attempt, timing);
    } catch {
      // Between half of it and all: many requests that failed at once do not come back at once.
      await waitFor(pause * (0.5 + timing.random() / 2), timing);
    }
  }
  return inTime(attempt, timing);
}

/** As the attempt, or rejects when it takes too long. It goes on unheard then, and what it still does does no harm. */
async function inTime(attempt: () => Promise<unknown>, { after }: Timing): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const callOff = after(ATTEMPT_MS, () => reject(new DOMException("not taken in time", "TimeoutError")));
  try {
    await Promise.race([attempt(), late]);
  } finally {
    callOff();
  }
}

function waitFor(ms: number, { after }: Timing): Promise<void> {
  return new Promise((resolve) => void after(ms, resolve));
}
