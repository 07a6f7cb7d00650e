/**
 * The queue consumer. This folder owns the ledger's write path: everything between a queue message and rows in D1 or
 * objects in the archive.
 *
 * - `consume.ts` decides what happens to each message: acknowledge, retry, or fall back to the log.
 * - `store.ts` writes events into D1. Without a queue, the records Worker's RPC method calls it directly, and nothing is
 *   archived.
 * - `statements.ts` builds its statements from `insert-sql.ts` (event → row) and `thread-sql.ts` (row → thread).
 * - `archive.ts` writes the same events into R2.
 * - `previous-names.ts` renames the fields of events from before migration 0005.
 * - `stored-json.ts` is the JSON encoding that both use.
 *
 * A batch goes into the database first and then into the archive. A message is acknowledged once both have taken it, else
 * it is retried with backoff. After two failed attempts in a batch, each message is stored by itself, so that one bad
 * message does not block the others. A message that still fails at its last attempt goes into the log, complete, and only
 * as much per run as a log accepts.
 *
 * The order matters: after a failure, events come back in other batches, and every new batch is a new archive object. On a
 * message's last attempt it is archived even when the database fails.
 */
import type { InterceptorEvent } from "../../../events/event.ts";
import { archiveEvents } from "./archive.ts";
import { errorText } from "../error-text.ts";
import type { LedgerDeps } from "../ledger.ts";
import { readMessage } from "../../../events/queue-message.ts";
import { withPublicNames } from "./previous-names.ts";
import { storeEvents } from "./store.ts";

/** More than seven hours after a message's first attempt. From then on it goes into the log as soon as that has room. */
export const LOG_IF_ROOM_FROM_ATTEMPT = 50;
/** From this attempt on it goes into the log in any case. Below the queue's `max_retries`, after which it would be lost. */
export const LOG_ALWAYS_FROM_ATTEMPT = 95;
/**
 * Bound of the characters that one run writes into the log; one message may exceed it. After a day without a database,
 * messages reach their last attempt by the hundred, and Logpush keeps 16,384 characters per run.
 * https://developers.cloudflare.com/workers/observability/logs/logpush/
 */
export const MAX_LOGGED_CHARACTERS = 15_000;
/**
 * Bound of the characters that are stored together; one message may exceed it. A hundred of the largest messages, parsed
 * and serialized again for database and archive, would take most of the isolate's memory from concurrent streams.
 */
export const MAX_BATCH_CHARACTERS = 2_000_000;
/** From this attempt on, a message that cannot be stored with the others is stored by itself. */
const ALONE_FROM_ATTEMPT = 3;

type Delivery = { readonly message: Message; readonly events: readonly InterceptorEvent[] };
/** Characters that this run has written into the log. */
type LogUse = { characters: number };

/** Never rejects: each message is acknowledged or retried. */
export async function consumeBatch(batch: MessageBatch, deps: LedgerDeps): Promise<void> {
  const logUse = { characters: 0 };
  for (const messages of splitBatch(batch.messages)) await consumeTogether(messages, logUse, deps);
}

function splitBatch(messages: readonly Message[]): readonly (readonly Message[])[] {
  const parts: Message[][] = [];
  let characters = Infinity;
  for (const message of messages) {
    const length = lengthOf(message);
    characters += length;
    if (characters <= MAX_BATCH_CHARACTERS) parts.at(-1)?.push(message);
    else {
      parts.push([message]);
      characters = length;
    }
  }
  return parts;
}

async function consumeTogether(
  messages: readonly Message[],
  logUse: LogUse,
  deps: LedgerDeps,
): Promise<void> {
  const deliveries = messages.map((message) => read(message, deps));
  try {
    await storeAndArchive(
      deliveries.flatMap(({ events }) => events),
      deps,
    );
    deliveries.forEach(({ message }) => message.ack());
    return;
  } catch (error) {
    deps.logError({ event: "messages_not_stored", messages: deliveries.length, error: errorText(error) });
  }
  await Promise.all(deliveries.map((delivery) => storeAlone(delivery, logUse, deps)));
}

function read(message: Message, { logError }: LedgerDeps): Delivery {
  const { events, malformed } = readMessage(message.body);
  if (malformed > 0) logError({ event: "events_malformed", message_id: message.id, events: malformed });
  return { message, events: events.map(withPublicNames) };
}

/** Resolves when both have the events. After a rejection either may have them; repeating is safe. */
async function storeAndArchive(
  events: readonly InterceptorEvent[],
  { database, archive }: Pick<LedgerDeps, "database" | "archive">,
): Promise<void> {
  if (database) await storeEvents(database, events);
  if (archive) await archiveEvents(archive, events);
}

async function storeAlone({ message, events }: Delivery, logUse: LogUse, deps: LedgerDeps): Promise<void> {
  const retry = (): void => message.retry({ delaySeconds: retryDelay(message.attempts) });
  if (message.attempts < ALONE_FROM_ATTEMPT) return retry();
  try {
    await storeAndArchive(events, deps);
    return message.ack();
  } catch (error) {
    if (message.attempts < LOG_IF_ROOM_FROM_ATTEMPT || !reserveLog(logUse, message)) return retry();
    deps.logError({ event: "message_given_up", message_id: message.id, error: errorText(error) });
  }
  await storeAndArchive(events, { database: null, archive: deps.archive }).catch(() => undefined);
  deps.fallback(events);
  return message.ack();
}

/** Whether the log has room for the message in this run; if so, the room is taken. */
function reserveLog(logUse: LogUse, message: Message): boolean {
  const length = lengthOf(message);
  const fits =
    logUse.characters === 0 ||
    logUse.characters + length <= MAX_LOGGED_CHARACTERS ||
    message.attempts >= LOG_ALWAYS_FROM_ATTEMPT;
  if (fits) logUse.characters += length;
  return fits;
}

const lengthOf = ({ body }: Message): number => (typeof body === "string" ? body.length : 0);

/** Exponential backoff in seconds: 5, 10, 20 … at most ten minutes. */
function retryDelay(attempts: number): number {
  return Math.min(5 * 2 ** (attempts - 1), 600);
}
