/**
 * Cloudflare's queues as documented, in memory and in virtual time: batches, acknowledgements, retries with delays, implicit
 * failures and dead-letter queues. The runtime's own broker lives in the process that these tests end.
 *
 * - A message that is neither acknowledged nor retried is acknowledged when the consumer returns, and retried when it fails:
 *   https://developers.cloudflare.com/queues/configuration/batching-retries/
 * - A consumer that is ended leaves no result, because its acknowledgements are part of its response: the whole batch is
 *   delivered again after `retryDelay`, with `attempts` raised.
 * - After `maxRetries` retries a message moves to the dead-letter queue, with the same id and from its first attempt:
 *   https://developers.cloudflare.com/queues/configuration/dead-letter-queues/
 */
export type QueueSettings = {
  readonly maxBatchSize: number;
  readonly maxRetries: number;
  /** Seconds. */
  readonly retryDelay: number;
  readonly deadLetterQueue?: string;
};

export type QueuedMessage = {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly attempts: number;
  readonly body: string;
};

export type QueuedBatch = { readonly queue: string; readonly messages: readonly QueuedMessage[] };

/** Message id → the first of the consumer's calls for it, a retry with its delay in seconds. */
export type Calls = Readonly<Record<string, "ack" | { readonly retry: number | null }>>;

/** The calls of a run that returned; `ended`: the run did not return. */
export type BatchResult = "ended" | Calls;

type Waiting = { readonly queue: string; readonly message: QueuedMessage; readonly due: number };

export type QueueBroker = {
  readonly send: (queue: string, body: string) => string;
  /** Delivers until every queue is empty, or until `isDone` between two batches. */
  readonly run: (isDone?: () => boolean) => Promise<void>;
  /** The ids that were acknowledged, each with the attempt that was. */
  readonly acknowledged: ReadonlyMap<string, number>;
  /** The ids that moved to a dead-letter queue. */
  readonly dead: ReadonlySet<string>;
  /** The ids that were deleted, because there was no dead-letter queue. */
  readonly lost: ReadonlySet<string>;
};

export function createQueueBroker(
  queues: Readonly<Record<string, QueueSettings>>,
  deliver: (batch: QueuedBatch) => Promise<BatchResult>,
): QueueBroker {
  let waiting: Waiting[] = [];
  let now = Date.UTC(2026, 10, 23, 12);
  let sent = 0;
  const acknowledged = new Map<string, number>();
  const dead = new Set<string>();
  const lost = new Set<string>();
  const enqueue = (queue: string, message: QueuedMessage, delay: number): void =>
    void waiting.push({ queue, message, due: now + delay * 1000 });

  const fail = (queue: string, message: QueuedMessage, delay: number | null): void => {
    const { maxRetries, retryDelay, deadLetterQueue } = queues[queue] as QueueSettings;
    if (message.attempts <= maxRetries)
      return enqueue(queue, { ...message, attempts: message.attempts + 1 }, delay ?? retryDelay);
    if (deadLetterQueue === undefined) return void lost.add(message.id);
    dead.add(message.id);
    enqueue(deadLetterQueue, { ...message, attempts: 1 }, 0);
  };

  const nextBatch = (): QueuedBatch => {
    const [first, ...others] = waiting.toSorted((a, b) => a.due - b.due) as [Waiting, ...Waiting[]];
    now = Math.max(now, first.due);
    const due = others.filter(({ queue, due: at }) => queue === first.queue && at <= now);
    const batch = [first, ...due].slice(0, queues[first.queue]?.maxBatchSize);
    waiting = waiting.filter((entry) => !batch.includes(entry));
    return { queue: first.queue, messages: batch.map(({ message }) => message) };
  };

  const run = async (isDone = (): boolean => false): Promise<void> => {
    while (waiting.length > 0 && !isDone()) {
      const { queue, messages } = nextBatch();
      const result = await deliver({ queue, messages });
      for (const message of messages) {
        const call = result === "ended" ? { retry: null } : (result[message.id] ?? "ack");
        if (call === "ack") acknowledged.set(message.id, message.attempts);
        else fail(queue, message, call.retry);
      }
    }
  };
  const send = (queue: string, body: string): string => {
    const id = `message-${sent++}`;
    enqueue(queue, { id, timestamp: now, attempts: 1, body }, 0);
    return id;
  };
  return { send, run, acknowledged, dead, lost };
}
