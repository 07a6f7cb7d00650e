/** The format in which events travel through the queue: JSON arrays of events, as text. Written and read here only. */
import { parseJson } from "../shared/json.ts";
import { byteLength } from "../shared/text.ts";
import type { InterceptorEvent } from "./event.ts";
import { hasEventId } from "./event-id.ts";
import { toJsonWithin } from "./json-within.ts";

/** Below the 128,000 that a message may have with the queue's own overhead: https://developers.cloudflare.com/queues/platform/limits/ */
export const MESSAGE_BYTES = 120_000;

/** As few messages as possible, the events in their order. */
export function toMessages(events: readonly InterceptorEvent[]): string[] {
  const all = JSON.stringify(events);
  // A UTF-16 unit takes one to three bytes: most groups need not be counted.
  if (events.length > 0 && all.length * 3 <= MESSAGE_BYTES) return [all];
  const messages: string[] = [];
  let open: string[] = [];
  let bytes = 2;
  for (const event of events) {
    const json = toJsonWithin(event, MESSAGE_BYTES - 2);
    const size = byteLength(json) + 1;
    if (open.length > 0 && bytes + size > MESSAGE_BYTES) {
      messages.push(`[${open.join(",")}]`);
      open = [];
      bytes = 2;
    }
    open.push(json);
    bytes += size;
  }
  if (open.length > 0) messages.push(`[${open.join(",")}]`);
  return messages;
}

export type MessageContent = {
  readonly events: readonly InterceptorEvent[];
  /** How many entries of the message are not events, or 1 where it is not a list. */
  readonly malformed: number;
};

/**
 * The events of a message. Never throws. Only an entry's type and ids are checked; whether its other fields fit their
 * columns is decided by the database.
 */
export function readMessage(body: unknown): MessageContent {
  const values = typeof body === "string" ? parseJson(body) : undefined;
  if (!Array.isArray(values)) return { events: [], malformed: 1 };
  const events = values.filter(hasEventId);
  return { events, malformed: values.length - events.length };
}
