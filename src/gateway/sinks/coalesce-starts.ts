/**
 * Delays the starts that `isDelayed` selects until their end, so that start and end go as one group, which `limitUnconfirmed`
 * can store or drop as a whole. Not for a required sink. The log has the start at once in any case.
 *
 * The delayed start is lost with its isolate: where the isolate dies within that time, the start is not stored. A timer
 * belongs to the request that set it, and so do both groups: no request waits for another one here.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import { realTimer, type After } from "../../shared/deadline.ts";
import type { AwaitedSink } from "./recorder.ts";
import { progressOf, requestIdOf } from "./request-events.ts";

/** Longer than a provider takes to reject a key. */
const DELAY_MS = 8000;
/** Starts delayed at most: those whose request the platform ended are never removed otherwise. */
const MAX_DELAYED = 10_000;

type Group = readonly InterceptorEvent[];
type DelayedStart = { readonly events: Group; readonly release: () => void };

export function coalesceStarts(
  { name, write }: AwaitedSink,
  isDelayed: (events: Group) => boolean,
  after: After = realTimer,
): AwaitedSink {
  const delayed = new Map<string, DelayedStart>();

  const delay = (id: string, events: Group): Promise<void> =>
    new Promise((resolve, reject) => {
      const cancel = after(DELAY_MS, () => {
        delayed.delete(id);
        writeLater(events).then(resolve, reject);
      });
      const release = (): void => {
        cancel();
        resolve();
      };
      delayed.set(id, { events, release });
    });
  /** Rejects where the sink throws: nothing may throw from a timer. */
  const writeLater = async (events: Group): Promise<void> => void (await write(events));

  return {
    kind: "awaited",
    name,
    required: false,
    write: (events) => {
      const id = requestIdOf(events);
      const start = delayed.get(id);
      if (start) {
        delayed.delete(id);
        start.release();
        return write([...start.events, ...events]);
      }
      const waits = isDelayed(events) && progressOf(events).isUnfinished && delayed.size < MAX_DELAYED;
      return waits ? delay(id, events) : write(events);
    },
  };
}
