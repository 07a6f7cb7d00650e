/** The dialects' readers, and what they make of answers. */
import { frameEvents } from "../../../src/gateway/observation/sse.ts";
import type {
  ResponseReader,
  ResponseReport,
  ContentOptions,
} from "../../../src/gateway/provider/response-reader.ts";
import { messagesReader } from "../../../src/gateway/provider/anthropic/messages-response.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import type { Fixture } from "./fixtures.ts";

export const READERS = [
  ["chat", chatReader],
  ["responses", responsesReader],
  ["messages", messagesReader],
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
export function afterEvents(reader: ResponseReader, events: Iterable<unknown>): ResponseReport {
  for (const event of events) {
    reader.event(typeof event === "string" ? event : JSON.stringify(event), "");
  }
  return reader.report();
}

/** What a fixture tells with this kept. */
export function tell({ kind, text, reader }: Fixture, keep: ContentOptions): ResponseReport {
  const own = reader(keep);
  if (kind === "json") own.body(JSON.parse(text));
  else for (const { data, name } of eventsOf(text)) own.event(data, name);
  return own.report();
}

/** A report less what is not to be kept. */
export function less(report: ResponseReport, keep: ContentOptions): ResponseReport {
  const withoutInputs = report.toolCalls.map((call) => ({ ...call, input: null, error: null }));
  return {
    ...report,
    errorMessage: keep.errorMessages ? report.errorMessage : null,
    toolCalls: keep.toolInputs ? report.toolCalls : withoutInputs,
    thoughts: keep.thoughts ? report.thoughts : [],
  };
}
