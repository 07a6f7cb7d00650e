/**
 * The events of one request in the form that the ledger stores. The log has a usage event, as Coder's interception log does;
 * the ledger keeps usage in the row of its interception, so the end carries it.
 */
import type { InterceptionEnd, InterceptorEvent, TokenUsage } from "./event.ts";
import { eventText } from "./event-text.ts";

/** In their order. A usage event without its end stays as it is. */
export const toLedgerEvents = (events: readonly InterceptorEvent[]): readonly InterceptorEvent[] =>
  mergeUsage(events, (event) => event, withUsage);

/** The texts of the same events. */
export const toLedgerTexts = (events: readonly InterceptorEvent[]): readonly string[] =>
  mergeUsage(events, eventText, textWithUsage);

/** `merge`: an end and its usage as one value. */
function mergeUsage<T>(
  events: readonly InterceptorEvent[],
  convert: (event: InterceptorEvent) => T,
  merge: (end: InterceptionEnd, usage: TokenUsage) => T,
): readonly T[] {
  const usages = usagesWithEnd(events);
  if (usages === null) return events.map(convert);
  const merged: T[] = [];
  for (const event of events) {
    const usage = usages.get(event.interception_id);
    if (usage === undefined) merged.push(convert(event));
    else if (isEnd(event)) merged.push(merge(event, usage));
    else if (event.record_type !== "token_usage") merged.push(convert(event));
  }
  return merged;
}

/** The usages whose end is among the events, by the interception's id; null where there is no usage. */
function usagesWithEnd(events: readonly InterceptorEvent[]): ReadonlyMap<string, TokenUsage> | null {
  if (!events.some(isUsage)) return null;
  const ends = new Set(events.filter(isEnd).map(({ interception_id: id }) => id));
  return new Map(
    events
      .filter(isUsage)
      .filter(({ interception_id: id }) => ends.has(id))
      .map((usage) => [usage.interception_id, usage]),
  );
}

const isUsage = (event: InterceptorEvent): event is TokenUsage => event.record_type === "token_usage";
const isEnd = (event: InterceptorEvent): event is InterceptionEnd => event.record_type === "interception_end";

const withUsage = (end: InterceptionEnd, { metadata, raw_usage }: TokenUsage): InterceptionEnd => ({
  ...end,
  usage_metadata: metadata,
  raw_usage,
});

/** Appended as text: most of the end's text is the same in the log. */
function textWithUsage(end: InterceptionEnd, usage: TokenUsage): string {
  if (end.usage_metadata !== undefined || end.raw_usage !== undefined)
    return eventText(withUsage(end, usage));
  const rest = JSON.stringify({ usage_metadata: usage.metadata, raw_usage: usage.raw_usage });
  return `${eventText(end).slice(0, -1)},${rest.slice(1)}`;
}
