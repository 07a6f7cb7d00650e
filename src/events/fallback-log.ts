/**
 * The last resort of the ledger: an event that neither queue nor database took becomes a log line that holds it whole.
 * `npm run replay` reads such lines back into the ledger.
 */
import { escapeUnsafe } from "../shared/log-line.ts";
import type { InterceptorEvent } from "./event.ts";
import type { RecordType } from "./fields.ts";

export const FALLBACK_MESSAGE = "interception ledger fallback";

/**
 * Logpush keeps 16,384 characters of one request, so the most important line comes first: the end (which also holds the
 * caller and the call), the start, the usage; content comes last.
 */
const ORDER: Readonly<Record<RecordType, number>> = {
  interception_end: 0,
  interception_start: 1,
  initiator_override: 2,
  initiator_override_rejected: 2,
  token_usage: 2,
  refusal: 2,
  passthrough: 0,
  retrieved_usage: 2,
  batch_file: 2,
  passthrough_start: 1,
  refusal_count: 2,
  ledger_access: 2,
  prompt_usage: 3,
  tool_usage: 3,
  model_thought: 3,
};

/** Prints events within `maxCharacters` in total; returns those that did not fit. */
export type FallbackLog = (
  events: readonly InterceptorEvent[],
  maxCharacters?: number,
) => readonly InterceptorEvent[];

export function createFallbackLog(print: (line: string) => void): FallbackLog {
  return (events, maxCharacters = Number.POSITIVE_INFINITY) => {
    const sorted = events.toSorted((a, b) => ORDER[a.record_type] - ORDER[b.record_type]);
    let left = maxCharacters;
    return sorted.filter((event) => {
      const line = toFallbackLine(event);
      left -= line.length;
      // Once one event has to wait, all later ones do: they stay in order.
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
