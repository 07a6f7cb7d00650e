/**
 * Bounds the calls that unknown callers can write into the ledger with made-up provider keys. A model call that succeeds
 * confirms its key. The calls of other keys that fail are stored as refusals are: the first few per minute in detail, and
 * `refusal-counts.ts` counts all.
 */
import type { InterceptionEnd, InterceptorEvent, PassthroughEvent } from "../../events/event.ts";
import { createTtlCache } from "../../shared/ttl-cache.ts";
import { MAX_DETAILS, minuteOf } from "./refusal-details.ts";
import type { AwaitedSink } from "./recorder.ts";

/** How long an isolate remembers a key. */
const CONFIRMED_MS = 3_600_000;

export type CallEnd = InterceptionEnd | PassthroughEvent;

export type UnconfirmedKeys = {
  /** Whether the group starts a call with a key that is not confirmed. */
  readonly starts: (events: readonly InterceptorEvent[]) => boolean;
  /** Confirms the key of a model call that succeeds. Returns the end of a call that failed with a key that is not confirmed. */
  readonly settle: (events: readonly InterceptorEvent[]) => CallEnd | null;
};

type ByKey = Pick<CallEnd, "identity_source" | "actor_id" | "provider">;

const keyOf = ({ provider, actor_id: actor }: ByKey): string => `${provider}\n${actor}`;

export function trackUnconfirmedKeys(now: () => number): UnconfirmedKeys {
  const confirmed = createTtlCache<true>(now);
  const isUnconfirmed = (event: ByKey): boolean =>
    event.identity_source === "byok" && confirmed.get(keyOf(event)) === null;
  return {
    starts: (events) =>
      events.some(
        (event) =>
          (event.record_type === "interception_start" || event.record_type === "passthrough_start") &&
          isUnconfirmed(event),
      ),
    settle: (events) => {
      const end = events.find(isEnd);
      if (!end || !isUnconfirmed(end)) return null;
      if (!hasSucceeded(end)) return end;
      // Some providers list their models to anyone.
      if (end.record_type === "interception_end") confirmed.set(keyOf(end), true, now() + CONFIRMED_MS);
      return null;
    },
  };
}

const isEnd = (event: InterceptorEvent): event is CallEnd =>
  event.record_type === "interception_end" || event.record_type === "passthrough";

/** In RFC 3339. */
export const endedAt = (end: CallEnd): string =>
  end.record_type === "interception_end" ? end.ended_at : end.created_at;

/** The provider's response was below 400, regardless of its end. */
const hasSucceeded = ({ status, outcome, own_key_rejected: isRejected }: CallEnd): boolean =>
  status !== null && status < 400 && outcome !== "refused" && !isRejected;

/** A sink that takes only the first few whole calls per minute with keys that are not confirmed. */
export function limitUnconfirmed(sink: AwaitedSink, { starts, settle }: UnconfirmedKeys): AwaitedSink {
  let minute = "";
  let stored = 0;
  return {
    ...sink,
    write: (events) => {
      const isWhole = starts(events);
      const end = settle(events);
      if (end === null || !isWhole) return sink.write(events);
      const endedIn = minuteOf(endedAt(end));
      if (endedIn > minute) {
        minute = endedIn;
        stored = 0;
      }
      stored += 1;
      return stored <= MAX_DETAILS ? sink.write(events) : null;
    },
  };
}
