/** How events travel through the queue: JSON arrays of them as texts, in messages of a size that queues take. */
import type { InterceptorEvent } from "./event.ts";
import { toJsonWithin } from "./truncate-event.ts";
import { byteLength } from "../shared/text.ts";

/** Of 128,000 that a message may have with what the queue adds: https://developers.cloudflare.com/queues/platform/limits/ */
export const MESSAGE_BYTES = 120_000;
/** Messages in one call, which may have 256,000 bytes. */
const TOGETHER = 2;

/** Resolves when the queue has taken them all; where it rejects it may have taken some, and takes them again. */
export async function sendEvents(queue: Queue, events: readonly InterceptorEvent[]): Promise<void> {
  const messages = toMessages(events);
  for (let at = 0; at < messages.length; at += TOGETHER) {
    const [first, ...others] = messages.slice(at, at + TOGETHER);
    if (first === undefined) return;
    // As text: what the consumer gets is what was written here, whatever may be wrong with it.
    if (others.length === 0) await queue.send(first, { contentType: "text" });
    else await queue.sendBatch([first, ...others].map((body) => ({ body, contentType: "text" })));
  }
}

/** As few messages as it takes, the events in their order. */
export function toMessages(events: readonly InterceptorEvent[]): string[] {
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
