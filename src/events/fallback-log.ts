/**
 * Where the ledger's events go when nothing takes them: one line each in the log, with the whole event, from where
 * `npm run replay` feeds them back.
 */
import type { InterceptorEvent } from "./event.ts";
import { escapeUnsafe } from "../shared/log-line.ts";

export const FALLBACK_MESSAGE = "interception ledger fallback";

/**
 * The log takes 16,384 characters of one request, so what matters most comes first: how it ended (which also says who
 * asked for what), that it began, what it used; what was said comes last.
 */
const ORDER: Readonly<Record<InterceptorEvent["record_type"], number>> = {
  interception_end: 0,
  interception_start: 1,
  initiator_override: 2,
  initiator_override_rejected: 2,
  token_usage: 2,
  refusal: 2,
  passthrough: 2,
  prompt_usage: 3,
  tool_usage: 3,
  model_thought: 3,
};

/** Prints events while they take no more than `room` characters; hands back those that it had no room for. */
export type FallbackLog = (events: readonly InterceptorEvent[], room?: number) => readonly InterceptorEvent[];

export function createFallbackLog(print: (line: string) => void): FallbackLog {
  return (events, room = Number.POSITIVE_INFINITY) => {
    const sorted = events.toSorted((a, b) => ORDER[a.record_type] - ORDER[b.record_type]);
    let left = room;
    return sorted.filter((event) => {
      const line = toFallbackLine(event);
      left -= line.length;
      // After the first that has to wait, all do: they stay in their order.
      if (left < 0) return true;
      print(line);
      return false;
    });
  };
}

const BEGIN = `{"message":${JSON.stringify(FALLBACK_MESSAGE)},"event":`;

export function toFallbackLine(event: InterceptorEvent): string {
  return escapeUnsafe(`${BEGIN}${JSON.stringify(event)}}`);
}
