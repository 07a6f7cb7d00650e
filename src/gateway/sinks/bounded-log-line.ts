/**
 * An interception event as a log line of bounded length: content is truncated, and then every text by its printed length.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import type { RecordType } from "../../events/fields.ts";
import { isContent } from "../../events/json-within.ts";
import { toEventLine, toReplacedLine } from "../../events/log-line.ts";
import { truncatePrinted } from "../../shared/log-line.ts";
import { truncate } from "../../shared/text.ts";

/** The event as one line of at most its type's bound. */
export const toBoundedLine = (event: InterceptorEvent): string => fitLine(truncateContent(event));

/**
 * Characters of one piece of content in a line. All lines of one request share the 16,384 characters that Logpush keeps,
 * and content must not displace the record of the caller.
 * https://developers.cloudflare.com/workers/observability/logs/logpush/
 */
const LOGGED_CONTENT = 1024;

/** The event with its content truncated for a line; `truncated` says so, where the event has it. */
function truncateContent(event: InterceptorEvent): InterceptorEvent {
  switch (event.record_type) {
    case "prompt_usage":
      if (fits(event.prompt)) return event;
      return { ...event, prompt: cut(event.prompt), truncated: true };
    case "tool_usage": {
      const { input, invocation_error: error } = event;
      if (fits(input) && fits(error)) return event;
      const truncated = event.truncated || !fits(input);
      return { ...event, input: input && cut(input), invocation_error: error && cut(error), truncated };
    }
    case "model_thought":
      if (fits(event.content)) return event;
      return { ...event, content: cut(event.content), truncated: true };
    case "interception_end":
      if (fits(event.error_message)) return event;
      return { ...event, error_message: event.error_message && cut(event.error_message) };
    default:
      return event;
  }
}

const fits = (content: string | null): boolean => content === null || content.length <= LOGGED_CONTENT;
const cut = (content: string): string => truncate(content, LOGGED_CONTENT);

/**
 * Characters of a line before its texts are truncated by their printed length: a control character prints as six.
 * Together the limits leave room for the end of every request, however hostile its texts (log-budget.test.ts).
 */
const MAX_LINE: Readonly<Record<RecordType, number>> = {
  interception_start: 2550,
  interception_end: 3600,
  initiator_override: 2350,
  initiator_override_rejected: 2350,
  token_usage: 1200,
  passthrough: 2600,
  retrieved_usage: 1200,
  batch_file: 1200,
  passthrough_start: 2500,
  refusal_count: 1200,
  ledger_access: 1200,
  refusal: 2600,
  budget_threshold: 1200,
  budget_exceeded: 1200,
  budget_overrun: 1200,
  budget_change: 1200,
  budget_charge: 1200,
  rate_limited: 1200,
  cost_correction: 1200,
  upstream_attempt: 800,
  prompt_usage: 1700,
  tool_usage: 3200,
  model_thought: 1700,
};

/** Printed characters that remain of a name that a caller or provider chose, and of content. */
const PRINTED_NAME = 160;
const PRINTED_CONTENT = 1024;

function fitLine(event: InterceptorEvent): string {
  const { record_type: type } = event;
  const line = toEventLine(event);
  if (line.length <= MAX_LINE[type]) return line;
  return toReplacedLine(event, (name, value) =>
    typeof value === "string"
      ? truncatePrinted(value, isContent(type, name) ? PRINTED_CONTENT : PRINTED_NAME)
      : value,
  );
}
