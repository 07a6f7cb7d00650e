/** The dialects' readers, and helpers that return their reports. */
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

/** The reader's report after the events, in order. */
export function afterEvents(reader: ResponseReader, events: Iterable<unknown>): ResponseReport {
  for (const event of events) {
    reader.event(typeof event === "string" ? event : JSON.stringify(event), "");
  }
  return reader.report();
}

/** The report of a fixture's response with these content options. */
export function fixtureReport(
  { kind, text, reader: createReader }: Fixture,
  keep: ContentOptions,
): ResponseReport {
  const reader = createReader(keep);
  if (kind === "json") reader.body(JSON.parse(text));
  else for (const { data, name } of eventsOf(text)) reader.event(data, name);
  return reader.report();
}

/** The report without the content that these options do not keep. */
export function withoutContent(report: ResponseReport, keep: ContentOptions): ResponseReport {
  const withoutInputs = report.toolCalls.map((call) => ({ ...call, input: null, error: null }));
  return {
    ...report,
    errorMessage: keep.errorMessages ? report.errorMessage : null,
    toolCalls: keep.toolInputs ? report.toolCalls : withoutInputs,
    thoughts: keep.thoughts ? report.thoughts : [],
  };
}
