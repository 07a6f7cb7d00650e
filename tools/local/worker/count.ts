/**
 * Counts requests that the gateway still works for, and events that it has put into the queue. Miniflare keeps a queue in
 * the memory of the process that also runs both Workers, so that queue and counts begin anew together.
 */
import { readMessage } from "../../../src/events/queue-message.ts";

export const counts = {
  /** Requests without a response yet, or with work in the background: their last events may not be queued yet. */
  requests: 0,
  /** Events that the queue has taken since the start. */
  queued: 0,
};

/** How many events a message of the queue holds. */
export const eventsIn = (body: unknown): number => readMessage(body).events.length;

/** Counts the request until `done` is called and everything passed to `waitUntil` has settled. */
export function countingContext(context: ExecutionContext): {
  readonly context: ExecutionContext;
  readonly done: () => void;
} {
  let open = 1;
  counts.requests += 1;
  const done = (): void => {
    open -= 1;
    if (open === 0) counts.requests -= 1;
  };
  const waitUntil = (promise: Promise<unknown>): void => {
    open += 1;
    context.waitUntil(promise.finally(done));
  };
  const passThroughOnException = (): void => context.passThroughOnException();
  // The gateway uses `waitUntil` only. Other members are getters of the original's class.
  return { context: { waitUntil, passThroughOnException } as ExecutionContext, done };
}

/** The events are counted before the queue can deliver them. */
async function counted<T>(bodies: readonly unknown[], send: () => Promise<T>): Promise<T> {
  const events = bodies.reduce<number>((sum, body) => sum + eventsIn(body), 0);
  counts.queued += events;
  try {
    return await send();
  } catch (error) {
    counts.queued -= events;
    throw error;
  }
}

/** The queue, with a count of the events that it takes. */
export function countingQueue(queue: Queue): Pick<Queue, "send" | "sendBatch"> {
  return {
    send: (body, options) => counted([body], () => queue.send(body, options)),
    sendBatch: (messages, options) => {
      const all = [...messages];
      return counted(
        all.map(({ body }) => body),
        () => queue.sendBatch(all, options),
      );
    },
  };
}
