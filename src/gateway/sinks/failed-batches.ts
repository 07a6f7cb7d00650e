/**
 * Prints the batches that could not be delivered: every event whole, as a fallback line.
 *
 * A batch holds events of many requests, and only its sender can print them. Logpush keeps 16,384 characters of one request, so
 * lines of others must not displace the sender's own end. A sender whose end is not logged yet prints a part, its own
 * events first. The next request that ends prints the rest, after its own lines.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import type { FallbackLog } from "../../events/fallback-log.ts";
import { CHARACTERS_BEFORE_END } from "./records.ts";
import { idOf } from "./request-events.ts";

/** The request that sends a batch. `isOpen`: whether the line of its end is still to come. */
export type Sender = { readonly id: string; isOpen: boolean };

/** Logs that the events of an interception could not be delivered. */
export type ReportFailure = (interceptionId: string, error: unknown) => void;

export type FailedBatches = {
  /** Prints the events, and reports the failure once per request. Never rejects. */
  readonly print: (texts: readonly string[], sender: Sender, error: unknown) => Promise<void>;
  /** Whether lines wait for a request that ends. */
  readonly hasWaiting: () => boolean;
  /** Prints such lines. For a request whose end is logged, and whose own events are delivered or printed. */
  readonly printWaiting: () => void;
};

/** Characters of waiting lines that one request prints: more than one start can have. Workers Logs keeps 256 KB of each request. */
const MAX_WAITING_CHARACTERS = 150_000;
/** Lines that wait at most. Those of further batches are printed at once. */
const MAX_WAITING_LINES = 500;
/** Requests remembered as reported. */
const MAX_REPORTED = 1000;

export function createFailedBatches(fallback: FallbackLog, report: ReportFailure): FailedBatches {
  let waiting: readonly string[] = [];
  let unreported: (readonly [id: string, error: unknown])[] = [];
  const reported = new Set<string>();

  const reportAll = (): void => {
    for (const [id, error] of unreported) report(id, error);
    unreported = [];
  };
  const isNew = (id: string): boolean => {
    if (reported.has(id)) return false;
    if (reported.size >= MAX_REPORTED) reported.clear();
    reported.add(id);
    return true;
  };
  return {
    print: async (texts, sender, error) => {
      const events = texts.map((text) => JSON.parse(text) as InterceptorEvent);
      const isOwn = (event: InterceptorEvent): boolean => idOf(event) === sender.id;
      const lines = [
        ...(await fallback.toLines(events.filter(isOwn))),
        ...(await fallback.toLines(events.filter((event) => !isOwn(event)))),
      ];
      // Read after the MACs are computed: the request may have ended meanwhile.
      const { id: own, isOpen } = sender;
      const waits = isOpen && waiting.length < MAX_WAITING_LINES;
      waiting = [...waiting, ...fallback.print(lines, waits ? CHARACTERS_BEFORE_END : undefined)];
      for (const id of new Set(events.map(idOf)))
        if (isNew(id)) {
          if (id === own) report(id, error);
          else unreported.push([id, error]);
        }
      if (!isOpen) reportAll();
    },
    hasWaiting: () => waiting.length > 0 || unreported.length > 0,
    printWaiting: () => {
      if (waiting.length > 0) waiting = printUpTo(waiting, fallback);
      reportAll();
    },
  };
}

/** Prints at least one of the lines. Returns those that did not fit. */
function printUpTo([first = "", ...rest]: readonly string[], { print }: FallbackLog): readonly string[] {
  print([first]);
  return print(rest, MAX_WAITING_CHARACTERS - first.length);
}
