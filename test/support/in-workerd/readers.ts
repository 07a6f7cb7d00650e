/** The dialects' readers, and what they make of answers. */
import { frameEvents } from "../../../src/gateway/observation/sse.ts";
import type { AnswerReader, AnswerReport, Keep } from "../../../src/gateway/provider/response-reader.ts";
import { messagesAnswer } from "../../../src/gateway/provider/anthropic/messages-response.ts";
import { chatAnswer } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesAnswer } from "../../../src/gateway/provider/openai/responses-response.ts";
import type { Fixture } from "./fixtures.ts";

export const READERS = [
  ["chat", chatAnswer],
  ["responses", responsesAnswer],
  ["messages", messagesAnswer],
] as const;

export type Event = { readonly data: string; readonly name: string };

/** The events of a stream. */
export function eventsOf(text: string): Event[] {
  const events: Event[] = [];
  const framer = frameEvents((data, name) => void events.push({ data, name }));
  framer.push(text);
  framer.end();
  return events;
}

/** What a reader has to report of events, one after another. */
export function afterEvents(reader: AnswerReader, events: Iterable<unknown>): AnswerReport {
  for (const event of events) {
    reader.event(typeof event === "string" ? event : JSON.stringify(event), "");
  }
  return reader.report();
}

/** What a fixture tells with this kept. */
export function tell({ kind, text, reader }: Fixture, keep: Keep): AnswerReport {
  const own = reader(keep);
  if (kind === "json") own.body(JSON.parse(text));
  else for (const { data, name } of eventsOf(text)) own.event(data, name);
  return own.report();
}

/** A report less what is not to be kept. */
export function less(report: AnswerReport, keep: Keep): AnswerReport {
  const withoutInputs = report.toolCalls.map((call) => ({ ...call, input: null, error: null }));
  return {
    ...report,
    errorMessage: keep.errorMessages ? report.errorMessage : null,
    toolCalls: keep.toolInputs ? report.toolCalls : withoutInputs,
    thoughts: keep.thoughts ? report.thoughts : [],
  };
}
