/** A request's id and progress, read from a group of its events. */
import type { InterceptorEvent } from "../../events/event.ts";

type Group = readonly InterceptorEvent[];

export type Progress = {
  /** Whether an interception or passthrough starts in this group and does not end in it. */
  readonly isUnfinished: boolean;
  /** Whether the group holds the end of a request whose client has disconnected. */
  readonly isCancelled: boolean;
};

/** In one pass, because every group of every request is read. */
export function progressOf(events: Group): Progress {
  let hasStart = false;
  let hasEnd = false;
  let isCancelled = false;
  for (const event of events) {
    const { record_type: type } = event;
    if (type === "interception_start" || type === "passthrough_start") hasStart = true;
    else if (type === "interception_end" || type === "passthrough") {
      hasEnd = true;
      isCancelled ||= event.outcome === "cancelled";
    }
  }
  return { isUnfinished: hasStart && !hasEnd, isCancelled };
}

/** The id of the request whose events these are. */
export const requestIdOf = ([first]: Group): string => (first === undefined ? "" : idOf(first));

/** The id of the request that recorded the event. Results that it read of an earlier call have ids of their own. */
export const idOf = (event: InterceptorEvent): string =>
  "retrieval_id" in event ? event.retrieval_id : event.interception_id;
