/**
 * Holds an interception's start back for a moment, before a sink that pays for every group: most calls end soon, and go
 * as one group then. Only for a sink that is not required; the log has the start at once in any case.
 *
 * What is kept here is forgotten with the isolate: a start whose isolate dies within that moment is not stored. A timer
 * belongs to the request that set it, and so do both groups: nothing here waits for another request.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import type { Sink } from "./recorder.ts";

/** Longer than most answers that do not stream. */
const DELAY_MS = 1000;
/** So many at most are held; of requests that the platform ended, nobody takes theirs out. */
const MAX_HELD = 10_000;

type Group = readonly InterceptorEvent[];
type DelayedStart = { readonly events: Group; readonly release: () => void };

/** `after` calls after so many milliseconds; what it returns calls it off. */
export function coalesceStarts(
  { name, write }: Sink,
  after: (ms: number, call: () => void) => () => void = realTimer,
): Sink {
  const held = new Map<string, DelayedStart>();

  const hold = (id: string, events: Group): Promise<void> =>
    new Promise((resolve, reject) => {
      const callOff = after(DELAY_MS, () => {
        held.delete(id);
        deliver(events).then(resolve, reject);
      });
      const release = (): void => {
        callOff();
        resolve();
      };
      held.set(id, { events, release });
    });
  const deliver = async (events: Group): Promise<void> => write(events);

  return {
    name,
    required: false,
    write: (events) => {
      const id = events[0]?.interception_id ?? "";
      const before = held.get(id);
      if (before) {
        held.delete(id);
        before.release();
        return write([...before.events, ...events]);
      }
      return isUnfinished(events) && held.size < MAX_HELD ? hold(id, events) : write(events);
    },
  };
}

/** An interception begins here, and does not end here. */
export function isUnfinished(events: Group): boolean {
  const has = (type: InterceptorEvent["record_type"]): boolean =>
    events.some(({ record_type }) => record_type === type);
  return has("interception_start") && !has("interception_end");
}

function realTimer(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
}
