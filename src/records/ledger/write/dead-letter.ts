/**
 * The consumer of the dead-letter queue, which gets the messages that exhausted their retries in the queue of events. They
 * ended every run of the consumer, hold events of a newer version, or met an invalid configuration for all of their retries.
 * No other queue is behind this one, so each message is stored, archived or printed here.
 *
 * The first delivery stores the message as usual. If that fails, or ends the run, the next delivery does not parse it: it
 * archives the message unmodified or, without an archive, prints it. Logpush keeps 16,384 characters of one run, so each
 * delivery prints a part of it. Each part is printed in two deliveries, because the log of one of them may be lost.
 */
import { isReadWhole } from "../../../events/queue-message.ts";
import { toPieceLine, toPieces } from "../../../events/message-pieces.ts";
import { errorText } from "../error-text.ts";
import type { LedgerDeps } from "../ledger.ts";
import { archiveUnmodified } from "./archive.ts";
import { readDelivery, storeAndArchive } from "./consume.ts";
import { messageText } from "./message-text.ts";

/** The first delivery that does not parse the message. */
const KEEP_FROM_ATTEMPT = 2;
/** From this attempt on the whole message is printed at once. Below the queue's `max_retries`. */
export const PRINT_ALL_FROM_ATTEMPT = 95;
/** Until the next part of a message is printed. */
const NEXT_PIECES_S = 1;

type PrintDeps = Pick<LedgerDeps, "logError" | "print">;

/** A word of the queue's name: `ai-events-dead`, `ai-events-dead-staging`, `llm-log-dlq`. */
const DEAD_LETTER_NAME = /(?:^|-)(?:dead|dlq)(?:-|$)/;

/**
 * Whether the Worker consumes the queue as a dead-letter queue. A batch says no more than its queue's name, and no binding
 * tells a consumer which of its queues is behind another one. `named`: the configured name, for one without such a word.
 */
export const isDeadLetterQueue = (queue: string, named: string | null): boolean =>
  named === null ? DEAD_LETTER_NAME.test(queue) : queue === named;

/** Never rejects: each message is acknowledged or retried. */
export async function consumeDeadLetters({ messages }: MessageBatch, deps: LedgerDeps): Promise<void> {
  for (const message of messages) {
    if (message.attempts < KEEP_FROM_ATTEMPT) await storeDeadLetter(message, deps);
    else await keepDeadLetter(message, deps);
  }
}

async function storeDeadLetter(message: Message, deps: LedgerDeps): Promise<void> {
  const delivery = await readDelivery(message, "d", deps);
  const failure = await storeAndArchive([delivery], deps);
  if (failure === null && isReadWhole(delivery.content)) {
    deps.logError({ event: "dead_letter_stored", message_id: message.id });
    return message.ack();
  }
  const error = failure === null ? "not read completely" : errorText(failure.error);
  deps.logError({ event: "dead_letter_not_stored", message_id: message.id, error });
  message.retry({ delaySeconds: 0 });
}

async function keepDeadLetter(message: Message, deps: LedgerDeps): Promise<void> {
  const { archive, logError } = deps;
  if (archive && (await archiveUnmodified(archive, message, logError))) message.ack();
  else printDeadLetter(message, deps);
}

/**
 * Handles a dead letter while the configuration is invalid, so that nothing can store it.
 * `retryDelay`: seconds until its second delivery.
 */
export function printUnconfigured(message: Message, retryDelay: number, deps: PrintDeps): void {
  if (message.attempts < KEEP_FROM_ATTEMPT) message.retry({ delaySeconds: retryDelay });
  else printDeadLetter(message, deps);
}

/**
 * Prints the pieces of the message that belong to this delivery, and acknowledges it once each piece was printed twice. They
 * follow from `attempts` alone: every delivery from the second on prints its pieces or, with an archive, is the last.
 */
function printDeadLetter(message: Message, { logError, print }: PrintDeps): void {
  const { id, attempts, body } = message;
  const pieces = toPieces(id, messageText(body));
  const isLast = attempts >= PRINT_ALL_FROM_ATTEMPT;
  const current = attempts - KEEP_FROM_ATTEMPT;
  const ofThisDelivery = isLast ? pieces : pieces.slice(Math.max(0, current - 1), current + 1);
  for (const piece of ofThisDelivery) print(toPieceLine(piece));
  if (!isLast && current < pieces.length) return message.retry({ delaySeconds: NEXT_PIECES_S });
  logError({ event: "message_printed", message_id: id, pieces: pieces.length });
  message.ack();
}
