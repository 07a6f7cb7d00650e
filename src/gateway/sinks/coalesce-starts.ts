/**
 * Delays the start of an interception or passthrough for a moment before a sink that pays per group: most calls end soon, and
 * start and end then go as one group. Not for a required sink. The log has the start at once in any case.
 *
 * The delayed start is lost with its isolate: where the isolate dies within that moment, the start is not stored. A timer
 * belongs to the request that set it, and so do both groups: no request waits for another one here.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import { realTimer, type After } from "../../shared/deadline.ts";
import type { AwaitedSink } from "./recorder.ts";

/** Longer than most responses that do not stream. */
const DELAY_MS = 1000;
/** Longer than a provider takes to reject a key. */
const LONG_DELAY_MS = 8000;
/** Starts delayed at most: those whose request the platform ended are never removed otherwise. */
const MAX_DELAYED = 10_000;

type Group = readonly InterceptorEvent[];
type DelayedStart = { readonly events: Group; readonly release: () => void };

/** `isLong`: whether a start is delayed for the longer time. */
export function coalesceStarts(
  { name, write }: AwaitedSink,
  after: After = realTimer,
  isLong: (events: Group) => boolean = () => false,
): AwaitedSink {
  const delayed = new Map<string, DelayedStart>();

  const delay = (id: string, events: Group): Promise<void> =>
    new Promise((resolve, reject) => {
      const cancel = after(isLong(events) ? LONG_DELAY_MS : DELAY_MS, () => {
        delayed.delete(id);
        write(events).then(resolve, reject);
      });
      const release = (): void => {
        cancel();
        resolve();
      };
      delayed.set(id, { events, release });
    });

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
      return isUnfinished(events) && delayed.size < MAX_DELAYED ? delay(id, events) : write(events);
    },
  };
}

/** Whether an interception or passthrough starts in this group and does not end in it. */
export function isUnfinished(events: Group): boolean {
  const has = (type: InterceptorEvent["record_type"]): boolean =>
    events.some(({ record_type }) => record_type === type);
  return (
    (has("interception_start") && !has("interception_end")) ||
    (has("passthrough_start") && !has("passthrough"))
  );
}

/** The id of the request whose events these are. Usage that it read of an earlier call has ids of its own. */
export function requestIdOf([first]: Group): string {
  if (first === undefined) return "";
  return first.record_type === "retrieved_usage" ? first.retrieval_id : first.interception_id;
}
