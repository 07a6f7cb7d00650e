/**
 * Sink: one JSON object per line on the console, in the form of Coder's interception log, for Workers Logs,
 * `wrangler tail` and Logpush.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import type { Sink } from "./recorder.ts";
import { truncatePrinted, escapeUnsafe } from "../../shared/log-line.ts";

export const LOG_MESSAGE = "interception log";

export function logSink(print: (line: string) => void): Sink {
  const write = (events: readonly InterceptorEvent[]): void => {
    for (const event of events) print(fitLine(truncateContent(event)));
  };
  return { name: "log", required: false, write };
}

/**
 * So many characters of one piece of content are put into a line: all lines of one request share the 16,384 characters
 * that Logpush takes, and the records of who asked must not be crowded out by what was said.
 * https://developers.cloudflare.com/workers/observability/logs/logpush/
 */
const LOGGED_CONTENT = 1024;

/** The event with its content cut for a line. */
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

function fits(content: string | null): boolean {
  return content === null || content.length <= LOGGED_CONTENT;
}

/** Not through the middle of a surrogate pair. */
function cut(content: string): string {
  const last = content.charCodeAt(LOGGED_CONTENT - 1);
  return content.slice(0, last >= 0xd800 && last <= 0xdbff ? LOGGED_CONTENT - 1 : LOGGED_CONTENT);
}

const BEGIN = `{"message":${JSON.stringify(LOG_MESSAGE)},`;

/**
 * So long a line may be before its texts are cut by what they take printed: a control character takes six. Together they
 * leave room for the end of every request, whatever a caller or a provider wrote (test/gateway/sinks/log-budget.test.ts).
 */
const ROOM: Readonly<Record<InterceptorEvent["record_type"], number>> = {
  interception_start: 2300,
  interception_end: 3200,
  initiator_override: 2300,
  initiator_override_rejected: 2300,
  token_usage: 1200,
  passthrough: 2300,
  refusal: 2300,
  prompt_usage: 1700,
  tool_usage: 3200,
  model_thought: 1700,
};

/** What is left of a text then: of one that a caller or provider chose as a name, and of what was said. */
const SHORT_PRINTED = 160;
const CONTENT_PRINTED = {
  prompt: 1024,
  content: 1024,
  input: 1024,
  invocation_error: 1024,
  error_message: 1024,
};

const shortened = (name: string, value: unknown): unknown =>
  typeof value === "string"
    ? truncatePrinted(value, CONTENT_PRINTED[name as keyof typeof CONTENT_PRINTED] ?? SHORT_PRINTED)
    : value;

function fitLine(event: InterceptorEvent): string {
  const line = toLine(event);
  if (line.length <= ROOM[event.record_type]) return line;
  return escapeUnsafe(BEGIN + JSON.stringify(event, shortened).slice(1));
}

/** One line of JSON that holds no line break, escape sequence or control character, in any reader's eyes. */
export function toLine(event: InterceptorEvent): string {
  // Put together as text: a copy of the event with one more field would cost more than writing it out.
  return escapeUnsafe(BEGIN + JSON.stringify(event).slice(1));
}
