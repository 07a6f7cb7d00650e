/**
 * The queue's consumer: each batch into the database, then into the archive where there is one. A message is done with
 * once both have taken it; else it comes again, later and later, and harms no other: after two attempts together each is
 * stored by itself. What is still not stored at the last attempt goes into the log, whole, and only as much at a time as a
 * log takes.
 *
 * First the database and only then the archive: events come again after a failure in other batches than before, and every
 * batch is a new object. On a message's last attempt the archive gets it whatever the database does.
 */
import type { InterceptorEvent } from "../../../events/event.ts";
import { archiveEvents } from "./archive.ts";
import { errorText } from "../error-text.ts";
import type { LedgerDeps } from "../ledger.ts";
import { readMessage } from "../../../events/read-message.ts";
import { storeEvents } from "./store.ts";

/** Of one message: over seven hours after its first. From then on it goes into the log as soon as that has room. */
export const LAST_ATTEMPT = 50;
/** And here in any case. Below the queue's `max_retries`, after which it would be lost. */
export const FINAL_ATTEMPT = 95;
/**
 * What one run puts into the log, one message at least: after a day without a database messages come to their end by the
 * hundred, and of one run Logpush keeps 16,384 characters.
 * https://developers.cloudflare.com/workers/observability/logs/logpush/
 */
export const MAX_LOGGED_CHARACTERS = 15_000;
/**
 * So many characters are stored together, a message at least: a hundred of the largest messages would, unpacked and written
 * out again for database and archive, take most of an isolate's memory, from the streams in it.
 */
export const MAX_BATCH_CHARACTERS = 2_000_000;
/** From this one on a message that is not stored with the others is tried alone. */
const ALONE_FROM = 3;

type Delivery = { readonly message: Message; readonly events: readonly InterceptorEvent[] };
type Log = { characters: number };

/** Never rejects: what becomes of each message is said to the queue. */
export async function consumeBatch(batch: MessageBatch, places: LedgerDeps): Promise<void> {
  const log = { characters: 0 };
  for (const messages of splitBatch(batch.messages)) await consumeTogether(messages, log, places);
}

function splitBatch(messages: readonly Message[]): readonly (readonly Message[])[] {
  const found: Message[][] = [];
  let characters = Infinity;
  for (const message of messages) {
    const length = typeof message.body === "string" ? message.body.length : 0;
    characters += length;
    if (characters <= MAX_BATCH_CHARACTERS) found.at(-1)?.push(message);
    else {
      found.push([message]);
      characters = length;
    }
  }
  return found;
}

async function consumeTogether(messages: readonly Message[], log: Log, places: LedgerDeps): Promise<void> {
  const deliveries = messages.map((message) => read(message, places));
  try {
    await storeAndArchive(
      deliveries.flatMap(({ events }) => events),
      places,
    );
    deliveries.forEach(({ message }) => message.ack());
    return;
  } catch (error) {
    places.logError(`ledger: ${deliveries.length} messages not stored: ${errorText(error)}`);
  }
  await Promise.all(deliveries.map((delivery) => storeAlone(delivery, log, places)));
}

function read(message: Message, { logError }: LedgerDeps): Delivery {
  const { events, malformed } = readMessage(message.body);
  if (malformed > 0) logError(`ledger: ${malformed} malformed in message ${message.id}, dropped`);
  return { message, events };
}

/** In both places or rejects; in which it is then is not known, and another time does no harm. */
async function storeAndArchive(
  events: readonly InterceptorEvent[],
  { database, archive }: Pick<LedgerDeps, "database" | "archive">,
): Promise<void> {
  if (database) await storeEvents(database, events);
  if (archive) await archiveEvents(archive, events);
}

async function storeAlone({ message, events }: Delivery, log: Log, places: LedgerDeps): Promise<void> {
  const later = (): void => message.retry({ delaySeconds: delay(message.attempts) });
  if (message.attempts < ALONE_FROM) return later();
  try {
    await storeAndArchive(events, places);
    return message.ack();
  } catch (error) {
    if (message.attempts < LAST_ATTEMPT || !hasRoom(log, message)) return later();
    places.logError(`ledger: message ${message.id} given up: ${errorText(error)}`);
  }
  await storeAndArchive(events, { database: null, archive: places.archive }).catch(() => undefined);
  places.fallback(events);
  return message.ack();
}

/** Takes the room that it finds. */
function hasRoom(log: Log, { body, attempts }: Message): boolean {
  const length = typeof body === "string" ? body.length : 0;
  const fits =
    log.characters === 0 || log.characters + length <= MAX_LOGGED_CHARACTERS || attempts >= FINAL_ATTEMPT;
  if (fits) log.characters += length;
  return fits;
}

/** Seconds until the next attempt: 5, 10, 20 … at most ten minutes. */
function delay(attempts: number): number {
  return Math.min(5 * 2 ** (attempts - 1), 600);
}
