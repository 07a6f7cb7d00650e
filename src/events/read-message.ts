/** Reads what comes back out of the queue. It is our own writing, but a queue can be written to by others too. */
import type { InterceptorEvent } from "./event.ts";
import { hasEventId } from "./event-id.ts";

export type MessageContent = {
  readonly events: readonly InterceptorEvent[];
  /** How many things in the message were no events, or 1 where it was no list of them at all. */
  readonly malformed: number;
};

/**
 * Never throws. Looked at is only what makes an event one of ours, its type and its ids; whether its other fields fit
 * their columns is for the database to say.
 */
export function readMessage(body: unknown): MessageContent {
  const values = parse(body);
  if (!Array.isArray(values)) return { events: [], malformed: 1 };
  const events = values.filter(hasEventId);
  return { events, malformed: values.length - events.length };
}

function parse(body: unknown): unknown {
  if (typeof body !== "string") return null;
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
