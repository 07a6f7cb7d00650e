import type { Calls, QueuedBatch } from "../queue-broker.ts";

/** A batch for the consumer, and the record of the calls on its messages. */
export function toMessageBatch({ queue, messages }: QueuedBatch): {
  readonly batch: MessageBatch;
  readonly calls: Calls;
} {
  const calls: { -readonly [Id in keyof Calls]: Calls[Id] } = {};
  // The first call wins.
  const all = messages.map(({ id, timestamp, attempts, body }): Message => ({
    id,
    timestamp: new Date(timestamp),
    attempts,
    body,
    ack: () => void (calls[id] ??= "ack"),
    retry: (options) => void (calls[id] ??= { retry: options?.delaySeconds ?? null }),
  }));
  const batch: MessageBatch = {
    queue,
    messages: all,
    metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } },
    ackAll: () => all.forEach((message) => message.ack()),
    retryAll: (options) => all.forEach((message) => message.retry(options)),
  };
  return { batch, calls };
}
