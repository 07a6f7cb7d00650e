/**
 * The events of one request in the form that the ledger stores. The log has a usage event, as Coder's interception log does;
 * the ledger keeps usage in the row of its interception, so the end carries it.
 */
import type { InterceptionEnd, InterceptorEvent, TokenUsage } from "./event.ts";

/** In their order. A usage event without its end stays as it is. */
export function toLedgerEvents(events: readonly InterceptorEvent[]): readonly InterceptorEvent[] {
  if (!events.some(({ record_type: type }) => type === "token_usage")) return events;
  const ends = new Set(events.filter(isEnd).map(({ interception_id: id }) => id));
  const usages = new Map<string, TokenUsage>();
  for (const event of events)
    if (event.record_type === "token_usage" && ends.has(event.interception_id))
      usages.set(event.interception_id, event);
  return events.flatMap((event) => {
    const usage = usages.get(event.interception_id);
    if (!usage) return [event];
    if (event.record_type === "token_usage") return [];
    return [isEnd(event) ? withUsage(event, usage) : event];
  });
}

const isEnd = (event: InterceptorEvent): event is InterceptionEnd => event.record_type === "interception_end";

const withUsage = (end: InterceptionEnd, { metadata, raw_usage }: TokenUsage): InterceptionEnd => ({
  ...end,
  usage_metadata: metadata,
  raw_usage,
});
