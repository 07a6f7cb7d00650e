/**
 * Sink: the ledger of the records Worker, where recording is not required. Gathers the events of many requests into one batch,
 * because a send costs more than the events in it.
 *
 * **Senders.** A timer and a send belong to the request in whose context they were made, and no request can wait for another
 * one's. So the request that opens a batch sends it, kept alive by `waitUntil`. The others add texts to it and wait for
 * nothing. A request that fills the batch, or whose client has disconnected, sends it at once: it may not live for 100 ms.
 *
 * **Cancelled senders.** If the platform ends the sender, its timers and its send end silently. A batch therefore stays in
 * `unsent` until it is delivered or printed, and the next request of the isolate that writes after its deadline sends its
 * events with its own. Sending events twice changes nothing. It is one send, because a request has few connections.
 *
 * **A queue that is down.** The sender of a batch prints its fallback lines (`failed-batches.ts`). From a failed attempt until
 * a successful one, batches are small, so that the lines are spread over many requests. They are still batches: a
 * queue or an isolate that is overloaded would not recover under a send for each request.
 */
import type { InterceptorEvent } from "../../events/event.ts";
import { toLedgerTexts } from "../../events/ledger-events.ts";
import { REAL_TIMING, retry, type Timing } from "./delivery.ts";
import type { FailedBatches, Sender } from "./failed-batches.ts";
import type { AwaitedSink } from "./recorder.ts";
import { progressOf, requestIdOf } from "./request-events.ts";

export type BatchOptions = {
  /** Whether an event goes to the ledger at all. */
  readonly wants: (event: InterceptorEvent) => boolean;
  /** Takes the texts of all events or rejects; may be called again with texts that it has taken. */
  readonly deliver: (texts: readonly string[]) => Promise<unknown>;
  readonly failed: FailedBatches;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly timing?: Timing;
};

/** From a batch's first event until it is sent. */
export const GATHER_MS = 100;
/** A batch of this size is sent at once. With the last events it is about one message (`MESSAGE_BYTES`), if most are ASCII. */
export const FULL_CHARACTERS = 100_000;
/** The same after a failed attempt: the lines of such a batch fit into the 16,384 characters that Logpush keeps of its sender. */
export const FULL_WHILE_DOWN = 8000;
/** The age at which another request sends a batch: its sender's timer is then taken for dead. */
const OVERDUE_MS = 250;
/** The same for a batch that is being sent: longer than all attempts together. */
const SENDING_MS = 8000;

/** Holds no promise and no timer: all requests share it. */
type Batch = {
  readonly texts: string[];
  characters: number;
  sender: Sender;
  /** From then on another request sends it. */
  dueAt: number;
};

export function batchEvents(options: BatchOptions): AwaitedSink {
  const batches = new Batches(options);
  return {
    kind: "awaited",
    name: "ledger",
    required: false,
    write: (events) => {
      const { isUnfinished, isCancelled } = progressOf(events);
      const sender: Sender = { id: requestIdOf(events), isOpen: isUnfinished };
      if (!sender.isOpen) batches.close(sender.id);
      const texts = toLedgerTexts(events.filter(options.wants));
      if (texts.length === 0) return null;
      return batches.add(texts, sender, isCancelled || (!sender.isOpen && options.failed.hasWaiting()));
    },
  };
}

/** The batches of an isolate. */
class Batches {
  readonly #options: BatchOptions;
  readonly #timing: Timing;
  readonly #unsent = new Set<Batch>();
  #open: Batch | null = null;
  #isDown = false;

  constructor(options: BatchOptions) {
    this.#options = options;
    this.#timing = options.timing ?? REAL_TIMING;
  }

  /** Notes that the end of a request has been logged. */
  close(id: string): void {
    for (const { sender } of this.#unsent) if (sender.id === id) sender.isOpen = false;
  }

  /** Returns null where the request has nothing to wait for. Never rejects. */
  add(texts: readonly string[], sender: Sender, isUrgent: boolean): Promise<void> | null {
    const opened = this.#open;
    const batch = opened ?? this.#create(sender);
    addTo(batch, texts);
    const isOverdue = this.#takeOverdue(batch);
    const isFull = batch.characters >= (this.#isDown ? FULL_WHILE_DOWN : FULL_CHARACTERS);
    if (isUrgent || isOverdue || isFull) return this.#send(batch, sender);
    return opened === null ? this.#sendLater(batch, sender) : null;
  }

  #create(sender: Sender): Batch {
    const dueAt = this.#options.now() + OVERDUE_MS;
    const batch: Batch = { texts: [], characters: 0, sender, dueAt };
    this.#unsent.add(batch);
    this.#open = batch;
    return batch;
  }

  /** Moves the events of overdue batches into this one. Returns whether it has to be sent at once. */
  #takeOverdue(batch: Batch): boolean {
    const at = this.#options.now();
    let isOverdue = false;
    for (const other of this.#unsent) {
      if (other.dueAt > at) continue;
      isOverdue = true;
      if (other === batch) continue;
      addTo(batch, other.texts);
      this.#unsent.delete(other);
    }
    return isOverdue;
  }

  #sendLater(batch: Batch, sender: Sender): Promise<void> {
    return new Promise((resolve) => {
      this.#timing.after(GATHER_MS, () => {
        if (this.#open === batch) void this.#send(batch, sender).then(resolve);
        else resolve();
      });
    });
  }

  /** Sends the batch from the current request. */
  async #send(batch: Batch, sender: Sender): Promise<void> {
    const { deliver, failed, now } = this.#options;
    if (this.#open === batch) this.#open = null;
    batch.sender = sender;
    batch.dueAt = now() + SENDING_MS;
    const onFailed = (): void => void (this.#isDown = true);
    try {
      await retry(() => deliver(batch.texts), this.#timing, onFailed);
      this.#isDown = false;
      this.#unsent.delete(batch);
    } catch (error) {
      // Another request may have taken its events, and may have delivered them.
      if (this.#unsent.has(batch)) {
        await failed.print(batch.texts, sender, error);
        this.#unsent.delete(batch);
      }
    }
    if (!sender.isOpen) failed.printWaiting();
  }
}

function addTo(batch: Batch, texts: readonly string[]): void {
  for (const text of texts) {
    batch.texts.push(text);
    batch.characters += text.length;
  }
}
