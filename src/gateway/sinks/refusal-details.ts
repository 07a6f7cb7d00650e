/**
 * Bounds the refusals that unknown callers can write into the ledger. A refusal with a verified actor always passes.
 * Without one, only the first few per minute and reason pass, and `refusal-counts.ts` counts all.
 */
import type { InterceptorEvent, RefusalEvent } from "../../events/event.ts";

/** Per isolate, minute and reason. */
export const MAX_DETAILS = 10;

/** A byok fingerprint is no verified actor: anyone can send any key. */
export const isUnverifiedRefusal = (event: InterceptorEvent): event is RefusalEvent =>
  event.record_type === "refusal" && !event.actor_verified;

/** The UTC minute of a time in RFC 3339, without its seconds. */
export const minuteOf = (time: string): string => time.slice(0, 16);

/** @returns whether an event is to be stored in detail. Each call counts: call it once per event. */
export function limitDetails(): (event: InterceptorEvent) => boolean {
  let minute = "";
  const passed = new Map<string, number>();
  return (event) => {
    if (!isUnverifiedRefusal(event)) return true;
    const { reason, created_at } = event;
    // A late event of the minute before must not start the new minute's counts again.
    if (minuteOf(created_at) > minute) {
      minute = minuteOf(created_at);
      passed.clear();
    }
    const count = (passed.get(reason) ?? 0) + 1;
    passed.set(reason, count);
    return count <= MAX_DETAILS;
  };
}
