/**
 * Sink: counts the refusals without a verified actor, and the calls with unconfirmed keys that were not refused, and writes the counts in groups, so that an isolate writes a bounded
 * number of events, regardless of the number of requests.
 *
 * The request that opens a group keeps its timer by `waitUntil`. If the platform ends that request first, the next request
 * of the isolate writes the group. No response waits for either. An isolate that dies loses the counts of its open group;
 * the log has a line for each refusal.
 */
import { refusalCountEvent, type RefusalSum } from "../../events/compose.ts";
import type { InterceptorEvent } from "../../events/event.ts";
import { UNCONFIRMED_KEY } from "../../events/vocabulary.ts";
import { realTimer, type After } from "../../shared/deadline.ts";
import type { AwaitedSink } from "./recorder.ts";
import { isUnverifiedRefusal, minuteOf } from "./refusal-details.ts";
import { endedAt, type UnconfirmedKeys } from "./unconfirmed-keys.ts";

/** From a group's first refusal until it is written. With the retries, it fits into the 30 s of `waitUntil`. */
export const GROUP_MS = 10_000;
/** The age at which another request writes the group: its timer is then taken for dead. */
const OVERDUE_MS = 12_000;
/** Of a group's pairs of reason and provider. Later ones are counted without their provider. */
export const MAX_PAIRS = 64;

export type RefusalCountsOptions = {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A new UUIDv7. */
  readonly newId: () => string;
  readonly keys: UnconfirmedKeys;
  readonly after?: After;
};

/** A refusal, or a call with a key that is not confirmed. */
type Counted = { readonly at: string; readonly reason: string; readonly provider: string | null };

type Group = { readonly openedAt: number; readonly sums: Map<string, RefusalSum> };

/** `write`: takes the groups of counts. */
export function refusalCountsSink(
  write: AwaitedSink["write"],
  { now, newId, keys, after = realTimer }: RefusalCountsOptions,
): AwaitedSink {
  let open: Group | null = null;

  const close = async (group: Group): Promise<void> => {
    if (open !== group) return;
    open = null;
    const at = now();
    await write([...group.sums.values()].map((sum) => refusalCountEvent(newId(), sum, at)));
  };
  const openGroup = (events: readonly Counted[]): Promise<void> => {
    const group: Group = { openedAt: now(), sums: new Map() };
    open = group;
    addTo(group, events);
    return new Promise((resolve, reject) => {
      after(GROUP_MS, () => void close(group).then(resolve, reject));
    });
  };
  return {
    kind: "awaited",
    name: "refusal_counts",
    required: false,
    write: (events) => {
      const overdue = open !== null && now() - open.openedAt >= OVERDUE_MS ? close(open) : null;
      const counted = toCounted(events, keys);
      if (counted.length === 0) return overdue;
      if (open === null) {
        const written = openGroup(counted);
        return overdue === null ? written : Promise.all([overdue, written]).then(() => undefined);
      }
      addTo(open, counted);
      return null;
    },
  };
}

function toCounted(events: readonly InterceptorEvent[], keys: UnconfirmedKeys): readonly Counted[] {
  const refusals = events.filter(isUnverifiedRefusal);
  const end = keys.settle(events);
  if (refusals.length > 0 || end === null)
    return refusals.map(({ created_at: at, reason, provider }) => ({ at, reason, provider }));
  return [{ at: endedAt(end), reason: UNCONFIRMED_KEY, provider: end.provider }];
}

function addTo({ sums }: Group, counted: readonly Counted[]): void {
  for (const { at, reason, provider } of counted) {
    const minute = `${minuteOf(at)}:00.000Z`;
    const own = keyOf(minute, reason, provider);
    const shown = sums.has(own) || sums.size < MAX_PAIRS ? provider : null;
    const key = keyOf(minute, reason, shown);
    const refusals = (sums.get(key)?.refusals ?? 0) + 1;
    sums.set(key, { minute, reason, provider: shown, refusals });
  }
}

const keyOf = (...parts: readonly (string | null)[]): string => JSON.stringify(parts);
