/**
 * Sink: the ledger of the records Worker. Passes each group of events to the queue, or to the records Worker directly;
 * retries with jitter, and when that fails prints every event whole, so that `npm run replay` can store it later. It resolves
 * when the group is delivered, which required recording needs; `batch-events.ts` is the sink where nothing waits.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import { toLedgerEvents } from "../../events/ledger-events.ts";
import type { FallbackLog } from "../../events/fallback-log.ts";
import { REAL_TIMING, retry, type Timing } from "./delivery.ts";
import type { AwaitedSink } from "./recorder.ts";
import { progressOf, requestIdOf } from "./request-events.ts";

export type RecordsSinkOptions = {
  readonly required: boolean;
  /** Whether an event goes to the ledger at all. */
  readonly wants: (event: InterceptorEvent) => boolean;
  /** Takes all of them or rejects; may be called again with events that it has taken. */
  readonly deliver: (events: readonly InterceptorEvent[]) => Promise<unknown>;
  /** Prints events that could not be delivered. */
  readonly fallback: FallbackLog;
  readonly timing?: Timing;
};

/**
 * Characters of an unfinished interception that are printed at once: the line of its end must fit into the 16,384
 * characters that Logpush keeps of one request. The rest is printed with the end.
 */
export const CHARACTERS_BEFORE_END = 4500;
/** The interceptions tracked at most: those whose request the platform ended are never removed otherwise. */
const MAX_OPEN = 500;

/** An interception whose start is not delivered yet, or could not be; `waiting`: lines still to be printed. */
type OpenInterception = { ended: boolean; waiting: readonly string[] };

export function recordsSink(options: RecordsSinkOptions): AwaitedSink {
  const { required, wants, deliver, fallback, timing = REAL_TIMING } = options;
  const open = new Map<string, OpenInterception>();
  const deliverWithRetries = (events: readonly InterceptorEvent[]): Promise<void> =>
    retry(() => deliver(events), timing);

  const begin = async (id: string, events: readonly InterceptorEvent[]): Promise<void> => {
    const interception: OpenInterception = { ended: open.size >= MAX_OPEN, waiting: [] };
    if (!interception.ended) open.set(id, interception);
    try {
      await deliverWithRetries(events);
    } catch (error) {
      const lines = await fallback.toLines(events);
      interception.waiting = fallback.print(lines, interception.ended ? undefined : CHARACTERS_BEFORE_END);
      throw error;
    } finally {
      if (interception.waiting.length === 0) open.delete(id);
    }
  };
  const finish = async (id: string, events: readonly InterceptorEvent[]): Promise<void> => {
    try {
      await deliverWithRetries(events);
    } catch (error) {
      fallback.print(await fallback.toLines(events));
      throw error;
    } finally {
      end(id);
    }
  };
  const end = (id: string): void => {
    const interception = open.get(id);
    if (!interception) return;
    open.delete(id);
    interception.ended = true;
    fallback.print(interception.waiting);
  };
  const write = async (events: readonly InterceptorEvent[]): Promise<void> => {
    const wanted = toLedgerEvents(events.filter(wants));
    if (wanted.length === 0) return;
    const id = requestIdOf(wanted);
    await (progressOf(wanted).isUnfinished ? begin(id, wanted) : finish(id, wanted));
  };
  return { kind: "awaited", name: "ledger", required, write };
}
